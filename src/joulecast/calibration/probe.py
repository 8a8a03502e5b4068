"""Runs real steps of a job for a few seconds: what one takes, measured rather than modelled."""

from __future__ import annotations

import math
import mmap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import JoulecastError
from ..estimate import add_up
from ..forecasting.base import Prediction
from ..forecasting.physical.device import StepForecast
from ..forecasting.physical.memory_fit import MemoryNeed
from ..hardware.environment import Environment
from ..meters.cpu_time import OtherLoad
from ..recording.events import EventTracker
from ..recording.memory_recorder import recorder_in_memory
from ..recording.model import Status
from ..recording.summary import Summary, summarize

SECONDS = 8.0
# Segments measured one by one: their spread is the forecast's.
_PARTS = 8
# Share of the time, at largest, before what is measured.
_WARM_UP = 0.35
# Steps whose time changes by less are warm.
_SETTLED = 0.1
# A run's later steps may differ by so much more: heat, clocks, other data.
_LATER = 0.03
# New memory in a step from which it is reported.
_MIN_NEW_BYTES = 2**18
# Share of the processors' time that other programs may take without a difference, and the largest
# for which bounds are computed.
_DISTURBED_SHARE, _MAX_SHARE = 0.05, 0.9
_OTHERS_NOTE = (
    "other programs took {:.0f} % of the processors' time during the probe: the interval includes "
    "a machine without them; probe again when nothing else runs"
)
# Student's t, 95th percentile, for 7 degrees of freedom.
_T95 = 1.895


class ProbeError(JoulecastError):
    """The job's steps cannot be run on this machine."""


def check_memory(needs: Iterable[MemoryNeed]) -> None:
    """Refuse steps that do not fit this machine's memory, before any of it is allocated.

    Raises `ProbeError`.
    """
    largest = max(needs, key=lambda need: need.needed_bytes)
    if largest.available_bytes is None or largest.fits:
        return
    cure = "use a smaller --batch, or leave out --probe"
    raise ProbeError(
        f"--probe: a step needs about {largest.needed_bytes / 1e9:.1f} GB of memory, and this "
        f"machine has {largest.available_bytes / 1e9:.1f} GB: "
        f"{cure if largest.fits_smaller else 'leave out --probe'}"
    )


def probe(
    step: Callable[[], None],
    *,
    seconds: float = SECONDS,
    env: Mapping[str, str] | None = None,
    watch: Callable[[Callable[[], float]], OtherLoad] = OtherLoad,
) -> StepForecast:
    """What a step takes, from running it: first until its time has settled, then measured.

    Duration in seconds, energy in joules of all that is metered for this process (not of the
    device alone). Bounds are those of the segments' spread; the meters' error is in `metered`.
    Where the system allocates new memory in each step, which another process may avoid, they also
    include a step without the system's time; where other programs took the processors, a step
    without them and one among twice as many. `watch` begins to observe them. Raises `ProbeError`
    where nothing is metered.
    """
    each_s, count = _warmed(step, seconds * _WARM_UP)
    size = max(1, round(seconds * (1 - _WARM_UP) / _PARTS / max(each_s, 1e-9)))
    usage: list[_MemoryUsage] = []

    others = [0.0]

    def parts(tracker: EventTracker) -> None:
        load = watch(time.monotonic)
        usage.append(_MemoryUsage.now())
        for _ in range(_PARTS):
            with tracker.span("probe"):
                for _ in range(size):
                    step()
        usage.append(_MemoryUsage.now())
        others.append(load.others() or 0.0)

    spans = [s for s in measure(parts, env).spans if s.span.name == "probe"]
    energies = [s.energy for s in spans if s.energy is not None]
    total_j = sum(e.value for e in energies)
    if len(energies) < len(spans) or total_j <= 0:
        raise ProbeError("nothing is metered here: run joulecast doctor to see why")
    new_bytes, system_share = usage[1].since(usage[0])
    new_bytes /= _PARTS * size
    avoidable = system_share if new_bytes >= _MIN_NEW_BYTES else 0.0
    faster, slower = _of_others(others[-1])
    duration = _predicted([s.duration_s / size for s in spans])
    joules = _predicted([e.value / size for e in energies])
    duration, joules = (
        _widened(_widened(each, avoidable, 0.0), faster, slower) for each in (duration, joules)
    )
    power = _predicted([e.value / s.duration_s for e, s in zip(energies, spans, strict=True)])
    notes = [f"from {_PARTS * size} real steps on made-up data, after {count} to warm up"]
    if avoidable:
        notes.append(_new_memory_note(new_bytes, avoidable))
    if faster:
        notes.append(_OTHERS_NOTE.format(100 * others[-1]))
    return StepForecast(
        *(duration, joules, power, None, "probe", "probed", tuple(notes)), add_up(energies)
    )


