"""Power against utilization, over the steps of a run's power trace."""

from dataclasses import dataclass

import numpy as np

from ...estimate import Provenance
from ...recording.model import Recording
from ...units import counted
from ..statistics.aligned_ranks import mean_ranks
from ..table.columns import Array
from .trace import PowerTrace

_MIN_PAIRS = 10


@dataclass(frozen=True, slots=True)
class PowerByUtilization:
    """The power of some domains against a gauge of their utilization, over the whole run.

    Attributes:
        n: steps in which both are known.
        spearman: rank correlation; None with a `reason`.
        slope_w_per_pct: by least squares.
        power_at_zero_w: at 0 %, on the same line.
        caution: where power is modelled from the load, so that the figures describe the model.
    """

    gauge: str
    domains: list[str]
    n: int
    spearman: float | None = None
    slope_w_per_pct: float | None = None
    power_at_zero_w: float | None = None
    reason: str | None = None
    caution: str | None = None


def power_by_utilization(
    trace: PowerTrace | None, recording: Recording
) -> tuple[list[PowerByUtilization], str | None]:
    """Power against each gauge of utilization; and where there is none, why."""
    gauges = [] if trace is None else [g for g in trace.gauges if g.endswith("/utilization_pct")]
    if trace is not None and gauges:
        return [_against(gauge, trace, recording) for gauge in gauges], None
    if any("utilization" in gauge.domain for gauge in recording.header.gauges):
        return [], "a gauge of utilization gave too few readings"
    return [], "no gauge of utilization was recorded with this run"


def _against(gauge: str, trace: PowerTrace, recording: Recording) -> PowerByUtilization:
    domains = _domains(gauge, trace)
    if not domains:
        return PowerByUtilization(gauge, [], 0, reason="its power was not measured")
    provenances = {s.domain: s.provenance for s in recording.header.sources}
    modelled = [d for d in domains if provenances[d] is not Provenance.MEASURED]
    caution = None
    if modelled:
        caution = f"the power of {', '.join(modelled)} is modelled: this describes the model"
    watts = np.sum([trace.power_w[d] for d in domains], axis=0)
    percent = trace.gauges[gauge]
    both = ~(np.isnan(watts) | np.isnan(percent))
    watts, percent = watts[both], percent[both]
    n = len(watts)
    reason = _why_not(watts, percent)
    if reason is not None:
        return PowerByUtilization(gauge, domains, n, reason=reason, caution=caution)
    spearman = float(np.corrcoef(mean_ranks(percent), mean_ranks(watts))[0, 1])
    slope, at_zero = (float(x) for x in np.polyfit(percent, watts, 1))
    return PowerByUtilization(gauge, domains, n, spearman, slope, at_zero, caution=caution)


def _domains(gauge: str, trace: PowerTrace) -> list[str]:
    """The domain of the gauge's device; all of its kind where the gauge has no number (`cpu`)."""
    device = gauge.partition("/")[0]
    if ":" in device:
        return [device] if device in trace.power_w else []
    return [d for d in trace.power_w if d.partition(":")[0] == device]


def _why_not(watts: Array, percent: Array) -> str | None:
    if len(watts) < _MIN_PAIRS:
        return f"only {counted(len(watts), 'step')} with both figures, {_MIN_PAIRS} are needed"
    if np.ptp(percent) == 0:
        return "utilization did not change"
    if np.ptp(watts) == 0:
        return "power did not change"
    return None
