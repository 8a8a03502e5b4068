"""Reads the gauges in a thread of its own, so that none of them delays a meter."""

import threading
import time
from collections.abc import Callable, Sequence

from ..meters.base import Gauge
from .model import Gap, Samples
from .sampler import MAX_CPU_SHARE, Sampler

FIRST_S, EVERY_S = 0.1, 1.0
"""Time to the second reading, and the longest time between two: it doubles each time."""

LAST_S = 1.0
"""Maximum time for the last round."""


class GaugeReader:
    """The gauges of one run. `take` may be called from any thread.

    `keep` is given the gaps of each round, from the thread that reads.
    """

    def __init__(
        self,
        gauges: Sequence[Gauge],
        clock: Callable[[], float],
        keep: Callable[[list[Gap]], None],
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        # All gauges together may cost as much CPU time as one meter.
        each = MAX_CPU_SHARE / max(1, len(gauges))
        self._sampler = Sampler(gauges, clock, FIRST_S, cpu_clock, each)
        self._keep = keep
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._end_s: float | None = None

    def begin(self, start_s: float) -> None:
        """The run starts at this time of the clock."""
        self._sampler.start_s = start_s

    def start(self) -> None:
        """Start reading. Raises `RuntimeError` where no thread can be started."""
        thread = threading.Thread(target=self._read, name="joulecast-gauges", daemon=True)
        thread.start()
        self._thread = thread

    def _read(self) -> None:
        wait_s = FIRST_S
        self.tick()
        while not self._stop.wait(wait_s):
            self.tick()
            wait_s = min(2 * wait_s, EVERY_S)
        self._last_round()

    def tick(self, *, everything: bool = False) -> None:
        """One round."""
        self._sampler.tick(everything=everything)
        self._keep(self._sampler.take_gaps())

    def _last_round(self) -> None:
        self._sampler.tick(everything=True)
        if self._end_s is not None:
            self._sampler.mark_silent(self._end_s)
        self._keep(self._sampler.take_gaps())
        self._sampler.close()

    def take(self) -> dict[str, Samples]:
        """The readings since the last call, by name."""
        return self._sampler.take()

    def stop(self, end_s: float) -> bool:
        """Take the last readings. Returns whether the thread has ended."""
        self._end_s = end_s
        self._stop.set()
        if self._thread is None:
            self._last_round()
            return True
        self._thread.join(LAST_S)
        return not self._thread.is_alive()
