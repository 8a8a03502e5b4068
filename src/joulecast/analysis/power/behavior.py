"""How the power of a run behaves: when it becomes stable, how stable it is then, what drives it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import UsageError
from ...estimate import Provenance
from ...recording.summary import SpanEnergy, Summary
from ...units import counted, format_duration, format_quantity
from ..statistics.trend import MIN_POINTS, Slope, segment_means, theil_sen
from ..table.columns import Array
from .change_point import MIN_SAMPLES, last_change
from .stabilize import stabilizing_time
from .trace import PowerTrace, power_trace
from .utilization import PowerByUtilization, power_by_utilization

METHODS = ("cusum", "fluss")
PROFILE_PARTS = 60

_HOUR_S = 3600.0
# A drift is computed from this many segment means: neighboring means are hardly correlated.
_SEGMENTS = 50
# FLUSS returns the end of some runs, where no stable part remains.
_END = 0.95


@dataclass(frozen=True, slots=True)
class Stabilizing:
    """The instant from which power is stable, and the mean power before it and from it on.

    `t_s` is 0 where power is stable from the start, and None where it is unknown, with a `reason`.
    """

    method: str
    t_s: float | None
    before_w: float | None
    after_w: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Stability:
    """How stable a figure is from the stabilizing point on.

    Attributes:
        n: number of values.
        cv: standard deviation / mean; None with a `reason`.
        drift_pct_per_hour: trend in percent of the mean; None with the reason in `why_no_drift`.
        drift_pct: the same trend over the time from the first value to the last.
    """

    unit: str
    n: int
    mean: float | None
    cv: float | None = None
    drift_pct_per_hour: Slope | None = None
    drift_pct: float | None = None
    reason: str | None = None
    why_no_drift: str | None = None


@dataclass(frozen=True, slots=True)
class PowerBehavior:
    """The power of one run.

    Attributes:
        provenance: of most of its energy; None where nothing was measured.
        step_s: of the power trace that all of this is computed from; None where there is none.
        profile_w: mean power in up to 60 equal parts of the run; None where it was not measured.
        power: stability of the power of all domains together.
        epoch_energy: stability of the energy of epochs that began after the stabilizing point.
        epoch_duration: stability of their duration.
        utilization: power against each gauge of utilization.
        notes: what limits these figures.
    """

    duration_s: float
    provenance: Provenance | None
    step_s: float | None
    profile_w: list[float | None]
    stabilizing: Stabilizing
    power: Stability
    epoch_energy: Stability
    epoch_duration: Stability
    utilization: list[PowerByUtilization]
    why_no_utilization: str | None
    notes: list[str]


def power_behavior(summary: Summary, stabilization: str = "cusum") -> PowerBehavior:
    """The stabilizing point of a run's power, its stability from there on, and its utilization.

    Args:
        summary: of one run, whose recording has its samples.
        stabilization: how the stabilizing point is determined: `cusum` (a change of mean power, by
            cumulative sums, immediately) or `fluss` (a change of the shape of power, as in arXiv
            2307.05520; needs stumpy, which compiles for about 20 s).

    Returns:
        Power in W, energy in J, times in s from the start of the run.

    Raises:
        MissingExtraError: `fluss` is asked for and stumpy is not installed.
        UsageError: the method is unknown.

    Examples:
        >>> with joulecast.open_ledger() as ledger:  # doctest: +SKIP
        ...     power_behavior(joulecast.summarize(ledger.load("last"))).stabilizing.t_s
        42.0
    """
    if stabilization not in METHODS:
        methods = ", ".join(METHODS)
        raise UsageError(f"stabilization {stabilization}: unknown method; use one of {methods}")
    recording = summary.recording
    trace = power_trace(recording)
    notes: list[str] = []
    stabilizing = _stabilizing(trace, stabilization, notes)
    start_s = stabilizing.t_s or 0.0
    epochs = summary.complete_epochs
    stable = [e for e in epochs if e.span.start_s >= start_s]
    utilization, why_no_utilization = power_by_utilization(trace, recording)
    measured = trace is not None and summary.total is not None
    return PowerBehavior(
        duration_s=recording.duration_s,
        provenance=summary.total.provenance if measured and summary.total else None,
        step_s=None if trace is None else trace.step_s,
        profile_w=[] if trace is None else _profile(trace.total_w),
        stabilizing=stabilizing,
        power=_power_stability(trace, start_s),
        epoch_energy=_epoch_stability(stable, "J", bool(epochs)),
        epoch_duration=_epoch_stability(stable, "s", bool(epochs)),
        utilization=utilization,
        why_no_utilization=why_no_utilization,
        notes=notes,
    )


def _profile(watts: Array) -> list[float | None]:
    """Means of equal parts."""
    parts = [p[~np.isnan(p)] for p in np.array_split(watts, min(PROFILE_PARTS, len(watts)))]
    return [float(p.mean()) if len(p) else None for p in parts]


def _stabilizing(trace: PowerTrace | None, method: str, notes: list[str]) -> Stabilizing:
    def unknown(reason: str) -> Stabilizing:
        return Stabilizing(method, None, None, None, reason)

    if trace is None:
        return unknown("no power was measured")
    step = format_duration(trace.step_s)
    measured = ~np.isnan(trace.total_w)
    watts, t_s = trace.total_w[measured], trace.t_s[measured]
    if not measured.all():
        lacking = f"{np.sum(~measured):,} of {counted(len(measured), 'step')} of {step}"
        notes.append(f"skipped, because of too few readings: {lacking}")
    if len(watts) < MIN_SAMPLES:
        return unknown(
            f"the run is too short: it has {counted(len(watts), 'step')} of {step}, "
            f"{MIN_SAMPLES} are needed"
        )
    at = _stable_from(t_s, watts, method)
    if at is None:
        return unknown("FLUSS returns the end of the run")
    later = last_change(watts[at:], 1.0)
    if later is not None:
        notes.append(
            f"mean power changes again at {format_duration(float(t_s[at + later.at]))}, from "
            f"{format_quantity(later.before, 'W')} to {format_quantity(later.after, 'W')}"
        )
    before_w = float(watts[:at].mean()) if at else None
    return Stabilizing(method, float(t_s[at]) if at else 0.0, before_w, float(watts[at:].mean()))


def _stable_from(t_s: Array, watts: Array, method: str) -> int | None:
    """The first stable sample; None where that is at the end of the run."""
    if method == "cusum":
        change = last_change(watts)
        return 0 if change is None else change.at
    instant = stabilizing_time(t_s, watts)
    if instant is None:
        return 0
    if instant > t_s[0] + _END * (t_s[-1] - t_s[0]):
        return None
    return int(np.searchsorted(t_s, instant))


def _power_stability(trace: PowerTrace | None, start_s: float) -> Stability:
    if trace is None:
        return Stability("W", 0, None, reason="no power was measured")
    watts = trace.total_w
    keep = ~np.isnan(watts) & (trace.t_s >= start_s)
    watts, t_s = watts[keep], trace.t_s[keep]
    if len(watts) >= 2 * _SEGMENTS:
        x, y = segment_means(t_s, _SEGMENTS), segment_means(watts, _SEGMENTS)
        return _stability("W", watts, x, y, "steps")
    return _stability("W", watts, t_s, watts, "steps")


def _epoch_stability(stable: Sequence[SpanEnergy], unit: str, any_epoch: bool) -> Stability:
    if not any_epoch:
        return Stability(unit, 0, None, reason="no epoch was marked and ended")
    epochs = [e for e in stable if unit == "s" or e.energy is not None]
    if unit == "s":
        values = np.array([e.duration_s for e in epochs])
    else:
        values = np.array([e.energy.value for e in epochs if e.energy is not None])
    middles = np.array([e.span.start_s + e.duration_s / 2 for e in epochs])
    return _stability(unit, values, middles, values, "epochs")


def _stability(unit: str, values: Array, x: Array, y: Array, what: str) -> Stability:
    """Of `values`; the drift is that of `y` over the instants `x`."""
    n = len(values)
    mean = float(values.mean()) if n else None
    if n < 2 or not mean:
        reason = f"{n} {what} from the stabilizing point on" if n < 2 else "it is zero"
        return Stability(unit, n, mean, reason=reason, why_no_drift=reason)
    cv = float(values.std(ddof=1)) / mean
    slope = theil_sen(x, y)
    if slope is None:
        why = f"{len(x)} {what}: a drift needs {MIN_POINTS}"
        return Stability(unit, n, mean, cv, why_no_drift=why)
    low, value, high = (100 * v / mean for v in (slope.low, slope.value, slope.high))
    per_hour = Slope(value * _HOUR_S, low * _HOUR_S, high * _HOUR_S)
    return Stability(unit, n, mean, cv, per_hour, value * float(x[-1] - x[0]))
