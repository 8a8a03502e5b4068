"""What lies outside the epochs, in time and energy."""

from dataclasses import replace

import numpy as np
import pytest

from fakes.recordings import source
from joulecast.estimate import add_independent
from joulecast.recording.integrate import curve
from joulecast.recording.model import Samples, Span
from joulecast.recording.outside import outside_epochs


def span(start_s, end_s, number=1):
    return Span(number, None, "epoch", "epoch", start_s, end_s, number, 1)


def phase(name, start_s, end_s, number):
    return Span(number, None, "phase", name, start_s, end_s, None, 1)


@pytest.fixture
def curves():
    """100 W for 10 s, then 200 W for 10 s."""
    from joulecast.meters.base import ReadingKind

    t = np.linspace(0, 20, 201)
    joules = np.where(t <= 10, 100 * t, 1000 + 200 * (t - 10))
    samples = Samples(t, joules, joules, joules, t)
    return {"gpu:0": (source("gpu:0"), curve(samples, ReadingKind.COUNTER))}


def test_parts_are_before_between_and_after(curves):
    epochs = [span(2, 8), span(12, 18, 2)]
    phases = [
        phase("validation", 8, 10, 3),
        phase("validation", 18, 19, 4),
        phase("test", 19, 20, 5),
        # Within an epoch, or in part of one.
        phase("validation", 3, 4, 6),
        phase("validation", 9, 13, 7),
        # Within a phase.
        replace(phase("scores", 8.5, 9, 8), parent=3),
    ]
    outside = outside_epochs(epochs, [*epochs, *phases], curves, [], 20)
    parts = (outside.before, outside.between, outside.after)
    assert [p.duration_s for p in parts] == [2, 4, 2]
    assert [p.energy.value for p in parts] == pytest.approx([200, 600, 400])
    assert (outside.duration_s, outside.energy.value) == (8, pytest.approx(1200))
    assert outside.energy.low < 1200 < outside.energy.high
    assert {name: part.duration_s for name, part in outside.phases.items()} == {
        "validation": 3,
        "test": 1,
    }
    assert outside.phases["validation"].energy.value == pytest.approx(400)


def test_epochs_that_overlap_or_have_no_end_are_counted_once(curves):
    outside = outside_epochs([span(2, 8), span(4, None, 2)], [], curves, [], 20)
    assert (outside.duration_s, outside.energy.value) == (2, pytest.approx(200))
    assert (outside.between.duration_s, outside.between.energy) == (0, None)
    assert outside.after.energy is None


def test_without_epochs_there_is_no_outside(curves):
    assert outside_epochs([], [], curves, [], 20) is None
    assert outside_epochs([span(2, 8)], [], {}, [], 20).energy is None


def test_domains_are_added(curves):
    twice = curves | {"gpu:1": curves["gpu:0"]}
    one, two = (outside_epochs([span(2, 8)], [], c, [], 20).energy for c in (curves, twice))
    assert two.value == pytest.approx(2 * one.value)
    assert two == add_independent([one, one])
