import pytest

from joulecast.calibration.devices import cpu_here, cpu_named, gpu_here, gpus_named
from joulecast.errors import UnknownHardwareError
from joulecast.hardware.detect.cpu import DetectedCpu
from joulecast.hardware.detect.gpu import DetectedGpu
from joulecast.hardware.detect.machine import Machine
from joulecast.hardware.environment import Environment


def test_a_shared_name_is_all_its_boards_the_most_powerful_first():
    devices = gpus_named("NVIDIA A100")
    assert devices[0].name == "NVIDIA A100 SXM4 80GB" and len(devices) > 2
    assert [d.name for d in gpus_named("A100-PCIE-40GB")] == ["NVIDIA A100 PCIe 40GB"]


def test_unknown_names_are_errors():
    with pytest.raises(UnknownHardwareError):
        gpus_named("RTX 9999")
    with pytest.raises(UnknownHardwareError):
        cpu_named("Pentagon 3")
    assert gpu_here(Environment()) is None


def test_the_first_visible_gpu_with_the_limit_set_in_its_driver():
    hidden = DetectedGpu(0, "NVIDIA", "NVIDIA A100-SXM4-80GB", visible=False)
    seen = DetectedGpu(1, "NVIDIA", "NVIDIA GeForce RTX 3090", power_limit_w=250.0)
    index, device = gpu_here(Environment(gpus=(hidden, seen)))
    assert index == 1 and device.name == "NVIDIA GeForce RTX 3090"
    assert device.limit_w == 250 and device.tdp_w == 350


def test_a_cpu_counts_the_threads_it_may_use():
    name = "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz"
    whole = cpu_here(Environment(cpu=DetectedCpu(name=name, threads=40, cores=20)))
    part = cpu_here(
        Environment(cpu=DetectedCpu(name=name, threads=40, cores=20, usable_threads=10))
    )
    assert part.tdp_w == pytest.approx(whole.tdp_w / 4, rel=0.01)
    assert part.processors == 5


def test_a_share_of_a_processor_is_a_note():
    name = "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz"
    guest = Environment(cpu=DetectedCpu(name=name, threads=2), machine=Machine(virtual=True))
    assert any("2 of 40" in note for note in cpu_here(guest).notes)
    bound = Environment(cpu=DetectedCpu(name=name, threads=40, cores=20, usable_threads=10))
    assert any("10 of 40" in note for note in cpu_here(bound).notes)
    whole = cpu_here(Environment(cpu=DetectedCpu(name=name, threads=40, cores=20)))
    assert whole.notes == cpu_named("Xeon Gold 6248").notes


def test_a_hidden_name_is_replaced_by_its_family_with_a_note():
    hidden = Environment(
        cpu=DetectedCpu(name="AMD EPYC", microarchitecture="Zen 4", codename="Genoa", threads=8),
        machine=Machine(virtual=True),
    )
    device = cpu_here(hidden)
    assert device.name == "AMD EPYC"
    assert any("EPYC 9" in note for note in device.notes)
    assert cpu_here(Environment()).tdp_w > 0
