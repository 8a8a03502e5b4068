"""Reads meters or gauges, each at its own pace, and marks what could not be read."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..errors import MeterLostError
from ..meters.base import Gauge, GaugeSource, Meter, Reading, ReadingKind, Source
from ..units import format_duration
from .model import Gap, Samples

MAX_CPU_SHARE = 0.005
"""A meter whose reading takes long is read less often, so that it costs at most this share of one
core: ten meters of a slow driver must not eat the training's CPU."""

ANSWER_S = 5.0
"""A driver that takes this much longer than its meter's update period is taken to hang."""


def max_gap_s(source: Source | GaugeSource, interval_s: float) -> float:
    """A longer silence of what does not count is a gap: nobody knows what was drawn meanwhile."""
    return max(1.0, 5 * interval_s, 5 * source.update_period_s)


class _Pace:
    """One meter, when it is due, and what it said last."""

    def __init__(self, meter: Meter | Gauge, interval_s: float) -> None:
        self.meter = meter
        self.domain = meter.source.domain
        self.max_gap_s = max_gap_s(meter.source, interval_s)
        self.due_s = -np.inf  # by the clock
        self.cost_s = 0.0  # CPU time of the last reading
        self.every_s = 0.0  # from that to the next
        self.last: Reading | None = None

    @property
    def last_s(self) -> float:
        """When it spoke last; the start of the run where it never did."""
        return self.last.t_s if self.last else 0.0


class Sampler:
    """Reads `meters` at most every `interval_s`; times are seconds since `start_s` of the clock.

    Holds no thread: `tick` does one round. `take` hands over what was gathered, to any thread, also
    while a driver hangs in a round: no lock is held while a meter is read.
    """

    def __init__(
        self,
        meters: Sequence[Meter | Gauge],
        clock: Callable[[], float],
        interval_s: float,
        cpu_clock: Callable[[], float] = time.thread_time,
        max_cpu_share: float = MAX_CPU_SHARE,  # of each
    ) -> None:
        self._paces = [_Pace(meter, interval_s) for meter in meters]
        self._clock, self._cpu_clock = clock, cpu_clock
        self._interval_s = interval_s
        self._max_cpu_share = max_cpu_share
        self.start_s = clock()
        self.gaps: list[Gap] = []  # those not taken yet, oldest first
        self._pending: dict[str, list[Reading]] = {}
        self._lock = threading.Lock()
        self._busy: tuple[str, float] | None = None  # a driver at work: its domain, since when

    def tick(self, *, everything: bool = False) -> dict[str, Reading]:
        """One round: reads every meter that is due (or all of them); the new readings by domain."""
        found: dict[str, Reading] = {}
        for pace in list(self._paces):
            # Half an interval of grace: a tick that comes a little early still counts as due.
            if not everything and self._clock() < pace.due_s - self._interval_s / 2:
                continue
            reading = self._read(pace)
            if reading is not None:
                found[pace.domain] = reading
        with self._lock:
            for domain, reading in found.items():
                self._pending.setdefault(domain, []).append(reading)
        return found

    def _read(self, pace: _Pace) -> Reading | None:
        source = pace.meter.source
        cpu_before = self._cpu_clock()
        self._busy = pace.domain, self._clock()
        try:
            reading = pace.meter.read()
            if reading is None or not _is_finite(reading):
                return None  # as if nothing had been said; a long silence becomes a gap
            note = pace.meter.note()
        except MeterLostError as error:
            self._lose(pace, str(error))
            return None
        except Exception as error:  # a fault in one meter's driver must not end the recording
            self._lose(pace, f"{type(error).__name__}: {error}")
            return None
        finally:
            self._busy = None
        # Of two costs the lower: one slow reading (garbage was collected in it) is no slow driver.
        cost, pace.cost_s = pace.cost_s, self._cpu_clock() - cpu_before
        cost = min(cost, pace.cost_s)
        t_s = reading.t_s - self.start_s
        # Of a gauge a millisecond is enough, and regular times are stored in next to nothing.
        t_s = round(t_s, 3) if source.kind is ReadingKind.GAUGE else t_s
        reading = replace(reading, t_s=t_s)
        since = pace.last_s
        if pace.last is not None and reading.t_s <= since:
            return None  # the meter had nothing new
        if note:
            self.gaps.append(Gap(pace.domain, since, reading.t_s, note))
        elif source.kind is not ReadingKind.COUNTER:
            silence = reading.t_s - since
            slow_s = 2 * pace.every_s if source.kind is ReadingKind.GAUGE else 0.0
            if silence > max(pace.max_gap_s, slow_s):
                why = f"no reading for {format_duration(silence)}"
                why += " (the sampler was held up)" if source.kind is ReadingKind.POWER else ""
                self.gaps.append(Gap(pace.domain, since, reading.t_s, why))
        pace.last = reading
        pace.every_s = max(self._interval_s, source.update_period_s, cost / self._max_cpu_share)
        pace.due_s = self._clock() + pace.every_s
        return reading

    def _lose(self, pace: _Pace, reason: str) -> None:
        self._paces.remove(pace)
        trouble = self._close(pace)
        reason = f"{reason}; {trouble}" if trouble else reason
        self.gaps.append(Gap(pace.domain, pace.last_s, None, reason))

    def horizon_s(self) -> float:
        """All that happened up to this time has been read by every meter that still speaks."""
        now = self._clock()
        speak = [p.last_s for p in self._paces if now <= p.due_s + p.max_gap_s]
        return min(speak, default=np.inf)

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
        """The domain whose driver does not come back, if one does not."""
        busy = self._busy
        if busy is None:
            return None
        domain, since = busy
        period = next(
            (p.meter.source.update_period_s for p in self._paces if p.domain == domain), 0
        )
        return domain if self._clock() - since > ANSWER_S + period else None

    def mark_silent(self, end_s: float) -> None:
        """The run has ended: who had gone silent before is marked."""
        for pace in self._paces:
            if end_s - pace.last_s > pace.max_gap_s:
                self.gaps.append(Gap(pace.domain, pace.last_s, None, "it gave no more readings"))

    def close(self) -> list[str]:
        """Close every meter; what went wrong."""
        return [trouble for pace in self._paces if (trouble := self._close(pace))]

    def _close(self, pace: _Pace) -> str | None:
        self._busy = pace.domain, self._clock()
        try:
            pace.meter.close()
        except Exception as error:  # a fault in one meter's driver must not end the recording
            return f"{pace.domain}: closing its meter failed: {type(error).__name__}: {error}"
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
