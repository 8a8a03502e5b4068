"""Gauges in the terminal, in the page and at the doctor's."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fakes.gauges import gauge_samples, gauge_source, put, with_gauges
from fakes.recordings import training
from joulecast.meters.base import ReadingKind
from joulecast.recording.gauge_summary import tracks
from joulecast.recording.summary import summarize
from joulecast.reports.documents.run import summary_document
from joulecast.reports.page.gauge_figure import gauge_figure, series
from joulecast.reports.page.run import render_html
from joulecast.reports.terminal.render import to_text
from joulecast.reports.words.gauges import gauge_rows, gauge_text
from joulecast.run.checkup import gauge_now


def shown(recording, width=110):
    return to_text(summary_document(summarize(recording)), width)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (93.6, "%", "94 %"),
        (99.6, "%", "100 %"),
        (0.0, "%", "0 %"),
        (0.42, "%", "0.4 %"),
        (1534.0, "%", "1534 %"),
        (61.4, "°C", "61 °C"),
        (31e9, "B", "31.0 GB"),
        (1.98e9, "Hz", "1.98 GHz"),
        (61.5, "W", "61.5 W"),
        (20.0, "", "20"),
        (None, "B", "unknown"),
    ],
)
def test_figures_as_people_read_them(value, unit, text):
    assert gauge_text(value, unit) == text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_terminal_shows_them(width):
    recording = with_gauges(training())
    recording.header.gauges.append(gauge_source("gpu:1/temperature_c", reason="denied"))
    text = shown(recording, width)
    assert "Utilization, temperature and memory" in text
    for name in ("gpu:0 utilization", "cpu utilization", "host memory", "gpu:1 temperature"):
        assert name in text
    assert max(map(len, text.splitlines())) <= width
    assert "Utilization" not in shown(training(), width)


def test_the_page_shows_them_below_power():
    recording = with_gauges(training())
    recording.header.gauges.append(gauge_source("gpu:1/temperature_c", reason="<b>denied</b>"))
    page = render_html(summarize(recording))
    power, gauges, domains = (
        page.index(f"<h2>{title}</h2>")
        for title in ("Power over time", "Utilization, temperature and memory", "Energy by domain")
    )
    assert power < gauges < domains
    assert 'data-figure="gauges"' in page
    assert "&lt;b&gt;denied" in page
    assert "<b>denied" not in page
    plain = training()
    assert 'data-figure="gauges"' not in render_html(summarize(plain))


def test_a_panel_for_each_unit():
    recording = with_gauges(training(), gpus=1)
    figure = gauge_figure(recording, recording.duration_s)
    titles = [
        axis["title"]["text"] for name, axis in figure["layout"].items() if name.startswith("yaxis")
    ]
    assert titles == ["utilization (%)", "temperature (°C)", "memory (GB)"]
    assert len(figure["data"]) == 5
    json.dumps(figure, allow_nan=False)
    assert sum(trace["showlegend"] for trace in figure["data"]) == 3  # gpu:0, cpu, host memory


def test_a_clock_has_a_panel_and_what_was_throttled_has_none():
    recording = with_gauges(training(), gpus=1)
    t = np.arange(0.0, recording.duration_s, 1.0)
    put(recording, "gpu:0/sm_clock_hz", t, 0 * t + 1.98e9, unit="Hz")
    put(recording, "gpu:0/throttled_by_heat_pct", t, 0 * t + 100.0, unit="%")
    figure = gauge_figure(recording, recording.duration_s)
    axes = {name: axis for name, axis in figure["layout"].items() if name.startswith("yaxis")}
    assert "clock (GHz)" in [axis["title"]["text"] for axis in axes.values()]
    assert len(axes) == 4
    assert len(figure["data"]) == 6


def test_nothing_to_draw():
    assert gauge_figure(training(), 100.0) is None
    recording = training()
    recording.header.gauges.append(gauge_source(reason="denied"))
    assert gauge_figure(recording, 100.0) is None


def test_a_day_is_drawn_in_a_few_hundred_points_with_the_same_mean():
    recording = training()
    recording.footer = replace(recording.footer, duration_s=86_400.0)
    t = np.arange(86_400.0)
    put(recording, "gpu:0/utilization_pct", t, 50 + 50 * np.sin(t / 3000))
    put(recording, "cpu/utilization_pct", t, np.cumsum(150 + 20 * np.cos(t / 999)))
    assert len(tracks(recording)) == 2
    for track in tracks(recording):
        at, value = series(track, 86_400.0)
        assert len(at) <= 500
        assert np.nanmean(value) == pytest.approx(track.mean(0, 86_400.0), rel=0.01)


def test_a_line_is_broken_where_nothing_was_read():
    recording = training()
    put(recording, "gpu:0/temperature_c", [0, 1, 2, 60, 61], [40, 40, 40, 70, 70])
    (track,) = tracks(recording)
    _, value = series(track, recording.duration_s)
    assert np.isnan(value).sum() == 1


def test_a_row_shows_readings_or_the_reason():
    recording = with_gauges(training())
    recording.header.gauges.append(gauge_source("gpu:1/temperature_c", reason="denied"))
    rows = {
        name: (figures, about) for name, figures, about in gauge_rows(summarize(recording).gauges)
    }
    assert rows["gpu:1 temperature"] == ([], "denied")
    assert len(rows["cpu utilization"][0]) == 4
    assert rows["host memory"][1] == "a test"


def read(*readings):
    return gauge_samples(*np.array(readings, float).reshape(-1, 2).T)


def test_the_last_reading_of_a_gauge():
    counts = gauge_source("cpu/utilization_pct", kind=ReadingKind.COUNTER)
    assert gauge_now(counts, read((5, 10), (7, 310))).value == 150
    assert gauge_now(counts, read((5, 10))).reason
    assert gauge_now(gauge_source(), read((5, 60), (6, 61))).value == 61
    assert gauge_now(gauge_source(), read()).value is None
    denied = gauge_now(gauge_source(reason="denied"), read())
    assert denied.reason == "denied"
    assert denied.value is None
