"""A machine's constants from small pieces of work: the fit, and how the work is timed."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from joulecast.calibration.constants_fit import fit, input_constants, solve
from joulecast.calibration.microbench import (
    COMPUTE,
    INPUT,
    LAUNCH,
    MEMORY,
    STEP,
    Piece,
    Result,
    run_pieces,
    timed,
)
from joulecast.calibration.stored_constants import Idle, calibration_from
from joulecast.forecasting.base import Prediction
from joulecast.forecasting.physical.cpu_roofline import CpuCosts, OperatorCost
from joulecast.forecasting.physical.device import (
    Calibration,
    Device,
    StaticForecaster,
    StepForecast,
)
from joulecast.workload.model import Op, OperatorKind, Phase, Workload

DEVICE = Device("some GPU", "gpu", {"fp32": 20.0}, {}, 1000.0, 24.0, 300.0, 80, idle_w=20.0)
TRUE = Calibration(compute=0.6, memory=0.8, power=1.3, launch_s=5e-6, step_s=2e-4, idle_w=35.0)


class Roofline(StaticForecaster):
    """A forecast simple enough to be right by inspection: everything adds up."""

    name = "roofline"

    def step(self, workload: Workload, device: Device) -> StepForecast:
        c = device.calibration or Calibration()
        compute = workload.flops() / (device.vector["fp32"] * 1e12 * (c.compute or 1.0))
        memory = workload.bytes() / (device.memory_bandwidth_gb_s * 1e9 * (c.memory or 1.0))
        seconds = compute + memory + workload.launches() * (c.launch_s or 1e-5) + (c.step_s or 1e-3)
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


def result(group: str, work: Workload, off: float = 1.0, **changes: object) -> Result:
    """What a test would find on a device with the true constants, `off` by a factor."""
    # One piece of work of many: the step's own cost is not in it.
    there = DEVICE.calibrated(
        TRUE if group == STEP else Calibration(0.6, 0.8, 1.3, 5e-6, 1e-12, 35.0)
    )
    step = Roofline().step(work, there)
    seconds = TRUE.launch_s if group == LAUNCH else step.duration.value
    assert seconds is not None
    fields = {"power_w": step.power.value, "repeats": 9, "spread": 0.01} | changes
    return Result(Piece(group, group, lambda: lambda: None, work), seconds * off, **fields)


def results(**changes: object) -> list[Result]:
    return [
        result(LAUNCH, workload(1.0, 1.0), **changes),
        result(STEP, workload(1e3, 1e3, 20), **changes),
        result(MEMORY, workload(0.0, 1e9), **changes),
        result(MEMORY, workload(1e6, 4e9), **changes),
        result(COMPUTE, workload(1e12, 1e7), **changes),
        result(COMPUTE, workload(1e11, 1e6), **changes),
    ]


def found(*given: Result, idle: float | None = 35.0) -> dict[str, float | None]:
    constants = fit(given, Idle(idle, 0.02, None if idle else "busy"), DEVICE, Roofline())
    return {c.name: c.value for c in constants}


class TestFit:
    def test_it_finds_the_constants_the_machine_has(self) -> None:
        values = found(*results())
        for name in ("compute", "memory", "power", "launch_s", "step_s", "idle_w"):
            assert values[name] == pytest.approx(getattr(TRUE, name), rel=0.01), name

    def test_one_disturbed_test_of_three_does_not_count(self) -> None:
        disturbed = result(COMPUTE, workload(5e11, 1e6), off=7.0)
        assert found(*results(), disturbed)["compute"] == pytest.approx(0.6, rel=0.01)

    def test_a_test_that_tells_nothing_of_a_constant_is_left_out(self) -> None:
        hidden = result(COMPUTE, workload(1e3, 1.0), off=3.0)  # its launch takes all its time
        assert found(*results(), hidden)["compute"] == pytest.approx(0.6, rel=0.01)

    def test_tests_that_disagree_are_told_by_the_spread(self) -> None:
        alike = fit(results(), Idle(35.0), DEVICE, Roofline())
        apart = fit(
            [*results(), result(COMPUTE, workload(2e12, 1e7), off=2.0)],
            Idle(35.0),
            DEVICE,
            Roofline(),
        )
        assert alike[0].spread == pytest.approx(0.01, abs=0.005)  # of each by itself
        assert apart[0].spread is not None and apart[0].spread > 0.1

    def test_without_meters_the_power_is_not_known_and_the_times_are(self) -> None:
        constants = fit(results(power_w=None), Idle(None, None, "no meter"), DEVICE, Roofline())
        values = {c.name: c for c in constants}
        assert values["power"].value is None
        assert "no meter resolved" in str(values["power"].reason)
        assert (values["idle_w"].value, values["idle_w"].reason) == (None, "no meter")
        assert values["compute"].value == pytest.approx(0.6, rel=0.01)

    def test_the_power_of_one_test_has_no_spread(self) -> None:
        one = [
            r if r.test.group == LAUNCH or i == 2 else replace(r, power_w=None)
            for i, r in enumerate(results())
        ]
        power = next(c for c in fit(one, Idle(35.0), DEVICE, Roofline()) if c.name == "power")
        assert (power.value, power.spread) == (pytest.approx(1.3, rel=0.01), None)

    def test_a_load_that_draws_no_more_than_idle(self) -> None:
        constants = fit(results(power_w=30.0), Idle(35.0), DEVICE, Roofline())
        power = next(c for c in constants if c.name == "power")
        assert power.value is None
        assert power.reason == "under load the meters show no more than at idle"

    def test_what_failed_says_why(self) -> None:
        failed = [
            Result(r.test, 0.0, 0.0, 0, skipped="out of memory") if r.test.group == MEMORY else r
            for r in results()
        ]
        memory = next(c for c in fit(failed, Idle(35.0), DEVICE, Roofline()) if c.name == "memory")
        assert (memory.value, memory.reason) == (None, "out of memory")


@pytest.mark.parametrize(
    ("function", "target", "expected"),
    [
        (lambda x: 3 / x, 6.0, 0.5),
        (lambda x: x**2, 9.0, 3.0),
        (lambda x: x, 1e4, None),  # beyond the bounds
        (lambda x: 1.0, 1.0, None),  # says nothing
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

    def test_short_calls_are_timed_in_stretches(self) -> None:
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

        tests = [Piece("large", MEMORY, fails), Piece("small", MEMORY, lambda: tick)]
        large, small = run_pieces(tests, lambda: None, 2.0, clock=clock)
        assert large.skipped == "CUDA out of memory."
        assert large.to_json()["seconds"] is None
        assert small.seconds == pytest.approx(0.1)


class TestStored:
    DOCUMENT = {  # noqa: RUF012
        "values": {"compute": 0.6, "memory": None, "idle_w": 12},
        "input_s": [1e-4, 2e-9],
    }

    def test_what_was_stored(self) -> None:
        assert calibration_from(self.DOCUMENT) == Calibration(compute=0.6, idle_w=12.0)

    def test_operators_of_a_cpu(self) -> None:
        cost = OperatorCost(1e-6, 0.0, 1.0)
        keys = (
            (Phase.FORWARD, OperatorKind.ELEMENTWISE),
            (Phase.BACKWARD, OperatorKind.ELEMENTWISE),
        )
        costs = dict.fromkeys((*keys, (Phase.OPTIMIZER, OperatorKind.OPTIMIZER)), cost)
        operators = CpuCosts(costs, ((1e6, 1e10),))
        document = self.DOCUMENT | {"operators": operators.to_json()}
        assert calibration_from(document).operators == operators
        broken = self.DOCUMENT | {"operators": {"costs": "many"}}
        assert calibration_from(broken) == calibration_from(self.DOCUMENT)

    def test_what_others_took_counts_from_where_it_disturbs(self) -> None:
        assert calibration_from(self.DOCUMENT | {"others": 0.66}).disturbed == 0.66
        for little in (0.05, None, "much", -1.0):
            assert calibration_from(self.DOCUMENT | {"others": little}).disturbed == 0.0

    def test_the_pipeline_counts_where_samples_are_named(self) -> None:
        rate = calibration_from(self.DOCUMENT, sample_bytes=1e5).samples_per_s
        assert rate == pytest.approx(1 / (1e-4 + 2e-4))

    @pytest.mark.parametrize(
        "document",
        [
            {},
            {"values": None, "input_s": None},
            {"values": {"compute": "fast", "memory": -1, "power": 0, "step_s": math.inf}},
            {"values": {"compute": True, "unheard_of": 2.0}, "input_s": [0.0, 0.0]},
            {"values": [1], "input_s": ["a", "b"]},
        ],
    )
    def test_what_makes_no_sense_is_left_out(self, document: dict[str, object]) -> None:
        assert calibration_from(document, sample_bytes=100.0) == Calibration()

    def test_the_cost_of_a_sample_and_of_its_bytes(self) -> None:
        def read(size: float, seconds: float) -> Result:
            return Result(Piece("p", INPUT, lambda: lambda: None, None, 32, size), seconds, 0.0, 9)

        constants = input_constants([read(1e3, 32 * (1e-4 + 1e-6)), read(1e5, 32 * (2e-4))])
        assert constants == (pytest.approx(1e-4), pytest.approx(1e-9))
        assert input_constants([read(1e3, 1.0)]) is None
        noisy = input_constants([read(1e3, 1e-9), read(1e5, 0.32)])
        assert noisy == (0.0, pytest.approx(0.01 / 1e5))
