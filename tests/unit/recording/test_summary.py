"""What a summary says where domains are lacking, have gaps, or an idle baseline."""

from dataclasses import replace

import numpy as np
import pytest

from fakes.meters import header
from joulecast.estimate import Provenance
from joulecast.meters.base import ReadingKind, Source, Uncertainty
from joulecast.recording.model import Footer, Gap, Recording, Samples, Span, Status
from joulecast.recording.summary import summarize


def recorded(watts, gaps=(), *, kind=ReadingKind.POWER, uncertainty=None, duration=10.0, **facts):
    """One domain at constant power, read ten times a second except in its gaps."""
    u = uncertainty or Uncertainty(0.005, 0.005, "a test")
    source = Source("gpu:0", "a test", kind, Provenance.MEASURED, 1e-6, u)
    t = np.round(np.arange(0, duration + 0.05, 0.1), 6)
    kept = np.ones(len(t), bool)
    for gap in gaps:
        kept &= (t <= gap.start_s + 1e-6) | (t >= (np.inf if gap.end_s is None else gap.end_s))
    t = t[kept]
    value = watts * t if kind is ReadingKind.COUNTER else np.full(len(t), float(watts))
    made = Recording(header([]), gaps=list(gaps), footer=Footer(Status.FINISHED, duration))
    for name, fact in facts.items():
        object.__setattr__(made.header, name, fact)
    made.header.sources.append(source)
    made.samples["gpu:0"] = Samples(t, value, value * (1 - u.low), value * (1 + u.high), t)
    return made


def test_energy_above_idle_has_the_errors_of_both():
    above = summarize(recorded(100, idle_power_w={"gpu:0": 99.0})).above_idle
    assert above.value == pytest.approx(10)
    # 1000 +- 5 less 990 +- 4.95.
    assert above.high - above.value == pytest.approx(np.hypot(5, 4.95), rel=1e-3)
    assert above.value - above.low == pytest.approx(np.hypot(5, 4.95), rel=1e-3)


def test_an_error_that_all_readings_share_applies_to_the_difference():
    shared = Uncertainty(0.05, 0.05, "a test", own=0.01)
    above = summarize(recorded(300, uncertainty=shared, idle_power_w={"gpu:0": 60.0})).above_idle
    scale = 2400 * np.sqrt(0.05**2 - 0.01**2)
    assert above.high - above.value == pytest.approx(np.hypot(scale, np.hypot(30, 6)), rel=1e-3)
    assert above.own_high - above.value == pytest.approx(np.hypot(30, 6), rel=1e-3)
    assert above.value - above.own_low == pytest.approx(np.hypot(30, 6), rel=1e-3)


@pytest.mark.parametrize("baseline", ["gpu:0", "total"])
@pytest.mark.parametrize("gap", [Gap("gpu:0", 4.0, 5.0, "asleep"), Gap("gpu:0", 9.0, None, "lost")])
def test_idle_is_not_charged_for_a_gap(gap, baseline):
    summary = summarize(recorded(100, [gap], idle_power_w={baseline: 99.0}))
    assert summary.domains[0].measured_s == pytest.approx(9)
    assert summary.above_idle.value == pytest.approx(9)
    # A second at mean power may be hidden: 100 J of all, of which 1 J is above idle.
    assert summary.total.high == pytest.approx(900 + 4.5 + 100)
    if baseline == "gpu:0":
        sides = 9 * np.hypot(0.5, 0.495)
        assert summary.above_idle.high == pytest.approx(9 + sides + 1, rel=1e-3)
        assert summary.above_idle.low == pytest.approx(9 - sides, rel=1e-3)


def test_a_counter_that_counts_through_a_gap_is_charged_and_one_that_was_reset_is_not():
    gap = Gap("gpu:0", 4.0, 5.0, "late")
    made = recorded(100, [gap], kind=ReadingKind.COUNTER, idle_power_w={"gpu:0": 99.0})
    summary = summarize(made)
    assert summary.domains[0].measured_s == pytest.approx(10)
    assert summary.above_idle.value == pytest.approx(10)
    samples = made.samples["gpu:0"]
    reset = [np.where(samples.t_s > 4.5, row - 100, row) for row in (samples.value, samples.low)]
    made.samples["gpu:0"] = Samples(samples.t_s, reset[0], reset[1], reset[0], samples.held_s)
    summary = summarize(made)
    assert summary.domains[0].measured_s == pytest.approx(9)
    assert summary.above_idle.value == pytest.approx(9)


