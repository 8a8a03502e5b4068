"""The processor: its model from `/proc/cpuinfo`, its cores and clock from sysfs."""

import os
import re
from dataclasses import dataclass, replace

from .files import Tree, parse_cpu_list
from .microarchitecture import arm_board, arm_name, x86_microarchitecture

_CPU = "sys/devices/system/cpu"


@dataclass(frozen=True, slots=True)
class DetectedCpu:
    """The processors of a machine, as its operating system sees them (a guest sees its own).

    Attributes:
        name: "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz".
        vendor: "Intel", "AMD", "ARM", "Apple", ...
        family: x86 only.
        model: x86: the display model; ARM: the part number.
        stepping: x86: the stepping; ARM: the variant.
        microarchitecture: "Cascade Lake", "Zen 4", "Neoverse N1".
        codename: of the product: "Genoa".
        cores: physical cores of all sockets.
        threads: logical processors online.
        usable_threads: those on which the scheduler may run this process.
    """

    name: str | None = None
    vendor: str | None = None
    family: int | None = None
    model: int | None = None
    stepping: int | None = None
    microarchitecture: str | None = None
    codename: str | None = None
    sockets: int | None = None
    cores: int | None = None
    threads: int | None = None
    usable_threads: int | None = None
    base_mhz: float | None = None
    max_mhz: float | None = None


_VENDORS = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD", "HygonGenuine": "Hygon"}


def detect_cpu(tree: Tree, notes: list[str]) -> DetectedCpu:
    """The processor of a Linux machine; the reason of an unknown field goes to `notes`."""
    text = tree.text("proc/cpuinfo") or ""
    if not text:
        notes.append("CPU: /proc/cpuinfo cannot be read")
    online = _online(tree, text)
    sockets, cores = _topology(tree, online) or _topology_of_cpuinfo(text)
    if cores is None:
        notes.append("CPU: neither sysfs nor /proc/cpuinfo shows which threads share a core")
    base_mhz, max_mhz = _clock(tree, field(text, "model name"))
    if base_mhz is None or max_mhz is None:
        unknown = [n for n, v in (("base", base_mhz), ("maximum", max_mhz)) if v is None]
        notes.append(f"CPU: the system does not show its {' and '.join(unknown)} clock")
    return replace(
        _identity(text, tree, notes),
        sockets=sockets,
        cores=cores,
        threads=len(online) or (os.cpu_count() if tree.live else None),
        usable_threads=_usable(tree, online),
        base_mhz=base_mhz,
        max_mhz=max_mhz,
    )


def field(cpuinfo: str, key: str) -> str | None:
    """The first value of a key in the text of `/proc/cpuinfo`; "unknown" counts as none."""
    match = re.search(rf"^{re.escape(key)}[ \t]*:[ \t]*(.+)$", cpuinfo, re.MULTILINE)
    value = match[1].strip() if match else ""
    return value if value and value.lower() != "unknown" else None


def _integer(cpuinfo: str, key: str) -> int | None:
    try:
        # Decimal on x86, 0x... on ARM.
        return int(field(cpuinfo, key) or "", 0)
    except ValueError:
        return None


def _identity(text: str, tree: Tree, notes: list[str]) -> DetectedCpu:
    if field(text, "CPU implementer"):
        return _arm_identity(text, tree, notes)
    name = field(text, "model name") or field(text, "cpu") or field(text, "uarch")
    vendor_id = field(text, "vendor_id")
    family, model, stepping = (_integer(text, k) for k in ("cpu family", "model", "stepping"))
    kind = x86_microarchitecture(vendor_id, family, model, stepping, name)
    if vendor_id and kind is None:
        notes.append(
            f"CPU: microarchitecture unknown ({vendor_id} family {family} model {model} "
            f"stepping {stepping}, {name or 'no name'})"
        )
    return DetectedCpu(
        name=name,
        vendor=_VENDORS.get(vendor_id, vendor_id) if vendor_id else None,
        family=family,
        model=model,
        stepping=stepping,
        microarchitecture=kind.name if kind else None,
        codename=kind.codename if kind else None,
    )


