"""What one epoch says of the later ones, alone and with past runs."""

import math

import numpy as np
import pytest

from joulecast.forecasting.base import History, Work
from joulecast.forecasting.online.first_epoch import (
    Experience,
    first_and_later,
    weighted_quantiles,
)
from joulecast.forecasting.online.rates import Rate


def run(*works):
    return History("a run", tuple(Work(*w) for w in works), len(works))


def test_quantiles_lie_between_the_middles_of_the_weights():
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0])
    # Middles at 0.5, 2 and 3.5 of 4.
    assert weighted_quantiles(values, weights, (0.0, 0.125, 0.5, 0.6875, 1.0)) == [1, 1, 2, 2.5, 3]


def test_the_first_epoch_of_a_run_and_the_mean_of_its_later_ones():
    history = run((0.0, 9.0, 9.0), (2.0, 40.0, 600.0), (1.0, 10.0, 90.0), (2.0, 20.0, 270.0))
    assert first_and_later(history) == pytest.approx([20.0, 300.0, 0.5, 0.4])


@pytest.mark.parametrize(
    "works",
    [
        (),
        ((1.0, 10.0, 10.0),),
        ((1.0, 10.0, 10.0), (0.0, 5.0, 5.0)),
        ((1.0, 10.0, 0.0), (1.0, 10.0, 10.0)),
        ((1.0, 10.0, 10.0), (1.0, 0.0, 10.0)),
        ((1.0, 10.0, 10.0), (1.0, 10.0, math.inf)),
    ],
)
def test_runs_that_show_nothing(works):
    assert first_and_later(run(*works)) is None
    assert Experience([run(*works)]).runs == 0


def test_a_later_epoch_is_like_the_first_within_wide_bounds():
    duration, energy = Experience().later(Work(1.0, 10.0, 200.0), whole=True)
    assert duration == Rate(10.0, 2.4, 12.5)
    assert energy == Rate(200.0, 48.0, 250.0)


def test_a_part_of_an_epoch_may_all_be_start_up():
    duration, energy = Experience().later(Work(1.0, 10.0, 200.0), whole=False)
    assert duration.low == pytest.approx(2.4 / 20)
    assert energy.low == pytest.approx(48 / 20)
    assert (duration.value, duration.high) == (10.0, 12.5)


def test_past_runs_weigh_more_the_more_alike_their_first_epoch_is():
    past = [run((1.0, 10.0, 200.0), (1.0, 5.0, 60.0))]
    same = Experience([*past * 8]).later(Work(1.0, 10.0, 200.0), whole=True)
    assert same[0].value == pytest.approx(5, rel=0.05)
    assert same[1].value == pytest.approx(60, rel=0.05)
    # The weights 0.2, 1.6, 0.2 are shipped at 0.24, 1 and 1.25; exp(-1/2) is that of 0.3.
    near = Experience(past).later(Work(1.0, 10.0, 200.0 * math.exp(0.15)), whole=True)
    middles = [0.1, 0.2 + math.exp(-0.5) / 2, 0.2 + math.exp(-0.5) + 0.8]
    half = (2 + math.exp(-0.5)) / 2
    ratio = np.interp(half, middles, [0.24, 0.3, 1.0])
    assert near[1].value == pytest.approx(200 * math.exp(0.15) * ratio)
    # As if both differed: the distance is that of duration and energy together.
    far = Experience(past).later(Work(1.0, 10.0 * math.e, 200.0), whole=True)
    middles = [0.1, 0.2 + 0.01, 0.2 + 0.02 + 0.8]
    ratio = np.interp(2.02 / 2, middles, [0.24, 0.3, 1.0])
    assert far[1].value == pytest.approx(200 * ratio)


def test_an_epoch_without_energy_has_past_runs_too():
    duration, energy = Experience([run((1.0, 10.0, 200.0), (1.0, 5.0, 60.0))]).later(
        Work(1.0, 0.0, 0.0), whole=True
    )
    assert (duration.value, energy.value) == (0, 0)
