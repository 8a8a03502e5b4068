"""The report of a run as a document, and in the terminal."""

from dataclasses import replace

import pytest

from fakes.golden import golden
from fakes.recordings import training, without_samples
from joulecast.analysis.power.behavior import power_behavior
from joulecast.meters.base import Uncertainty
from joulecast.recording.model import Gap, Metric, Status
from joulecast.recording.summary import summarize
from joulecast.reports.documents.model import Pairs, ReportTable, text_of
from joulecast.reports.documents.run import MAX_ROWS, report_document, summary_document
from joulecast.reports.terminal.render import to_text
from joulecast.reports.words.common import bounds_text, range_text, shared_text
from joulecast.run.show import RunReport


def document_of(recording):
    return summary_document(summarize(recording))


def shown(recording, width=100):
    return to_text(document_of(recording), width)


def section(document, title):
    (match,) = (s for s in document.sections if s.title == title)
    return match


def cells(document, title):
    (table,) = (b for b in section(document, title).blocks if isinstance(b, ReportTable))
    return [[text_of(cell) for cell in row] for row in table.rows]


def test_a_training_reads_well(monkeypatch):
    monkeypatch.setattr("joulecast.reports.documents.run.when", lambda t: "2026-01-01 11:00:00 UTC")
    summary = summarize(training(gaps=(Gap("gpu:0", 20, 30, "the driver was reloaded"),)))
    report = RunReport(summary, power_behavior(summary))
    golden("run", to_text(report_document(report)))


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width):
    text = shown(training(gaps=(Gap("gpu:0", 20, 30, "a long reason " * 10),)), width)
    assert len(text.splitlines()) > 20
    assert max(len(line) for line in text.splitlines()) <= width


@pytest.mark.parametrize("width", [80, 120])
def test_every_figure_is_there_in_full(width):
    recording = training()
    summary, text = summarize(recording), shown(recording, width)
    for e in (summary.total, summary.above_idle, *(d.energy for d in summary.domains)):
        assert str(e).partition(" (")[0] in text
    assert len(summary.epochs) == 8
    table = text[text.index("Energy by epoch") :]
    for e in summary.epochs:
        row = next(x for x in table.splitlines() if x.strip().startswith(f"{e.span.index + 1} "))
        assert str(e.energy).partition(" (")[0] in row
        assert f"{e.metrics['accuracy']:.4g}" in row
    assert "…" not in text


def test_the_headline_has_the_provenance_of_most_and_the_mix():
    summary = summarize(training())
    head = [text_of(block) for block in summary_document(summary).head]
    (headline,) = (line for line in head if "90 % interval" in line)
    assert str(summary.total.provenance) == "measured"
    assert headline.split("  ")[0].endswith(" measured")
    assert any("measured," in line and "assumed;" in line for line in head)


def test_many_epochs_are_elided_and_counted():
    rows = cells(document_of(training(epochs=100, epoch_s=2)), "Energy by epoch")
    assert len(rows) == MAX_ROWS + 1
    assert (rows[0][0], rows[-1][0]) == ("1", "100")
    assert [row[1] for row in rows if row[0] == "..."] == ["70 more"]


def test_markup_in_names_is_text():
    recording = training(epochs=1, name="[red]x[/red]", tags={"[b]": "[/i]"}, command=["[link]"])
    recording.metrics.append(Metric(5.0, "[bold]m", 1.0, 10))
    text = shown(recording, 120)
    for raw in ("[red]x[/red]", "[b]=[/i]", "[link]", "[bold]m"):
        assert raw in text


@pytest.mark.parametrize(
    "recording", [without_samples(), without_samples(sources=[], environment={})]
)
def test_an_empty_run_has_a_reason_and_no_figure(recording):
    document = document_of(recording)
    assert "Energy unknown" in [text_of(block) for block in document.head]
    assert not [b for s in document.sections for b in s.blocks if isinstance(b, ReportTable)]
    assert document.sections


def test_interrupted_and_open_spans():
    recording = training(epochs=3, status=Status.INTERRUPTED)
    recording.spans[-1].end_s = None
    document = document_of(recording)
    assert "interrupted" in text_of(document.head[0])
    assert any(" (unfinished)" in row[0] for row in cells(document, "Other spans"))


def test_metrics_outside_epochs_are_listed():
    recording = training(epochs=0)
    recording.metrics.append(Metric(1.0, "images per second", 1234.5))
    (pairs,) = section(document_of(recording), "Metrics, last value").blocks
    assert isinstance(pairs, Pairs)
    assert pairs.rows == [("images per second", "1234")]


def test_power_stands_after_the_tables():
    summary = summarize(training())
    document = report_document(RunReport(summary, power_behavior(summary)))
    titles = [s.title for s in document.sections]
    assert titles.index("Power") == titles.index("Other spans") + 1


def test_a_summary_shows_itself():
    summary = summarize(training(epochs=1))
    assert repr(summary).rstrip() == to_text(summary_document(summary)).rstrip()
    assert "<table>" in summary._repr_html_()


def modelled():
    """A training whose meters share most of their error, as a modelled CPU does."""
    recording = training(epochs=3)
    for i, meter in enumerate(recording.header.sources):
        wide = Uncertainty(0.4, 0.8, "a test", own=0.02)
        recording.header.sources[i] = replace(meter, uncertainty=wide)
    for domain, s in recording.samples.items():
        recording.samples[domain] = replace(s, low=0.6 * s.value, high=1.8 * s.value)
    return recording


def test_rows_have_their_own_error_and_what_they_share_stands_once():
    summary, document = summarize(modelled()), document_of(modelled())
    for title in ("Energy by epoch", "Other spans"):
        (table,) = (b for b in section(document, title).blocks if isinstance(b, ReportTable))
        assert shared_text(summary.total) in table.caption
        at = [c.title for c in table.columns].index("energy")
        if title == "Energy by epoch":
            own = [bounds_text(e.energy.as_metered) for e in summary.epochs]
            assert [text_of(row[at + 1]) for row in table.rows] == own
    domains = cells(document, "Energy by domain")
    for row, d in zip(domains, summary.domains, strict=True):
        assert row[2:4] == [bounds_text(d.energy), bounds_text(d.energy.as_metered)]
    assert range_text(summary.total) in to_text(document, 120)
    # Of a measured GPU one interval is enough.
    (table,) = section(document_of(training()), "Energy by epoch").blocks
    assert not table.caption


@pytest.mark.parametrize("width", [80, 120])
def test_both_intervals_fit_the_terminal(width):
    text = shown(modelled(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
