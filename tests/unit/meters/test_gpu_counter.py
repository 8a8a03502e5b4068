"""Counters that power contradicts, and ordinary ones, whatever the load does."""

import math

import numpy as np
import pytest

from joulecast.meters.gpu_counter import STILL_S, CheckedCounter, believable_w

UNIT_J = 1e-3


class Card:
    """Draws `watts(t)`; its counter counts a part of that, its power is the mean of `mean_s`."""

    def __init__(self, watts, counted=lambda t: 1.0, mean_s=1.0, start_s=100.0):
        self.t_s = self.start_s = start_s
        self.mean_s = mean_s
        grid = np.arange(-2.0, 120.0, 0.01)
        drawn = np.array([watts(max(0.0, t)) for t in grid])
        part = np.array([counted(t) for t in grid])
        self._grid = grid
        self._joules = np.cumsum(drawn) * 0.01
        self._counts_j = np.cumsum(drawn * part) * 0.01
        self.has_power = True

    def _at(self, joules, t_s):
        return float(np.interp(t_s - self.start_s, self._grid, joules))

    def true_j(self, since_s=0.0):
        return self._at(self._joules, self.t_s) - self._at(self._joules, self.start_s + since_s)

    def counts(self):
        # Updated ten times a second.
        t_s = self.start_s + math.floor((self.t_s - self.start_s) * 10) / 10
        return int((1000.0 + self._at(self._counts_j, t_s)) / UNIT_J)

    def watts(self):
        if not self.has_power:
            raise RuntimeError("the driver is busy")
        then = self._at(self._joules, self.t_s - self.mean_s)
        return (self._at(self._joules, self.t_s) - then) / self.mean_s


def read(card, seconds, step_s=0.1, opened_s=0.0):
    """The readings of a run that starts `opened_s` after the meter was opened."""
    is_mean = card.mean_s == 1.0
    counter = CheckedCounter(card.counts, UNIT_J, 0.1, card.watts, is_mean=is_mean)
    counter.joules(card.t_s)
    card.t_s += opened_s
    readings = [counter.joules(card.t_s)]
    for _ in range(round(seconds / step_s)):
        card.t_s += step_s
        readings.append(counter.joules(card.t_s))
    known = [r for r in readings if r is not None]
    assert known == sorted(known)
    return counter, readings


@pytest.mark.parametrize("watts", [0.0, -3.0, 5000.1, 0xFFFFFFFF * 1e-3, 0xFFFF, math.inf])
def test_a_power_that_cannot_be(watts):
    assert math.isnan(believable_w(watts))


@pytest.mark.parametrize("watts", [0.3, 35.0, 1400.0, 2900.0])
def test_a_power_that_can_be(watts):
    assert believable_w(watts) == watts


@pytest.mark.parametrize("opened_s", [0.0, 0.4, 3.0])
@pytest.mark.parametrize("watts", [3.0, 35.0, 250.0])
def test_a_counter_that_stands_still_gives_way_to_power(watts, opened_s):
    card = Card(lambda t: watts, counted=lambda t: 0.0)
    counter, readings = read(card, 2.0, opened_s=opened_s)
    # The energy before the run began belongs to no run.
    assert readings[-1] - readings[0] == pytest.approx(watts * 2.0, rel=0.01)
    assert counter.warning()
    assert counter.warning() is None


def test_while_a_counter_is_in_doubt_it_gives_no_readings():
    _, readings = read(Card(lambda t: 250.0, counted=lambda t: 0.0), 2.0)
    in_doubt = [i / 10 for i, r in enumerate(readings) if r is None]
    assert in_doubt[0] == 0.3
    assert STILL_S - 0.2 <= in_doubt[-1] <= STILL_S + 0.5
    assert len(in_doubt) == round((in_doubt[-1] - in_doubt[0]) * 10) + 1


