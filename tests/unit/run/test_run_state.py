import math

import pytest

from joulecast.estimate import Estimate, Provenance
from joulecast.forecasting.base import Forecast, OnlineForecaster, Prediction
from joulecast.forecasting.online.forecaster import Online
from joulecast.recording.epochs import RunPosition
from joulecast.run.run_state import RunEstimator


class MeanRate(OnlineForecaster):
    """The energy so far and the mean rate for the rest; keeps the work it was given."""

    name = "mean"

    def __init__(self):
        self.works = []

    def add(self, work):
        self.works.append(work)

    def forecast(self, planned, pending):
        done = sum(w.progress for w in self.works)
        if not done:
            return None
        so_far = sum(w.energy_j for w in self.works)
        time = sum(w.duration_s for w in self.works)
        rest = max(0, planned - done) / done
        energy = max(so_far * (1 + rest), so_far + pending.energy_j)
        duration = max(time * (1 + rest), time + pending.duration_s)
        return Forecast(
            Prediction(energy, energy * 0.7, energy * 1.4), Prediction(duration), ("a note",)
        )


def estimator_of(planned=None):
    made = []

    def new():
        made.append(MeanRate())
        return made[-1]

    return RunEstimator(new, planned), made


def joules(value, error=0.0, provenance=Provenance.MEASURED):
    return Estimate(value, value * (1 - error), value * (1 + error), "J", provenance)


def place(done, t_s, energy, planned=10):
    return RunPosition(done, planned, t_s, None if energy is None else joules(energy))


def test_work_is_the_difference_of_two_positions():
    estimator, (forecaster, *_) = estimator_of()
    estimator.update(place(0, 5, 50))  # set-up
    estimator.update(place(0.5, 6, 80))
    estimator.update(place(1, 7, 100))
    estimator.update(place(1, 8, 105))  # the next epoch begins a little later
    estimator.update(place(2, 9, 155))
    works = [(w.progress, w.duration_s, w.energy_j) for w in forecaster.works]
    assert works == [(0, 5, 50), (0.5, 1, 30), (0.5, 1, 20), (1, 2, 55)]


def test_steps_too_short_to_be_resolved_are_joined():
    estimator, (forecaster, *_) = estimator_of()
    estimator.update(place(0, 0, 0))
    for i in range(1, 101):
        estimator.update(place(i / 100, i * 0.01, i))
    assert len(forecaster.works) <= 11
    assert sum(w.energy_j for w in forecaster.works) == pytest.approx(100)
    assert sum(w.progress for w in forecaster.works) == pytest.approx(1)


def test_the_forecast_joins_its_own_interval_with_the_meters_error():
    estimator, _ = estimator_of()
    estimator.update(place(0, 0, 0))
    estimator.update(place(1, 10, 100))
    state = estimator.state(10, joules(100, 0.4))
    assert state.total_energy.value == pytest.approx(1000)
    assert state.total_energy.low == pytest.approx(1000 - 500)  # 400 and 300 in quadrature
    assert state.total_energy.high == pytest.approx(1000 + 400 * 2**0.5)
    assert state.total_energy.provenance is Provenance.MODELLED
    assert state.total_duration.value == pytest.approx(100)
    assert state.remaining_s == pytest.approx(90)
    assert state.notes == ("a note",)
    assert state.reason is None


def test_no_forecast_is_below_the_energy_so_far():
    estimator, _ = estimator_of()
    estimator.update(place(0, 0, 0))
    estimator.update(place(10, 10, 1000))
    state = estimator.state(500, joules(50_000))
    assert state.total_energy.value >= 50_000
    assert state.total_duration.value >= 500
    assert state.remaining_s == 0


@pytest.mark.parametrize(
    ("places", "planned", "key"),
    [
        ([], 10, "progress"),
        ([place(0, 1, 1), place(1, 2, 2, None)], None, "epochs"),
        ([place(0, 1, 1)], 10, "little"),
    ],
)
def test_unknown_figures_are_none_with_their_reason(places, planned, key):
    estimator, _ = estimator_of(planned)
    for each in places:
        estimator.update(each)
    state = estimator.state(3, joules(3))
    assert state.total_energy is None and state.total_duration is None and state.remaining_s is None
    assert key in state.reason.split()
    assert state.energy == joules(3)


def test_without_meters_time_is_forecast_all_the_same():
    estimator, _ = estimator_of()
    estimator.update(place(0, 0, None))
    estimator.update(place(1, 10, None))
    state = estimator.state(10, None)
    assert state.total_energy is None and state.energy is None and state.power_w is None
    assert "energy" in state.reason
    assert state.total_duration.value == pytest.approx(100)


