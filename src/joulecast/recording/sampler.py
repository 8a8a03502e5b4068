"""Reads the meters, each at its own pace, and marks what could not be read."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..errors import MeterLostError
from ..meters.base import Kind, Meter, Reading, Source
from ..units import format_duration
from .model import Gap, Samples

MAX_CPU_SHARE = 0.005
"""A meter whose reading takes long is read less often, so that it costs at most this share of one
core: ten meters of a slow driver must not eat the training's CPU."""


def max_gap_s(source: Source, interval_s: float) -> float:
    """A longer silence of a power meter is a gap: nobody knows what was drawn meanwhile."""
    return max(1.0, 5 * interval_s, 5 * source.update_period_s)


class _Pace:
    """One meter, when it is due, and what it said last."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.due_s = -np.inf
        self.last: Reading | None = None


class Sampler:
    """Reads `meters` at most every `interval_s`; times are seconds since `start_s` of the clock.

    Holds no thread: `tick` does one round. `take` hands over what was gathered.
    """

    def __init__(
        self,
        meters: Sequence[Meter],
        clock: Callable[[], float],
        interval_s: float,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._paces = [_Pace(meter) for meter in meters]
        self._clock, self._cpu_clock = clock, cpu_clock
        self._interval_s = interval_s
        self.start_s = clock()
        self.gaps: list[Gap] = []  # all of them, oldest first
        self._pending: dict[str, list[Reading]] = {}

    def tick(self, *, everything: bool = False) -> dict[str, Reading]:
        """One round: reads every meter that is due (or all of them); the new readings by domain."""
        found: dict[str, Reading] = {}
        for pace in list(self._paces):
            # Half an interval of grace: a tick that comes a little early still counts as due.
            if not everything and self._clock() < pace.due_s - self._interval_s / 2:
                continue
            reading = self._read(pace)
            if reading is not None:
                domain = pace.meter.source.domain
                self._pending.setdefault(domain, []).append(reading)
                found[domain] = reading
        return found

    def _read(self, pace: _Pace) -> Reading | None:
        source = pace.meter.source
        cpu_before = self._cpu_clock()
        try:
            reading = pace.meter.read()
            note = pace.meter.note()
        except MeterLostError as error:
            self._lose(pace, str(error))
            return None
        except Exception as error:  # a fault in one meter's driver must not end the recording
            self._lose(pace, f"{type(error).__name__}: {error}")
            return None
        cost = self._cpu_clock() - cpu_before
        reading = replace(reading, t_s=reading.t_s - self.start_s)
        last = pace.last
        if last is not None and reading.t_s <= last.t_s:
            return None  # the meter had nothing new
        since = last.t_s if last else 0.0
        if note:
            self.gaps.append(Gap(source.domain, since, reading.t_s, note))
        elif source.kind is Kind.POWER:
            silence = reading.t_s - since
            if silence > max_gap_s(source, self._interval_s):
                why = f"no reading for {format_duration(silence)} (the sampler was held up)"
                self.gaps.append(Gap(source.domain, since, reading.t_s, why))
        pace.last = reading
        pace.due_s = self._clock() + max(
            self._interval_s, source.update_period_s, cost / MAX_CPU_SHARE
        )
        return reading

    def _lose(self, pace: _Pace, reason: str) -> None:
        since = pace.last.t_s if pace.last else 0.0
        self.gaps.append(Gap(pace.meter.source.domain, since, None, reason))
        self._paces.remove(pace)
        pace.meter.close()

    def horizon_s(self) -> float:
        """All that happened up to this time has been read by every meter still alive."""
        times = [p.last.t_s if p.last else 0.0 for p in self._paces]
        return min(times, default=np.inf)

    def take(self) -> dict[str, Samples]:
        """The readings gathered since the last call, by domain."""
        pending, self._pending = self._pending, {}
        return {domain: to_samples(readings) for domain, readings in pending.items()}

    def close(self) -> None:
        """Close every meter."""
        for pace in self._paces:
            pace.meter.close()


def to_samples(readings: Sequence[Reading]) -> Samples:
    """Readings of one domain as arrays."""
    rows = [(r.t_s, r.value, r.low, r.high, r.held_s) for r in readings]
    columns = np.array(rows, dtype=float).reshape(-1, 5).T
    return Samples(*(np.ascontiguousarray(c) for c in columns))
