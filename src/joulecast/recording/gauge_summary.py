"""What the gauges of a run say: mean, least, most and last. Pure functions on a recording.

Mean and series of a gauge that is read at an instant come from straight lines between its readings,
those of one that counts (`ReadingKind.COUNTER`: CPU time) from its differences, which are exact.
A segment without readings counts for neither.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..meters.base import GaugeSource, ReadingKind
from ..units import Provenance, format_duration
from .integrate import SLACK_S, UPDATES_TO_RESOLVE, EnergyCurve, curve
from .model import Array, Gap, Recording

LEAST_WINDOW_S = 0.5
"""A rate is told over no less: CPU time is counted in ticks of 10 ms, a fiftieth of it."""

_WHOLE_DEVICE = "device_memory_bytes"
_OF_THE_RUN = "memory_bytes"


@dataclass(frozen=True, slots=True)
class GaugeSummary:
    """One gauge over the run, in its `unit`; the figures are None for the reason given.

    `mean` is time-weighted. Of a gauge that counts, `min`, `max` and `last` are means over
    about a second. `reason` is "" where it was read to the end of the run.
    """

    source: GaugeSource
    mean: float | None
    min: float | None
    max: float | None
    last: float | None
    reason: str = ""

    @property
    def name(self) -> str:
        """Its name: `gpu:0/utilization_pct`."""
        return self.source.domain

    @property
    def unit(self) -> str:
        """`%`, `B`, `°C`."""
        return self.source.unit

    @property
    def provenance(self) -> Provenance:
        """Where its figures come from."""
        return self.source.provenance

    def to_json(self) -> dict[str, Any]:
        """As it stands in `joulecast/recording/1`."""
        return {
            "name": self.name,
            "unit": self.unit,
            "mean": self.mean,
            "min": self.min,
            "max": self.max,
            "last": self.last,
            "provenance": str(self.provenance),
            "source": self.source.source,
            "device": self.source.device,
            "reason": self.reason or None,
        }


@dataclass(frozen=True, slots=True)
class Track:
    """What one gauge said within the run."""

    source: GaugeSource
    integral: EnergyCurve  # its `energy_j` is unit x seconds
    gaps: list[Gap]

    @property
    def counts(self) -> bool:
        """Whether it is the slope of a count, each value a mean since the one before."""
        return self.source.kind is ReadingKind.COUNTER

    def mean(self, start_s: float, end_s: float) -> float | None:
        """Time-weighted mean between two times, over what was read; None where nothing was."""
        first, last = float(self.integral.t_s[0]), float(self.integral.t_s[-1])
        start, end = max(start_s, first), min(end_s, last)
        read = end - start - self._silent(start, end)
        if read <= 0:
            return None
        integral, _, _ = self.integral.between(start, end)
        return integral / float(read)

    def _silent(self, start_s: float, end_s: float) -> float:
        if self.counts:  # it went on counting
            return 0.0
        t, closed = self.integral.t_s, self.integral.open == 0
        lengths = np.clip(t[1:], start_s, end_s) - np.clip(t[:-1], start_s, end_s)
        return float(lengths[closed].sum())

    def series(self, end_s: float) -> tuple[Array, Array]:
        """Times and values up to the end of the run; of one that counts, ends of its windows."""
        if not self.counts:
            assert self.integral.power_w is not None
            inside = self.integral.t_s <= end_s
            return self.integral.t_s[inside], self.integral.power_w[0][inside]
        ends = window_ends(self.integral.t_s, end_s)
        total = self.integral.at(ends)[0]
        return ends[1:], np.diff(total) / np.diff(ends)


def window_ends(t_s: Array, end_s: float) -> Array:
    """Some of the instants, at least `LEAST_WINDOW_S` apart where there is so much, and the end."""
    end = min(float(t_s[-1]), end_s)
    kept = [float(t_s[0])]
    for t in t_s.tolist():
        if t - kept[-1] >= LEAST_WINDOW_S and end - t >= LEAST_WINDOW_S:
            kept.append(t)
    return np.array([*kept, end] if end > kept[-1] else kept)


def tracks(recording: Recording) -> list[Track]:
    """The gauges that were read, in the order of the header."""
    found = []
    for source in recording.header.gauges:
        samples = recording.samples.get(source.domain)
        if samples is not None and len(samples):
            gaps = [gap for gap in recording.gaps if gap.domain == source.domain]
            kind = ReadingKind.COUNTER if source.kind is ReadingKind.COUNTER else ReadingKind.POWER
            found.append(Track(source, curve(samples, kind, gaps), gaps))
    return found


def summarize_gauges(recording: Recording, read: list[Track]) -> list[GaugeSummary]:
    """One for each gauge of the run, those included that could not be read; `read` of `tracks`.

    GPU memory is that of the run's own processes where the driver told it, else of the whole
    device: its source says which.
    """
    told = {track.source.domain: track for track in read}
    found = []
    for source in recording.header.gauges:
        device, _, what = source.domain.partition("/")
        if what == _WHOLE_DEVICE and f"{device}/{_OF_THE_RUN}" not in told:
            continue  # it stands in for the run's own
        track = told.get(source.domain)
        if track is None and what == _OF_THE_RUN:
            track = told.get(f"{device}/{_WHOLE_DEVICE}")
        found.append(_summary(source, track, recording))
    return found


def _summary(source: GaugeSource, track: Track | None, recording: Recording) -> GaugeSummary:
    reasons = [gap.reason for gap in recording.gaps if gap.domain == source.domain]
    end_s = recording.duration_s
    if track is None:
        reason = source.reason or (reasons[-1] if reasons else _no_reading(source, end_s))
        return GaugeSummary(source, None, None, None, None, reason)
    _, values = track.series(end_s)
    if not len(values):
        return GaugeSummary(source, None, None, None, None, _no_reading(source, end_s))
    least, most = float(values.min()), float(values.max())
    mean = track.mean(0.0, end_s)
    lost = [gap for gap in track.gaps if gap.end_s is None]
    whose = replace(source, source=track.source.source, provenance=track.source.provenance)
    reason = f"from {format_duration(lost[-1].start_s)} on: {lost[-1].reason}" if lost else ""
    return GaugeSummary(
        whose,
        # An integral over a length rounds: of a constant, the quotient may miss it by a bit.
        float(values[0]) if mean is None else min(max(mean, least), most),
        least,
        most,
        float(values[-1]),
        reason,
    )


def _no_reading(source: GaugeSource, duration_s: float) -> str:
    if duration_s >= 2 * source.update_period_s:
        return "it gave no reading"
    return f"{format_duration(duration_s)} is too short for it"


def mean_of(read: list[Track], start_s: float, end_s: float) -> dict[str, float]:
    """The mean of each gauge in a stretch of the run long enough for it to see, by name."""
    found = {}
    for track in read:
        if end_s - start_s < UPDATES_TO_RESOLVE * track.source.update_period_s - SLACK_S:
            continue
        if (mean := track.mean(start_s, end_s)) is not None:
            found[track.source.domain] = mean
    return found
