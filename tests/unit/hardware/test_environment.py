"""Whole machines, from the files their kernels show."""

import json
import re

import pytest

from fakes.machines import arm, cgroup1_mounts, dmi, linux, write, x86
from joulecast.hardware.environment import Environment
from joulecast.meters.cpu_curve import Knowledge
from joulecast.meters.cpu_model import choose_spec

GIB = 1 << 30
GUEST = "fpu vme sse2 ht hypervisor avx2"


def detect(root, *parts, env=None):
    return Environment.detect(write(root, *parts), env or {})


def test_a_server_with_two_xeons(tmp_path):
    e = detect(
        tmp_path,
        x86(
            *("GenuineIntel", 6, 85, 7, "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz"),
            sockets=2,
            cores=20,
        ),
        dmi(sys_vendor="Dell Inc.", product_name="PowerEdge R740", chassis_type="23"),
        linux("Rocky Linux", "8.9", "4.18.0-513.el8.x86_64", ram_kb=394_000_000),
        {"sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "3900000\n"},
    )
    assert (e.cpu.sockets, e.cpu.cores, e.cpu.threads, e.cpu.usable_threads) == (2, 40, 80, 80)
    assert (e.cpu.vendor, e.cpu.microarchitecture) == ("Intel", "Cascade Lake")
    assert (e.cpu.base_mhz, e.cpu.max_mhz) == (2500.0, 3900.0)
    assert (e.machine.vendor, e.machine.product) == ("Dell Inc.", "PowerEdge R740")
    assert (e.machine.chassis, e.is_virtual, e.machine.hypervisor) == ("server", False, None)
    assert (e.host.os, e.host.os_version) == ("Rocky Linux", "8.9")
    assert e.host.kernel == "4.18.0-513.el8.x86_64"
    assert e.host.ram_bytes == 394_000_000 * 1024
    assert e.container == "none"
    assert e.effective_cpus == 80.0
    assert e.effective_memory_bytes == e.host.ram_bytes
    assert e.gpus == ()


def test_skylake_and_cascade_lake_differ_by_stepping_alone(tmp_path):
    name = "Intel(R) Xeon(R) Platinum 8175M CPU @ 2.50GHz"
    e = detect(tmp_path, x86("GenuineIntel", 6, 85, 4, name))
    assert (e.cpu.microarchitecture, e.cpu.codename) == ("Skylake", "Skylake-SP")


@pytest.mark.parametrize(
    ("family", "model", "name", "microarchitecture", "codename"),
    [
        (23, 1, "AMD EPYC 7601 32-Core Processor", "Zen", "Naples"),
        (23, 1, "AMD Ryzen 7 1700 Eight-Core Processor", "Zen", None),
        (23, 49, "AMD EPYC 7742 64-Core Processor", "Zen 2", "Rome"),
        (23, 49, "AMD Ryzen Threadripper 3990X 64-Core Processor", "Zen 2", None),
        (25, 1, "AMD EPYC 7763 64-Core Processor", "Zen 3", "Milan"),
        (25, 17, "AMD EPYC 9654 96-Core Processor", "Zen 4", "Genoa"),
        (25, 160, "AMD EPYC 9754 128-Core Processor", "Zen 4c", "Bergamo"),
        (25, 160, "AMD EPYC 8324P 32-Core Processor", "Zen 4c", "Siena"),
        (26, 2, "AMD EPYC", "Zen 5", "Turin"),
        (26, 17, "AMD EPYC 9965 192-Core Processor", "Zen 5c", "Turin Dense"),
        (25, 97, "AMD Ryzen 9 7950X 16-Core Processor", "Zen 4", "Raphael"),
    ],
)
def test_amd(tmp_path, family, model, name, microarchitecture, codename):
    e = detect(tmp_path, x86("AuthenticAMD", family, model, 1, name))
    assert e.cpu.vendor == "AMD"
    assert (e.cpu.microarchitecture, e.cpu.codename) == (microarchitecture, codename)


@pytest.mark.parametrize(
    ("model", "stepping", "microarchitecture"),
    [
        (62, 4, "Ivy Bridge"),
        (79, 1, "Broadwell"),
        (85, 11, "Cooper Lake"),
        (106, 6, "Ice Lake"),
        (143, 8, "Sapphire Rapids"),
        (207, 2, "Emerald Rapids"),
        (173, 1, "Granite Rapids"),
        (142, 9, "Kaby Lake"),
        (158, 10, "Coffee Lake"),
        (151, 2, "Alder Lake"),
        (183, 1, "Raptor Lake"),
    ],
)
def test_intel(tmp_path, model, stepping, microarchitecture):
    e = detect(tmp_path, x86("GenuineIntel", 6, model, stepping, "Intel(R) CPU"))
    assert e.cpu.microarchitecture == microarchitecture


def test_an_unknown_processor_is_noted_with_its_numbers(tmp_path):
    e = detect(tmp_path, x86("GenuineIntel", 19, 250, 3, "Intel(R) Xeon(R) 9999"))
    assert e.cpu.microarchitecture is None
    assert any(re.search(r"\b19\b.*\b250\b.*\b3\b", note) for note in e.notes)


def test_aws_c5_on_nitro_in_a_container_of_docker_with_cgroup_v1(tmp_path):
    group = "/docker/4be1f2"
    e = detect(
        tmp_path,
        x86(
            *("GenuineIntel", 6, 85, 7, "Intel(R) Xeon(R) Platinum 8275CL CPU @ 3.00GHz"),
            cores=8,
            flags=GUEST,
        ),
        dmi(sys_vendor="Amazon EC2", product_name="c5.4xlarge", bios_vendor="Amazon EC2"),
        linux("Amazon Linux", "2", ram_kb=32_000_000),
        {
            ".dockerenv": "",
            "proc/self/cgroup": f"9:memory:{group}\n4:cpu,cpuacct:{group}\n",
            "proc/self/mountinfo": cgroup1_mounts(["cpu,cpuacct", "memory"], root=group),
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "350000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{4 * GIB}\n",
        },
    )
    assert (e.is_virtual, e.machine.hypervisor) == (True, "KVM")
    assert (e.machine.cloud, e.machine.instance_type) == ("AWS", "c5.4xlarge")
    assert e.container == "docker"
    assert (e.cpu.threads, e.limits.cpus, e.effective_cpus) == (16, 3.5, 3.5)
    assert e.effective_memory_bytes == 4 * GIB


def test_aws_metal_is_not_virtual(tmp_path):
    e = detect(
        tmp_path,
        arm("0x41", "0xd40", 4),
        dmi(sys_vendor="Amazon EC2", product_name="c7g.metal", bios_vendor="Amazon EC2"),
    )
    assert (e.is_virtual, e.machine.hypervisor, e.machine.cloud) == (False, None, "AWS")


def test_aws_on_xen(tmp_path):
    e = detect(
        tmp_path,
        x86("GenuineIntel", 6, 79, 1, "Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz", flags=GUEST),
        dmi(sys_vendor="Xen", product_name="HVM domU", bios_version="4.11.amazon"),
        {"sys/hypervisor/type": "xen\n"},
    )
    assert (e.machine.hypervisor, e.machine.cloud) == ("Xen", "AWS")


@pytest.mark.parametrize(
    ("part", "core", "name"),
    [
        ("0xd0c", "Neoverse N1", "AWS Graviton2"),
        ("0xd40", "Neoverse V1", "AWS Graviton3"),
        ("0xd4f", "Neoverse V2", "AWS Graviton4"),
    ],
)
def test_graviton_has_no_model_name(tmp_path, part, core, name):
    e = detect(
        tmp_path,
        arm("0x41", part, 4, package=-1),  # an old kernel does not number the packages
        dmi(sys_vendor="Amazon EC2", product_name="m7g.xlarge", bios_vendor="Amazon EC2"),
    )
    assert (e.cpu.vendor, e.cpu.microarchitecture, e.cpu.name) == ("ARM", core, name)
    assert (e.cpu.cores, e.cpu.threads, e.cpu.sockets) == (4, 4, None)
    assert e.is_virtual is True


def test_an_arm_core_of_unknown_products(tmp_path):
    e = detect(tmp_path, arm("0x41", "0xd08", 4), {"proc/device-tree/model": "Some Board\0"})
    assert (e.cpu.microarchitecture, e.cpu.name) == ("Cortex-A72", None)
    assert e.machine.product == "Some Board"
    assert e.is_virtual is None
    assert any(note.startswith("CPU: ") for note in e.notes)
    assert any("virtual" in note for note in e.notes)


def device_tree(model, compatible=""):
    return {"proc/device-tree/model": f"{model}\0", "proc/device-tree/compatible": compatible}


AMAZON = dmi(sys_vendor="Amazon EC2", product_name="a1.xlarge", bios_vendor="Amazon EC2")
HETZNER = dmi(sys_vendor="Hetzner", product_name="vServer")
# (part, where, name, TDP, watts between which full load lies): in one package.
ARM_PRODUCTS = [
    ("0xd08", device_tree("Raspberry Pi 4 Model B Rev 1.4"), "BCM2711", 6.4, (4, 9)),
    ("0xd08", device_tree("x", "solidrun,clearfog\0fsl,lx2160a\0"), "NXP LX2160A", None, (4, 30)),
    ("0xd0b", device_tree("x", "raspberrypi,5-model-b\0brcm,bcm2712\0"), "BCM2712", 10, (5, 12)),
    ("0xd03", device_tree("Raspberry Pi 3 Model B Plus Rev 1.3"), "BCM2837", 4, (2, 7)),
    ("0xd05", device_tree("ROCK 5B", "radxa,rock-5b\0rockchip,rk3588\0"), "RK3588", 10, (4, 15)),
    ("0xd42", device_tree("x", "nvidia,p3737\0nvidia,tegra234\0"), "Jetson Orin", None, (4, 25)),
    ("0xd08", AMAZON, "AWS Graviton", None, (2, 15)),
    ("0xd0c", AMAZON, "AWS Graviton2", 110, (4, 12)),
    ("0xd0c", HETZNER, "Ampere Altra", None, (4, 20)),
    ("0xd08", {}, None, None, (2, 9)),
    ("0xd0c", {}, None, None, (4, 400)),
]


@pytest.mark.parametrize(("part", "where", "name", "tdp_w", "full_w"), ARM_PRODUCTS)
def test_a_core_in_several_products_is_named_by_its_board_or_seller(
    tmp_path, part, where, name, tdp_w, full_w
):
    e = detect(tmp_path, arm("0x41", part, 4), where)
    assert e.cpu.name == name
    spec, words = choose_spec(e.cpu, is_virtual=e.is_virtual is True)
    assert full_w[0] < spec.full_w < full_w[1]
    assert (spec.knowledge is Knowledge.MODEL) == (tdp_w is not None)
    if tdp_w is not None:
        assert f"TDP {tdp_w:g} W" in words


@pytest.mark.parametrize("generic", ["ARMv7 Processor rev 3 (v7l)", "AArch64 Processor rev 4"])
def test_an_architecture_is_no_name_and_a_pi_kernels_bcm2835_no_evidence(tmp_path, generic):
    def cpu(tail):
        stanza = f"model name\t: {generic}\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n"
        write(tmp_path, {"proc/cpuinfo": f"processor\t: 0\n{stanza}\n{tail}"})
        return detect(tmp_path).cpu

    assert cpu("Hardware\t: BCM2835\n").name is None
    assert cpu("Hardware\t: BCM2835\nModel\t\t: Raspberry Pi 4 Model B\n").name == "BCM2711"


CLOUDS = [
    ({"sys_vendor": "Google", "product_name": "Google Compute Engine"}, "Google Cloud", "KVM"),
    (
        {
            "sys_vendor": "Microsoft Corporation",
            "product_name": "Virtual Machine",
            "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77",
        },
        "Azure",
        "Hyper-V",
    ),
    ({"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"}, None, "Hyper-V"),
    (
        {
            "sys_vendor": "QEMU",
            "product_name": "Standard PC (i440FX + PIIX, 1996)",
            "chassis_asset_tag": "OracleCloud.com",
        },
        "Oracle Cloud",
        "KVM",
    ),
    ({"sys_vendor": "Alibaba Cloud", "product_name": "Alibaba Cloud ECS"}, "Alibaba Cloud", "KVM"),
    ({"sys_vendor": "DigitalOcean", "product_name": "Droplet"}, "DigitalOcean", "KVM"),
    ({"sys_vendor": "Hetzner", "product_name": "vServer"}, "Hetzner", "KVM"),
    ({"sys_vendor": "OpenStack Foundation", "product_name": "OpenStack Nova"}, "OpenStack", "KVM"),
    ({"sys_vendor": "QEMU", "product_name": "Standard PC (Q35 + ICH9, 2009)"}, None, "KVM"),
    ({"sys_vendor": "VMware, Inc.", "product_name": "VMware Virtual Platform"}, None, "VMware"),
    ({"sys_vendor": "innotek GmbH", "product_name": "VirtualBox"}, None, "VirtualBox"),
    ({}, None, None),
]


@pytest.mark.parametrize(("fields", "cloud", "hypervisor"), CLOUDS)
def test_guests(tmp_path, fields, cloud, hypervisor):
    e = detect(
        tmp_path,
        x86("GenuineIntel", 6, 85, 3, "Intel(R) Xeon(R) CPU @ 2.00GHz", flags=GUEST),
        dmi(**fields, chassis_type="1"),
    )
    assert (e.machine.cloud, e.machine.hypervisor) == (cloud, hypervisor)
    assert (e.is_virtual, e.machine.chassis) == (True, None)
    assert any("unknown hypervisor" in note for note in e.notes) == (hypervisor is None)


def test_the_processors_flag_goes_before_the_vendor(tmp_path):
    """Google makes laptops too; without the flag a machine is no guest."""
    e = detect(
        tmp_path,
        x86("GenuineIntel", 6, 142, 9, "Intel(R) Core(TM) i5-7Y57 CPU @ 1.20GHz"),
        dmi(sys_vendor="Google", product_name="Eve", chassis_type="9"),
    )
    assert (e.is_virtual, e.machine.cloud, e.machine.chassis) == (False, None, "laptop")


def test_a_generic_kvm_model_has_no_microarchitecture(tmp_path):
    e = detect(
        tmp_path,
        x86("AuthenticAMD", 23, 49, 0, "QEMU Virtual CPU version 2.5+", flags=GUEST),
    )
    assert e.cpu.microarchitecture is None
    assert any("microarchitecture unknown" in note for note in e.notes)


@pytest.mark.parametrize(
    ("files", "hypervisor"),
    [
        ({"sys/firmware/acpi/tables/FACP": b"FACP\x14\x01\0\0\x06fFIRECKFCVMFADT"}, "Firecracker"),
        ({"sys/firmware/acpi/tables/FACP": b"FACP\x14\x01\0\0\x06fBOCHS BXPC    "}, "KVM"),
        (
            {
                "sys/devices/system/clocksource/clocksource0/available_clocksource": (
                    "tsc kvm-clock \n"
                )
            },
            "KVM",
        ),
        ({"sys/hypervisor/type": "xen\n"}, "Xen"),
    ],
)
def test_guests_without_dmi(tmp_path, files, hypervisor):
    e = detect(tmp_path, x86("AuthenticAMD", 26, 2, 1, "AMD EPYC", flags=GUEST), files)
    assert (e.is_virtual, e.machine.hypervisor) == (True, hypervisor)


def test_an_arm_guest_by_its_device_tree(tmp_path):
    files = {"proc/device-tree/hypervisor/compatible": "linux,kvm\0"}
    e = detect(tmp_path, arm("0x41", "0xd0c", 2), files)
    assert (e.is_virtual, e.machine.hypervisor) == (True, "KVM")


def test_the_host_system_of_xen_is_no_guest(tmp_path):
    e = detect(
        tmp_path,
        x86("GenuineIntel", 6, 79, 1, "Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz", flags=GUEST),
        {"sys/hypervisor/type": "xen\n", "proc/xen/capabilities": "control_d\n"},
    )
    assert e.is_virtual is False


def test_wsl2(tmp_path):
    e = detect(
        tmp_path,
        x86("GenuineIntel", 6, 154, 3, "12th Gen Intel(R) Core(TM) i7-12700H", flags=GUEST),
        linux("Ubuntu", "24.04", "5.15.153.1-microsoft-standard-WSL2"),
    )
    assert (e.is_virtual, e.machine.hypervisor) == (True, "Hyper-V (WSL 2)")
    assert e.cpu.microarchitecture == "Alder Lake"


def test_gvisor(tmp_path):
    e = detect(
        tmp_path,
        x86("GenuineIntel", 6, 85, 7, "unknown"),
        {"proc/version": "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016\n"},
    )
    assert (e.is_virtual, e.machine.hypervisor) == (True, "gVisor")
    assert (e.cpu.name, e.cpu.microarchitecture) == (None, "Cascade Lake")


def test_a_laptop_restricted_to_some_of_its_threads(tmp_path):
    e = detect(
        tmp_path,
        x86("AuthenticAMD", 25, 80, 0, "AMD Ryzen 7 5800U with Radeon Graphics", cores=8),
        dmi(sys_vendor="LENOVO", product_name="20XF", chassis_type="10"),
        {"proc/self/status": "Name:\tpython3\nCpus_allowed_list:\t0-2,8\n"},
        {"sys/devices/system/cpu/cpu0/acpi_cppc/nominal_freq": "1901\n"},
    )
    assert e.machine.chassis == "laptop"
    assert (e.cpu.cores, e.cpu.threads, e.cpu.usable_threads) == (8, 16, 4)
    assert e.effective_cpus == 4.0
    assert e.cpu.base_mhz == 1901.0
    assert any("maximum clock" in note for note in e.notes)


def test_without_sysfs_cpuinfo_gives_the_topology(tmp_path):
    files = x86("GenuineIntel", 6, 63, 2, "Intel(R) Xeon(R) CPU E5-2640 v3", sockets=2, cores=8)
    e = detect(tmp_path, {"proc/cpuinfo": files["proc/cpuinfo"]})
    assert (e.cpu.sockets, e.cpu.cores, e.cpu.threads) == (2, 16, 32)


def test_kubernetes(tmp_path):
    e = detect(
        tmp_path,
        x86("GenuineIntel", 6, 106, 6, "Intel(R) Xeon(R) Platinum 8375C CPU", cores=16),
        linux(),
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/cpu.max": "400000 100000\n",
            "sys/fs/cgroup/memory.max": f"{16 * GIB}\n",
        },
        env={"KUBERNETES_SERVICE_HOST": "10.96.0.1"},
    )
    assert (e.container, e.effective_cpus) == ("kubernetes", 4.0)


