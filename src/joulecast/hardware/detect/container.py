"""What kind of container this process runs in, if any."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .files import Tree

# Values of the variable `container`, and of /run/host/container-manager, which container managers
# set (https://systemd.io/CONTAINER_INTERFACE)
_MANAGERS = {"docker", "podman", "lxc", "systemd-nspawn", "oci"}

_CGROUP_PATHS = (
    ("kubernetes", r"/kubepods"),
    ("docker", r"/docker[/-]|/docker$"),
    ("podman", r"/libpod[/-]"),
    ("lxc", r"/lxc[/.]"),
    ("containerd", r"/containerd|cri-containerd"),
    ("systemd-nspawn", r"/machine\.slice/.*nspawn"),
)


def detect_container(tree: Tree, env: Mapping[str, str]) -> str:
    """`kubernetes`, `docker`, `podman`, `apptainer`, `lxc`, ..., or `none` where nothing tells.

    Kubernetes comes before the runtime it uses, since it is Kubernetes that sets the limits.
    """
    cgroup = tree.text("proc/self/cgroup") or ""
    if (
        "KUBERNETES_SERVICE_HOST" in env
        or tree.exists("var/run/secrets/kubernetes.io")
        or "/kubepods" in cgroup
    ):
        return "kubernetes"
    if "APPTAINER_CONTAINER" in env or "SINGULARITY_CONTAINER" in env:
        return "apptainer"
    if tree.exists("run/.containerenv"):
        return "podman"
    if tree.exists(".dockerenv"):
        return "docker"
    named = env.get("container") or tree.text("run/host/container-manager")
    named = named or tree.text("run/systemd/container")
    if named and named in _MANAGERS:
        return named
    for kind, pattern in _CGROUP_PATHS:
        if re.search(pattern, cgroup):
            return kind
    return "none"
