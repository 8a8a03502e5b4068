"""What kind of container this process runs in, if any."""

import re
from collections.abc import Mapping

from ..catalog.data_file import data_file
from .files import Tree


def detect_container(tree: Tree, env: Mapping[str, str]) -> str:
    """`kubernetes`, `docker`, `podman`, `apptainer`, `lxc`, ..., or `none` without any sign of one.

    Kubernetes comes before the runtime that it uses, because Kubernetes sets the limits.
    """
    cgroup = tree.text("proc/self/cgroup") or ""
    containers = data_file("machines")["containers"]
    for row in containers["signs"]:
        if (
            any(name in env for name in row.get("variables", ()))
            or any(tree.exists(file) for file in row.get("files", ()))
            or row.get("group", "\0") in cgroup
        ):
            return str(row["name"])
    manager = (
        env.get("container")
        or tree.text("run/host/container-manager")
        or tree.text("run/systemd/container")
    )
    if manager in containers["managers"]:
        return str(manager)
    by_path = containers["by_path"]
    return next((row["name"] for row in by_path if re.search(row["pattern"], cgroup)), "none")
