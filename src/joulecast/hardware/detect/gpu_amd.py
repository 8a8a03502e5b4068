"""AMD GPUs: from the files of the amdgpu driver, with names from amdsmi where it is installed.

Files: Linux, Documentation/gpu/amdgpu (driver-misc.rst, thermal.rst) and hwmon's power1_cap in
microwatts. The names of cards whose firmware has none come from the system's own `pci.ids`.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from .files import Tree
from .gpu import DetectedGpu, GpuReport
from .visible_devices import visible_amd_gpus

_AMD = "0x1002"
_DRM = "sys/class/drm"
_KFD = "sys/class/kfd/kfd/topology/nodes"


def detect_amd(tree: Tree, env: Mapping[str, str], notes: list[str]) -> GpuReport:
    """AMD GPUs in the order of their PCI addresses."""
    detected = [_gpu(tree, folder) for folder in card_folders(tree)]
    if not detected:
        return GpuReport()
    names = _amdsmi_names(notes) if tree.live else {}
    visible = visible_amd_gpus(env, [gpu.uuid or "" for gpu in detected])
    gpus = tuple(
        replace(
            gpu,
            index=index,
            name=names.get(gpu.pci_bus or "", gpu.name),
            visible=index in visible.indices,
        )
        for index, gpu in enumerate(detected)
    )
    for gpu in gpus:
        _note_unknown(gpu, notes)
    return GpuReport(gpus, visible.restricted_by, driver=tree.text("sys/module/amdgpu/version"))


def card_folders(tree: Tree) -> list[str]:
    """The folders of the cards in sysfs, in the order of their PCI addresses."""
    cards = [name for name in tree.names(_DRM) if re.fullmatch(r"card\d+", name)]
    folders = [f"{_DRM}/{card}/device" for card in cards]
    amd = [folder for folder in folders if tree.text(f"{folder}/vendor") == _AMD]
    return sorted(amd, key=lambda folder: _pci_address(tree, folder) or "")


def _pci_address(tree: Tree, folder: str) -> str | None:
    bus = re.search(r"^PCI_SLOT_NAME=(\S+)", tree.text(f"{folder}/uevent") or "", re.MULTILINE)
    return bus[1].lower() if bus else None


def _note_unknown(gpu: DetectedGpu, notes: list[str]) -> None:
    if gpu.name is None:
        notes.append(f"gpu (amd): the card at {gpu.pci_bus} has no name: install amdsmi")
    if gpu.power_limit_w is None:
        notes.append(f"gpu (amd): the driver shows no power limit of the card {gpu.pci_bus}")


def _gpu(tree: Tree, folder: str) -> DetectedGpu:
    unique_id = tree.text(f"{folder}/unique_id")
    limits = _power_limits(tree, folder)
    address = _pci_address(tree, folder)
    return DetectedGpu(
        index=0,
        vendor="AMD",
        name=tree.text(f"{folder}/product_name") or _pci_ids_name(tree, folder),
        # The form of ROCR_VISIBLE_DEVICES.
        uuid=f"GPU-{unique_id}" if unique_id else None,
        pci_bus=address,
        memory_bytes=tree.number(f"{folder}/mem_info_vram_total"),
        power_limit_w=limits.get("power1_cap"),
        default_power_limit_w=limits.get("power1_cap_default"),
        max_power_limit_w=limits.get("power1_cap_max"),
        compute_capability=_gfx(tree, address),
    )


def _power_limits(tree: Tree, folder: str) -> dict[str, float]:
    for hwmon in tree.names(f"{folder}/hwmon"):
        read = {
            name: tree.number(f"{folder}/hwmon/{hwmon}/{name}")
            for name in ("power1_cap", "power1_cap_default", "power1_cap_max")
        }
        if any(read.values()):
            return {name: value / 1e6 for name, value in read.items() if value}
    return {}


def _pci_ids_name(tree: Tree, folder: str) -> str | None:
    """`Navi 31 [Radeon RX 7900 XTX]` in pci.ids is "AMD Radeon RX 7900 XTX"."""
    device = (tree.text(f"{folder}/device") or "").removeprefix("0x").encode()
    for path in ("usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids"):
        block = re.search(rb"^1002  .*\n((?:[\t#].*\n?)*)", tree.raw(path) or b"", re.MULTILINE)
        line = block and re.search(
            rb"^\t" + re.escape(device) + rb"  (.+)$", block[1], re.MULTILINE
        )
        if line and device:
            text = line[1].decode("utf-8", "replace")
            brand = re.search(r"\[(.+)\]", text)
            return f"AMD {brand[1] if brand else text}"
    return None


def _gfx(tree: Tree, address: str | None) -> str | None:
    """`gfx90a` from the kernel's compute topology, where 90010 is major 9, minor 0, stepping 10."""
    match = re.fullmatch(r"([0-9a-f]{4,}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])", address or "")
    if match is None:
        return None
    domain, bus, slot, function = (int(part, 16) for part in match.groups())
    for node in tree.names(_KFD):
        lines = (tree.text(f"{_KFD}/{node}/properties") or "").splitlines()
        values = dict(line.split(" ", 1) for line in lines if " " in line)
        here = values.get("location_id"), values.get("domain", "0")
        version = values.get("gfx_target_version", "")
        if here == (str(bus << 8 | slot << 3 | function), str(domain)) and version.isdecimal():
            major, minor, stepping = int(version) // 10000, int(version) // 100 % 100, int(version)
            return f"gfx{major}{minor:x}{stepping % 100:x}"
    return None


def _amdsmi_names(notes: list[str]) -> dict[str, str]:
    """Market names by PCI address; empty where amdsmi is not installed or fails."""
    try:
        import amdsmi
    except ImportError:
        return {}
    except Exception as error:
        # It raises KeyError and others where its library is missing.
        notes.append(f"gpu (amd): amdsmi does not load: {type(error).__name__}: {error}")
        return {}
    try:
        amdsmi.amdsmi_init()
        try:
            return {
                str(amdsmi.amdsmi_get_gpu_device_bdf(handle)).lower(): str(name)
                for handle in amdsmi.amdsmi_get_processor_handles()
                if (name := amdsmi.amdsmi_get_gpu_asic_info(handle).get("market_name"))
            }
        finally:
            amdsmi.amdsmi_shut_down()
    except Exception as error:
        # Its exceptions have no common base in all its versions.
        notes.append(f"gpu (amd): amdsmi fails: {type(error).__name__}: {error}")
        return {}
