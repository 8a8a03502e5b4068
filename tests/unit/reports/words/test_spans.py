"""Spans shortened, grouped, and laid out in lanes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.recordings import training
from joulecast.recording.model import Span
from joulecast.recording.summary import summarize
from joulecast.reports.page.lanes import MAX_IN_LANE, lanes
from joulecast.reports.words.spans import Elided, ends, group_spans


@given(count=st.integers(0, 200), most=st.integers(2, 60))
def test_ends_count_what_they_leave_out(count, most):
    shown = ends(range(count), most)
    left_out = sum(x.count for x in shown if isinstance(x, Elided))
    kept = [x for x in shown if not isinstance(x, Elided)]
    assert len(kept) + left_out == count
    assert len(kept) <= most
    if count:
        assert (kept[0], kept[-1]) == (0, count - 1)


def test_spans_of_one_name_are_put_together():
    summary = summarize(training(epochs=4))
    groups = {g.path: g for g in group_spans(summary)}
    assert list(groups) == [("load data",), ("epoch", "train"), ("epoch", "validate")]
    train = groups["epoch", "train"]
    parts = [s for s in summary.spans if s.span.name == "train"]
    assert train.count == 4
    assert train.duration_s == pytest.approx(sum(s.duration_s for s in parts))
    assert train.energy.value == pytest.approx(sum(s.energy.value for s in parts))
    assert train.energy.low <= train.energy.value <= train.energy.high


def test_an_open_span_and_unknown_energy():
    recording = training(epochs=1)
    recording.spans[-1].end_s = None
    recording.spans.append(Span(99, None, "phase", "late", recording.duration_s + 5, None))
    groups = {g.name: g for g in group_spans(summarize(recording))}
    assert groups["validate"].unfinished == 1
    assert groups["late"].energy is None


def test_lanes_do_not_overlap_and_hold_every_span():
    summary = summarize(training(epochs=5))
    drawn = lanes(summary)
    assert len(summary.epochs) == 5 and summary.spans
    for lane in drawn:
        for a, b in zip(lane.spans, lane.spans[1:], strict=False):
            assert a.span.start_s + a.duration_s <= b.span.start_s + 1e-6
    assert sum(len(lane.spans) for lane in drawn) == len(summary.epochs) + len(summary.spans)
    rows = {s.span.id: lane.row for lane in drawn for s in lane.spans}
    for s in summary.spans:
        if s.span.parent is not None:
            assert rows[s.span.id] > rows[s.span.parent]


def test_too_many_spans_are_counted():
    recording = training(epochs=1)
    recording.spans += [
        Span(1000 + i, 10, "step", "step", 4 + i * 0.01, 4.01 + i * 0.01, i) for i in range(1000)
    ]
    steps = next(lane for lane in lanes(summarize(recording)) if lane.left_out)
    assert len(steps.spans) == MAX_IN_LANE
    assert len(steps.spans) + steps.left_out == 1000
    assert steps.label == "steps"
