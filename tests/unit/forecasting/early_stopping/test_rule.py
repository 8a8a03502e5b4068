import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fakes.golden import golden
from joulecast.errors import UsageError
from joulecast.forecasting.base import Forecast, Prediction, Work
from joulecast.forecasting.early_stopping.rule import (
    EarlyStopping,
    Stopping,
    describe,
    expected_energy,
    parse,
    stopping,
)

RNG = np.random.default_rng(11)
FALLING = (0.2 + 2 * np.arange(1.0, 201) ** -0.5).tolist()
PLATEAU = [*(1 / np.arange(1.0, 31)), *(1 / 30 + RNG.normal(0, 0.02, 30))]


class TestRule:
    def test_read_from_text(self) -> None:
        assert parse("val_loss") == EarlyStopping("val_loss", 5, "auto", 0.0)
        assert parse("val_acc: patience=3, min_delta=1e-3, mode=max") == EarlyStopping(
            "val_acc", 3, "max", 0.001
        )
        assert parse("loss:patience=0").patience == 0

    @pytest.mark.parametrize(
        "text",
        [
            "",
            ":patience=3",
            "loss:5",
            "loss:patienc=5",
            "loss:patience=1.5",
            "loss:patience=-1",
            "loss:min_delta=nan",
            "loss:min_delta=-1",
            "loss:mode=up",
        ],
    )
    def test_misuse(self, text: str) -> None:
        with pytest.raises(UsageError):
            parse(text)

    @pytest.mark.parametrize(
        "name",
        ["acc", "val_accuracy", "val/AUC", "f1_score", "metrics/mAP50-95(B)", "eval_f1", "top5"],
    )
    def test_larger_is_better(self, name: str) -> None:
        assert EarlyStopping(name).rising

    @pytest.mark.parametrize("name", ["loss", "val_loss", "dice_loss", "eval/ppl", "rmse", "x"])
    def test_smaller_is_better(self, name: str) -> None:
        assert not EarlyStopping(name).rising

    def test_the_mode_goes_before_the_name(self) -> None:
        assert EarlyStopping("loss", mode="max").rising
        assert not EarlyStopping("acc", mode="min").rising


def keras_end(curve: list[float], patience: int, min_delta: float) -> int | None:
    """The last epoch by the loop of Keras' callback (`on_epoch_end`, mode min)."""
    best, wait = math.inf, 0
    for epoch, current in enumerate(curve):
        wait += 1
        if np.less(current, best - min_delta):
            best, wait = current, 0
            continue
        if wait >= patience and epoch > 0:
            return epoch + 1
    return None


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.5, 1.0, math.nan]), min_size=2, max_size=25),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.1]),
)
def test_the_rule_is_that_of_keras(values: list[float], patience: int, min_delta: float) -> None:
    curve = [2.0, *values]
    rule = EarlyStopping("loss", patience, "min", min_delta)
    end = keras_end(curve, patience, min_delta)
    if end is None:
        result = stopping(curve, rule, 40)
        assert result.p[0] == 0
        # It is met no sooner than by the worst values to come.
        sooner = keras_end(curve + [math.inf] * 40, patience, min_delta)
        assert result.p[: sooner - len(curve)].sum() == 0 < result.p[sooner - len(curve)]
    else:
        assert stopping(curve[:end], rule, 40).p[0] == 1
        assert stopping(curve[: end - 1], rule, 40).p[0] == 0
    rising = stopping([-v for v in curve], EarlyStopping("loss", patience, "max", min_delta), 40)
    np.testing.assert_allclose(rising.p, stopping(curve, rule, 40).p)


@settings(max_examples=100, deadline=None)
@example([1e6, 1.0, 0.0], 0, 4)  # rounding moves the mean of one epoch past it
@given(
    st.lists(st.one_of(st.none(), st.floats(), st.floats(0, 1), st.just(math.nan)), max_size=30),
    st.integers(0, 8),
    st.integers(0, 60),
)
def test_any_logged_values(curve: list[float | None], patience: int, planned: int) -> None:
    result = stopping(curve, EarlyStopping("loss", patience), planned)
    assert (result.p >= 0).all() and result.p.sum() == pytest.approx(1)
    assert result.epochs[0] == len(curve) and result.epochs[-1] == max(planned, len(curve))
    low, high = result.interval
    assert len(curve) <= low <= high <= result.planned
    assert len(curve) <= result.expected <= result.planned


