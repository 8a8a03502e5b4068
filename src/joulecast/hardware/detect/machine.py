"""The kind of machine: laptop, desktop, server, or guest of a hypervisor or cloud.

Detected from DMI (SMBIOS) and from what hypervisors show; the network is never used. The strings
are those of systemd-detect-virt (systemd, src/basic/virt.c) and cloud-init (tools/ds-identify).
"""

import re
from dataclasses import dataclass

from ..catalog.data_file import data_file
from .files import Tree


@dataclass(frozen=True, slots=True)
class Machine:
    """A computer, real or virtual.

    Attributes:
        vendor: "Dell Inc.", "Amazon EC2".
        product: "PowerEdge R740", "c5.4xlarge".
        chassis: "laptop", "desktop" or "server".
        virtual: whether it is a guest of a hypervisor; None if unknown.
        hypervisor: "KVM", "Xen", "VMware", "Hyper-V", ...; None if there is none, or it is unknown.
        cloud: "AWS", "Google Cloud", "Azure", ...; a hint.
        instance_type: where the firmware shows it.
    """

    vendor: str | None = None
    product: str | None = None
    chassis: str | None = None
    virtual: bool | None = None
    hypervisor: str | None = None
    cloud: str | None = None
    instance_type: str | None = None


_HYPERVISOR_FIELDS = ("product_name", "sys_vendor", "board_vendor", "bios_vendor", "bios_version")
# gVisor, pkg/sentry/syscalls/linux/linux64.go.
_GVISOR_BUILD = "Sun Jan 10 15:06:54 PST 2016"
_PLACEHOLDERS = (
    r"to be filled by o\.?e\.?m\.?|default string|system manufacturer|system product name"
)


def detect_machine(tree: Tree, notes: list[str]) -> Machine:
    """The machine of a Linux system; the reason of an unknown field goes to `notes`."""
    dmi = _read_dmi(tree)
    flag = _hypervisor_flag(tree)
    hypervisor, virtual = _hypervisor(tree, dmi, flag)
    if virtual and hypervisor is None:
        notes.append("machine: virtual, under an unknown hypervisor")
    if virtual is None:
        notes.append("machine: neither the processor nor the firmware shows whether it is virtual")
    if not dmi:
        notes.append("machine: the firmware shows neither vendor nor product (no DMI)")
    cloud = _cloud(tree, dmi)
    product = dmi.get("product_name")
    is_type = cloud == "AWS" and re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+", product or "")
    return Machine(
        vendor=dmi.get("sys_vendor"),
        product=product or tree.text("proc/device-tree/model"),
        chassis=None if virtual else _chassis(dmi.get("chassis_type")),
        virtual=virtual,
        hypervisor=hypervisor,
        cloud=cloud,
        instance_type=product if is_type else None,
    )


def _read_dmi(tree: Tree) -> dict[str, str]:
    fields = (*_HYPERVISOR_FIELDS, "chassis_asset_tag", "chassis_type")
    read = {name: tree.text(f"sys/class/dmi/id/{name}") for name in fields}
    return {
        name: value
        for name, value in read.items()
        if value and not re.fullmatch(_PLACEHOLDERS, value, re.IGNORECASE)
    }


def _chassis(number: str | None) -> str | None:
    kinds = data_file("machines")["chassis"].items()
    known = number is not None and number.isdecimal()
    return next((kind for kind, numbers in kinds if known and int(number or 0) in numbers), None)


def _hypervisor_flag(tree: Tree) -> bool | None:
    """The flag of an x86 processor (CPUID leaf 1, ECX bit 31); None on other processors."""
    # The first processor is enough: all have the same flags.
    start = tree.raw("proc/cpuinfo", 1 << 14) or b""
    match = re.search(r"^flags[ \t]*:(.*)$", start.decode("utf-8", "replace"), re.MULTILINE)
    return "hypervisor" in match[1].split() if match else None


def _hypervisor(
    tree: Tree, dmi: dict[str, str], flag: bool | None
) -> tuple[str | None, bool | None]:
    release = tree.text("proc/sys/kernel/osrelease") or ""
    if "WSL2" in release:
        return "Hyper-V (WSL 2)", True
    if _GVISOR_BUILD in (tree.text("proc/version") or ""):
        return "gVisor", True
    # The host system of Xen (dom0) has the processor's flag as well.
    if "control_d" in (tree.text("proc/xen/capabilities") or ""):
        return None, False
    if flag is False or dmi.get("product_name", "").endswith((".metal", "-metal")):
        return None, False
    name = _named_hypervisor(tree, dmi)
    if name or flag:
        return name, True
    return None, False if dmi.get("sys_vendor") else None


def _named_hypervisor(tree: Tree, dmi: dict[str, str]) -> str | None:
    if tree.text("sys/hypervisor/type") == "xen":
        return "Xen"
    acpi = (tree.raw("sys/firmware/acpi/tables/FACP", 16) or b"")[10:16]
    oems: dict[str, str] = data_file("machines")["acpi_oems"]
    oem = oems.get(acpi.decode("ascii", "replace").strip(" \0"))
    if oem == "Firecracker":
        return oem
    return _hypervisor_of_dmi(dmi) or oem or _hypervisor_of_kernel(tree)


def _hypervisor_of_dmi(dmi: dict[str, str]) -> str | None:
    product = dmi.get("sys_vendor"), dmi.get("product_name")
    if product == ("Microsoft Corporation", "Virtual Machine"):
        return "Hyper-V"
    return _matching("hypervisors", dmi)


def _hypervisor_of_kernel(tree: Tree) -> str | None:
    """By the device tree, or by the clocks that the kernel offers."""
    device_tree = tree.text("proc/device-tree/hypervisor/compatible") or ""
    clocks = tree.text("sys/devices/system/clocksource/clocksource0/available_clocksource") or ""
    for name, compatible, clock in (
        ("KVM", "linux,kvm", "kvm-clock"),
        ("Xen", "xen,xen", "xen"),
        ("Hyper-V", "microsoft,hyperv", "hyperv_clocksource"),
        ("VMware", "vmware", "vmware"),
    ):
        if compatible in device_tree or any(c.startswith(clock) for c in clocks.split()):
            return name
    return None


def _cloud(tree: Tree, dmi: dict[str, str]) -> str | None:
    # Instances on Xen without DMI.
    on_xen = (tree.text("sys/hypervisor/uuid") or "").startswith("ec2")
    return _matching("clouds", dmi) or ("AWS" if on_xen else None)


def _matching(table: str, dmi: dict[str, str]) -> str | None:
    """The name of the first row of a table of which a field of DMI has the pattern."""
    for row in data_file("machines")[table]:
        fields = row.get("fields", _HYPERVISOR_FIELDS)
        if any(re.search(row["pattern"], dmi.get(field, "")) for field in fields):
            return str(row["name"])
    return None