def test_progress_that_falls_back_is_a_new_count_after_the_energy_so_far():
    estimator, made = estimator_of()
    for done, t in [(0, 1), (1, 2), (2, 3)]:
        estimator.update(place(done, t, t * 10))
    estimator.update(place(0, 4, 40))  # the next fold
    estimator.update(place(1, 6, 60))
    assert len(made) == 2
    works = [(w.progress, w.duration_s, w.energy_j) for w in made[1].works]
    assert works == [(0, 4, 40), (1, 2, 20)]
    assert estimator.state(6, joules(60)).total_energy.value > 60


def test_epochs_after_parts_of_the_run_are_counted_afresh():
    estimator, made = estimator_of()
    estimator.update(place(0, 1, 10, 1.0))
    estimator.update(place(0.4, 2, 20, 1.0))
    estimator.update(place(0, 3, 30, 10))
    estimator.update(place(1, 4, 40, 10))
    assert len(made) == 2 and estimator.state(4, joules(40)).done == 1


def test_power_is_the_mean_of_the_last_seconds():
    estimator, _ = estimator_of()
    assert estimator.state(0, joules(0)).power_w is None
    for t in range(1, 21):
        state = estimator.state(t, joules(100 * t if t <= 10 else 1000 + 40 * (t - 10)))
    assert state.power_w == pytest.approx(40)


def test_power_does_not_depend_on_how_long_ago_the_meters_were_read():
    estimator, _ = estimator_of()
    for t, read_s in [(0.5, 0.4), (1.0, 0.92), (1.01, 0.92), (1.5, 1.41)]:
        state = estimator.state(t, joules(100 * read_s), read_s)
        assert state.power_w == pytest.approx(100)


def test_another_forecaster_is_given_the_work_so_far():
    estimator, made = estimator_of()
    estimator.update(place(0, 1, 10))
    estimator.update(place(1, 2, 20))
    other = MeanRate()
    estimator.replace_forecaster(lambda: other)
    estimator.update(place(2, 3, 30))
    assert [w.energy_j for w in other.works] == [10, 10, 10]
    assert len(made[0].works) == 2


def test_progress_from_another_source_is_a_new_count():
    estimator, made = estimator_of()
    estimator.update(RunPosition(0, 10, 1, joules(10), source="its power", count=-1))
    estimator.update(RunPosition(3, 10, 2, joules(20), source="tqdm's bar"))
    assert len(made) == 2 and estimator.state(2, joules(20)).source == "tqdm's bar"


def test_set_up_before_the_first_progress_is_no_part_of_it():
    estimator = RunEstimator(Online, 6)
    estimator.update(place(0.5, 28, 2800, 6))
    estimator.update(place(1.0, 29, 2900, 6))
    # 1 s and 100 J for each half of an epoch, and 27 s before; not 6 times 29 s.
    state = estimator.state(29, joules(2900))
    assert 29 < state.total_duration.value < 45
    assert 2900 < state.total_energy.value < 4500


def test_a_forecast_keeps_the_meters_error_apart_from_its_own():
    estimator, _ = estimator_of()
    estimator.update(place(0, 0, 0))
    estimator.update(place(1, 10, 100))
    energy = Estimate(100, 60, 180, own_low=96, own_high=105).by_meter("a cpu")
    whole = estimator.state(10, energy).total_energy
    # 300 below and 400 above of the forecast's.
    assert whole.own_low == pytest.approx(1000 - math.hypot(300, 40))
    assert whole.own_high == pytest.approx(1000 + math.hypot(400, 50))
    assert whole.shared == {"a cpu": pytest.approx(tuple(10 * x for x in energy.shared["a cpu"]))}
    assert whole.low == pytest.approx(1000 - math.hypot(300, 400))
    assert whole.high == pytest.approx(1000 + math.hypot(400, 800))
    done = estimator.state(11, Estimate(900, 500, 1700, own_low=880, own_high=930)).total_energy
    assert done.own_low >= 880 and done.low >= 500


def test_the_first_lines_of_an_epoch_give_no_forecast_before_their_rate_is_known():
    estimator, _ = estimator_of()
    # Imports until 30 s, then a line each second.
    estimator.update(place(0.1, 31, 310))
    state = estimator.state(31, joules(310))
    assert (state.total_energy, state.reason) == (None, "too little of the run is done")
    estimator.update(place(0.2, 32, 320))
    assert estimator.state(32, joules(320)).total_energy is not None
    # A whole epoch, or a beginning that is known, is enough.
    for first in (place(1, 31, 310), place(0, 30, 300)):
        estimator, _ = estimator_of()
        estimator.update(first)
        estimator.update(place(first.done + 0.1, 31, 310))
        assert estimator.state(31, joules(310)).total_energy is not None
