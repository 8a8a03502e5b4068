"""The gauges of a run: mean, minimum, maximum and last value. Pure functions on a recording.

A gauge that is read at an instant is interpolated linearly between its readings. One that counts
(`ReadingKind.COUNTER`: CPU time) is differentiated, which is exact. Segments without readings are
left out.
"""

from dataclasses import dataclass

import numpy as np

from ..estimate import Provenance
from ..meters.base import GaugeSource, ReadingKind
from ..units import format_duration
from .integrate import SLACK_S, UPDATES_TO_RESOLVE, EnergyCurve, curve
from .model import Array, Gap, Recording

MIN_WINDOW_S = 0.5
"""Shortest window of a rate: CPU time is counted in ticks of 10 ms, 2 % of it."""

_WHOLE_DEVICE = "device_memory_bytes"
_OF_THE_RUN = "memory_bytes"


@dataclass(frozen=True, slots=True)
class GaugeSummary:
    """One gauge over a run; the figures are None for the reason given.

    Attributes:
        name: `gpu:0/utilization_pct`.
        unit: `%`, `B`, `°C`.
        mean: weighted by time.
        min: of a gauge that counts, `min`, `max` and `last` are means over about a second.
        max: see `min`.
        last: see `min`.
        provenance: where the figures come from.
        source: what was read, for people.
        device: what it belongs to.
        reason: why figures are missing; None where it was read to the end of the run.
    """

    name: str
    unit: str
    mean: float | None
    min: float | None
    max: float | None
    last: float | None
    provenance: Provenance
    source: str
    device: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """The readings of one gauge within the run."""

    source: GaugeSource
    integral: EnergyCurve  # its `energy_j` is unit x seconds
    gaps: list[Gap]

    @property
    def counts(self) -> bool:
        """Whether it is the slope of a count, each value a mean since the one before."""
        return self.source.kind is ReadingKind.COUNTER

    def mean(self, start_s: float, end_s: float) -> float | None:
        """Time-weighted mean between two times, over what was read; None where nothing was."""
        read_s = self.integral.read_seconds(start_s, end_s)
        if read_s <= 0:
            return None
        integral, _, _ = self.integral.between(start_s, end_s)
        return integral / read_s

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
    """Some of the instants, at least `MIN_WINDOW_S` apart where possible, and the end."""
    end = min(float(t_s[-1]), end_s)
    kept = [float(t_s[0])]
    for t in t_s.tolist():
        if t - kept[-1] >= MIN_WINDOW_S and end - t >= MIN_WINDOW_S:
            kept.append(t)
    return np.array([*kept, end] if end > kept[-1] else kept)


def tracks(recording: Recording) -> list[Track]:
    """The gauges that were read, in the order of the header."""
    gaps_of = recording.gaps_of
    tracks_read = []
    for source in recording.header.gauges:
        samples = recording.samples.get(source.domain)
        if samples is not None and len(samples):
            gaps = gaps_of[source.domain]
            kind = ReadingKind.COUNTER if source.kind is ReadingKind.COUNTER else ReadingKind.POWER
            tracks_read.append(Track(source, curve(samples, kind, gaps), gaps))
    return tracks_read


def summarize_gauges(recording: Recording, read: list[Track]) -> list[GaugeSummary]:
    """One for each gauge of the run, those included that could not be read; `read` of `tracks`.

    GPU memory is that of the run's own processes where the driver reports it, else of the whole
    device: its source names which.
    """
    gaps_of = recording.gaps_of
    by_name = {track.source.domain: track for track in read}
    summaries = []
    for source in recording.header.gauges:
        device, _, what = source.domain.partition("/")
        if what == _WHOLE_DEVICE and f"{device}/{_OF_THE_RUN}" not in by_name:
            # It only replaces the figure of the run's own processes.
            continue
        track = by_name.get(source.domain)
        if track is None and what == _OF_THE_RUN:
            track = by_name.get(f"{device}/{_WHOLE_DEVICE}")
        reasons = [gap.reason for gap in gaps_of[source.domain]]
        summaries.append(_summary(source, track, reasons, recording.duration_s))
    return summaries


def _summary(
    source: GaugeSource, track: Track | None, reasons: list[str], end_s: float
) -> GaugeSummary:
    if track is None:
        reason = source.reason or (reasons[-1] if reasons else _no_reading(source, end_s))
        return _unknown(source, reason)
    _, values = track.series(end_s)
    if not len(values):
        return _unknown(source, _no_reading(source, end_s))
    low, high = float(values.min()), float(values.max())
    mean = track.mean(0.0, end_s)
    # An integral divided by a duration is rounded: the mean of a constant may miss it by a bit.
    mean = float(values[0]) if mean is None else min(max(mean, low), high)
    lost = [gap for gap in track.gaps if gap.end_s is None]
    return GaugeSummary(
        *(source.domain, source.unit, mean, low, high, float(values[-1])),
        provenance=track.source.provenance,
        source=track.source.source,
        device=source.device,
        reason=f"from {format_duration(lost[-1].start_s)} on: {lost[-1].reason}" if lost else None,
    )


def _unknown(source: GaugeSource, reason: str) -> GaugeSummary:
    figures = (None, None, None, None)
    about = (source.provenance, source.source, source.device, reason)
    return GaugeSummary(source.domain, source.unit, *figures, *about)


def _no_reading(source: GaugeSource, duration_s: float) -> str:
    if duration_s >= 2 * source.update_period_s:
        return "it gave no reading"
    return f"{format_duration(duration_s)} is too short for it"


def mean_of(read: list[Track], start_s: float, end_s: float) -> dict[str, float]:
    """The mean of each gauge in a window of the run, by name; not of those too slow for it."""
    means = {}
    for track in read:
        if end_s - start_s < UPDATES_TO_RESOLVE * track.source.update_period_s - SLACK_S:
            continue
        if (mean := track.mean(start_s, end_s)) is not None:
            means[track.source.domain] = mean
    return means
