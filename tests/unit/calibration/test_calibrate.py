"""A machine's constants from microbenchmarks: the fit, the timing, what the ledger keeps."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from joulecast import serialize
from joulecast.calibration.constants_fit import fit, input_constants, solve
from joulecast.calibration.microbench import (
    COMPUTE,
    INPUT,
    LAUNCH,
    MEMORY,
    STEP,
    Measurement,
    Microbenchmark,
    measure_all,
    timed,
)
from joulecast.calibration.stored_constants import (
    CONSTANTS,
    Constant,
    DeviceCalibration,
    MicroTiming,
    for_forecast,
    read_stored,
)
from joulecast.errors import LedgerError
from joulecast.estimate import Provenance
from joulecast.forecasting.base import Prediction
from joulecast.forecasting.physical.device import (
    Calibration,
    Device,
    StaticForecaster,
    StepForecast,
)
from joulecast.ledger.calibrations import Stored
from joulecast.workload.model import Op, OperatorKind, Phase, Workload

GPU_CONSTANTS = {"compute", "memory", "launch_s", "step_s", "idle_w", "power"}
CPU_CONSTANTS = {"compute", "memory", "launch_s", "step_s", "idle_w", "busy_w"}
DEVICE = Device("some GPU", "gpu", {"fp32": 20.0}, {}, 1000.0, 24.0, 300.0, 80, idle_w=20.0)
TRUE = Calibration(compute=0.6, memory=0.8, power=1.3, launch_s=5e-6, step_s=2e-4, idle_w=35.0)


class Roofline(StaticForecaster):
    """A forecast simple enough to be right by inspection: everything adds up."""

    name = "roofline"

    def step(self, workload: Workload, device: Device) -> StepForecast:
        c = device.calibration or Calibration()
        compute = workload.flops() / (device.vector["fp32"] * 1e12 * (c.compute or 1.0))
        memory = workload.bytes() / (device.memory_bandwidth_gb_s * 1e9 * (c.memory or 1.0))
        launch_s = 1e-5 if c.launch_s is None else c.launch_s
        step_s = 1e-3 if c.step_s is None else c.step_s
        seconds = compute + memory + workload.launches() * launch_s + step_s
        busy = (compute + 0.6 * memory) / seconds
        watts = (c.idle_w or 20.0) + 0.8 * device.tdp_w * busy * (c.power or 1.0)
        return StepForecast(
            Prediction(seconds),
            Prediction(seconds * watts),
            Prediction(watts),
            None,
            "r",
            "catalog",
        )


def workload(flops: float, size: float, count: int = 1) -> Workload:
    op = Op(OperatorKind.MATMUL, Phase.FORWARD, flops, size, "fp32", "", (), count)
    return Workload("w", 1, (), "fp32", False, None, 0, (op,), (), 0.0, 0.0, 0.0, 0.0)


def measurement(
    group: str, work: Workload, off: float = 1.0, power_w: float | None = -1.0
) -> Measurement:
    """What a test would measure on a device with the true constants, `off` by a factor."""
    # Of an operator in many copies, so that the step's own time does not count.
    constants = TRUE if group == STEP else replace(TRUE, step_s=1e-12)
    step = Roofline().step(work, DEVICE.calibrated(constants))
    seconds = TRUE.launch_s if group == LAUNCH else step.duration.value
    assert seconds is not None
    drawn_w = step.power.value if power_w == -1.0 else power_w
    timing = MicroTiming(group, group, seconds * off, 0.01, 9, power_w=drawn_w)
    return Measurement(Microbenchmark(group, group, lambda: lambda: None, work), timing)


def measurements(power_w: float | None = -1.0) -> list[Measurement]:
    return [
        measurement(LAUNCH, workload(1.0, 1.0), power_w=power_w),
        measurement(STEP, workload(1e3, 1e3, 20), power_w=power_w),
        measurement(MEMORY, workload(0.0, 1e9), power_w=power_w),
        measurement(MEMORY, workload(1e6, 4e9), power_w=power_w),
        measurement(COMPUTE, workload(1e12, 1e7), power_w=power_w),
        measurement(COMPUTE, workload(1e11, 1e6), power_w=power_w),
    ]


IDLE = Constant(35.0, 0.02)


def fitted(*tests: Measurement, idle: Constant = IDLE) -> dict[str, Constant]:
    return fit(tests, idle, DEVICE, Roofline())


class TestFit:
    def test_fit_recovers_the_constants_of_the_device(self) -> None:
        constants = fitted(*measurements())
        assert set(constants) == GPU_CONSTANTS
        for name in GPU_CONSTANTS:
            assert constants[name].value == pytest.approx(getattr(TRUE, name), rel=0.01), name

    def test_one_disturbed_test_of_three_does_not_count(self) -> None:
        disturbed = measurement(COMPUTE, workload(5e11, 1e6), off=7.0)
        value = fitted(*measurements(), disturbed)["compute"].value
        assert value == pytest.approx(0.6, rel=0.01)

    def test_a_test_that_does_not_depend_on_the_constant_is_left_out(self) -> None:
        # Its launch takes all its time.
        hidden = measurement(COMPUTE, workload(1e3, 1.0), off=3.0)
        assert fitted(*measurements(), hidden)["compute"].value == pytest.approx(0.6, rel=0.01)

    def test_the_spread_shows_tests_that_disagree(self) -> None:
        alike = fitted(*measurements())["compute"].spread
        apart = fitted(*measurements(), measurement(COMPUTE, workload(2e12, 1e7), off=2.0))
        assert alike == pytest.approx(0.01, abs=0.005)
        spread = apart["compute"].spread
        assert spread is not None and spread > 0.1

    def test_without_meters_only_the_power_is_unknown(self) -> None:
        constants = fitted(*measurements(power_w=None), idle=Constant(None, reason="no meter"))
        assert constants["power"].value is None and constants["power"].reason
        assert constants["idle_w"] == Constant(None, reason="no meter")
        assert constants["compute"].value == pytest.approx(0.6, rel=0.01)

    def test_the_power_of_one_test_has_no_spread(self) -> None:
        tests = measurements()
        one = [each if i == 2 else each.with_power(None) for i, each in enumerate(tests)]
        power = fitted(*one)["power"]
        assert (power.value, power.spread) == (pytest.approx(1.3, rel=0.01), None)

    def test_a_load_that_draws_no_more_than_idle_has_no_power_factor(self) -> None:
        power = fitted(*measurements(power_w=30.0))["power"]
        assert power.value is None
        assert power.reason != fitted(*measurements(power_w=None))["power"].reason

    def test_the_reason_of_a_skipped_test_is_kept(self) -> None:
        skipped = [
            replace(each, timing=MicroTiming("m", MEMORY, None, None, 0, skipped="out of memory"))
            if each.test.group == MEMORY
            else each
            for each in measurements()
        ]
        assert fitted(*skipped)["memory"] == Constant(None, reason="out of memory")


class TestFitOfACpu:
    DEVICE = Device("a CPU", "cpu", {"fp32": 0.2}, {}, 12.0, 24.0, 30.0, 2, idle_w=5.0)

    def measured(self, layers: int, power_w: float | None = 20.0, off: float = 1.0) -> Measurement:
        """A tiny step of a machine with 10 us an operator and 100 us a step."""
        work = workload(1e3, 1e3, layers)
        seconds = off * (1e-4 + 1e-5 * layers + layers * (1e3 / 0.2e12 + 1e3 / 12e9))
        timing = MicroTiming("step", STEP, seconds, 0.01, 9, power_w=power_w)
        return Measurement(Microbenchmark("step", STEP, lambda: lambda: None, work), timing)

    def fitted(self, *tests: Measurement) -> dict[str, Constant]:
        return fit(tests, Constant(5.0), self.DEVICE, Roofline())

    def test_starts_and_steps_come_from_networks_of_different_depths(self) -> None:
        constants = self.fitted(*(self.measured(layers) for layers in (10, 40, 100)))
        assert set(constants) == CPU_CONSTANTS
        assert constants["launch_s"].value == pytest.approx(1e-5, rel=0.01)
        assert constants["step_s"].value == pytest.approx(1e-4, rel=0.01)
        assert constants["busy_w"].value == pytest.approx(20.0)
        assert constants["compute"].value is None and constants["compute"].reason

    def test_no_constant_is_negative(self) -> None:
        # The deeper network is slower by more than in proportion.
        constants = self.fitted(self.measured(10, off=0.2), self.measured(100))
        launch_s, step_s = constants["launch_s"].value, constants["step_s"].value
        assert launch_s is not None and step_s is not None
        assert launch_s > 0 and 0 < step_s < 1e-6

    def test_one_step_alone_does_not_determine_both(self) -> None:
        constants = self.fitted(self.measured(10))
        assert (constants["launch_s"].value, constants["step_s"].value) == (None, None)

    def test_busy_power_without_meters_is_unknown(self) -> None:
        constants = self.fitted(self.measured(10, None), self.measured(100, None))
        assert constants["busy_w"].value is None and constants["busy_w"].reason


@pytest.mark.parametrize(
    ("function", "target", "expected"),
    [
        (lambda x: 3 / x, 6.0, 0.5),
        (lambda x: x**2, 9.0, 3.0),
        (lambda x: x, 1e4, None),
        (lambda x: 1.0, 1.0, None),
        (lambda x: math.nan, 1.0, None),
    ],
)
def test_solve(function: Callable[[float], float], target: float, expected: float | None) -> None:
    got = solve(function, target, 1e-3, 1e3)
    assert got == (None if expected is None else pytest.approx(expected, rel=1e-6))


class Clock:
    """Moves only when work is done."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class TestTimed:
    def test_the_median_of_many(self) -> None:
        clock, calls = Clock(), 0

        def call() -> None:
            nonlocal calls
            calls += 1
            clock.now += 0.05 if calls % 5 else 1.0  # every fifth is held up

        seconds, spread, repeats = timed(call, lambda: None, 20.0, clock)
        assert seconds == pytest.approx(0.05)
        assert spread == pytest.approx(0.0, abs=1e-9)
        assert 20 < repeats < 100

    def test_short_calls_are_timed_in_segments(self) -> None:
        clock, calls, waits = Clock(), 0, 0

        def call() -> None:
            nonlocal calls
            calls += 1
            clock.now += 1e-5

        def wait() -> None:
            nonlocal waits
            waits += 1

        seconds, _, repeats = timed(call, wait, 1.0, clock)
        assert seconds == pytest.approx(1e-5)
        assert calls > 1000 * repeats  # 20 ms of them at a time
        assert waits < calls / 100

    def test_a_call_that_takes_longer_than_the_time_is_repeated_all_the_same(self) -> None:
        clock = Clock()

        def call() -> None:
            clock.now += 3.0

        assert timed(call, lambda: None, 1.0, clock) == (pytest.approx(3.0), 0.0, 5)

    def test_a_test_that_fails_is_skipped_with_the_reason(self) -> None:
        clock = Clock()

        def tick() -> None:
            clock.now += 0.1

        def fails() -> Callable[[], object]:
            raise RuntimeError("CUDA out of memory.\nTried to allocate 1 GiB")

        tests = [
            Microbenchmark("large", MEMORY, fails),
            Microbenchmark("small", MEMORY, lambda: tick),
        ]
        large, small = measure_all(tests, lambda: None, 2.0, clock=clock)
        assert large.timing.skipped == "CUDA out of memory."
        assert large.timing.seconds is None
        assert small.seconds == pytest.approx(0.1)


