"""The carbon intensity of a grid over time, and its mean over the hours of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...recording.integrate import curve
from ...recording.model import Recording

Array = npt.NDArray[np.float64]
EnergyAt = Callable[[Array], Array]
"""Joules used up to each instant (seconds since 1970), monotonic."""


@dataclass(frozen=True, slots=True)
class IntensityPeriod:
    """A stretch of time with one intensity; times are seconds since 1970."""

    start_s: float
    end_s: float
    carbon_g_per_kwh: float
    estimated: bool = False  # a forecast or an estimate of the provider, not yet what it settles on


@dataclass(frozen=True, slots=True)
class IntensitySeries:
    """A grid's intensity by stretches that do not overlap, oldest first, and who says so.

    `marginal`: what one more kWh causes, not what the mean kWh is charged with.
    """

    zone: str
    intervals: tuple[IntensityPeriod, ...]
    provider: str
    source: str
    marginal: bool = False


@dataclass(frozen=True, slots=True)
class Weighted:
    """The mean intensity of a run's joules.

    Attributes:
        carbon_g_per_kwh: over all joules; those not covered count with the figure given for them.
        coverage: the part of the joules that fall in hours whose intensity is known, 0 to 1.
        low_g_per_kwh: the least of the hours that count, and `high_g_per_kwh` the most.
        estimated: the part of the covered joules whose intensity the provider estimates.
    """

    carbon_g_per_kwh: float
    coverage: float
    low_g_per_kwh: float
    high_g_per_kwh: float
    estimated: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def ordered(intervals: Sequence[IntensityPeriod]) -> tuple[IntensityPeriod, ...]:
    """The intervals oldest first, each cut where the next begins: none overlap, none are empty."""
    by_start = sorted(intervals, key=lambda i: i.start_s)
    cut = []
    for i, interval in enumerate(by_start):
        after = by_start[i + 1].start_s if i + 1 < len(by_start) else interval.end_s
        end = min(interval.end_s, after)
        if end > interval.start_s:
            cut.append(
                IntensityPeriod(
                    interval.start_s, end, interval.carbon_g_per_kwh, interval.estimated
                )
            )
    return tuple(cut)


def weighted(
    energy_at: EnergyAt,
    start_s: float,
    end_s: float,
    series: IntensitySeries,
    otherwise_g_per_kwh: float,
) -> Weighted | None:
    """The integral of power times intensity over a run, as the mean intensity of its joules.

    Args:
        energy_at: the run's cumulative energy.
        start_s: of the run, seconds since 1970; `end_s` its end.
        series: what is known of the grid.
        otherwise_g_per_kwh: the intensity of joules used in hours that the series does not know.

    Returns:
        None where no joule falls in an hour that is known.
    """
    known = ordered(series.intervals)
    starts = np.array([i.start_s for i in known])
    ends = np.array([i.end_s for i in known])
    grams = np.array([i.carbon_g_per_kwh for i in known])
    guessed = np.array([float(i.estimated) for i in known])
    a, b = np.clip(starts, start_s, end_s), np.clip(ends, start_s, end_s)
    joules = np.maximum(energy_at(b) - energy_at(a), 0.0) if len(known) else np.empty(0)
    first, last = energy_at(np.array([start_s, end_s]))
    total, covered = float(last - first), float(joules.sum())
    if not (total > 0 and covered > 0):
        return None
    coverage = min(1.0, covered / total)
    mean = float((joules * grams).sum()) / covered
    used = grams[joules > 0]
    around = [*used, otherwise_g_per_kwh] if coverage < 1 else list(used)
    return Weighted(
        coverage * mean + (1 - coverage) * otherwise_g_per_kwh,
        coverage,
        float(min(around)),
        float(max(around)),
        float((joules * guessed).sum()) / covered,
    )


def energy_of(recording: Recording) -> EnergyAt | None:
    """The cumulative energy of all domains of a recording, J; None where nothing was measured.

    Before its first and after its last reading a domain uses nothing; a gap of a power meter too.
    """
    curves = []
    for source in recording.header.sources:
        samples = recording.samples.get(source.domain)
        if samples is not None and len(samples) > 1:
            gaps = [gap for gap in recording.gaps if gap.domain == source.domain]
            curves.append(curve(samples, source.kind, gaps))
    if not curves:
        return None
    started = recording.header.started_at

    def at(t_s: Array) -> Array:
        total: Array = sum((c.at(t_s - started)[0] for c in curves), np.zeros(len(t_s)))
        return total

    return at


def steady(start_s: float, end_s: float, joules: float) -> EnergyAt:
    """The cumulative energy of a run that is only known as a whole: even over its time."""
    return lambda t_s: joules * np.clip((t_s - start_s) / max(end_s - start_s, 1e-9), 0.0, 1.0)