@pytest.mark.parametrize(
    ("files", "env", "kind"),
    [
        ({".dockerenv": ""}, {}, "docker"),
        ({"run/.containerenv": 'engine="podman-4.9"\n'}, {"container": "podman"}, "podman"),
        ({}, {"container": "lxc"}, "lxc"),
        ({"run/systemd/container": "systemd-nspawn\n"}, {}, "systemd-nspawn"),
        ({}, {"APPTAINER_CONTAINER": "/images/torch.sif"}, "apptainer"),
        ({"proc/self/cgroup": "0::/kubepods.slice/kubepods-pod1.slice/a\n"}, {}, "kubernetes"),
        ({"proc/self/cgroup": "0::/system.slice/docker-12ab.scope\n"}, {}, "docker"),
        ({"proc/self/cgroup": "4:cpu:/lxc/web\n"}, {}, "lxc"),
        ({"proc/self/cgroup": "0::/user.slice\n"}, {}, "none"),
    ],
)
def test_containers(tmp_path, files, env, kind):
    assert detect(tmp_path, files, env=env).container == kind


def test_an_empty_tree_is_all_unknown_with_reasons(tmp_path):
    e = Environment.detect(tmp_path, {})
    assert e.effective_cpus is None
    assert (e.cpu.threads, e.host.ram_bytes, e.host.architecture) == (None, None, None)
    assert e.is_virtual is None
    assert {"CPU", "host", "machine"} <= {note.partition(":")[0] for note in e.notes}


