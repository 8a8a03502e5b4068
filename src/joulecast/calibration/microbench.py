"""Times microbenchmarks one by one.

A test warms up until its time has settled, then repeats for its share of the time. The result is
the median, and half the interquartile range shows how noisy it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..workload.model import Workload
from .stored_constants import MicroTiming

if TYPE_CHECKING:
    import torch

Call = Callable[[], object]
PERCENTILES = (25.0, 75.0)
_MIN_REPEATS = 5
# Calls are timed together for so long that the clock's own cost does not count, or for so short
# that this number of segments fits into the time.
_SEGMENT_S = 0.02
_SEGMENTS = 10
_WARM_UP = 0.3
_MAX_CALLS = 100_000

COMPUTE, MEMORY, LAUNCH, STEP, INPUT = "compute", "memory", "launch", "step", "input"


@dataclass(frozen=True, slots=True)
class Microbenchmark:
    """A function to time.

    Attributes:
        name: for people.
        group: the constant it is for.
        make: returns the function; its memory is allocated only then.
        work: what one call asks of the device; None where no operator is counted.
        samples: that a call of `INPUT` reads.
        sample_bytes: size of one of them.
    """

    name: str
    group: str
    make: Callable[[], Call]
    work: Workload | None = None
    samples: int = 0
    sample_bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """A microbenchmark and its figures."""

    test: Microbenchmark
    timing: MicroTiming

    @property
    def seconds(self) -> float:
        """Median time of a call; 0 where it could not run."""
        return self.timing.seconds or 0.0

    def with_power(self, power_w: float | None) -> Measurement:
        """The same with the power that was metered during the test."""
        return replace(self, timing=replace(self.timing, power_w=power_w))


def waiter(torch: Any, device: torch.device) -> Callable[[], None]:
    """A function that returns when the device has finished all queued work."""
    if device.type != "cuda":
        return lambda: None
    return lambda: torch.cuda.synchronize(device)


def timed(
    call: Call, wait: Callable[[], None], seconds: float, clock: Callable[[], float]
) -> tuple[float, float, int]:
    """Median time of a call in seconds, its relative spread, and the number of timed segments.

    At least five segments are timed, however long that takes.
    """
    call()
    wait()
    begun = clock()
    call()
    wait()
    each_s = max(clock() - begun, 1e-9)
    segment_s = min(_SEGMENT_S, seconds / _SEGMENTS)
    count = max(1, min(_MAX_CALLS, round(segment_s / each_s)))

    def segment() -> float:
        start = clock()
        for _ in range(count):
            call()
        wait()
        return (clock() - start) / count

    begun = clock()
    while clock() - begun < seconds * _WARM_UP:
        each_s = segment()
    count = max(1, min(_MAX_CALLS, round(segment_s / each_s)))
    begun = clock()
    times: list[float] = []
    while len(times) < _MIN_REPEATS or clock() - begun < seconds * (1 - _WARM_UP):
        times.append(segment())
    low, middle, high = np.percentile(times, [PERCENTILES[0], 50.0, PERCENTILES[1]])
    return float(middle), float((high - low) / 2 / middle) if middle > 0 else 0.0, len(times)


def measure_all(
    tests: Sequence[Microbenchmark],
    wait: Callable[[], None],
    seconds: float,
    *,
    clock: Callable[[], float] = time.perf_counter,
    span: Callable[[str], AbstractContextManager[object]] = nullcontext,
    progress: Callable[[str], None] = lambda name: None,
) -> Iterator[Measurement]:
    """Run the tests in turn, each in a span of its name, in about `seconds` altogether.

    A test that fails (not enough memory, a missing operator) is skipped with the reason.
    """
    for test in tests:
        progress(test.name)
        try:
            call = test.make()
            with span(test.name):
                figures = timed(call, wait, seconds / len(tests), clock)
            # Frees its memory for the next test.
            del call
            timing = MicroTiming(test.name, test.group, *figures)
        except (RuntimeError, MemoryError, NotImplementedError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0][:200]
            timing = MicroTiming(test.name, test.group, None, None, 0, skipped=reason)
        yield Measurement(test, timing)