def test_a_counter_that_stops_in_mid_run():
    card = Card(lambda t: 250.0, counted=lambda t: float(t < 3.3))
    counter, readings = read(card, 10.0)
    assert readings[-1] == pytest.approx(2500.0, rel=0.02)
    assert counter.warning()


@pytest.mark.parametrize("part", [0.57, 0.1, 0.65])
def test_a_counter_that_counts_a_part(part):
    """187 J where power gives 327 J in 5 s."""
    card = Card(lambda t: 65.4, counted=lambda t: part)
    counter, readings = read(card, 5.0)
    assert readings[-1] == pytest.approx(327.0, rel=0.01)
    assert counter.warning()


LOADS = {
    "steady": lambda t: 300.0,
    "idle, then full": lambda t: 30.0 if t < 4.05 else 700.0,
    "full, then idle": lambda t: 700.0 if t < 4.05 else 30.0,
    "steps of a second": lambda t: 700.0 if t % 1.0 < 0.3 else 60.0,
    "steps of 100 ms": lambda t: 700.0 if t % 0.1 < 0.03 else 60.0,
    "steps of 1.2 s": lambda t: 700.0 if t % 1.2 < 0.6 else 60.0,
    "epochs": lambda t: 500.0 if t % 7.0 < 5.5 else 80.0,
    "short bursts": lambda t: 700.0 if t % 5.0 < 0.15 else 25.0,
}


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("step_s", [0.05, 0.1, 0.37, 0.6, 1.3, 5.0])
@pytest.mark.parametrize("begin", range(5))
def test_a_counter_is_believed_where_power_is_the_mean_of_a_second(load, step_s, begin):
    card = Card(lambda t: LOADS[load](t + 0.23 * begin))
    counter, readings = read(card, 30.0, step_s)
    assert counter.warning() is None
    assert None not in readings
    assert readings[-1] == pytest.approx(card.true_j(), abs=71)


@pytest.mark.parametrize("seed", range(5))
def test_a_counter_is_believed_at_random_loads_and_delays(seed):
    rng = np.random.default_rng(seed)
    levels = rng.choice([20.0, 90.0, 300.0, 690.0], size=400)
    card = Card(lambda t: levels[int(t / 0.31) % 400])
    counter = CheckedCounter(card.counts, UNIT_J, 0.1, card.watts, is_mean=True)
    for _ in range(300):
        assert counter.joules(card.t_s) is not None
        card.t_s += rng.choice([0.1, 0.1, 0.15, 0.6, 1.9])
        if card.t_s > 200:
            break
    assert counter.warning() is None


def test_instantaneous_power_of_an_uneven_load_does_not_contradict():
    card = Card(lambda t: 300.0 + 200.0 * math.sin(9 * t), mean_s=0.02)
    counter, _ = read(card, 60.0)
    assert counter.warning() is None


def test_a_run_below_the_resolution_decides_nothing():
    counter, readings = read(Card(lambda t: 250.0, counted=lambda t: 0.0), STILL_S - 0.1)
    assert counter.warning() is None
    assert [r for r in readings if r is not None] == [0.0] * 3


def test_a_card_that_sleeps_is_believed():
    counter, _ = read(Card(lambda t: 0.2, counted=lambda t: 0.0), 30.0)
    assert counter.warning() is None


def test_a_counter_that_is_a_little_lower_than_power_is_believed():
    counter, readings = read(Card(lambda t: 250.0, counted=lambda t: 0.85), 20.0)
    assert counter.warning() is None
    assert readings[-1] == pytest.approx(0.85 * 5000, rel=0.02)


def test_what_was_counted_while_both_agreed_stays():
    card = Card(lambda t: 250.0, counted=lambda t: 0.85 if t < 20.1 else 0.0)
    counter, readings = read(card, 30.0)
    assert counter.warning()
    assert readings[-1] == pytest.approx(0.85 * 5000 + 2500, abs=300)


