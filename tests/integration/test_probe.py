"""Probes of real steps, with a replayed sensor."""

import math
import mmap
from collections.abc import Callable
from pathlib import Path

import pytest

from joulecast.calibration.probe import ProbeError, probe
from joulecast.meters.cpu_time import OtherLoad

WATTS = 25.0


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    trace = tmp_path / "trace.csv"
    rows = [f"{t / 50:.2f},{WATTS}" for t in range(50 * 60)]
    trace.write_text("t_s,power_w\n" + "\n".join(rows) + "\n")
    return {"JOULECAST_REPLAY": f"{trace}:cpu:0"}


class Load:
    """Other programs that take a known share of the processors' time."""

    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, clock: Callable[[], float]) -> OtherLoad:
        load = OtherLoad(clock)
        load.others = lambda: self.share  # type: ignore[method-assign]
        return load


ALONE = Load(0.01)


def compute() -> None:
    math.fsum(math.sqrt(i) for i in range(20_000))


def with_new_memory() -> None:
    size = 4 * 2**20
    with mmap.mmap(-1, size) as memory:
        for at in range(0, size, mmap.PAGESIZE):
            memory[at] = 1


def test_energy_and_time_of_a_step(env: dict[str, str]) -> None:
    step = probe(compute, seconds=2.0, env=env, watch=ALONE)
    assert step.rung == "probed"
    assert step.power.value == pytest.approx(WATTS, rel=0.02)
    assert step.energy.value == pytest.approx(WATTS * step.duration.value, rel=0.02)
    for each in (step.energy, step.duration, step.power):
        assert each.low is not None and each.high is not None
        assert each.low < each.value < each.high
    assert len(step.notes) == 1
    assert step.metered is not None and step.metered.value > step.energy.value


def test_new_memory_in_each_step_widens_the_interval_downwards(env: dict[str, str]) -> None:
    step = probe(with_new_memory, seconds=2.0, env=env, watch=ALONE)
    _, note = step.notes
    assert "4." in note and "MALLOC_TRIM_THRESHOLD_" in note
    assert step.duration.low is not None and step.duration.high is not None
    assert step.duration.value - step.duration.low > step.duration.high - step.duration.value


def test_other_programs_widen_the_interval_to_a_machine_without_them(env: dict[str, str]) -> None:
    step = probe(compute, seconds=1.0, env=env, watch=Load(0.5))
    assert "50 %" in step.notes[-1]
    for each in (step.duration, step.energy):
        assert each.low is not None and each.high is not None
        # A quarter where its threads wait for one another, twice as long among twice as many.
        assert 0.1 < each.low / each.value <= 0.25
        assert 2.0 <= each.high / each.value < 2.5
    light = probe(compute, seconds=1.0, env=env, watch=Load(0.2)).duration
    assert light.low is not None
    assert 0.4 < light.low / light.value <= 0.64


def test_meters_that_show_nothing(tmp_path: Path) -> None:
    trace = tmp_path / "nothing.csv"
    trace.write_text("t_s,power_w\n0,0\n0.05,0\n60,0\n")
    with pytest.raises(ProbeError, match="doctor"):
        probe(compute, seconds=0.5, env={"JOULECAST_REPLAY": f"{trace}:cpu:0"})
