"""What kind of container this process runs in, if any."""

import re
from collections.abc import Mapping

from .files import Tree

# Values of the variable `container`, and of /run/host/container-manager, which container managers
# set (https://systemd.io/CONTAINER_INTERFACE)
_MANAGERS = {"docker", "podman", "lxc", "systemd-nspawn", "oci"}

# (kind, environment variables, files): the presence of any of them is enough.
_SIGNS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("kubernetes", ("KUBERNETES_SERVICE_HOST",), ("var/run/secrets/kubernetes.io",)),
    ("apptainer", ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER"), ()),
    ("podman", (), ("run/.containerenv",)),
    ("docker", (), (".dockerenv",)),
)

_CGROUP_PATHS = (
    ("docker", r"/docker[/-]|/docker$"),
    ("podman", r"/libpod[/-]"),
    ("lxc", r"/lxc[/.]"),
    ("containerd", r"/containerd|cri-containerd"),
    ("systemd-nspawn", r"/machine\.slice/.*nspawn"),
)


def detect_container(tree: Tree, env: Mapping[str, str]) -> str:
    """`kubernetes`, `docker`, `podman`, `apptainer`, `lxc`, ..., or `none` without any sign of one.

    Kubernetes comes before the runtime that it uses, because Kubernetes sets the limits.
    """
    cgroup = tree.text("proc/self/cgroup") or ""
    for kind, variables, files in _SIGNS:
        if any(name in env for name in variables) or any(tree.exists(file) for file in files):
            return kind
        if kind == "kubernetes" and "/kubepods" in cgroup:
            return kind
    manager = (
        env.get("container")
        or tree.text("run/host/container-manager")
        or tree.text("run/systemd/container")
    )
    if manager in _MANAGERS:
        return str(manager)
    return next((kind for kind, path in _CGROUP_PATHS if re.search(path, cgroup)), "none")