def test_one_window_that_contradicts_is_not_enough():
    """Counts that come late, and then all."""
    late = {True: 0.5, False: 1.0}
    card = Card(lambda t: 250.0, counted=lambda t: 1.5 if 6 <= t < 8 else late[4 <= t < 6])
    counter, readings = read(card, 20.0)
    assert counter.warning() is None
    assert readings[-1] == pytest.approx(5000, rel=0.02)


@pytest.mark.parametrize("stops_s", [4.2, 4.4, 4.6, 5.0])
def test_energy_does_not_fall_where_the_counter_was_ahead_of_the_mean_power(stops_s):
    load = LOADS["idle, then full"]
    card = Card(load, counted=lambda t: float(t < stops_s))
    counter, readings = read(card, 5.6)
    assert counter.warning() is None or readings[-1] >= max(filter(None, readings))


def test_rising_power_is_integrated_by_the_trapezoid_rule():
    card = Card(lambda t: 100.0 + 200.0 * t, counted=lambda t: 0.0, mean_s=0.02)
    _, readings = read(card, 4.0)
    assert readings[-1] == pytest.approx(2000.0, rel=0.01)


def test_instantaneous_power_counts_where_it_is_steady_only():
    """Read at its peaks, whose heights differ: 600 and 700 W of a mean of 240 W."""

    def watts(t):
        peak = 600.0 + 100.0 * (int(t / 0.1 + 0.5) % 2)
        return peak if (t + 0.025) % 0.1 < 0.03 else 60.0

    counter, _ = read(Card(watts, mean_s=0.02), 30.0)
    assert counter.warning() is None
    steady, _ = read(Card(lambda t: 250.0, counted=lambda t: 0.5, mean_s=0.02), 5.0)
    assert steady.warning()


def test_a_reset_is_not_a_contradiction():
    card = Card(lambda t: 100.0)
    counts, reset = card.counts, []
    card.counts = lambda: counts() - (1_050_000 if card.t_s > 103 else 0)
    counter = CheckedCounter(card.counts, UNIT_J, 0.1, card.watts)
    for _ in range(100):
        counter.joules(card.t_s)
        card.t_s += 0.1
        reset += filter(None, [counter.note()])
    assert counter.warning() is None
    assert len(reset) == 1 and "reset" in reset[0]


def test_power_that_fails_costs_the_check_and_not_the_counter():
    card = Card(lambda t: 100.0)
    card.has_power = False
    counter, readings = read(card, 5.0)
    assert readings[-1] == pytest.approx(500.0, rel=0.03)
    assert counter.warning() is None


def test_no_count_is_no_reading():
    counter = CheckedCounter(lambda: 2**64 - 1, UNIT_J, 0.1, None)
    assert math.isnan(counter.joules(0.0))


def test_without_power_a_counter_that_stands_still_is_all_there_is():
    counter = CheckedCounter(lambda: 5, UNIT_J, 0.1, None)
    assert [counter.joules(t / 10) for t in range(50)] == [0.0] * 50


def test_a_silence_after_the_switch_is_not_counted_and_noted():
    card = Card(lambda t: 250.0, counted=lambda t: 0.0)
    counter, readings = read(card, 3.0)
    card.t_s += 10.0
    assert counter.joules(card.t_s) == pytest.approx(readings[-1])
    assert counter.note()
    card.t_s += 1.0
    assert counter.joules(card.t_s) == pytest.approx(readings[-1] + 250.0)
    assert counter.note() is None


def test_after_the_switch_a_power_that_cannot_be_is_no_reading():
    card = Card(lambda t: 250.0, counted=lambda t: 0.0)
    watts = [250.0]
    counter = CheckedCounter(card.counts, UNIT_J, 0.1, lambda: watts[0])
    for _ in range(20):
        card.t_s += 0.1
        counter.joules(card.t_s)
    watts[0] = 0xFFFFFFFF * 1e-3
    assert math.isnan(counter.joules(card.t_s + 0.1))
