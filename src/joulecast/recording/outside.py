"""What a run used outside its epochs: imports and data before, evaluation between, tests after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..meters.base import Source
from ..units import Estimate
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
    """What lies outside the epochs: in all, before the first, between them, and after the last."""

    duration_s: float
    energy: Estimate | None
    before: OutsidePart
    between: OutsidePart
    after: OutsidePart


def outside_epochs(
    epochs: Sequence[Span], curves: Curves, lacking: Sequence[str], duration_s: float
) -> OutsideEpochs | None:
    """What lies outside the epochs of a run of this duration; None where it has none.

    `lacking` names the domains without readings.
    """
    if not epochs:
        return None
    covered = 0.0
    gaps = []
    for span in sorted(epochs, key=lambda span: span.start_s):
        gaps.append((covered, max(covered, span.start_s)))
        covered = max(covered, duration_s if span.end_s is None else span.end_s)
    gaps.append((covered, max(covered, duration_s)))
    parts = [_part(windows, curves, lacking) for windows in (gaps, gaps[:1], gaps[1:-1], gaps[-1:])]
    return OutsideEpochs(parts[0].duration_s, parts[0].energy, *parts[1:])


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