def test_rubbish_in_every_file_never_raises(tmp_path):
    files = x86("GenuineIntel", 6, 85, 7, "x", cores=1) | linux(ram_kb=5) | dmi(sys_vendor="x")
    for content in (b"\xff\xfe\0\0", b"", b"9" * 300, b"-1,,4-2,x\n", b"a:b:c:d\n0::\n"):
        e = detect(tmp_path, dict.fromkeys(files, content))
        assert not [note for note in e.notes if "Error" in note], e.notes
        json.dumps(e.to_json())


def edac(*slots):
    """`/sys/devices/system/edac` with (kind of object, megabytes, type) of each slot."""
    base = "sys/devices/system/edac/mc/mc0"
    return {
        f"{base}/{kind}{i}/{name}": f"{value}\n"
        for i, (kind, size, memory) in enumerate(slots)
        for name, value in (("size", size), ("dimm_mem_type", memory))
    }


def smbios(*devices):
    """`/sys/firmware/dmi/entries` with (size in MB, type) of each memory device."""
    files = {}
    for i, (size, memory) in enumerate(devices):
        raw = bytearray(40)
        raw[0x0C:0x0E] = size.to_bytes(2, "little")
        raw[0x12] = memory
        files[f"sys/firmware/dmi/entries/17-{i}/raw"] = bytes(raw)
    return files


DDR4, DDR5, LPDDR5, UNKNOWN = 0x1A, 0x22, 0x23, 0x07


@pytest.mark.parametrize(
    ("files", "modules"),
    [
        ({}, None),
        (edac(("dimm", 32768, "Registered-DDR4"), ("dimm", 0, "Registered-DDR4")), 1),
        (edac(*[("dimm", 65536, "Registered-DDR5")] * 12), 12),
        # A rank is a part of a module.
        (edac(*[("rank", 8192, "Registered-DDR4")] * 4), None),
        (smbios((16384, DDR4), (0, DDR4), (16384, DDR4), (16384, DDR5)), 3),
        # Soldered, and a guest's invention.
        (smbios((8192, LPDDR5), (4096, UNKNOWN)), None),
        ({"sys/firmware/dmi/entries/17-0/raw": b"\x11\x28"}, None),
    ],
)
def test_memory_modules(tmp_path, files, modules):
    assert detect(tmp_path, linux(ram_kb=1000), files).host.memory_modules == modules
