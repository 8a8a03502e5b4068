from dataclasses import replace

import numpy as np
import pytest

from fakes.gauges import gauge_samples
from fakes.recordings import training, without_samples
from joulecast.analysis.power import behavior
from joulecast.analysis.power.behavior import power_behavior
from joulecast.analysis.power.trace import power_trace
from joulecast.errors import UsageError
from joulecast.estimate import Provenance
from joulecast.meters.base import GaugeSource, ReadingKind, Source, Uncertainty
from joulecast.recording.model import Footer, Gap, Recording, Samples, Span, Status
from joulecast.recording.summary import summarize
from joulecast.serialize import to_builtins

GPU = Source(
    "gpu:0",
    "power readings",
    ReadingKind.POWER,
    Provenance.MEASURED,
    1.0,
    Uncertainty(0.05, 0.05, ""),
)
LOAD = GaugeSource(
    "gpu:0/utilization_pct", "driver", "%", ReadingKind.GAUGE, Provenance.MEASURED, 1.0
)


def run(power_w, load=None, source=GPU, gauges=(LOAD,), epoch_s=None, gaps=()):
    """A run read once a second."""
    t = np.arange(len(power_w), dtype=float)
    watts = np.asarray(power_w, dtype=float)
    header = replace(
        training(epochs=1).header,
        sources=[source],
        gauges=list(gauges) if load is not None else [],
        interval_s=1.0,
    )
    samples = {source.domain: Samples(t, watts, watts * 0.95, watts * 1.05, t)}
    if load is not None:
        samples[gauges[0].domain] = gauge_samples(t, np.asarray(load, dtype=float))
    spans = []
    if epoch_s:
        spans = [
            Span(i, None, "epoch", "epoch", i * epoch_s, (i + 1) * epoch_s, i)
            for i in range(int(t[-1] // epoch_s))
        ]
    end = Footer(Status.FINISHED, float(t[-1]))
    return Recording(header, spans, [], list(gaps), samples, end, Status.FINISHED)


def warm_up(n=1200, at=240, low=120.0, high=160.0, seed=0):
    rng = np.random.default_rng(seed)
    return np.where(np.arange(n) < at, low, high) + rng.normal(0, 4, n)


def behavior_of(recording, *stabilization):
    return power_behavior(summarize(recording), *stabilization)


def test_warm_up_ends_where_mean_power_changes():
    behavior = behavior_of(run(warm_up(), epoch_s=60))
    assert behavior.stabilizing.t_s == pytest.approx(240, abs=5)
    assert behavior.stabilizing.before_w == pytest.approx(120, abs=1)
    assert behavior.stabilizing.after_w == pytest.approx(160, abs=1)
    assert behavior.power.mean == pytest.approx(160, abs=1)
    # The means over one second vary less than the readings.
    assert behavior.power.cv == pytest.approx(4 / 160, rel=0.35)
    assert behavior.epoch_energy.n in (14, 15)
    assert behavior.epoch_energy.mean == pytest.approx(60 * 160, rel=0.01)
    assert behavior.epoch_duration.cv == 0.0
    drift = behavior.power.drift_pct_per_hour
    assert drift.low < 0 < drift.high


def test_profile_has_the_mean_power_of_sixty_parts():
    behavior = behavior_of(run(warm_up()))
    assert len(behavior.profile_w) == 60
    assert behavior.profile_w[0] == pytest.approx(120, abs=5)
    assert behavior.profile_w[-1] == pytest.approx(160, abs=5)


def test_drift_has_an_interval():
    t = np.arange(3600.0)
    rng = np.random.default_rng(1)
    drifting = 200 * (1 + 0.03 * t / 3600) + rng.normal(0, 2, 3600)
    power = behavior_of(run(drifting)).power
    drift = power.drift_pct_per_hour
    assert drift.low < drift.value < drift.high
    assert drift.value == pytest.approx(3.0, abs=0.3)
    assert power.drift_pct == pytest.approx(drift.value, rel=0.05)  # it ran for an hour


def test_stable_from_the_start():
    stabilizing = behavior_of(run(warm_up(at=0))).stabilizing
    assert (stabilizing.t_s, stabilizing.before_w) == (0.0, None)


def test_later_change_is_noted():
    watts = warm_up(n=2000)
    watts[1800:] = 60
    assert any("30 min" in note for note in behavior_of(run(watts)).notes)


def test_constant_power():
    behavior = behavior_of(run(np.full(600, 250.0), load=np.full(600, 50.0)))
    assert behavior.stabilizing.t_s == 0.0
    assert behavior.power.cv == pytest.approx(0, abs=1e-12)
    drift = behavior.power.drift_pct_per_hour
    assert (drift.value, drift.low, drift.high) == pytest.approx((0, 0, 0), abs=1e-6)
    assert behavior.utilization[0].spearman is None
    assert behavior.utilization[0].reason is not None


def test_power_against_utilization():
    rng = np.random.default_rng(0)
    load = rng.uniform(0, 100, 900)
    behavior = behavior_of(run(60 + 2.0 * load + rng.normal(0, 3, 900), load))
    assert behavior.why_no_utilization is None
    (gpu,) = behavior.utilization
    assert (gpu.gauge, gpu.domains) == ("gpu:0/utilization_pct", ["gpu:0"])
    assert gpu.spearman > 0.98
    assert gpu.slope_w_per_pct == pytest.approx(2.0, abs=0.05)
    assert gpu.power_at_zero_w == pytest.approx(60, abs=4)
    assert gpu.caution is None


def test_power_modelled_from_utilization_has_a_caution():
    cpu = replace(GPU, domain="cpu:0", provenance=Provenance.MODELLED)
    gauge = replace(LOAD, domain="cpu/utilization_pct")
    load = np.random.default_rng(0).uniform(0, 100, 300)
    behavior = behavior_of(run(50 + load, load, cpu, (gauge,)))
    assert behavior.utilization[0].domains == ["cpu:0"]
    assert behavior.utilization[0].caution is not None
    assert behavior.provenance is Provenance.MODELLED


def test_gauge_without_power_of_its_device():
    load = np.random.default_rng(0).uniform(0, 100, 300)
    gauge = replace(LOAD, domain="gpu:1/utilization_pct")
    (other,) = behavior_of(run(warm_up(300, 50), load, gauges=(gauge,))).utilization
    assert (other.n, other.spearman) == (0, None)
    assert other.reason is not None


def test_without_gauges_or_epochs_there_are_reasons():
    behavior = behavior_of(run(warm_up()))
    assert behavior.utilization == []
    assert behavior.why_no_utilization is not None
    assert behavior.epoch_energy.reason is not None


def test_gap_is_skipped_and_noted():
    watts = warm_up()
    recording = run(watts, gaps=[Gap("gpu:0", 600.0, 700.0, "driver was busy")])
    keep = (np.arange(1200) <= 600) | (np.arange(1200) >= 700)
    s = recording.samples["gpu:0"]
    recording.samples["gpu:0"] = Samples(
        *(x[keep] for x in (s.t_s, s.value, s.low, s.high, s.held_s))
    )
    trace = power_trace(recording)
    assert np.isnan(trace.total_w).sum() == 100
    behavior = behavior_of(recording)
    assert behavior.power.mean == pytest.approx(160, abs=1)
    assert any("100 of 1,199 steps of 1.00 s" in note for note in behavior.notes)
    assert None in behavior.profile_w


def test_half_measured_steps_are_not_used():
    recording = run(np.full(1200, 160.0), gaps=[Gap("gpu:0", 600.5, 700.5, "driver was busy")])
    s = recording.samples["gpu:0"]
    keep = (s.t_s <= 600) | (s.t_s >= 700)
    t_s, value, low, high = (x[keep] for x in (s.t_s + 0.5, s.value, s.low, s.high))
    recording.samples["gpu:0"] = Samples(t_s, value, low, high, t_s)
    watts = power_trace(recording).total_w
    assert np.isnan(watts[600:701]).all()
    assert not np.isnan(watts[[599, 701]]).any()


@pytest.mark.parametrize(("part", "stable_s"), [(0.5, 600.0), (0.97, None)])
def test_fluss_point_at_the_end_is_unknown(monkeypatch, part, stable_s):
    monkeypatch.setattr(behavior, "stabilizing_time", lambda t_s, watts: part * 1200)
    stabilizing = behavior_of(run(warm_up()), "fluss").stabilizing
    assert stabilizing.t_s == stable_s
    assert (stabilizing.reason is None) == (stable_s is not None)


@pytest.mark.parametrize("n", [2, 5, 39])
def test_short_run_has_no_stabilizing_point(n):
    stabilizing = behavior_of(run(np.full(n, 100.0))).stabilizing
    assert stabilizing.t_s is None
    assert stabilizing.reason is not None


def test_nothing_measured():
    behavior = behavior_of(without_samples())
    assert (behavior.step_s, behavior.profile_w, behavior.provenance) == (None, [], None)
    assert behavior.stabilizing.reason is not None and behavior.power.reason is not None
    assert to_builtins(behavior)["power"]["mean"] is None


def test_power_of_all_domains_adds_up():
    recording = training(epochs=20)
    trace = power_trace(recording)
    assert set(trace.power_w) == {"gpu:0", "cpu:0", "dram:0"}
    summary = summarize(recording)
    assert np.nansum(trace.total_w) * trace.step_s == pytest.approx(summary.total.value, rel=0.01)
    behavior = power_behavior(summary)
    assert behavior.provenance is summary.total.provenance
    assert behavior.epoch_duration.mean == pytest.approx(12.0)
    assert to_builtins(behavior)["stabilizing"]["method"] == "cusum"


def test_unknown_stabilization():
    with pytest.raises(UsageError):
        behavior_of(run(warm_up()), "eyesight")
