"""The charts: valid for plotly, true to the summary, and safe with what users write."""

from dataclasses import replace

import numpy as np
import pytest

from fakes.recordings import training
from joulecast.meters.base import Uncertainty
from joulecast.recording.model import Gap, Metric
from joulecast.recording.summary import summarize
from joulecast.reports.page.figures import (
    MAX_BARS,
    domain_figure,
    epoch_figure,
    metric_figure,
    power_figure,
    time_unit,
    unit_of,
)
from joulecast.reports.page.series import power_series, traces

go = pytest.importorskip("plotly.graph_objects")

HOSTILE = "<script>alert(1)</script>"


def power_of(recording):
    summary = summarize(recording)
    return power_figure(summary, power_series(traces(recording), summary.duration_s)), summary


def test_plotly_knows_every_attribute():
    recording = training(gaps=(Gap("gpu:0", 20, 30, "lost"),))
    summary = summarize(recording)
    figures = [
        power_of(recording)[0],
        domain_figure(summary),
        epoch_figure(summary),
        epoch_figure(summarize(training(epochs=MAX_BARS + 1, epoch_s=1))),
        metric_figure("loss", [m for m in recording.metrics if m.name == "loss"], np.arange(8.0)),
    ]
    for figure in figures:
        drawn = go.Figure(figure)  # raises ValueError on an unknown attribute or a bad value
        assert len(drawn.data) == len(figure["data"])


def test_power_has_a_trace_for_each_domain():
    figure, summary = power_of(training())
    drawn = [t for t in figure["data"] if t.get("stackgroup")]
    assert [t["name"] for t in drawn] == [d.source.domain for d in summary.domains]
    assert all(len(t["x"]) == len(t["y"]) for t in drawn)


def test_gaps_are_marked_and_named():
    figure, summary = power_of(
        training(gaps=(Gap("gpu:0", 20, 30, "lost"), Gap("cpu:0", 50, None, "")))
    )
    marks = [s for s in figure["layout"]["shapes"] if s["layer"] == "above"]
    assert [(s["x0"], round(s["x1"], 1)) for s in marks] == [(20, 30), (50, summary.duration_s)]
    texts = [a["text"] for a in figure["layout"]["annotations"]]
    assert texts == ["gpu:0 not measured", "cpu:0 not measured"]


def test_domain_bars_and_error_bars_are_the_estimates():
    summary = summarize(training())
    scale = 1000
    for trace, d in zip(domain_figure(summary)["data"], summary.domains, strict=True):
        assert trace["x"][0] * scale == pytest.approx(d.energy.value)
        assert (trace["x"][0] + trace["error_x"]["array"][0]) * scale == pytest.approx(
            d.energy.high
        )
        low = (trace["x"][0] - trace["error_x"]["arrayminus"][0]) * scale
        assert low == pytest.approx(d.energy.low)
    shapes = [t["marker"]["pattern"]["shape"] for t in domain_figure(summary)["data"]]
    assert len(set(shapes)) == 3  # measured, modelled and assumed differ without color


def test_epoch_bars_stack_up_to_the_total():
    summary = summarize(training())
    *bars, total = epoch_figure(summary)["data"]
    stacked = np.sum([t["y"] for t in bars], axis=0)
    assert stacked == pytest.approx(total["y"])
    assert np.array(total["y"]) * 1000 == pytest.approx([e.energy.value for e in summary.epochs])


def test_many_epochs_become_a_line():
    data = epoch_figure(summarize(training(epochs=MAX_BARS + 1, epoch_s=1)))["data"]
    assert {t["type"] for t in data} == {"scatter"}
    assert len(data[-1]["y"]) == MAX_BARS + 1


def test_metrics_lie_at_the_energy_so_far():
    points = [Metric(float(i), HOSTILE, i / 10) for i in range(5)] + [Metric(5.0, HOSTILE, np.nan)]
    (trace,) = metric_figure(HOSTILE, points, np.arange(6) * 500.0)["data"]
    assert trace["x"] == pytest.approx([0, 0.5, 1.0, 1.5, 2.0, 2.5])
    assert trace["y"][-1] is None


def test_plotly_sees_no_tags_of_users():
    recording = training(epochs=2)
    for span in recording.spans:
        span.name = HOSTILE
    recording.metrics = [Metric(m.t_s, HOSTILE, m.value, m.span) for m in recording.metrics]
    figure, _ = power_of(recording)
    metric = metric_figure(HOSTILE, recording.metrics, np.arange(float(len(recording.metrics))))
    for drawn in (figure, metric):
        assert "<script" not in str(drawn)
        assert "&lt;script" in str(drawn)


@pytest.mark.parametrize(
    ("largest", "unit"),
    [(0.02, (1e-3, "mJ")), (1, (1, "J")), (5e4, (1e3, "kJ")), (3e7, (1e6, "MJ"))],
)
def test_units_suit_the_axis(largest, unit):
    assert unit_of(largest, "J") == unit


def test_time_units():
    assert [time_unit(s)[1] for s in (10, 1000, 86400)] == ["s", "min", "h"]


@pytest.mark.parametrize("epochs", [4, MAX_BARS + 1])
def test_epochs_are_drawn_with_their_own_error_where_much_is_shared(epochs):
    recording = training(epochs=epochs, epoch_s=1)
    for i, source in enumerate(recording.header.sources):
        wide = Uncertainty(0.4, 0.8, "a test", own=0.01)
        recording.header.sources[i] = replace(source, uncertainty=wide)
    for domain, s in recording.samples.items():
        bounds = (0.6 * s.value, 1.8 * s.value)
        recording.samples[domain] = replace(s, low=bounds[0], high=bounds[1])
    energies = [e.energy for e in summarize(recording).epochs]
    figure = epoch_figure(summarize(recording))["data"]
    assert "as metered" in figure[-1]["name"]
    if epochs > MAX_BARS:
        low, high = (next(t["y"] for t in figure if t["name"] == n) for n in ("low", "high"))
    else:
        bars, y = figure[-1]["error_y"], figure[-1]["y"]
        low = [a - b for a, b in zip(y, bars["arrayminus"], strict=True)]
        high = [a + b for a, b in zip(y, bars["array"], strict=True)]
    scale = energies[0].value / figure[-1]["y"][0]
    assert [x * scale for x in low] == pytest.approx([e.own_low for e in energies])
    assert [x * scale for x in high] == pytest.approx([e.own_high for e in energies])
