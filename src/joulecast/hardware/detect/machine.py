"""What holds the processors: a computer on a desk, a server, or a guest of a hypervisor or cloud.

Told from DMI (SMBIOS) and from what hypervisors show on purpose; the network is never asked. The
strings are those that systemd-detect-virt (systemd, src/basic/virt.c) and cloud-init
(tools/ds-identify) look for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .files import Tree


@dataclass(frozen=True, slots=True)
class Machine:
    """A computer, real or virtual."""

    vendor: str | None = None  # "Dell Inc.", "Amazon EC2"
    product: str | None = None  # "PowerEdge R740", "c5.4xlarge"
    chassis: str | None = None  # "laptop", "desktop", "server"
    virtual: bool | None = None  # a guest of a hypervisor; None: nothing tells
    hypervisor: str | None = None  # "KVM", "Xen", "VMware", "Hyper-V", ...; None: none, or unknown
    cloud: str | None = None  # "AWS", "Google Cloud", "Azure", ...; a hint
    instance_type: str | None = None  # where the firmware says it


# (hypervisor, pattern, DMI fields it is looked for in)
_HYPERVISORS = (
    ("KVM", r"^(QEMU|KVM|OpenStack|Nutanix AHV|KubeVirt|Alibaba Cloud|Amazon EC2|DigitalOcean)"),
    ("KVM", r"^(Google Compute Engine|Droplet|Hetzner|Vultr|Linode|Akamai|Scaleway|UpCloud)"),
    ("KVM", r"^(Exoscale|Tencent Cloud|Huawei Cloud|oVirt|Red Hat|Cloud Hypervisor)"),
    ("VMware", r"^VMware"),
    ("VirtualBox", r"^(innotek GmbH|VirtualBox)"),
    ("Xen", r"^Xen|\.amazon$"),
    ("Parallels", r"^Parallels"),
    ("bhyve", r"^BHYVE"),
    ("Apple Virtualization", r"^Apple Virtualization"),
    ("Bochs", r"^Bochs"),
)
_HYPERVISOR_FIELDS = ("product_name", "sys_vendor", "board_vendor", "bios_vendor", "bios_version")

_AZURE_ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"  # ds-identify, dscheck_Azure
_CLOUDS = (
    ("AWS", ("sys_vendor", "bios_vendor"), r"^Amazon EC2"),
    ("AWS", ("bios_version",), r"\.amazon$"),  # instances on Xen
    ("Google Cloud", ("product_name",), r"^Google Compute Engine"),
    ("Azure", ("chassis_asset_tag",), rf"^{_AZURE_ASSET_TAG}$"),
    ("Oracle Cloud", ("chassis_asset_tag",), r"^OracleCloud"),
    ("Alibaba Cloud", ("sys_vendor", "product_name"), r"^Alibaba Cloud"),
    ("DigitalOcean", ("sys_vendor",), r"^DigitalOcean"),
    ("Hetzner", ("sys_vendor",), r"^Hetzner"),
    ("Tencent Cloud", ("sys_vendor",), r"^Tencent Cloud"),
    ("Huawei Cloud", ("sys_vendor", "chassis_asset_tag"), r"^(Huawei Cloud|HUAWEICLOUD)"),
    ("IBM Cloud", ("chassis_asset_tag",), r"^ibmcloud"),
    ("Vultr", ("sys_vendor",), r"^Vultr"),
    ("Akamai (Linode)", ("sys_vendor",), r"^(Akamai|Linode)"),
    ("Scaleway", ("sys_vendor",), r"^Scaleway"),
    ("UpCloud", ("sys_vendor",), r"^UpCloud"),
    ("Exoscale", ("sys_vendor",), r"^Exoscale"),
    ("OpenStack", ("product_name", "chassis_asset_tag"), r"^OpenStack"),
)

# SMBIOS reference specification (DMTF DSP0134), table "System Enclosure or Chassis Types"
_CHASSIS = {
    **dict.fromkeys((3, 4, 5, 6, 7, 13, 15, 16, 24, 35, 36), "desktop"),
    **dict.fromkeys((8, 9, 10, 14, 30, 31, 32), "laptop"),
    **dict.fromkeys((17, 23, 25, 28, 29), "server"),
}

_ACPI_OEMS = {"FIRECK": "Firecracker", "BOCHS": "KVM", "VMWARE": "VMware", "VBOX": "VirtualBox"} | {
    "XEN": "Xen",
    "VRTUAL": "Hyper-V",
    "CLOUDH": "KVM",  # Cloud Hypervisor
}
_GVISOR_BUILD = "Sun Jan 10 15:06:54 PST 2016"  # gVisor, pkg/sentry/syscalls/linux/linux64.go
_PLACEHOLDERS = (
    r"to be filled by o\.?e\.?m\.?|default string|system manufacturer|system product name"
)


def detect_machine(tree: Tree, notes: list[str]) -> Machine:
    """The machine of a Linux system; why a field is unknown goes to `notes`."""
    dmi = _read_dmi(tree)
    flag = _hypervisor_flag(tree)
    hypervisor, virtual = _hypervisor(tree, dmi, flag)
    if virtual and hypervisor is None:
        notes.append("machine: a hypervisor is below this system, but nothing says which")
    if virtual is None:
        notes.append("machine: neither the processor nor the firmware says whether it is virtual")
    if not dmi:
        notes.append("machine: its firmware tells neither maker nor product (no DMI)")
    cloud = _cloud(tree, dmi)
    product = dmi.get("product_name")
    is_type = cloud == "AWS" and re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+", product or "")
    return Machine(
        vendor=dmi.get("sys_vendor"),
        product=product or tree.text("proc/device-tree/model"),
        chassis=None if virtual else _CHASSIS.get(_number(dmi.get("chassis_type"))),
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


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _hypervisor_flag(tree: Tree) -> bool | None:
    """What an x86 processor says (CPUID leaf 1, ECX bit 31); None on other processors."""
    start = tree.raw("proc/cpuinfo", 1 << 14) or b""  # the first processor's; they are all alike
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
    if "control_d" in (tree.text("proc/xen/capabilities") or ""):
        return None, False  # the host's own system (dom0), which carries the flag as well
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
    oem = _ACPI_OEMS.get(acpi.decode("ascii", "replace").strip(" \0"))
    if oem == "Firecracker":
        return oem
    if dmi.get("sys_vendor") == "Microsoft Corporation" and (
        dmi.get("product_name") == "Virtual Machine"
    ):
        return "Hyper-V"
    for name, pattern in _HYPERVISORS:
        if any(re.search(pattern, dmi.get(key, "")) for key in _HYPERVISOR_FIELDS):
            return name
    if oem:
        return oem
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
    for cloud, keys, pattern in _CLOUDS:
        if any(re.search(pattern, dmi.get(key, "")) for key in keys):
            return cloud
    if (tree.text("sys/hypervisor/uuid") or "").startswith("ec2"):  # Xen instances without DMI
        return "AWS"
    return None