class TestStopping:
    @pytest.mark.parametrize("seen", [0, 1, 2])
    def test_with_few_values_it_is_wide_and_has_a_note(self, seen: int) -> None:
        result = stopping(FALLING[:seen], EarlyStopping(), 100)
        low, high = result.interval
        assert low <= 10 and high >= 90 and result.note

    @pytest.mark.parametrize(("seen", "planned"), [(50, 100), (100, 400), (1000, 3000)])
    def test_a_falling_curve_continues(self, seen: int, planned: int) -> None:
        curve = (0.2 + 2 * np.arange(1.0, seen + 1) ** -0.5).tolist()
        result = stopping(curve, EarlyStopping(), planned)
        assert result.p[-1] > 0.8 and result.expected > 0.9 * planned

    def test_a_flat_curve_ends(self) -> None:
        curve = PLATEAU[:36]
        result = stopping(curve, EarlyStopping(patience=10), 400)
        assert result.expected < 120 and result.interval[1] < 300

    def test_over_fitting_ends(self) -> None:
        t = np.arange(1.0, 51)
        curve = (2 * np.exp(-t / 5) + 0.02 * t + RNG.normal(0, 0.003, len(t))).tolist()
        best = int(np.argmin(curve)) + 1
        result = stopping(curve[: best + 5], EarlyStopping(patience=10), 200)
        assert result.p[5] > 0.7  # of the tenth epoch after the best

    def test_one_epoch_before_the_end_it_is_almost_certain(self) -> None:
        curve = [1.0, 0.5, 0.2, 0.1, 0.11, 0.12, 0.13, 0.14]
        result = stopping(curve, EarlyStopping(patience=5), 100)
        assert result.p[1] > 0.6

    def test_improvements_below_min_delta_do_not_count(self) -> None:
        rough = stopping(FALLING[:20], EarlyStopping(min_delta=0.05), 200)
        fine = stopping(FALLING[:20], EarlyStopping(), 200)
        assert rough.expected < 50 < fine.expected

    def test_a_diverged_metric_ends_by_the_rule(self) -> None:
        result = stopping([1.0, 0.5, 0.3, math.inf, 1e200, math.nan], EarlyStopping(patience=4), 50)
        assert result.p[0] == 0 and result.p[1] > 0
        assert stopping([1.0, math.nan, math.nan], EarlyStopping(patience=2), 50).p[0] == 1

    def test_a_metric_that_is_logged_every_few_epochs(self) -> None:
        curve = [v if i % 5 == 4 else None for i, v in enumerate(PLATEAU)]
        result = stopping(curve, EarlyStopping(patience=30), 200)
        ends = np.flatnonzero(result.p > 0.02) + result.finished
        assert len(ends) and all(e % 5 == 0 or e == 200 for e in ends)

    def test_a_metric_that_is_not_logged_at_all(self) -> None:
        result = stopping([None] * 10, EarlyStopping(), 30)
        assert result.note and result.p[: 1 + 4].sum() == 0

    def test_met_now_and_met_long_ago(self) -> None:
        curve = [0.5, 0.1, 0.2, 0.2]
        now = stopping(curve, EarlyStopping(patience=2), 50)
        assert (now.expected, now.interval) == (4, (4, 4)) and now.note
        ago = stopping([*curve, 0.05], EarlyStopping(patience=2), 50)
        assert ago.expected == 50 and "epoch 4" in ago.note

    def test_the_plan_is_done(self) -> None:
        result = stopping(FALLING[:20], EarlyStopping(), 20)
        assert result.p.tolist() == [1.0] and result.expected == 20
        assert stopping(FALLING[:20], EarlyStopping(), 5).planned == 20

    def test_a_plan_without_end(self) -> None:
        result = stopping(FALLING[:60], EarlyStopping(), 1_000_000)
        assert result.p.sum() == pytest.approx(1) and result.interval[1] > 500
        assert result.p[2100:].sum() > 0  # beyond the simulated epochs

    def test_steps_of_an_accuracy(self) -> None:
        """Of 20 images 19 are right: a 20th is far, and the same again is no improvement."""
        curve = [0.5, 0.7, 0.8, 0.85, 0.9, 0.9, 0.95, 0.95, 0.9, 0.95, 0.95]
        rule = EarlyStopping("accuracy", patience=8)
        steps = stopping(curve, rule, 100).expected
        blurred = (np.array(curve) + RNG.normal(0, 0.002, len(curve))).tolist()
        blurred[6] = 0.956  # the best is where it was
        assert steps < stopping(blurred, rule, 100).expected

    def test_the_same_curve_gives_the_same_answer(self) -> None:
        one, other = (stopping(PLATEAU, EarlyStopping(patience=40), 100) for _ in range(2))
        np.testing.assert_array_equal(one.p, other.p)

    def test_the_interval_covers_curves_of_known_shape(self) -> None:
        """Falling powers and exponentials that over-fit or not, with noise of any size."""
        rng = np.random.default_rng(4)
        t = np.arange(1.0, 121)
        inside = []
        for _ in range(150):
            fall = (
                t ** -rng.uniform(0.3, 1.5)
                if rng.random() < 0.5
                else np.exp(-t / rng.uniform(2, 40))
            )
            curve = (
                fall + rng.choice([0, 0.003]) * t + rng.normal(0, 10 ** rng.uniform(-3, -1.3), 120)
            )
            end = keras_end(curve.tolist(), 5, 0.0) or 120
            seen = 10
            if end > seen:
                low, high = stopping(curve[:seen].tolist(), EarlyStopping(), 120).interval
                inside.append(low <= end <= high)
        assert len(inside) > 80 and 0.8 <= np.mean(inside) <= 1


