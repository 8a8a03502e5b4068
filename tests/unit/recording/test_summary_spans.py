"""The energies of many spans at once are those of each by itself."""

import numpy as np
import pytest

from fakes.meters import header, source
from joulecast.meters.base import ReadingKind
from joulecast.recording.integrate import energy_between, total_of
from joulecast.recording.model import Footer, Gap, Recording, Samples, Span, Status
from joulecast.recording.summary import summarize

SOURCES = [source("gpu:0"), source("cpu:0", ReadingKind.POWER, 0.5), source("dram:0", period_s=0.0)]


def recording(spans):
    rng = np.random.default_rng(3)
    made = Recording(header([]), spans, footer=Footer(Status.FINISHED, 20.0))
    made.header.sources.extend(SOURCES)
    for s in SOURCES:
        t = np.sort(rng.uniform(0, 18, 300))
        value = rng.uniform(5, 90, 300)
        value = np.cumsum(value) if s.kind is ReadingKind.COUNTER else value
        made.samples[s.domain] = Samples(t, value, value * 0.9, value * 1.1, t)
    made.gaps = [Gap("cpu:0", 3.0, 5.0, "asleep"), Gap("cpu:0", 16.0, None, "lost")]
    return made


def test_each_span_has_the_energy_it_would_have_alone():
    rng = np.random.default_rng(5)
    spans = [
        Span(i, None, "step", "", a, None if i % 9 == 0 else a + length)
        for i, (a, length) in enumerate(
            zip(rng.uniform(0, 20, 200), rng.exponential(1.0, 200), strict=True)
        )
    ]
    spans += [Span(200, None, "phase", "", 4.0, 4.0), Span(201, None, "phase", "", 19.0, 19.5)]
    made = recording(spans)
    by_id = {s.span.id: s for s in summarize(made).spans}
    for span in spans:
        end = 20.0 if span.end_s is None else span.end_s
        alone = {
            s.domain: energy_between(made.samples[s.domain], s, span.start_s, end, made.gaps)
            for s in SOURCES
            if span.start_s < made.samples[s.domain].t_s[-1]
        }
        alone = {name: energy for name, energy in alone.items() if energy is not None}
        together = by_id[span.id].domains
        assert together.keys() == alone.keys()
        for name, energy in alone.items():
            assert together[name].value == pytest.approx(energy.value)
            # It may have lost to its neighbors in the run what it did use: it is less sure.
            assert together[name].low <= energy.low + 1e-9
            assert together[name].high >= energy.high - 1e-9
        unread = [s.domain for s in SOURCES if s.domain not in together]
        assert by_id[span.id].energy == total_of(together.values(), unread)
        assert by_id[span.id].duration_s == max(0.0, end - span.start_s)
    assert by_id[200].energy is None
    assert by_id[201].energy is None


@pytest.mark.parametrize("spans", [[], [Span(1, None, "epoch", "", 0.0, 0.0, 0)]])
def test_no_spans_and_empty_ones(spans):
    summary = summarize(recording(spans))
    assert [e.energy for e in summary.epochs] == [None] * len(spans)
