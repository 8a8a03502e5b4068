"""The power of a recording and its gauges in the same equal steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...meters.base import ReadingKind, Source
from ...recording.gauge_summary import tracks
from ...recording.integrate import UPDATES_TO_RESOLVE, EnergyCurve, curve
from ...recording.model import Recording
from ..table.columns import Array

_STEPS = 200  # of a run shorter than as many seconds, where its meters are quick enough
_MOST_STEPS = 50_000
_COVERED = 0.99  # of a step that must have been measured


@dataclass(frozen=True, slots=True)
class PowerTrace:
    """Mean power of each domain, and mean of each gauge, in equal steps.

    Attributes:
        step_s: how long a step is.
        t_s: where each begins, shape (n,).
        power_w: by domain, shape (n,); NaN where it was not measured.
        gauges: by name, likewise, in the gauge's unit.
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
    curves: list[tuple[Source, EnergyCurve]] = []
    for source in recording.header.sources:
        samples = recording.samples.get(source.domain)
        if samples is not None and len(samples) > 1:
            gaps = [gap for gap in recording.gaps if gap.domain == source.domain]
            curves.append((source, curve(samples, source.kind, gaps)))
    duration = recording.duration_s
    if not curves or duration <= 0:
        return None
    slowest = max(
        source.update_period_s * (UPDATES_TO_RESOLVE if source.kind is ReadingKind.COUNTER else 1)
        for source, _ in curves
    )
    step = max(
        slowest, recording.header.interval_s, min(1.0, duration / _STEPS), duration / _MOST_STEPS
    )
    count = max(1, int(duration / step))
    edges: Array = np.arange(count + 1, dtype=np.float64) * step
    return PowerTrace(
        step,
        edges[:-1],
        {source.domain: _means(c, edges, source.kind) for source, c in curves},
        {
            track.source.domain: _means(track.integral, edges, track.source.kind)
            for track in tracks(recording)
            if len(track.integral.t_s) > 1
        },
    )


def _means(c: EnergyCurve, edges: Array, kind: ReadingKind) -> Array:
    """Mean rate of a curve between each two edges; NaN where less than all of it was measured."""
    clipped = np.clip(edges, c.t_s[0], c.t_s[-1])
    seconds = np.concatenate([[0.0], np.cumsum(np.diff(c.t_s) * c.open)])
    seen = np.diff(np.interp(clipped, c.t_s, seconds))
    if kind is ReadingKind.COUNTER:
        seen = np.diff(clipped)
    step = edges[1] - edges[0]
    # Readings begin and end some time after the run does: within a step, what was seen stands.
    enough = np.full(len(seen), _COVERED * step)
    enough[[0, -1]] = step / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        rate: Array = np.where(seen >= enough, np.diff(c.at(edges)[0]) / seen, np.nan)
    return rate