def _arm_identity(text: str, tree: Tree, notes: list[str]) -> DetectedCpu:
    implementer, part = _integer(text, "CPU implementer"), _integer(text, "CPU part")
    core = arm_name("arm", implementer=implementer, part=part)
    if core is None:
        notes.append(f"CPU: ARM core unknown (implementer {implementer}, part {part})")
    # Cores are used in several products; a board names its own.
    shown = [field(text, key) for key in ("Hardware", "Model")]
    shown += [tree.text(f"proc/device-tree/{name}") for name in ("compatible", "model")]
    # 64-bit kernels show no name, or that of the architecture: "AArch64 Processor rev 4".
    name = field(text, "model name") or ""
    return DetectedCpu(
        name=arm_board("\n".join(filter(None, shown)))
        or (None if re.match(r"(ARMv\d|AArch64) Processor", name) else name or None),
        vendor=arm_name("arm_vendor", implementer=implementer),
        model=part,
        stepping=_integer(text, "CPU variant"),
        microarchitecture=core,
    )


def _online(tree: Tree, cpuinfo: str) -> set[int]:
    listed = _cpu_list(tree.text(f"{_CPU}/online"))
    numbers = re.findall(r"^processor[ \t]*:[ \t]*(\d+)", cpuinfo, re.MULTILINE)
    return listed or {int(n) for n in numbers}


def _cpu_list(text: str | None) -> set[int]:
    try:
        return parse_cpu_list(text or "")
    except ValueError:
        return set()


def _topology(tree: Tree, online: set[int]) -> tuple[int | None, int] | None:
    """(sockets, cores) from sysfs; sockets are None where the firmware does not number them."""
    counted: set[int] = set()
    packages: set[int] = set()
    cores = 0
    for cpu in sorted(online):
        if cpu in counted:
            continue
        folder = f"{_CPU}/cpu{cpu}/topology"
        # The second is its name before Linux 5.3.
        siblings = _cpu_list(
            tree.text(f"{folder}/core_cpus_list") or tree.text(f"{folder}/thread_siblings_list")
        )
        if cpu not in siblings:
            return None
        counted |= siblings
        cores += 1
        package = tree.number(f"{folder}/physical_package_id")
        # -1: unknown.
        if package is not None and package >= 0:
            packages.add(package)
    return (len(packages) or None, cores) if cores else None


def _topology_of_cpuinfo(cpuinfo: str) -> tuple[int | None, int | None]:
    pairs = [
        (field(stanza, "physical id"), field(stanza, "core id"))
        for stanza in cpuinfo.split("\n\n")
        if field(stanza, "core id")
    ]
    if not pairs:
        return None, None
    return len({socket for socket, _ in pairs}), len(set(pairs))


def _usable(tree: Tree, online: set[int]) -> int | None:
    """Number of threads in this process's affinity mask, which a cpuset restricts too."""
    status = tree.text("proc/self/status") or ""
    match = re.search(r"^Cpus_allowed_list:[ \t]*(\S+)", status, re.MULTILINE)
    allowed = _cpu_list(match[1]) if match else set()
    usable = len(allowed & online if online else allowed)
    if not usable and tree.live and hasattr(os, "sched_getaffinity"):
        usable = len(os.sched_getaffinity(0))
    return usable or None


def _clock(tree: Tree, name: str | None) -> tuple[float | None, float | None]:
    """(base, maximum) MHz of the first processor."""
    khz = tree.number(f"{_CPU}/cpu0/cpufreq/base_frequency")
    mhz = tree.number(f"{_CPU}/cpu0/acpi_cppc/nominal_freq")
    match = re.search(r"@ ([\d.]+)GHz", name or "")
    base = khz / 1e3 if khz else float(mhz) if mhz else None
    if base is None and match:
        base = float(match[1]) * 1e3
    top = tree.number(f"{_CPU}/cpu0/cpufreq/cpuinfo_max_freq")
    return base, top / 1e3 if top else None