class TestStored:
    DOCUMENT = {  # noqa: RUF012
        "values": {"compute": 0.6, "memory": None, "idle_w": 12},
        "input_s": [1e-4, 2e-9],
    }

    def read(self, document: dict[str, object]) -> DeviceCalibration:
        return read_stored(Stored("cpu", 1.8e9, "a machine", document))

    def test_a_stored_calibration_is_read_unchanged(self) -> None:
        timing = MicroTiming("copy", MEMORY, 1e-3, 0.01, 9, 20.0)
        stored = DeviceCalibration(
            "cpu",
            "a CPU",
            {"compute": 0.6, "memory": None},
            {"compute": 0.01},
            {"memory": "out of memory"},
            (1e-4, 2e-9),
            Provenance.MEASURED,
            [timing],
            ["a note"],
            0.02,
            12.0,
            {"torch": "2.2"},
        )
        assert set(stored.values) <= set(CONSTANTS)
        kept = self.read(serialize.to_builtins(stored))
        assert kept == replace(stored, tests=[], made_at=1.8e9, machine="a machine")
        assert for_forecast(kept) == Calibration(compute=0.6)

    def test_an_older_cpu_calibration_keeps_its_shared_fields(self) -> None:
        values = {"compute": 0.6, "memory": 0.5, "launch_s": 1e-6, "step_s": 1e-4, "power": 1.1}
        document = {
            "name": "a CPU",
            "values": values | {"idle_w": 7.0, "forward_s": 1e-6, "work_w": 20.0},
            "operators": {"costs": {"forward/matmul": [1e-6, 0.0, 1.0]}, "levels": [[1e6, 1e10]]},
            "tests": [{"name": "copy", "for": "memory", "exchange_s": [1e-6, 1e-6]}],
        }
        constants = for_forecast(self.read(document))
        expected = Calibration(compute=0.6, memory=0.5, idle_w=7.0, outdated=True)
        assert constants == expected

    def test_an_older_gpu_calibration_keeps_all_its_constants(self) -> None:
        values = {"compute": 0.6, "launch_s": 1e-6, "step_s": 1e-4, "power": 1.1, "idle_w": 30.0}
        constants = for_forecast(self.read({"values": values, "operators": None}))
        assert constants == Calibration(
            compute=0.6, launch_s=1e-6, step_s=1e-4, power=1.1, idle_w=30.0
        )

    def test_the_share_of_others_counts_where_it_disturbs(self) -> None:
        for much in (0.16, 0.66):
            assert for_forecast(self.read(self.DOCUMENT | {"others": much})).disturbed == much
        for little in (0.14, None, -1.0):
            assert for_forecast(self.read(self.DOCUMENT | {"others": little})).disturbed == 0.0

    @pytest.mark.parametrize(
        "document",
        [
            {},
            {"values": {"memory": -1, "power": 0}},
            {"values": {"unheard_of": 2.0}, "input_s": [0.0, 0.0]},
        ],
    )
    def test_numbers_that_are_not_positive_are_left_out(self, document: dict[str, object]) -> None:
        assert for_forecast(self.read(document)) == Calibration()

    @pytest.mark.parametrize(
        "document", [{"values": {"compute": "fast"}}, {"values": [1]}, {"input_s": ["a", "b"]}]
    )
    def test_a_damaged_document_is_an_error_of_the_ledger(
        self, document: dict[str, object]
    ) -> None:
        with pytest.raises(LedgerError, match="cpu"):
            self.read(document)


def test_the_input_pipeline_has_a_cost_by_sample_and_by_byte() -> None:
    def read(size: float, seconds: float) -> Measurement:
        test = Microbenchmark("p", INPUT, lambda: lambda: None, None, 32, size)
        return Measurement(test, MicroTiming("p", INPUT, seconds, 0.0, 9))

    constants = input_constants([read(1e3, 32 * (1e-4 + 1e-6)), read(1e5, 32 * (2e-4))])
    assert constants == (pytest.approx(1e-4), pytest.approx(1e-9))
    assert input_constants([read(1e3, 1.0)]) is None
    noisy = input_constants([read(1e3, 1e-9), read(1e5, 0.32)])
    assert noisy == (0.0, pytest.approx(0.01 / 1e5))
