"""The period of a power trace."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joulecast.forecasting.online.period import Period, PeriodCount, find_period


def training(
    rng: np.random.Generator,
    epoch_s: float,
    epochs: float,
    step_s: float = 0.1,
    noise_w: float = 5.0,
    low: float = 0.15,
    start_s: float = 0.0,
    drift_w: float = 0.0,
    jitter: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Start-up at 60 W; epochs at 250 W whose last part (`low`, the validation) draws 140 W."""
    ends = start_s + np.cumsum(epoch_s * (1 + jitter * rng.normal(size=int(epochs) + 2)))
    begins = np.concatenate([[start_s], ends])
    t = np.arange(0, start_s + epochs * epoch_s, step_s)
    index = np.clip(np.searchsorted(begins, t, "right") - 1, 0, len(ends) - 1)
    phase = (t - begins[index]) / (ends[index] - begins[index])
    power = np.where(phase < 1 - low, 250.0, 140.0)
    power = np.where(t < start_s, 60.0, power + drift_w * t / t[-1])
    return t, power + noise_w * rng.normal(size=len(t))


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    epoch_s=st.floats(3, 60),
    epochs=st.floats(7, 40),
    noise_w=st.floats(0, 30),
    low=st.floats(0.1, 0.5),
    start_s=st.floats(0, 20),
    drift_w=st.floats(-40, 40),
)
def test_period_within_two_percent(seed, epoch_s, epochs, noise_w, low, start_s, drift_w):
    rng = np.random.default_rng(seed)
    t, power = training(rng, epoch_s, epochs, 0.1, noise_w, low, start_s, drift_w)
    period = find_period(t, power)
    assert isinstance(period, Period)
    assert period.period_s == pytest.approx(epoch_s, rel=0.02, abs=0.05)
    assert period.start_s == pytest.approx(start_s, abs=0.5)


def test_single_high_readings_are_not_the_start():
    t, power = training(np.random.default_rng(5), 6, 9, start_s=12)
    power[[4, 40, 41]] = 250
    period = find_period(t, power)
    assert isinstance(period, Period)
    assert period.start_s == pytest.approx(12, abs=0.2)


def test_epochs_of_unequal_length():
    t, power = training(np.random.default_rng(1), 30, 20, jitter=0.03)
    period = find_period(t, power)
    assert isinstance(period, Period)
    assert period.period_s == pytest.approx(30, rel=0.04)


def test_steps_within_epochs_are_not_epochs():
    t, power = training(np.random.default_rng(2), 24, 12)
    power += 15 * np.sin(2 * np.pi * t / 1.5)
    period = find_period(t, power)
    assert isinstance(period, Period)
    assert period.period_s == pytest.approx(24, rel=0.02)


def test_one_long_interruption_does_not_hide_the_period():
    t, power = training(np.random.default_rng(3), 20, 30)
    power[1000:1150] = 60
    period = find_period(t, power)
    assert isinstance(period, Period)
    assert period.period_s == pytest.approx(20, rel=0.02)


def test_after_a_change_the_latest_part_counts():
    rng = np.random.default_rng(4)
    t, first = training(rng, 12, 10)
    u, second = training(rng, 31, 25)
    period = find_period(np.concatenate([t, u + 120]), np.concatenate([first - 80, second]))
    assert isinstance(period, Period)
    assert period.period_s == pytest.approx(31, rel=0.02)


NOISES = {
    "white": lambda rng, n: rng.normal(size=n),
    "walk": lambda rng, n: np.cumsum(rng.normal(size=n)),
    "levels": lambda rng, n: np.repeat(rng.normal(size=n // 20 + 1), 20)[:n],
    "telegraph": lambda rng, n: np.cumsum(rng.random(n) < 0.05) % 2 * 1.0,
    "smooth": lambda rng, n: np.convolve(rng.normal(size=n + 29), np.ones(30) / 30, "valid"),
}


@pytest.mark.parametrize("points", [30, 100, 300, 1000, 6000])
@pytest.mark.parametrize("noise", NOISES)
def test_noise_has_none(noise, points):
    rng = np.random.default_rng(5)
    t = 0.1 * np.arange(points)
    periods = [bool(find_period(t, 200 + 10 * NOISES[noise](rng, points))) for _ in range(100)]
    assert sum(periods) <= 1


@pytest.mark.parametrize(
    "power",
    [
        np.full(500, 250.0),
        np.zeros(500),
        # Flat except for a drift.
        np.linspace(100, 200, 500),
        np.full(10, 250.0),
        np.empty(0),
        np.full(500, np.nan),
        np.where(np.arange(500) < 490, 10.0, 300.0),
    ],
)
def test_power_that_does_not_repeat_has_no_period(power):
    assert find_period(0.1 * np.arange(len(power)), power) is None


def test_two_periods_are_not_enough():
    t, power = training(np.random.default_rng(6), 30, 2.5, noise_w=0)
    assert not find_period(t, power)


def test_gaps_and_uneven_readings():
    rng = np.random.default_rng(7)
    t, power = training(rng, 20, 30)
    keep = rng.random(len(t)) < 0.7
    keep[2000:2100] = False
    power[50] = np.nan
    period = find_period(t[keep], power[keep])
    assert isinstance(period, Period)
    assert period.period_s == pytest.approx(20, rel=0.02)


def test_shapes_must_agree():
    with pytest.raises(ValueError):
        find_period(np.zeros(3), np.zeros(4))


def test_counting_continues_through_a_change_of_period():
    count = PeriodCount()
    assert count.update(Period(10, 5), 45) == 4
    assert count.update(Period(20, 5), 65) == 5
    assert count.update(Period(20, 5), 65) == 5
    # A clock that goes back does not lower the count.
    assert count.update(Period(20, 5), 60) == 5
    assert count.update(Period(20, 5), 75) == 5.5