def test_many_gaps_of_a_domain_are_one_warning():
    few, many = (
        summarize(recorded(100, [Gap("gpu:0", i, i + 0.5 + 0.1 * (i == 2), "x") for i in range(n)]))
        for n in (3, 8)
    )
    assert len(few.warnings) == 3
    (warning,) = many.warnings
    assert "8 gaps" in warning and "4.10 s" in warning and "2.00 s" in warning


@pytest.mark.parametrize(("interval_s", "warns"), [(0.1, False), (0.06, False), (0.03, True)])
def test_a_meter_read_less_than_half_as_often_as_asked_is_named(interval_s, warns):
    warnings = summarize(recorded(100, interval_s=interval_s)).warnings
    assert [w for w in warnings if "100 ms" in w] == warnings
    assert bool(warnings) is warns


def test_a_short_run_with_one_late_reading_is_not_named():
    made = recorded(100, interval_s=0.03, duration=0.2)
    assert summarize(made).warnings == []


def test_above_idle_of_a_modelled_processor_on_a_saturated_machine_includes_nothing():
    modelled = Uncertainty(0.4, 0.6, "a curve")
    above = summarize(recorded(101, uncertainty=modelled, idle_power_w={"gpu:0": 100.0})).above_idle
    assert above.value == pytest.approx(10)
    assert above.low < 0 < above.high
    assert above.high - above.low > 1000 * (0.4 + 0.6)


def measured(provenance=Provenance.MEASURED, environment=None, source="a test", **facts):
    """A run of 10 s at 100 W, whose meter shares -40 to +80 % with all its readings."""
    shared = Uncertainty(0.4, 0.8, "a test", own=0.02)
    made = recorded(100, uncertainty=shared, environment=environment or {}, **facts)
    (meter,) = made.header.sources
    made.header.sources[:] = [replace(meter, provenance=provenance, source=source)]
    return summarize(made)


A, B = ({"cpu": {"name": name, "threads": 4}, "gpus": []} for name in ("a", "b"))


def test_runs_on_one_machine_share_the_error_of_their_meters():
    ratio = measured(environment=A).total.ratio(measured(environment=A).total)
    assert ratio.high - ratio.low < 0.06
    for other in (
        measured(environment=B),
        measured(environment=A, source="another meter"),
        measured(run_id="another"),
    ):
        assert measured(environment=A).total.ratio(other.total).high > 1.5
    # Of runs on unknown machines nothing is known to be shared.
    unknown = measured(run_id="one").total.ratio(measured(run_id="two").total)
    assert unknown.high > 1.5


def test_all_parts_of_a_run_are_by_the_same_meters():
    made = recorded(100, uncertainty=Uncertainty(0.4, 0.8, "a test", own=0.02), environment=A)
    made.spans.append(Span(1, None, "epoch", "epoch 0", 1.0, 4.0, 0))
    summary = summarize(made)
    (epoch,) = summary.epochs
    names = set(summary.total.shared)
    assert len(names) == 1
    assert set(epoch.energy.shared) == set(summary.outside_epochs.energy.shared) == names
    share = epoch.energy.ratio(summary.total)
    assert share.high - share.low < 0.02


def test_a_gap_raises_the_own_bound_and_keeps_the_meters():
    gap = Gap("gpu:0", 4.0, 5.0, "late")
    plain, with_gap = measured(environment=A), measured(environment=A, gaps=[gap])
    assert set(with_gap.total.shared) == set(plain.total.shared)
    assert with_gap.total.own_high - with_gap.total.value > 100


def test_a_model_has_another_error_for_an_idle_machine():
    idle = {"gpu:0": 60.0}
    sensor = measured(environment=A, idle_power_w=idle).above_idle
    model = measured(Provenance.MODELLED, environment=A, idle_power_w=idle).above_idle
    assert model.own_low == sensor.own_low
    assert sensor.high - sensor.value == pytest.approx(0.8 * 400, rel=0.01)
    assert model.high - model.value == pytest.approx(np.hypot(0.8 * 1000, 0.4 * 600), rel=0.01)
