import numpy as np
import pytest

from joulecast.analysis.statistics.medians import Median
from joulecast.analysis.tradeoff.pairs import QualityColumn, Side, pair_of, percent

ACCURACY = QualityColumn.of("accuracy", np.array([0.8, 0.9]), True)
LOW = Side("low", Median(50.0, 40.0, 60.0, 9), Median(0.8, 0.7, 0.9, 9), 0)
HIGH = Side("high", Median(100.0, 90.0, 110.0, 9), Median(0.9, 0.8, 1.0, 9), 1)


def test_intervals_are_the_middle_ninety_percent_of_the_draws():
    draws = np.linspace(0, 1, 1001)
    costs = np.stack([draws, np.ones(1001)], axis=1)
    qualities = np.stack([np.zeros(1001), draws / 5], axis=1)
    pair = pair_of(LOW, HIGH, ACCURACY, (costs, qualities))
    reduction = pair.cost_reduction_pct
    assert (reduction.low, reduction.value, reduction.high) == pytest.approx((5, 50, 95))
    loss = pair.quality_loss
    assert (loss.low, loss.value, loss.high) == pytest.approx((0.01, 0.1, 0.19))
    assert pair.quality_loss_points.high == pytest.approx(19)
    assert pair.reason is None


def test_without_a_bootstrap_there_is_a_reason():
    pair = pair_of(LOW, HIGH, ACCURACY, None)
    assert pair.cost_reduction_pct.low is None
    assert pair.reason is not None


@pytest.mark.parametrize(
    ("value", "text"), [(64.2, "64 %"), (3.21, "3.2 %"), (99.44, "99.4 %"), (100.0, "100 %")]
)
def test_percentages_for_people(value, text):
    assert percent(value) == text
