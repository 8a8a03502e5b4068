"""The carbon intensity of a grid over time, and its mean over the hours of a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ...recording.integrate import energy_curves
from ...recording.model import Array, Recording

EnergyAt = Callable[[Array], Array]
"""Joules used up to each instant (seconds since 1970), monotonic."""


@dataclass(frozen=True, slots=True)
class MeanIntensity:
    """The mean intensity of a run's joules.

    Attributes:
        carbon_g_per_kwh: over all joules; those outside the series count with a given intensity.
        coverage: fraction of the joules that fall in hours of the series, 0 to 1.
        low_g_per_kwh: lowest intensity that was used.
        high_g_per_kwh: highest intensity that was used.
        estimated: fraction of the covered joules whose intensity is the provider's estimate.
    """

    carbon_g_per_kwh: float
    coverage: float
    low_g_per_kwh: float
    high_g_per_kwh: float
    estimated: float


@dataclass(frozen=True, slots=True)
class IntensityPeriod:
    """A period of one intensity; times are seconds since 1970.

    `estimated`: the provider's forecast or estimate, which it may still revise.
    """

    start_s: float
    end_s: float
    carbon_g_per_kwh: float
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class IntensitySeries:
    """A provider's intensity of a grid, in periods that do not overlap, oldest first.

    `marginal`: the emissions that one more kWh causes, instead of those of the average kWh.
    """

    zone: str
    intervals: tuple[IntensityPeriod, ...]
    provider: str
    source: str
    marginal: bool = False


def ordered(intervals: Sequence[IntensityPeriod]) -> tuple[IntensityPeriod, ...]:
    """The intervals oldest first, each cut where the next begins: none overlap, none are empty."""
    by_start = sorted(intervals, key=lambda i: i.start_s)
    ends = [min(i.end_s, after.start_s) for i, after in pairwise(by_start)]
    ends += [i.end_s for i in by_start[-1:]]
    cut = [replace(i, end_s=end) for i, end in zip(by_start, ends, strict=True)]
    return tuple(i for i in cut if i.end_s > i.start_s)


def mean_intensity(
    energy_at: EnergyAt,
    start_s: float,
    end_s: float,
    series: IntensitySeries,
    otherwise_g_per_kwh: float,
) -> MeanIntensity | None:
    """The integral of power times intensity over a run, as the mean intensity of its joules.

    Args:
        energy_at: the run's cumulative energy.
        start_s: of the run, seconds since 1970.
        end_s: of the run.
        series: the intensity of the grid.
        otherwise_g_per_kwh: the intensity of joules used in hours that the series does not cover.

    Returns:
        None where no joule falls in an hour of the series.
    """
    periods = ordered(series.intervals)
    starts = np.array([i.start_s for i in periods])
    ends = np.array([i.end_s for i in periods])
    grams = np.array([i.carbon_g_per_kwh for i in periods])
    estimated = np.array([float(i.estimated) for i in periods])
    a, b = np.clip(starts, start_s, end_s), np.clip(ends, start_s, end_s)
    joules = np.maximum(energy_at(b) - energy_at(a), 0.0) if len(periods) else np.empty(0)
    first, last = energy_at(np.array([start_s, end_s]))
    total, covered = float(last - first), float(joules.sum())
    if not (total > 0 and covered > 0):
        return None
    coverage = min(1.0, covered / total)
    mean = float((joules * grams).sum()) / covered
    used = list(grams[joules > 0]) + ([otherwise_g_per_kwh] if coverage < 1 else [])
    return MeanIntensity(
        coverage * mean + (1 - coverage) * otherwise_g_per_kwh,
        coverage,
        float(min(used)),
        float(max(used)),
        float((joules * estimated).sum()) / covered,
    )


def energy_of(recording: Recording) -> EnergyAt | None:
    """The cumulative energy of all domains of a recording, J; None where nothing was measured.

    Before its first and after its last reading a domain uses nothing; a gap of a power meter too.
    """
    curves = energy_curves(recording).values()
    if not curves:
        return None
    started_at = recording.header.started_at

    def energy_at(t_s: Array) -> Array:
        total: Array = sum((c.at(t_s - started_at)[0] for _, c in curves), np.zeros(len(t_s)))
        return total

    return energy_at


def steady(start_s: float, end_s: float, joules: float) -> EnergyAt:
    """The cumulative energy of a run of constant power, J."""
    return lambda t_s: joules * np.clip((t_s - start_s) / max(end_s - start_s, 1e-9), 0.0, 1.0)
