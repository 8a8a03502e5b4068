"""File trees of machines as their kernels show them, written under any folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

Files = dict[str, str]


def write(root: Path, *parts: Mapping[str, str | bytes]) -> Path:
    """Write each file under `root` and return it."""
    for part in parts:
        for name, content in part.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content if isinstance(content, bytes) else content.encode()
            path.write_bytes(data)
    return root


def dmi(**fields: str) -> Files:
    """`/sys/class/dmi/id`, with the line ends of the kernel."""
    return {f"sys/class/dmi/id/{name}": f"{value}\n" for name, value in fields.items()}


def x86(
    vendor: str,
    family: int,
    model: int,
    stepping: int,
    name: str,
    *,
    sockets: int = 1,
    cores: int = 2,
    smt: int = 2,
    flags: str = "fpu vme sse2 ht avx2",
) -> Files:
    """`cores` a socket; threads numbered as Linux does: first threads of all cores, then second."""
    places = [(s, c) for s in range(sockets) for c in range(cores)] * smt
    stanzas = [
        f"processor\t: {n}\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\n"
        f"model name\t: {name}\nstepping\t: {stepping}\ncpu MHz\t\t: 2500.000\n"
        f"physical id\t: {s}\nsiblings\t: {cores * smt}\ncore id\t\t: {c}\n"
        f"cpu cores\t: {cores}\nflags\t\t: {flags}\nbogomips\t: 5000.00\n"
        for n, (s, c) in enumerate(places)
    ]
    return {"proc/cpuinfo": "\n".join(stanzas) + "\n"} | topology(
        [s for s, _ in places], [s * cores + c for s, c in places]
    )


def arm(implementer: str, part: str, threads: int, *, package: int = 0) -> Files:
    """A 64-bit ARM machine: no model name, one thread a core."""
    stanza = (
        "processor\t: {n}\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2\n"
        f"CPU implementer\t: {implementer}\nCPU architecture: 8\nCPU variant\t: 0x3\n"
        f"CPU part\t: {part}\nCPU revision\t: 1\n"
    )
    text = "\n".join(stanza.format(n=n) for n in range(threads)) + "\n"
    return {"proc/cpuinfo": text} | topology([package] * threads, list(range(threads)))


def topology(packages: list[int], cores: list[int]) -> Files:
    """`/sys/devices/system/cpu` of threads that lie in these packages and cores."""
    base = "sys/devices/system/cpu"
    files = {f"{base}/online": f"0-{len(cores) - 1}\n"}
    files["proc/self/status"] = f"Name:\tpython3\nCpus_allowed_list:\t0-{len(cores) - 1}\n"
    for n, (package, core) in enumerate(zip(packages, cores, strict=True)):
        siblings = ",".join(str(i) for i, c in enumerate(cores) if c == core)
        files[f"{base}/cpu{n}/topology/core_cpus_list"] = f"{siblings}\n"
        files[f"{base}/cpu{n}/topology/physical_package_id"] = f"{package}\n"
    return files


def linux(
    name: str = "Ubuntu",
    version: str = "22.04",
    kernel: str = "5.15.0-105-generic",
    ram_kb: int = 0,
) -> Files:
    """The operating system's own files."""
    files = {
        "etc/os-release": f'# a comment\nNAME="{name}"\nVERSION_ID="{version}"\nID=linux\n',
        "proc/sys/kernel/osrelease": f"{kernel}\n",
        "proc/self/cgroup": "0::/user.slice/user-1000.slice/session-2.scope\n",
        "proc/self/mountinfo": CGROUP2_MOUNT,
    }
    if ram_kb:
        files["proc/meminfo"] = f"MemTotal:       {ram_kb} kB\nMemFree:          123456 kB\n"
    return files


CGROUP2_MOUNT = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"


def cgroup1_mounts(controllers: Iterable[str], root: str = "/") -> str:
    """The mount table of a container with cgroup v1; `root` is the part of it that is mounted."""
    return "".join(
        f"{40 + i} 33 0:{30 + i} {root} /sys/fs/cgroup/{c} ro,nosuid - cgroup cgroup rw,{c}\n"
        for i, c in enumerate(controllers)
    )
