"""Reads meters or gauges, each at its own rate, and marks gaps."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..errors import MeterLostError
from ..estimate import Provenance
from ..meters.base import Gauge, GaugeSource, Meter, Reading, ReadingKind, Source
from ..units import format_duration
from .model import Gap, Samples

MAX_CPU_SHARE = 0.005
"""Maximum share of one core per meter: one whose reading takes long is read less often."""

ANSWER_S = 5.0
"""A driver that takes this much longer than its meter's update period is treated as hanging."""

# A model may be silent for so many times as long as power.
_MODELLED_GAPS = 3


def max_gap_s(source: Source | GaugeSource, interval_s: float) -> float:
    """Maximum time between readings of power; a longer one is a gap, where power is unknown."""
    return max(1.0, 5 * interval_s, 5 * source.update_period_s)


class _Schedule:
    """One meter, the time of its next reading, and its last reading."""

    def __init__(self, meter: Meter | Gauge, interval_s: float) -> None:
        self.meter = meter
        self.domain = meter.source.domain
        self.max_gap_s = max_gap_s(meter.source, interval_s)
        # By the clock.
        self.due_s = -np.inf
        # CPU time of the last reading.
        self.cost_s = 0.0
        # From that to the next.
        self.every_s = 0.0
        self.last: Reading | None = None

    def longest_silence_s(self) -> float:
        """Between two readings; what happened in a longer one is unknown, which is a gap.

        A counter that measures goes on counting. A model of a process tree loses what began and
        ended in between.
        """
        source = self.meter.source
        if source.kind is ReadingKind.POWER:
            return self.max_gap_s
        if source.kind is ReadingKind.GAUGE:
            return max(self.max_gap_s, 2 * self.every_s)
        if isinstance(source, GaugeSource) or source.provenance is Provenance.MEASURED:
            return math.inf
        return max(_MODELLED_GAPS * self.max_gap_s, 2 * self.every_s)

    @property
    def last_s(self) -> float:
        """Time of its last reading; the start of the run where it has none."""
        return self.last.t_s if self.last else 0.0


