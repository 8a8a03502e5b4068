"""Which devices can be calibrated, by torch's count and by the driver's."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from joulecast.calibration.device_tests import operator_tests
from joulecast.calibration.microbench import COMPUTE, MEMORY, Microbenchmark
from joulecast.calibration.targets import targets
from joulecast.errors import UnknownHardwareError, UsageError
from joulecast.hardware.detect.cpu import DetectedCpu
from joulecast.hardware.detect.gpu import DetectedGpu
from joulecast.hardware.environment import Environment
from joulecast.workload.model import OperatorKind

CPU = DetectedCpu(name="AMD EPYC 7763", cores=64, threads=128)
A100, V100 = "NVIDIA A100-SXM4-80GB", "Tesla V100-SXM2-16GB"


@dataclass
class Seen:
    """Properties of a device as torch has them."""

    name: str
    uuid: str


def cuda(*seen: Seen, capability: tuple[int, int] = (8, 0), free: float = 64e9) -> Any:
    """As much of torch as is asked before a kernel is launched."""
    return SimpleNamespace(
        cuda=SimpleNamespace(
            is_available=lambda: bool(seen),
            device_count=lambda: len(seen),
            get_device_properties=lambda number: seen[number],
            get_device_capability=lambda device: capability,
            mem_get_info=lambda device: (free, 80e9),
        ),
        backends=SimpleNamespace(cudnn=SimpleNamespace(allow_tf32=True)),
    )


def machine(*gpus: DetectedGpu) -> Environment:
    return Environment(cpu=CPU, gpus=gpus)


def test_without_a_gpu_it_is_the_cpu() -> None:
    (only,) = targets(cuda(), machine())
    assert (only.device, only.torch, only.domains) == ("cpu", "cpu", "cpu:")
    with pytest.raises(UsageError):
        targets(cuda(), machine(), "gpu:0")


def test_torch_counts_other_than_the_driver() -> None:
    """CUDA_VISIBLE_DEVICES=3,1: torch's first is the driver's fourth."""
    driver = [
        DetectedGpu(i, "NVIDIA", name, f"GPU-{i}{i}-abc", visible=i in (1, 3))
        for i, name in enumerate((A100, A100, V100, V100))
    ]
    torch = cuda(Seen("x", "33-abc"), Seen("y", "11-abc"))
    first, second, cpu = targets(torch, machine(*driver))
    assert (first.device, first.torch, first.domains) == ("gpu:3", "cuda:0", "gpu:3")
    assert (second.device, second.torch) == ("gpu:1", "cuda:1")
    assert "V100" in first.facts.name and "A100" in second.facts.name
    assert cpu.device == "cpu"
    (only,) = targets(torch, machine(*driver), "gpu:1")
    assert only.torch == "cuda:1"
    with pytest.raises(UsageError):
        targets(torch, machine(*driver), "gpu:0")


def test_an_old_torch_without_uuids() -> None:
    driver = (DetectedGpu(0, "NVIDIA", A100, visible=False), DetectedGpu(1, "NVIDIA", V100))
    first, _ = targets(cuda(Seen("?", "")), machine(*driver))
    assert (first.device, first.torch) == ("gpu:1", "cuda:0")


def test_a_gpu_that_no_catalog_knows() -> None:
    torch, why = cuda(Seen("Imaginary 9000", "")), []
    assert [t.device for t in targets(torch, machine(), left_out=why.append)] == ["cpu"]
    assert len(why) == 1 and why[0].startswith("gpu:0 ")
    with pytest.raises(UnknownHardwareError):
        targets(torch, machine(), "gpu:0")


class TestOperatorTests:
    """What a GPU would run, up to the first kernel."""

    def pieces(self, **changes: Any) -> list[Microbenchmark]:
        device: Any = SimpleNamespace(type="cuda")
        return operator_tests(cuda(Seen("x", ""), **changes), device)

    def test_precisions_and_tensor_cores(self) -> None:
        new = [p.work.precision for p in self.pieces() if p.group == COMPUTE]
        assert {"fp32", "tf32", "bf16"} == set(new)
        old = self.pieces(capability=(7, 0))
        assert {p.work.precision for p in old if p.group == COMPUTE} == {"fp32"}

    def test_operations_and_bytes(self) -> None:
        pieces = {p.name: p for p in self.pieces()}
        (product,) = pieces["matrix product 4096 bf16"].work.ops
        assert (product.kind, product.flops) == (OperatorKind.MATMUL, 2 * 4096**3)
        assert product.bytes == 3 * 4096**2 * 2
        (convolution,) = pieces["convolution 3x3, 64 channels 112x112"].work.ops
        assert convolution.flops == 2 * 64 * 64 * 112**2 * 64 * 9
        (copy,) = pieces["copy 1024 MiB"].work.ops
        assert copy.bytes == 2 * 2**30

    def test_little_memory_is_not_filled(self) -> None:
        sizes = [p.name for p in self.pieces(free=2e9) if p.group == MEMORY]
        assert sizes == ["copy 256 MiB", "sum 256 MiB"]
