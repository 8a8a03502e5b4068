"""Gauges in words: throttling, and rows that are left out."""

from joulecast.estimate import Provenance
from joulecast.recording.gauge_summary import GaugeSummary
from joulecast.reports.words.gauges import gauge_rows, throttled_text


def gauge(name, mean, largest=None):
    largest = mean if largest is None else largest
    figures = (mean, 0.0, largest, mean)
    return GaugeSummary(name, "%", *figures, Provenance.MEASURED, "a test", "a card")


def test_what_throttled_which_device():
    gauges = [
        gauge("gpu:0/utilization_pct", 99.0),
        gauge("gpu:0/throttled_by_power_pct", 92.7),
        gauge("gpu:0/throttled_by_heat_pct", 0.0),
        gauge("gpu:1/throttled_by_power_pct", 0.0),
        gauge("gpu:1/throttled_by_heat_pct", 4.0),
        gauge("gpu:1/throttled_by_hardware_pct", 4.0),
        gauge("gpu:2/throttled_by_heat_pct", None),
    ]
    text = throttled_text(gauges)
    assert [part.split()[0] for part in text.split("; ")] == ["gpu:0", "gpu:1"]
    first, second = text.split("; ")
    assert "power 93 %" in first and "heat" not in first
    assert "heat 4 %" in second and "hardware 4 %" in second


def test_nothing_where_nothing_was_throttled():
    gauges = [gauge("gpu:0/throttled_by_power_pct", 0.0), gauge("gpu:0/utilization_pct", 50.0)]
    assert throttled_text(gauges) == ""
    assert throttled_text([]) == ""


def test_only_what_throttled_has_a_row():
    gauges = [
        gauge("gpu:0/throttled_by_power_pct", 0.0),
        gauge("gpu:0/throttled_by_heat_pct", 0.3, largest=100.0),
        gauge("gpu:0/power_smoothing_pct", 0.0),
    ]
    names = [name for name, _, _ in gauge_rows(gauges)]
    assert names == ["gpu:0 throttled by heat", "gpu:0 power smoothing"]
