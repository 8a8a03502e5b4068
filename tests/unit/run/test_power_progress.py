import numpy as np
import pytest

from joulecast.estimate import Estimate
from joulecast.run.power_progress import PowerProgress


def fed(power_at, until_s, step_s=0.1, planned=50):
    """Every position during a run that draws `power_at(t)`."""
    pulse, energy, places = PowerProgress(planned), 0.0, []
    for t in np.arange(0.0, until_s, step_s):
        energy += power_at(t) * step_s
        places += pulse.push(float(t), Estimate(energy, energy, energy))
    return places


def epochs(t, period=8.0, start=4.0):
    """Idle first, then a validation at less power at the end of each epoch."""
    if t < start:
        return 20.0
    return 90.0 if (t - start) % period > 0.8 * period else 200.0


def test_epochs_are_counted_by_their_rhythm():
    places = fed(epochs, 100)
    assert places[0].done == 0 and places[0].t_s == pytest.approx(4, abs=0.5)
    assert places[0].energy.value == pytest.approx(80, abs=60)  # what came before the first epoch
    last = places[-1]
    assert last.done == pytest.approx((last.t_s - 4) / 8, abs=0.3)
    assert last.planned == 50
    assert [p.done for p in places] == sorted(p.done for p in places)


def test_progress_ends_at_the_plan():
    assert max(p.done for p in fed(epochs, 100, planned=5)) == 5


def test_hours_of_readings_find_room():
    def slow(t):
        return epochs(t, period=400.0, start=60.0)

    places = fed(slow, 3600, step_s=0.5)
    assert places[-1].done == pytest.approx((places[-1].t_s - 60) / 400, abs=0.3)


@pytest.mark.parametrize("power_at", [lambda t: 150.0, lambda t: 100 + t])
def test_power_without_a_rhythm_has_no_positions(power_at):
    assert fed(power_at, 120) == []


def test_without_a_meter_there_are_no_positions():
    assert PowerProgress(10).push(100.0, None) == []
