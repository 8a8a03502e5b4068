"""Calibrations rehearsed with the physical forecast in the place of the machine."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from joulecast.calibration.constants_fit import fit
from joulecast.calibration.device_tests import device_tests
from joulecast.calibration.microbench import (
    COMPUTE,
    LAUNCH,
    MEMORY,
    STEP,
    Measurement,
    Microbenchmark,
)
from joulecast.calibration.stored_constants import Constant, MicroTiming
from joulecast.forecasting.physical.device import Calibration, Device
from joulecast.forecasting.physical.forecaster import Physical
from joulecast.hardware.catalog.cpus import find_cpu
from joulecast.hardware.catalog.gpus import find_gpu

torch = pytest.importorskip("torch")
COPIES = 1000


def measured(
    tests: Sequence[Microbenchmark], device: Device, true: Calibration
) -> list[Measurement]:
    """What the tests would measure on a machine that the physical model describes exactly."""

    def forecast(test: Microbenchmark) -> tuple[float, float]:
        assert test.work is not None
        if test.group == STEP:
            step = Physical().step(test.work, device.calibrated(true))
            assert step is not None
            return step.duration.value, step.power.value
        ops = tuple(replace(op, count=op.count * COPIES) for op in test.work.ops)
        step = Physical().step(replace(test.work, ops=ops), device.calibrated(true))
        assert step is not None
        return step.duration.value / COPIES, step.power.value

    measurements = []
    for test in tests:
        seconds, power_w = forecast(test)
        if test.group == LAUNCH:
            seconds = true.launch_s or 0.0
        timing = MicroTiming(test.name, test.group, seconds, 0.0, 9, power_w=power_w)
        measurements.append(Measurement(test, timing))
    return measurements


def test_the_constants_of_a_gpu_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (64e9, 80e9))
    cuda: Any = SimpleNamespace(type="cuda")
    tests = device_tests(torch, cuda)
    assert {test.group for test in tests} == {COMPUTE, MEMORY, LAUNCH, STEP}
    assert len({test.name for test in tests}) == len(tests) == 18
    device = Device.of_gpu(find_gpu("A100 SXM4 80GB"))
    true = Calibration(0.8, 0.9, power=1.2, launch_s=8e-6, step_s=3e-4, idle_w=60.0)
    constants = fit(measured(tests, device, true), Constant(60.0), device, Physical())
    for name in ("compute", "memory", "power", "launch_s", "step_s"):
        assert constants[name].value == pytest.approx(getattr(true, name), rel=0.02), name


def test_the_constants_of_a_cpu_come_back() -> None:
    tests = device_tests(torch, torch.device("cpu"))
    assert {test.group for test in tests} == {COMPUTE, MEMORY, STEP}
    assert len({test.name for test in tests}) == len(tests) == 12
    device = Device.of_cpu(find_cpu("EPYC 7763"), cores=4)
    true = Calibration(
        compute=0.5, memory=1.4, launch_s=9e-6, step_s=1.5e-4, idle_w=20.0, busy_w=70.0
    )
    constants = fit(measured(tests, device, true), Constant(20.0), device, Physical())
    for name in ("compute", "memory", "launch_s", "step_s", "busy_w"):
        assert constants[name].value == pytest.approx(getattr(true, name), rel=0.05), name


def test_every_test_of_a_cpu_runs() -> None:
    tests = device_tests(torch, torch.device("cpu"))
    small = [test for test in tests if "64 MiB" not in test.name]
    assert len(small) == 10
    for test in small:
        test.make()()
