"""GPUs: through the real nvidia-ml-py and a driver library in C, and from files of the kernel."""

import os
from pathlib import Path

from fakes.machines import write
from fakes.nvml import A100
from joulecast.hardware.detect.apple import apple_cpu, apple_gpu, apple_host, apple_machine
from joulecast.hardware.detect.files import Tree
from joulecast.hardware.detect.gpu_amd import detect_amd
from joulecast.hardware.detect.gpu_nvidia import detect_nvidia
from joulecast.hardware.environment import Environment

SECOND = A100 | {"uuid": "GPU-bbbbbbbb-2222"}
OLD = {"uuid": "GPU-cccccccc-3333", "name": "NVIDIA GeForce GTX 750 Ti", "capability": "5.0"}
LOST = 15


def nvidia(env=None, root="/"):
    notes = []
    return detect_nvidia(Tree(Path(root)), env or {}, notes), notes


def test_fields_of_a_card_from_nvml(nvml_here):
    nvml_here.write_state(A100, driver="550.54.15", cuda=12040)
    before = nvml_here.references()
    report, notes = nvidia()
    (gpu,) = report.gpus
    assert (report.driver, report.cuda_driver) == ("550.54.15", "12.4")
    assert (gpu.name, gpu.uuid) == ("NVIDIA A100-SXM4-80GB", "GPU-aaaaaaaa-1111")
    assert gpu.memory_bytes == 81_920 * 2**20
    assert (gpu.power_limit_w, gpu.default_power_limit_w) == (400.0, 400.0)
    assert gpu.max_power_limit_w is None  # this driver library has no such function
    assert (gpu.compute_capability, gpu.mig, gpu.pci_bus) == ("8.0", False, "0000:01:00.0")
    assert gpu.visible
    assert notes == []
    assert nvml_here.references() == before


def test_missing_fields_of_an_old_card_are_noted(nvml_here):
    nvml_here.write_state(OLD)
    report, notes = nvidia()
    assert report.gpus[0].power_limit_w is None
    assert [note for note in notes if note.startswith("gpu:0: ") and "power limit" in note]


def test_a_lost_gpu_leaves_the_other_one(nvml_here):
    nvml_here.write_state(A100 | {"error": LOST}, SECOND)
    report, notes = nvidia()
    assert [gpu.name for gpu in report.gpus] == [None, "NVIDIA A100-SXM4-80GB"]
    assert any(note.startswith("gpu:0: everything is unknown") for note in notes)


def test_mig_devices_and_the_gpu_they_are_part_of(nvml_here):
    nvml_here.write_state(A100, SECOND | {"mig": 1, "mig_uuid": "MIG-5555-aaaa"})
    report, _ = nvidia({"CUDA_VISIBLE_DEVICES": "MIG-5555"})
    assert [gpu.mig for gpu in report.gpus] == [False, True]
    assert report.gpus[1].mig_uuids == ("MIG-5555-aaaa",)
    assert [gpu.visible for gpu in report.gpus] == [False, True]
    assert report.restricted_by == "CUDA_VISIBLE_DEVICES=MIG-5555"


def test_an_index_among_different_cards_is_noted(nvml_here):
    nvml_here.write_state(A100, OLD)
    report, notes = nvidia({"CUDA_VISIBLE_DEVICES": "1"})
    assert [gpu.visible for gpu in report.gpus] == [False, True]
    assert any("CUDA_DEVICE_ORDER" in note for note in notes)


def test_a_driver_that_does_not_start_is_named(nvml_here):
    nvml_here.write_state(A100, init_error=18)
    report, notes = nvidia()
    assert report.gpus == ()
    assert any("NVML" in note for note in notes)


def test_the_whole_environment_of_a_machine_with_nvml(nvml_here):
    nvml_here.write_state(A100, SECOND)
    e = Environment.detect(env={**os.environ, "CUDA_VISIBLE_DEVICES": "GPU-bbbb"})
    assert [gpu.visible for gpu in e.gpus] == [False, True]
    assert e.gpus_restricted_by == "CUDA_VISIBLE_DEVICES=GPU-bbbb"
    assert (e.software.nvidia_driver, e.software.cuda_driver) == ("550.54.15", "12.4")
    assert Environment.from_json(e.to_json()) == e


def test_without_nvml_the_kernel_module_gives_names(tmp_path):
    write(
        tmp_path,
        {
            "proc/driver/nvidia/version": (
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.14  Release\n"
                "GCC version:  gcc version 11.4.0 (Ubuntu 11.4.0-1ubuntu1~22.04)\n"
            ),
            "proc/driver/nvidia/gpus/0000:C1:00.0/information": (
                "Model: \t\t NVIDIA GeForce RTX 3090\nIRQ:   \t\t 120\n"
                "GPU UUID: \t GPU-8932f937-d72c-4106-c12f-20bd9faed9f6\n"
            ),
            "proc/driver/nvidia/gpus/0000:01:00.0/information": (
                "Model: \t\t NVIDIA GeForce RTX 3070\n"
                "GPU UUID: \t GPU-????????-????-????-????-????????????\n"
            ),
        },
    )
    report, _ = nvidia({"CUDA_VISIBLE_DEVICES": "GPU-8932"}, tmp_path)
    assert report.driver == "550.54.14"
    assert [(g.name, g.pci_bus, g.visible) for g in report.gpus] == [
        ("NVIDIA GeForce RTX 3070", "0000:01:00.0", False),
        ("NVIDIA GeForce RTX 3090", "0000:c1:00.0", True),
    ]
    assert report.gpus[0].uuid is None


