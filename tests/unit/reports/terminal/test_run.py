"""The report in the terminal."""

import io

import pytest
from rich.console import Console

from fakes.recordings import training, without_samples
from joulecast.recording.model import Gap, Metric, Status
from joulecast.recording.summary import summarize
from joulecast.reports.terminal.run import render_text


def shown(recording, width=100):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    summary = summarize(recording)
    render_text(summary, console)
    return console.file.getvalue(), summary


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width):
    text, _ = shown(training(gaps=(Gap("gpu:0", 20, 30, "a long reason " * 10),)), width)
    assert max(len(line) for line in text.splitlines()) <= width


@pytest.mark.parametrize("width", [80, 120])
def test_every_figure_is_there_in_full(width):
    text, summary = shown(training(), width)
    for e in (summary.total, summary.above_idle, *(d.energy for d in summary.domains)):
        assert str(e).partition(" (")[0] in text
    for e in summary.epochs:
        row = next(x for x in text.splitlines() if x.strip().startswith(f"{e.span.index} "))
        assert str(e.energy).partition(" (")[0] in row
        assert f"{e.metrics['accuracy']:.4g}" in row
    assert "measured" in text and "modelled" in text and "assumed" in text
    assert "…" not in text


def test_many_epochs_are_elided_and_counted():
    text, _ = shown(training(epochs=100, epoch_s=2))
    assert "70 more" in text
    assert "\n     0" in text and "\n    99" in text


def test_markup_in_names_is_text():
    recording = training(epochs=1, name="[red]x[/red]", tags={"[b]": "[/i]"}, command=["[link]"])
    recording.metrics.append(Metric(5.0, "[bold]m", 1.0, 10))
    text, _ = shown(recording, 120)
    for raw in ("[red]x[/red]", "[b]=[/i]", "[link]", "[bold]m"):
        assert raw in text


@pytest.mark.parametrize(
    "recording", [without_samples(), without_samples(sources=[], environment={})]
)
def test_an_empty_run_says_why(recording):
    text, _ = shown(recording)
    assert "Energy unknown" in text
    assert "unknown, not zero" in " ".join(text.split())


def test_interrupted_and_open_spans():
    recording = training(epochs=3, status=Status.INTERRUPTED)
    recording.spans[-1].end_s = None
    text, _ = shown(recording)
    assert "interrupted" in text
    assert "(open)" in text


def test_metrics_outside_epochs_are_listed():
    recording = training(epochs=0)
    recording.metrics.append(Metric(1.0, "images per second", 1234.5))
    text, _ = shown(recording)
    assert "images per second" in text and "1234" in text