class Sampler:
    """Reads `meters` at most every `interval_s`; times are seconds since `start_s` of the clock.

    Has no thread: `tick` does one round. `take` returns the readings so far to any thread, also
    while a driver blocks in a round, because no lock is taken while a meter is read.
    """

    def __init__(
        self,
        meters: Sequence[Meter | Gauge],
        clock: Callable[[], float],
        interval_s: float,
        cpu_clock: Callable[[], float] = time.thread_time,
        max_cpu_share: float = MAX_CPU_SHARE,  # of each
    ) -> None:
        self._schedules = [_Schedule(meter, interval_s) for meter in meters]
        self._clock, self._cpu_clock = clock, cpu_clock
        self._interval_s = interval_s
        self._max_cpu_share = max_cpu_share
        self.start_s = clock()
        # Gaps that were not taken yet, oldest first.
        self.gaps: list[Gap] = []
        self._pending: dict[str, list[Reading]] = {}
        self._lock = threading.Lock()
        # The domain whose driver is being read, and since when.
        self._busy: tuple[str, float] | None = None

    def tick(self, *, everything: bool = False) -> dict[str, Reading]:
        """One round: reads every meter that is due (or all of them); the new readings by domain."""
        readings: dict[str, Reading] = {}
        for schedule in list(self._schedules):
            # A meter is due half an interval early, so that an early tick does not skip it.
            if not everything and self._clock() < schedule.due_s - self._interval_s / 2:
                continue
            reading = self._read(schedule)
            if reading is not None:
                readings[schedule.domain] = reading
        with self._lock:
            for domain, reading in readings.items():
                self._pending.setdefault(domain, []).append(reading)
        return readings

    def _read(self, schedule: _Schedule) -> Reading | None:
        source = schedule.meter.source
        cpu_before = self._cpu_clock()
        self._busy = schedule.domain, self._clock()
        try:
            reading = schedule.meter.read()
            if reading is None or not _is_finite(reading):
                # Treated as no reading; a long time without one becomes a gap.
                return None
            note, warning = schedule.meter.note(), schedule.meter.warning()
        except MeterLostError as error:
            self._lose(schedule, str(error))
            return None
        except Exception as error:
            # A fault in one meter's driver must not end the recording.
            self._lose(schedule, f"{type(error).__name__}: {error}")
            return None
        finally:
            self._busy = None
        # The lower of two costs, because one slow reading may have had a garbage collection in it.
        cost, schedule.cost_s = schedule.cost_s, self._cpu_clock() - cpu_before
        cost = min(cost, schedule.cost_s)
        t_s = reading.t_s - self.start_s
        # Of a gauge a millisecond is enough, and regular times are stored in next to nothing.
        t_s = round(t_s, 3) if source.kind is ReadingKind.GAUGE else t_s
        reading = replace(reading, t_s=t_s)
        since = schedule.last_s
        if schedule.last is not None and reading.t_s <= since:
            # The meter has no new reading.
            return None
        if warning:
            self.gaps.append(Gap(schedule.domain, reading.t_s, reading.t_s, warning))
        if note:
            self.gaps.append(Gap(schedule.domain, since, reading.t_s, note))
        elif reading.t_s - since > schedule.longest_silence_s():
            why = f"no reading for {format_duration(reading.t_s - since)}"
            why += "" if source.kind is ReadingKind.GAUGE else " (the sampler was delayed)"
            self.gaps.append(Gap(schedule.domain, since, reading.t_s, why))
        schedule.last = reading
        schedule.every_s = max(self._interval_s, source.update_period_s, cost / self._max_cpu_share)
        schedule.due_s = self._clock() + schedule.every_s
        return reading

    def _lose(self, schedule: _Schedule, reason: str) -> None:
        self._schedules.remove(schedule)
        trouble = self._close(schedule)
        reason = f"{reason}; {trouble}" if trouble else reason
        self.gaps.append(Gap(schedule.domain, schedule.last_s, None, reason))

    def horizon_s(self) -> float:
        """Time up to which every meter that still answers has been read, s."""
        now = self._clock()
        answering = [p.last_s for p in self._schedules if now <= p.due_s + p.max_gap_s]
        return min(answering, default=np.inf)

    def take(self) -> dict[str, Samples]:
        """The readings gathered since the last call, by domain."""
        with self._lock:
            pending, self._pending = self._pending, {}
        return {domain: to_samples(readings) for domain, readings in pending.items()}

    def take_gaps(self) -> list[Gap]:
        """The gaps found since the last call; to be called between rounds."""
        gaps, self.gaps = self.gaps, []
        return gaps

    def hanging(self) -> str | None:
        """The domain whose driver blocks, if any."""
        busy = self._busy
        if busy is None:
            return None
        domain, since = busy
        period = next(
            (p.meter.source.update_period_s for p in self._schedules if p.domain == domain), 0
        )
        return domain if self._clock() - since > ANSWER_S + period else None

    def mark_silent(self, end_s: float) -> None:
        """The run has ended: mark meters that had stopped answering before."""
        for schedule in self._schedules:
            if end_s - schedule.last_s > schedule.max_gap_s:
                more = "more " if schedule.last else ""
                reason = f"it gave no {more}readings that can be believed"
                self.gaps.append(Gap(schedule.domain, schedule.last_s, None, reason))

    def close(self) -> list[str]:
        """Close every meter. Returns what went wrong."""
        return [trouble for schedule in self._schedules if (trouble := self._close(schedule))]

    def _close(self, schedule: _Schedule) -> str | None:
        self._busy = schedule.domain, self._clock()
        try:
            schedule.meter.close()
        except Exception as error:
            # A fault in one meter's driver must not end the recording.
            return f"{schedule.domain}: closing its meter failed: {type(error).__name__}: {error}"
        finally:
            self._busy = None
        return None


def _is_finite(r: Reading) -> bool:
    return all(math.isfinite(x) for x in (r.t_s, r.value, r.low, r.high, r.held_s))


def to_samples(readings: Sequence[Reading]) -> Samples:
    """Readings of one domain as arrays."""
    rows = [(r.t_s, r.value, r.low, r.high, r.held_s) for r in readings]
    columns = np.array(rows, dtype=float).reshape(-1, 5).T
    return Samples(*(np.ascontiguousarray(c) for c in columns))
