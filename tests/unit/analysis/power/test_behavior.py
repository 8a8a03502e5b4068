import json
from dataclasses import replace

import numpy as np
import pytest

from fakes.gauges import gauge_samples
from fakes.recordings import training, without_samples
from joulecast.analysis.power.behavior import power_behavior
from joulecast.analysis.power.trace import power_trace
from joulecast.errors import UsageError
from joulecast.meters.base import GaugeSource, ReadingKind, Source, Uncertainty
from joulecast.recording.model import Footer, Gap, Recording, Samples, Span, Status
from joulecast.units import Provenance

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


def test_from_when_on_power_is_stable_and_how_stable():
    found = power_behavior(run(warm_up(), epoch_s=60))
    assert found.stabilizing.t_s == pytest.approx(240, abs=5)
    assert found.stabilizing.before_w == pytest.approx(120, abs=1)
    assert found.stabilizing.after_w == pytest.approx(160, abs=1)
    assert found.power.mean == pytest.approx(160, abs=1)
    assert found.power.cv == pytest.approx(4 / 160, rel=0.35)  # means over a second are smoother
    assert found.epoch_energy.n in (14, 15)  # epochs that began after it
    assert found.epoch_energy.mean == pytest.approx(60 * 160, rel=0.01)
    assert found.epoch_duration.cv == 0.0
    low, high = found.power.drift_pct_per_hour[1:]
    assert low < 0 < high


def test_a_drift_is_told_with_its_interval():
    t = np.arange(3600.0)
    rng = np.random.default_rng(1)
    drifting = 200 * (1 + 0.03 * t / 3600) + rng.normal(0, 2, 3600)
    found = power_behavior(run(drifting)).power
    value, low, high = found.drift_pct_per_hour
    assert low < value < high
    assert value == pytest.approx(3.0, abs=0.3)


def test_stable_from_the_start():
    found = power_behavior(run(warm_up(at=0)))
    assert found.stabilizing.t_s == 0.0
    assert found.stabilizing.before_w is None


def test_a_later_change_is_noted():
    watts = warm_up(n=2000)
    watts[1800:] = 60
    found = power_behavior(run(watts))
    assert any("mean power changes again at 30 min" in note for note in found.notes)


def test_constant_power():
    found = power_behavior(run(np.full(600, 250.0), load=np.full(600, 50.0)))
    assert found.stabilizing.t_s == 0.0
    assert found.power.cv == pytest.approx(0, abs=1e-12)
    assert found.power.drift_pct_per_hour == pytest.approx((0, 0, 0), abs=1e-6)
    assert found.loads[0].rho is None
    assert "the same all along" in found.loads[0].reason


def test_power_against_utilization():
    rng = np.random.default_rng(0)
    load = rng.uniform(0, 100, 900)
    found = power_behavior(run(60 + 2.0 * load + rng.normal(0, 3, 900), load)).loads[0]
    assert (found.gauge, found.domains) == ("gpu:0/utilization_pct", ["gpu:0"])
    assert found.rho > 0.98
    assert found.slope_w == pytest.approx(2.0, abs=0.05)
    assert found.at_zero_w == pytest.approx(60, abs=4)
    assert found.caution is None


def test_power_that_is_modelled_from_load_says_nothing_of_the_machine():
    cpu = replace(GPU, domain="cpu:0", provenance=Provenance.MODELLED)
    gauge = replace(LOAD, domain="cpu/utilization_pct")
    load = np.random.default_rng(0).uniform(0, 100, 300)
    found = power_behavior(run(50 + load, load, cpu, (gauge,)))
    assert found.loads[0].domains == ["cpu:0"]
    assert "modelled" in found.loads[0].caution
    assert found.provenance is Provenance.MODELLED


def test_a_gauge_without_power_of_its_device():
    load = np.random.default_rng(0).uniform(0, 100, 300)
    gauge = replace(LOAD, domain="gpu:1/utilization_pct")
    found = power_behavior(run(warm_up(300, 50), load, gauges=(gauge,))).loads[0]
    assert (found.n, found.rho) == (0, None)
    assert "not measured" in found.reason


def test_without_gauges_the_reason_is_told():
    found = power_behavior(run(warm_up()))
    assert found.loads == []
    assert "no gauge of utilization was recorded" in found.why_no_loads
    assert "no epoch was marked" in found.epoch_energy.reason


def test_a_gap_is_passed_over_and_told():
    watts = warm_up()
    recording = run(watts, gaps=[Gap("gpu:0", 600.0, 700.0, "driver was busy")])
    keep = (np.arange(1200) <= 600) | (np.arange(1200) >= 700)
    s = recording.samples["gpu:0"]
    recording.samples["gpu:0"] = Samples(
        *(x[keep] for x in (s.t_s, s.value, s.low, s.high, s.held_s))
    )
    trace = power_trace(recording)
    assert np.isnan(trace.total_w).sum() == 100
    found = power_behavior(recording)
    assert found.power.mean == pytest.approx(160, abs=1)
    assert any("8.3 % of the run was not measured" in note for note in found.notes)


@pytest.mark.parametrize("n", [2, 5, 39])
def test_a_short_run_says_so(n):
    found = power_behavior(run(np.full(n, 100.0)))
    assert found.stabilizing.t_s is None
    assert "too short to say" in found.stabilizing.reason


def test_nothing_measured():
    found = power_behavior(without_samples())
    assert found.trace is None
    assert found.stabilizing.reason == found.power.reason == "no power was measured"
    json.dumps(found.to_json(), allow_nan=False)


def test_counters_and_readings_together_add_up():
    recording = training(epochs=20)
    trace = power_trace(recording)
    assert set(trace.power_w) == {"gpu:0", "cpu:0", "dram:0"}
    assert np.nanmean(trace.total_w) * recording.duration_s == pytest.approx(
        sum(e for e in (np.nansum(watts) * trace.step_s for watts in trace.power_w.values())),
        rel=0.01,
    )
    found = power_behavior(recording)
    assert found.provenance is Provenance.ASSUMED
    assert found.epoch_duration.mean == pytest.approx(12.0)
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["schema"] == "joulecast/power/1"


def test_no_such_method():
    with pytest.raises(UsageError, match="cusum"):
        power_behavior(run(warm_up()), "eyesight")