def _of_others(share: float) -> tuple[float, float]:
    """By what share a step may take less and more, where other programs took `share` of the CPU.

    Without them a step takes at least `(1 - share)` of its time where only its work competes, and
    about the square of that where its threads also wait for one another.
    """
    if share < _DISTURBED_SHARE:
        return 0.0, 0.0
    share = min(share, _MAX_SHARE)
    return 1 - (1 - share) ** 2, share / (1 - share)


def _new_memory_note(each_bytes: float, share: float) -> str:
    return (
        f"the system allocates {each_bytes / 2**20:.1f} MiB of new memory in each step, which "
        f"takes {100 * share:.0f} % of the CPU time; another process may avoid that. "
        "With glibc, MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_ of 1073741824 avoid it"
    )


@dataclass(frozen=True, slots=True)
class _MemoryUsage:
    """Of this process so far: pages of new memory, CPU seconds of the system and of the user."""

    pages: int
    system_s: float
    user_s: float

    @classmethod
    def now(cls) -> _MemoryUsage:
        """All zero where the system does not report it (Windows)."""
        try:
            import resource
        except ImportError:
            return cls(0, 0.0, 0.0)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return cls(usage.ru_minflt, usage.ru_stime, usage.ru_utime)

    def since(self, before: _MemoryUsage) -> tuple[float, float]:
        """Bytes of new memory, and the system's share of the CPU time."""
        system_s, user_s = self.system_s - before.system_s, self.user_s - before.user_s
        total_s = system_s + user_s
        new_bytes = max(0, self.pages - before.pages) * float(mmap.PAGESIZE)
        return new_bytes, system_s / total_s if total_s > 0 else 0.0


def measure(act: Callable[[EventTracker], None], env: Mapping[str, str] | None = None) -> Summary:
    """The figures of what this process does in `act`; nothing is stored."""
    recorder, sink = recorder_in_memory("process", Environment.detect(env=env), env)
    recorder.start()
    try:
        act(EventTracker(recorder))
    finally:
        recorder.stop(Status.FINISHED)
    return summarize(sink.recording())


def _warmed(step: Callable[[], None], seconds: float) -> tuple[float, int]:
    """Step until its time has settled, or `seconds` are over: that time, and how often."""
    clock = time.monotonic
    begun, times = clock(), []
    while True:
        start = clock()
        step()
        times.append(clock() - start)
        half = len(times) // 2
        recent, before = np.median(times[half:]), np.median(times[: max(1, half)])
        settled = len(times) >= 6 and abs(recent - before) <= _SETTLED * recent
        if clock() - begun >= seconds or (settled and clock() - begun >= seconds / 2):
            return float(recent), len(times)


def _predicted(values: Sequence[float]) -> Prediction:
    """Mean of the segments; the interval covers their spread and later change."""
    mean = float(np.mean(values))
    error = _T95 * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach = math.hypot(error, _LATER * mean)
    return Prediction(mean, max(0.0, mean - reach), mean + reach)


def _widened(p: Prediction, below: float, above: float) -> Prediction:
    low, high = p.value if p.low is None else p.low, p.value if p.high is None else p.high
    return Prediction(
        p.value,
        p.value - min(p.value, math.hypot(p.value - low, below * p.value)),
        p.value + math.hypot(high - p.value, above * p.value),
    )
