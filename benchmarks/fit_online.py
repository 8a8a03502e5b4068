"""Cross-validation of the constants of `online` that were chosen on measured data.

Those for the power within a run (`segments.PEAK`, `SEEN`): chosen on the traces of one machine,
tested on those of the other. Constants for whole epochs were chosen on made-up runs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from forecast_data import FRACTIONS, TRACES, TRACES_MISSING, Trace, traces
from harness import Figure, run
from joulecast.forecasting.base import Work
from joulecast.forecasting.online.segments import PEAK, SEEN, Segments, later_power

PEAKS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
ENOUGH = (0.05, 0.1, 0.15, 0.2, 0.3)


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A trace after a fraction of it: energy so far, the recent segments, the truth."""

    fraction: float
    so_far: float
    seconds_left: int
    duration: np.ndarray[tuple[int], np.dtype[np.float64]]
    energy: np.ndarray[tuple[int], np.dtype[np.float64]]
    truth: float

    def error(self, peak: float, enough: float) -> float:
        """The absolute error of the forecast with these constants, relative to the truth."""
        watts = later_power(self.duration, self.energy, self.fraction, peak, enough)
        return abs((self.so_far + self.seconds_left * watts) / self.truth - 1)


def glimpses(trace: Trace) -> Iterable[Glimpse]:
    """The state of the trace at each of `FRACTIONS`."""
    power = trace.power
    count = len(power)
    marks = {max(1, math.ceil(count * f)): f for f in FRACTIONS}
    segments = Segments()
    for i in range(max(marks)):
        segments.add(Work(1 / count, 1.0, float(power[i])))
        if i + 1 in marks:
            _, t, e = segments.arrays()
            half = len(t) // 2
            so_far, remaining = float(power[: i + 1].sum()), count - i - 1
            yield Glimpse(
                marks[i + 1],
                so_far,
                remaining,
                t[half:].copy(),
                e[half:].copy(),
                float(power.sum()),
            )


def by_machine(quick: bool) -> list[Figure]:
    """Errors on each machine with the constants chosen on the other."""
    if not TRACES.exists():
        return [Figure("traces, constants chosen on the other", None, "%", note=TRACES_MISSING)]
    seen: dict[str, list[Glimpse]] = {}
    for trace in traces(10 if quick else 1):
        seen.setdefault(trace.environment, []).extend(glimpses(trace))
    figures = []
    for left_out in seen:
        train = [g for name, of in seen.items() if name != left_out for g in of]
        peak, enough = min(
            itertools.product(PEAKS, ENOUGH), key=lambda c: sum(g.error(*c) for g in train)
        )
        for fraction in FRACTIONS:
            here = [g for g in seen[left_out] if g.fraction == fraction]
            error = 100 * float(np.mean([g.error(peak, enough) for g in here]))
            shipped = 100 * float(np.mean([g.error(PEAK, SEEN) for g in here]))
            note = f"peak {peak:g}, seen {enough:g}; as shipped {shipped:.1f} %"
            name = f"  {left_out}, {100 * fraction:g} % seen: error, constants of the other machine"
            figures.append(Figure(name, error, "%", note=note))
    return figures


def benchmark(quick: bool) -> list[Figure]:
    """The figures by machine."""
    return by_machine(quick)


if __name__ == "__main__":
    run("fit_online", __doc__, benchmark)