def test_a_gpu_without_a_driver_is_noted(tmp_path):
    card = "sys/bus/pci/devices/0000:65:00.0"
    write(tmp_path, {f"{card}/vendor": "0x10de\n", f"{card}/class": "0x030200\n"})
    report, notes = nvidia(root=tmp_path)
    assert report.gpus == ()
    assert any("0000:65:00.0" in note and "driver" in note for note in notes)


def test_a_container_that_was_given_no_gpu(tmp_path):
    _, notes = nvidia({"NVIDIA_VISIBLE_DEVICES": "void"}, tmp_path)
    (note,) = notes
    assert note.startswith("gpu (nvidia): ") and "NVIDIA_VISIBLE_DEVICES=void" in note


PCI_IDS = """\
# a comment
10de  NVIDIA Corporation
\t744c  Not this one
1002  Advanced Micro Devices, Inc. [AMD/ATI]
\t740f  Aldebaran/MI200 [Instinct MI210]
\t\t1002 0c34  A board
\t744c  Navi 31 [Radeon RX 7900 XTX]
1003  ULSI Systems
\t740f  Nor this one
"""


def amd_card(card, bus, **files):
    device = f"sys/class/drm/{card}/device"
    return {f"{device}/vendor": "0x1002\n", f"{device}/uevent": f"PCI_SLOT_NAME={bus}\n"} | {
        f"{device}/{name.replace('__', '/')}": f"{value}\n" for name, value in files.items()
    }


def test_amd_from_the_drivers_files(tmp_path):
    write(
        tmp_path,
        amd_card(
            "card1",
            "0000:83:00.0",
            device="0x740f",
            unique_id="18f68e602b8a790f",
            mem_info_vram_total=68_702_699_520,
            hwmon__hwmon3__power1_cap=250_000_000,
            hwmon__hwmon3__power1_cap_default=300_000_000,
            hwmon__hwmon3__power1_cap_max=300_000_000,
        ),
        amd_card("card2", "0000:03:00.0", device="0x74a1", product_name="AMD Instinct MI300X"),
        amd_card("card3", "0000:c3:00.0", device="0x9999"),
        {
            "sys/class/drm/card0/device/vendor": "0x1a03\n",  # the server's own screen
            "sys/class/drm/card1-DP-1/status": "disconnected\n",
            "sys/class/kfd/kfd/topology/nodes/0/properties": "cpu_cores_count 64\ndomain 0\n",
            "sys/class/kfd/kfd/topology/nodes/1/properties": (
                "gfx_target_version 90010\nlocation_id 33536\ndomain 0\n"
            ),
            "sys/class/kfd/kfd/topology/nodes/2/properties": (
                "gfx_target_version 90402\nlocation_id 768\ndomain 0\n"
            ),
            "sys/module/amdgpu/version": "6.3.6\n",
            "usr/share/misc/pci.ids": PCI_IDS,
        },
    )
    notes = []
    report = detect_amd(Tree(tmp_path), {"ROCR_VISIBLE_DEVICES": "GPU-18f68e602b8a790f"}, notes)
    mi300x, mi210, unknown = report.gpus
    assert [gpu.index for gpu in report.gpus] == [0, 1, 2]  # by PCI address
    assert (mi300x.name, mi300x.compute_capability) == ("AMD Instinct MI300X", "gfx942")
    assert (mi210.name, mi210.compute_capability) == ("AMD Instinct MI210", "gfx90a")
    assert (mi210.power_limit_w, mi210.default_power_limit_w) == (250.0, 300.0)
    assert mi210.max_power_limit_w == 300.0
    assert mi210.memory_bytes == 68_702_699_520
    assert [gpu.visible for gpu in report.gpus] == [False, True, False]
    assert (unknown.name, unknown.memory_bytes, unknown.power_limit_w) == (None, None, None)
    assert any("0000:c3:00.0 has no name" in note for note in notes)
    assert report.driver == "6.3.6"


APPLE = {
    "machdep.cpu.brand_string": b"Apple M2 Pro\0",
    "hw.physicalcpu": (12).to_bytes(4, "little"),
    "hw.logicalcpu": (12).to_bytes(4, "little"),
    "hw.packages": (1).to_bytes(4, "little"),
    "hw.memsize": (32 << 30).to_bytes(8, "little"),
    "hw.model": b"MacBookPro18,3\0",
    "kern.osproductversion": b"14.4\0",
    "kern.hv_vmm_present": (0).to_bytes(4, "little"),
}


def test_a_mac_by_its_sysctl_values():
    cpu = apple_cpu(APPLE.get)
    assert (cpu.name, cpu.vendor, cpu.cores, cpu.sockets) == ("Apple M2 Pro", "Apple", 12, 1)
    assert cpu.max_mhz is None
    host, machine = apple_host(APPLE.get), apple_machine(APPLE.get)
    assert (host.os, host.os_version, host.ram_bytes) == ("macOS", "14.4", 32 << 30)
    assert (machine.chassis, machine.virtual) == ("laptop", False)
    notes = []
    assert apple_gpu(APPLE.get, notes).gpus[0].name == "Apple M2 Pro GPU"
    assert notes
    intel = APPLE | {"machdep.cpu.brand_string": b"Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz\0"}
    assert apple_gpu(intel.get, []).gpus == ()
    assert apple_cpu({}.get).threads is None
