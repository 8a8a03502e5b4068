"""What a run used outside its epochs: imports and data before, evaluation between, tests after."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..estimate import Estimate
from ..meters.base import Source
from .integrate import EnergyCurve, total_of, with_edges
from .model import Span

Curves = Mapping[str, tuple[Source, EnergyCurve]]


@dataclass(frozen=True, slots=True)
class OutsidePart:
    """Time outside the epochs, and its energy, J; None where nothing was measured in it."""

    duration_s: float
    energy: Estimate | None


@dataclass(frozen=True, slots=True)
class OutsideEpochs:
    """What lies outside the epochs: in all, before the first, between them, and after the last.

    `phases` are the parts of it that have a name, such as "validation".
    """

    duration_s: float
    energy: Estimate | None
    before: OutsidePart
    between: OutsidePart
    after: OutsidePart
    phases: dict[str, OutsidePart]


def outside_epochs(
    epochs: Sequence[Span],
    others: Sequence[Span],
    curves: Curves,
    lacking: Sequence[str],
    duration_s: float,
) -> OutsideEpochs | None:
    """What lies outside the epochs of a run of this duration; None where it has none.

    `others` are its other spans; `lacking` names the domains without readings.
    """
    if not epochs:
        return None
    covered = 0.0
    gaps = []
    for span in sorted(epochs, key=lambda span: span.start_s):
        gaps.append((covered, max(covered, span.start_s)))
        covered = max(covered, duration_s if span.end_s is None else span.end_s)
    gaps.append((covered, max(covered, duration_s)))
    whole, before, between, after = (
        _part(windows, curves, lacking) for windows in (gaps, gaps[:1], gaps[1:-1], gaps[-1:])
    )
    phases = {
        name: _part(windows, curves, lacking)
        for name, windows in _phases_within(gaps, others).items()
    }
    return OutsideEpochs(whole.duration_s, whole.energy, before, between, after, phases)


def _phases_within(
    gaps: Sequence[tuple[float, float]], others: Sequence[Span]
) -> dict[str, list[tuple[float, float]]]:
    """The times of the outermost phases that lie within the gaps, by name."""
    windows = defaultdict(list)
    starts = [start for start, _ in gaps]
    for span in others:
        if span.kind == "phase" and span.parent is None and span.end_s is not None:
            end_s = gaps[max(bisect_right(starts, span.start_s) - 1, 0)][1]
            if span.end_s <= end_s:
                windows[span.name].append((span.start_s, span.end_s))
    return windows


def _part(
    windows: Sequence[tuple[float, float]], curves: Curves, lacking: Sequence[str]
) -> OutsidePart:
    duration = sum(end - start for start, end in windows)
    starts, ends = np.array(windows).reshape(-1, 2).T
    energies = []
    for source, c in curves.values():
        value, low, high = (c.at(ends) - c.at(starts)).sum(axis=1)
        energies.append(with_edges((value, low, high), duration, source, c.machine))
    return OutsidePart(duration, total_of((e for e in energies if e is not None), lacking))
