"""The arrays behind the charts, against the figures of the summary."""

import numpy as np
import pytest

from fakes.recordings import source, training, without_samples
from joulecast.meters.base import ReadingKind
from joulecast.recording.model import Gap
from joulecast.recording.summary import summarize
from joulecast.reports.page.series import energy_until, power_series, traces


def test_the_area_under_the_power_is_the_energy():
    recording = training()
    summary = summarize(recording)
    series = power_series(traces(recording), summary.duration_s)
    width = np.diff(series.edges_s)
    assert summary.domains
    for d in summary.domains:
        drawn = np.nansum(series.power_w[d.source.domain] * width)
        assert drawn == pytest.approx(d.energy.value, rel=0.005)


def test_energy_at_the_end_is_the_total():
    recording = training(gaps=(Gap("dram:0", 20, 30, "lost"),))
    summary = summarize(recording)
    end = energy_until(traces(recording), np.array([summary.duration_s]))
    assert end[0] == pytest.approx(summary.total.value)


@pytest.mark.parametrize("domain", ["gpu:0", "dram:0"])
def test_a_gap_is_left_empty(domain):
    recording = training(gaps=(Gap(domain, 20, 31, "lost"),))
    series = power_series(traces(recording), recording.duration_s)
    middle = (series.edges_s[:-1] > 21) & (series.edges_s[1:] < 30)
    assert np.isnan(series.power_w[domain][middle]).all()
    assert np.isfinite(series.power_w["cpu:0"][middle]).all()
    outside = (series.edges_s[1:] < 19) | (series.edges_s[:-1] > 32)
    assert np.isfinite(series.power_w[domain][outside][:-1]).all()


def test_a_counter_that_ticks_slower_than_it_is_read_does_not_flicker():
    recording = training(epochs=2, epoch_s=30, domains=("gpu:0",), hz=20)
    series = power_series(traces(recording), recording.duration_s)
    steady = (series.edges_s[:-1] > 10) & (series.edges_s[1:] < 25)
    power = series.power_w["gpu:0"][steady]
    assert power.std() / power.mean() < 0.1  # between two readings alone it is 0 or double
    assert series.width_s["gpu:0"] >= 0.5


def test_a_slow_meter_is_drawn_in_wider_steps_on_the_same_grid():
    recording = training()
    slow = source("gpu:0", update_period_s=1.0)
    recording.header.sources[0] = slow
    series = power_series(traces(recording), recording.duration_s)
    assert series.width_s["gpu:0"] >= 5.0 > series.width_s["cpu:0"]
    assert len({len(p) for p in series.power_w.values()}) == 1


def test_a_long_run_is_drawn_with_bounded_points():
    recording = training(epochs=100, epoch_s=60, domains=("gpu:0",), hz=5)
    series = power_series(traces(recording), recording.duration_s, limit=500)
    assert len(series.power_w["gpu:0"]) <= 500


def test_nothing_to_draw():
    recording = without_samples()
    assert traces(recording) == []
    assert power_series([], 10.0) is None
    assert list(energy_until([], np.array([1.0]))) == [0.0]


def test_watts_are_integrated_counters_are_read():
    recording = training()
    by_domain = {x.domain: x for x in traces(recording)}
    assert by_domain["gpu:0"].kind is ReadingKind.COUNTER
    assert by_domain["dram:0"].kind is ReadingKind.POWER
    assert (np.diff(by_domain["dram:0"].energy_j) >= 0).all()
