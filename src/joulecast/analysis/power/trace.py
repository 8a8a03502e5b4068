"""The power of a recording and its gauges in the same equal steps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...meters.base import ReadingKind, Source
from ...recording.gauge_summary import tracks
from ...recording.integrate import UPDATES_TO_RESOLVE, EnergyCurve, energy_curves
from ...recording.model import Recording
from ..table.columns import Array

# A run shorter than 200 s is cut into this many steps, where its meters are fast enough.
_MIN_STEPS = 200
_MAX_STEPS = 50_000
# The part of a step that must have been measured.
_COVERED = 0.99


@dataclass(frozen=True, slots=True)
class PowerTrace:
    """Mean power of each domain, and mean of each gauge, in equal steps.

    Attributes:
        step_s: length of a step.
        t_s: start of each step, shape (n,).
        power_w: by domain, shape (n,); NaN where it was not measured.
        gauges: by name, shape (n,), in the gauge's unit; NaN where it was not measured.
    """

    step_s: float
    t_s: Array
    power_w: dict[str, Array]
    gauges: dict[str, Array]

    @property
    def total_w(self) -> Array:
        """Of all domains together, shape (n,); NaN where one of them was not measured."""
        total = np.zeros(len(self.t_s))
        for watts in self.power_w.values():
            total += watts
        return total


def power_trace(recording: Recording) -> PowerTrace | None:
    """The trace of a recording, or None where no domain has two readings.

    Steps are a second long; longer where a meter is slower (five updates of a counter), shorter
    in a short run.
    """
    curves = energy_curves(recording).values()
    duration_s = recording.duration_s
    if not curves or duration_s <= 0:
        return None
    step_s = _step_s([source for source, _ in curves], recording)
    count = max(1, int(duration_s / step_s))
    edges: Array = np.arange(count + 1, dtype=np.float64) * step_s
    return PowerTrace(
        step_s,
        edges[:-1],
        {source.domain: _mean_rates(c, edges) for source, c in curves},
        {
            track.source.domain: _mean_rates(track.integral, edges)
            for track in tracks(recording)
            if len(track.integral.t_s) > 1
        },
    )


def _step_s(sources: Sequence[Source], recording: Recording) -> float:
    slowest_s = max(
        s.update_period_s * (UPDATES_TO_RESOLVE if s.kind is ReadingKind.COUNTER else 1)
        for s in sources
    )
    duration_s = recording.duration_s
    usual_s = min(1.0, duration_s / _MIN_STEPS)
    return max(slowest_s, recording.header.interval_s, usual_s, duration_s / _MAX_STEPS)


def _mean_rates(c: EnergyCurve, edges: Array) -> Array:
    """Mean rate of a curve between each two edges; NaN where less than all of it was measured."""
    clipped = np.clip(edges, c.t_s[0], c.t_s[-1])
    in_step_s = np.diff(np.interp(clipped, c.t_s, c.read_s))
    step_s = edges[1] - edges[0]
    # Readings begin after the run does and end before it, so that half of the first and of the
    # last step is enough.
    enough_s = np.full(len(in_step_s), _COVERED * step_s)
    enough_s[[0, -1]] = step_s / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        rates: Array = np.where(in_step_s >= enough_s, np.diff(c.at(edges)[0]) / in_step_s, np.nan)
    return rates
