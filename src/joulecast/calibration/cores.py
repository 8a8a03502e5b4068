"""How near the cores of a CPU lie to one another, which a virtual machine's host may change.

What one core wrote comes to another out of a cache that both share, or from another die or socket,
ten times as late. The host of a virtual machine decides which of its cores run the guest's, moves
them as it likes and says nothing of it: small networks, whose threads hand each other their data
at every operator, then take up to 1.8 times as long. An exchange timed beside each test tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median, median_low
from typing import Any

from ..forecasting.physical.cpu_roofline import Pace
from .microbench import Result

_SIDE = 256  # of a matrix that two threads share: twice what one gets alone (32,768 numbers)
_PASSES = 4
_TIMES = 5
_ALIKE = 1.2  # exchanges within this factor are one placement


def exchange(torch: Any, clock: Callable[[], float] = time.perf_counter) -> Callable[[], float]:
    """What tells the seconds of one pass in which each thread reads what others have just written.

    The least of a few: another program that takes a core for a moment does not count.
    """
    a, b = torch.ones(_SIDE, _SIDE), torch.ones(_SIDE, _SIDE)

    def timed() -> float:
        begun = clock()
        for _ in range(_PASSES):
            torch.add(a.t(), 1.0, out=b)  # transposed: half of what a thread reads is another's
            torch.add(b.t(), 1.0, out=a)
        return (clock() - begun) / (2 * _PASSES)

    return lambda: min(timed() for _ in range(_TIMES))


def as_usual(results: Sequence[Result]) -> list[Result]:
    """Of each test, what it found while the cores lay as they did most of the time.

    All that it found, where they never did.
    """
    usual_s = _usual_s(results)
    kept: dict[str, list[Result]] = {}
    for result in results:
        kept.setdefault(result.test.name, []).append(result)
    return [
        result
        for found in kept.values()
        for result in ([r for r in found if _lay(r, usual_s)] or found)
    ]


def unusual(results: Sequence[Result]) -> list[Result]:
    """Of each test that never ran while the cores lay as usual, the last result."""
    usual_s = _usual_s(results)
    seen = {r.test.name for r in results if r.skipped or _lay(r, usual_s)}
    return list({r.test.name: r for r in results if r.test.name not in seen}.values())


def pace_of(results: Sequence[Result], group: str) -> Pace:
    """How the times of tests of `group` go with the placement of the cores.

    As usual is 1. What another placement does is told by tests that ran in both; how often it is
    the case, by all exchanges.
    """
    usual_s = _usual_s(results)
    exchanges = [seconds for r in results if r.exchange_s for seconds in r.exchange_s]
    if usual_s is None or not exchanges:
        return Pace()
    times: dict[str, tuple[list[float], list[float]]] = {}
    for result in results:
        if result.test.group != group or result.skipped or not result.exchange_s:
            continue
        alike = [_alike(seconds, usual_s) for seconds in result.exchange_s]
        if alike[0] == alike[1]:  # else they were moved in its midst
            usual, other = times.setdefault(result.test.name, ([], []))
            (usual if alike[0] else other).append(result.seconds)
    ratios = [median(other) / median(usual) for usual, other in times.values() if usual and other]
    if not ratios:
        return Pace()
    ratio = median(ratios)
    share = sum(not _alike(seconds, usual_s) for seconds in exchanges) / len(exchanges)
    return Pace(1 + share * (ratio - 1), min(1.0, ratio), max(1.0, ratio))


def _usual_s(results: Sequence[Result]) -> float | None:
    found = [seconds for r in results if r.exchange_s for seconds in r.exchange_s]
    return median_low(found) if found else None


def _lay(result: Result, usual_s: float | None) -> bool:
    """Whether the cores lay as usual before and after a test; so, where nobody looked."""
    if usual_s is None or result.exchange_s is None:
        return True
    return all(_alike(seconds, usual_s) for seconds in result.exchange_s)


def _alike(seconds: float, usual_s: float) -> bool:
    return usual_s / _ALIKE <= seconds <= usual_s * _ALIKE