def stop_at(epoch: int, seen: int = 10, planned: int = 100) -> Stopping:
    p = np.zeros(planned - seen + 1)
    p[epoch - seen] = 1.0
    return Stopping(EarlyStopping(), seen, planned, p)


class TestEnergy:
    WHOLE = Forecast(Prediction(1000.0, 900.0, 1200.0), Prediction(100.0, 95.0, 105.0))
    SO_FAR = Work(10, 10.0, 100.0)

    def test_a_certain_stop(self) -> None:
        result = expected_energy(stop_at(55), self.WHOLE, self.SO_FAR)
        assert result.energy.value == pytest.approx(100 + 0.5 * 900)
        assert result.energy.low == pytest.approx(100 + 0.5 * 800, rel=0.02)
        assert result.energy.high == pytest.approx(100 + 0.5 * 1100, rel=0.02)
        assert result.duration.value == pytest.approx(10 + 0.5 * 90)

    def test_without_a_stop_it_is_the_forecast_of_the_whole(self) -> None:
        result = expected_energy(stop_at(100), self.WHOLE, self.SO_FAR)
        assert result.energy.value == 1000
        assert result.energy.low == pytest.approx(900, rel=0.02)
        assert result.energy.high == pytest.approx(1200, rel=0.02)

    def test_a_stop_now_uses_the_energy_so_far(self) -> None:
        result = expected_energy(stop_at(10), self.WHOLE, self.SO_FAR)
        assert result.energy == Prediction(100.0, 100.0, 100.0)
        assert result.duration == Prediction(10.0, 10.0, 10.0)

    def test_two_ends(self) -> None:
        p = np.zeros(91)
        p[[0, 90]] = 0.5
        either = Stopping(EarlyStopping(), 10, 100, p)
        result = expected_energy(
            either, Forecast(Prediction(1000.0), Prediction(100.0)), self.SO_FAR
        )
        assert result.energy == Prediction(
            pytest.approx(550), pytest.approx(100), pytest.approx(1000)
        )

    def test_nothing_is_below_the_energy_so_far(self) -> None:
        odd = Forecast(Prediction(50.0, 10.0, 60.0), Prediction(5.0))
        result = expected_energy(stop_at(55), odd, self.SO_FAR)
        assert result.energy.value == result.energy.low == 100.0

    def test_the_mean_is_in_the_interval_where_a_long_run_is_rare(self) -> None:
        p = np.zeros(9_991)
        p[0], p[-1] = 0.97, 0.03
        rare = Stopping(EarlyStopping(), 10, 10_000, p)
        energy = expected_energy(
            rare, Forecast(Prediction(1e6), Prediction(1e6)), self.SO_FAR
        ).energy
        assert energy.low <= energy.value <= energy.high

    def test_grouping_a_long_plan_keeps_the_mean(self) -> None:
        p = np.random.default_rng(2).random(100_001)
        p[-1] = 5e4  # a third goes to the end
        long = Stopping(EarlyStopping(), 0, 100_000, p / p.sum())
        whole = Forecast(Prediction(1e5), Prediction(1e5))
        energy = expected_energy(long, whole, Work(0, 0, 0)).energy
        assert energy.value == pytest.approx(long.expected)
        low, high = long.interval
        assert energy.low == pytest.approx(low, rel=0.02) and energy.high == high == 100_000

    def test_the_plan_is_done(self) -> None:
        done = Stopping(EarlyStopping(), 100, 100, np.ones(1))
        so_far = Work(100, 99.0, 990.0)
        assert expected_energy(done, self.WHOLE, so_far).energy.value == 990.0

    def test_for_people(self) -> None:
        text = describe(stop_at(23), Prediction(12_300.0, 8000.0, 20_100.0))
        early = describe(stopping([], EarlyStopping(), 9), Prediction(1.0))
        golden("early-stopping", f"{text}\n{early}")
