"""How the power of a run behaves: when it becomes stable, how stable it then is, and its load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...errors import UsageError
from ...recording.model import Recording
from ...recording.summary import SpanEnergy, summarize
from ...units import Provenance, format_duration, format_quantity, weakest
from ..statistics.aligned_ranks import mean_ranks
from ..statistics.trend import LEAST, stretch_means, theil_sen
from ..table.columns import Array
from .change_point import LEAST_SAMPLES, last_change
from .stabilize import stabilizing_time
from .trace import PowerTrace, power_trace

SCHEMA = "joulecast/power/1"
METHODS = ("cusum", "fluss")

_HOUR = 3600.0
_STRETCHES = 50  # of the stable part, whose means show a drift; neighbors are hardly alike
_LEAST_PAIRS = 10
_LATE = 0.95  # FLUSS names the end of some runs: no stable part is left after it


@dataclass(frozen=True, slots=True)
class Stabilizing:
    """From when on power is stable: 0 from the start; None, with a reason, where it is unknown."""

    method: str
    t_s: float | None
    before_w: float | None
    after_w: float | None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Stability:
    """How stable a figure is from the stabilizing point on.

    Attributes:
        n: values looked at.
        cv: standard deviation over mean.
        drift_pct_per_hour: of the mean, with its 90 % interval; None for `why_no_drift`.
        drift_pct: the same over the stretch that was looked at.
    """

    unit: str
    n: int
    mean: float | None
    cv: float | None
    drift_pct_per_hour: tuple[float, float, float] | None
    drift_pct: float | None
    reason: str | None = None
    why_no_drift: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        d = self.drift_pct_per_hour
        return {
            "unit": self.unit,
            "n": self.n,
            "mean": self.mean,
            "cv": self.cv,
            "drift_pct_per_hour": d and {"value": d[0], "low": d[1], "high": d[2]},
            "drift_pct": self.drift_pct,
            "reason": self.reason,
            "why_no_drift": self.why_no_drift,
        }


@dataclass(frozen=True, slots=True)
class Load:
    """The power of some domains against a gauge of their utilization, over the whole run.

    Attributes:
        rho: Spearman's, over the steps of the trace.
        slope_w: watts per percent, by least squares.
        at_zero_w: watts at 0 %, on that line.
        caution: why it says nothing of the machine, where power is modelled from the load.
    """

    gauge: str
    domains: list[str]
    n: int
    rho: float | None
    slope_w: float | None
    at_zero_w: float | None
    reason: str | None = None
    caution: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "gauge": self.gauge,
            "domains": self.domains,
            "n": self.n,
            "spearman": self.rho,
            "slope_w_per_pct": self.slope_w,
            "power_at_zero_w": self.at_zero_w,
            "reason": self.reason,
            "caution": self.caution,
        }


@dataclass(frozen=True, slots=True)
class PowerBehavior:
    """The power of one run. `trace` is None where nothing was measured."""

    run_id: str
    name: str
    duration_s: float
    provenance: Provenance | None
    trace: PowerTrace | None
    stabilizing: Stabilizing
    power: Stability
    epoch_energy: Stability
    epoch_duration: Stability
    loads: list[Load]
    why_no_loads: str | None
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        """The document `joulecast/power/1`."""
        return {
            "schema": SCHEMA,
            "run_id": self.run_id,
            "name": self.name,
            "duration_s": self.duration_s,
            "provenance": None if self.provenance is None else str(self.provenance),
            "step_s": None if self.trace is None else self.trace.step_s,
            "stabilizing": self.stabilizing.to_json(),
            "power": self.power.to_json(),
            "epoch_energy": self.epoch_energy.to_json(),
            "epoch_duration": self.epoch_duration.to_json(),
            "utilization": [load.to_json() for load in self.loads],
            "why_no_utilization": self.why_no_loads,
            "notes": self.notes,
        }


def power_behavior(recording: Recording, method: str = "cusum") -> PowerBehavior:
    """The stabilizing point of a run's power, its stability from there on, and its load.

    Args:
        recording: of one run, with its samples.
        method: `cusum` (a change of mean power by cumulative sums, at once), or `fluss` (a change
            of its shape, as in arXiv 2307.05520; needs stumpy, which compiles for some 20 s).

    Raises:
        MissingExtraError: stumpy is not installed and asked for.
        UsageError: the method is unknown.
    """
    if method not in METHODS:
        raise UsageError(f"no method {method}: use one of {', '.join(METHODS)}")
    header = recording.header
    trace = power_trace(recording)
    summary = summarize(recording)
    notes: list[str] = []
    stabilizing = _stabilizing(trace, method, notes)
    start = stabilizing.t_s or 0.0
    ended = [e for e in summary.epochs if e.span.end_s is not None]
    stable = [e for e in ended if e.span.start_s >= start]
    loads = [] if trace is None else _loads(trace, recording)
    gauged = any("utilization" in gauge.domain for gauge in header.gauges)
    missing = "gave too few readings" if gauged else "was recorded with this run"
    known = [s.provenance for s in header.sources if trace and s.domain in trace.power_w]
    return PowerBehavior(
        header.run_id,
        header.name,
        recording.duration_s,
        weakest(known) if known else None,
        trace,
        stabilizing,
        _of_power(trace, start),
        _of_epochs(stable, "J", ended),
        _of_epochs(stable, "s", ended),
        loads,
        None if loads else f"{'a' if gauged else 'no'} gauge of utilization {missing}",
        notes,
    )


def _stabilizing(trace: PowerTrace | None, method: str, notes: list[str]) -> Stabilizing:
    if trace is None:
        return Stabilizing(method, None, None, None, "no power was measured")
    watts = trace.total_w
    known = ~np.isnan(watts)
    watts, t_s = watts[known], trace.t_s[known]
    if not known.all():
        notes.append(f"{np.mean(~known) * 100:.1f} % of the run was not measured: passed over")
    if len(watts) < LEAST_SAMPLES:
        steps = f"{LEAST_SAMPLES} steps of {format_duration(trace.step_s)}"
        reason = f"the run is too short to say: it takes {steps}, and has {len(watts)}"
        return Stabilizing(method, None, None, None, reason)
    if method == "fluss":
        found = stabilizing_time(t_s, watts)
        if found is not None and found > t_s[0] + _LATE * (t_s[-1] - t_s[0]):
            reason = f"FLUSS names the end of the run, {format_duration(found)}"
            return Stabilizing(method, None, None, None, reason)
        at = 0 if found is None else int(np.searchsorted(t_s, found))
    else:
        change = last_change(watts)
        at = 0 if change is None else change.at
    later = last_change(watts[at:], 1.0)
    if later is not None:
        notes.append(
            f"mean power changes again at {format_duration(float(t_s[at + later.at]))}, from "
            f"{format_quantity(later.before, 'W')} to {format_quantity(later.after, 'W')}"
        )
    before = float(watts[:at].mean()) if at else None
    return Stabilizing(method, float(t_s[at]) if at else 0.0, before, float(watts[at:].mean()))


def _of_power(trace: PowerTrace | None, start_s: float) -> Stability:
    if trace is None:
        return Stability("W", 0, None, None, None, None, "no power was measured")
    watts = trace.total_w
    keep = ~np.isnan(watts) & (trace.t_s >= start_s)
    watts, t_s = watts[keep], trace.t_s[keep]
    if len(watts) >= 2 * _STRETCHES:
        x, y = stretch_means(t_s, _STRETCHES), stretch_means(watts, _STRETCHES)
        return _stability("W", watts, x, y, "steps")
    return _stability("W", watts, t_s, watts, "steps")


def _of_epochs(stable: Sequence[SpanEnergy], unit: str, ended: Sequence[SpanEnergy]) -> Stability:
    if not ended:
        return Stability(unit, 0, None, None, None, None, "no epoch was marked and ended")
    epochs = [e for e in stable if unit == "s" or e.energy is not None]
    if unit == "s":
        values = [e.duration_s for e in epochs]
    else:
        values = [e.energy.value for e in epochs if e.energy is not None]
    middles = np.array([e.span.start_s + e.duration_s / 2 for e in epochs])
    return _stability(unit, np.array(values), middles, np.array(values), "epochs")


def _stability(unit: str, values: Array, x: Array, y: Array, what: str) -> Stability:
    n = len(values)
    mean = float(values.mean()) if n else None
    if n < 2 or not mean:
        reason = f"{n} {what} from the stabilizing point on" if n < 2 else "it is zero"
        return Stability(unit, n, mean, None, None, None, reason, reason)
    cv = float(values.std(ddof=1)) / mean
    slope = theil_sen(x, y)
    if slope is None:
        why = f"{len(x)} {what}: a drift needs {LEAST}"
        return Stability(unit, n, mean, cv, None, None, None, why)
    low, value, high = (100 * v / mean for v in (slope.low, slope.value, slope.high))
    stretch = float(x[-1] - x[0])
    per_hour = (value * _HOUR, low * _HOUR, high * _HOUR)
    return Stability(unit, n, mean, cv, per_hour, value * stretch)


def _loads(trace: PowerTrace, recording: Recording) -> list[Load]:
    found = []
    sources = {s.domain: s for s in recording.header.sources}
    for gauge, values in trace.gauges.items():
        device, _, what = gauge.partition("/")
        if what != "utilization_pct":
            continue
        kind, numbered, _ = device.partition(":")
        domains = [
            d
            for d in trace.power_w
            if d == device or (not numbered and d.partition(":")[0] == kind)
        ]
        modelled = [d for d in domains if sources[d].provenance is not Provenance.MEASURED]
        caution = None
        if modelled:
            caution = f"the power of {', '.join(modelled)} is modelled: this shows the model"
        found.append(_load(gauge, domains, values, trace, caution))
    return found


def _load(
    gauge: str, domains: list[str], use: Array, trace: PowerTrace, caution: str | None
) -> Load:
    if not domains:
        return Load(gauge, [], 0, None, None, None, "its power was not measured")
    watts = np.sum([trace.power_w[d] for d in domains], axis=0)
    known = ~(np.isnan(watts) | np.isnan(use))
    use, watts = use[known], watts[known]
    reason = None
    if len(use) < _LEAST_PAIRS:
        reason = f"{len(use)} steps with both: it takes {_LEAST_PAIRS}"
    elif np.ptp(use) == 0 or np.ptp(watts) == 0:
        reason = f"{'utilization' if np.ptp(use) == 0 else 'power'} was the same all along"
    if reason is not None:
        return Load(gauge, domains, len(use), None, None, None, reason, caution)
    rho = float(np.corrcoef(mean_ranks(use), mean_ranks(watts))[0, 1])
    slope, at_zero = (float(v) for v in np.polyfit(use, watts, 1))
    return Load(gauge, domains, len(use), rho, slope, at_zero, None, caution)
