"""Cross-validation of the constants of `online`: chosen on some runs, tested on others.

Constants for whole epochs (`rates.Habits`): each MLPerf workload in turn is left out; the constants
are chosen on the other workloads, made-up runs and power traces cut into epochs, and tested on the
workload left out. Each of these groups has the same weight. Constants for the power within a run
(`segments.PEAK`, `SEEN`): chosen on the traces of one machine, tested on those of the other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from forecast_data import (
    EPOCHS,
    EPOCHS_MISSING,
    FRACTIONS,
    MIXED,
    TRACES,
    TRACES_MISSING,
    Trace,
    in_epochs,
    made_up,
    mlperf,
    traces,
)
from harness import Figure, run
from joulecast.forecasting.base import History, Work
from joulecast.forecasting.online.rates import HABITS, Habits, later_epochs
from joulecast.forecasting.online.segments import PEAK, SEEN, Segments, later_power

AT = (2, 3, 5)  # epochs seen
OTHERS = ("made-up", "traces")  # groups chosen on, in addition to the workloads
CUTS = (10, 20, 50, 100)  # epochs that traces are cut into, in turn
LIFTS = (0.0, 0.005, 0.01, 0.02, 0.03)
ALIKE = (0.05, 0.15, 0.25, 0.4)
UPS = (0.02, 0.03, 0.0375, 0.05, 0.075, 0.1)
DOWNS = (0.0, 0.005, 0.01, 0.02)
PEAKS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
ENOUGH = (0.05, 0.1, 0.15, 0.2, 0.3)


@dataclass(frozen=True, slots=True)
class Predicted:
    """The forecast for one run after `seen` epochs, relative to the truth."""

    seen: int
    value: float
    low: float
    high: float

    @property
    def interval_score(self) -> float:
        """Width plus 2 / 10 % times the distance of the truth (Gneiting and Raftery 2007)."""
        return self.high - self.low + 20 * (max(0.0, self.low - 1) + max(0.0, 1 - self.high))


def predictions(history: History, habits: Habits) -> Iterable[Predicted]:
    """The energy of a run by the rule for whole epochs."""
    energy = np.array([w.energy_j for w in history.epochs])
    duration = np.array([w.duration_s for w in history.epochs])
    truth, count = energy.sum(), len(energy)
    for k in AT:
        if k < count:
            seconds, remaining = float(np.median(duration[1:k])), float(count - k)
            rate = later_epochs(float(energy[0]), energy[1:k], seconds, k, remaining, habits)
            so_far = energy[:k].sum()
            yield Predicted(
                k, *((so_far + remaining * r) / truth for r in (rate.value, rate.low, rate.high))
            )


Groups = dict[str, list[History]]


class Losses:
    """Mean loss of habits on each group of runs, each computed once."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._losses: dict[tuple[str, Habits], tuple[float, float]] = {}

    def of(self, group: str, habits: Habits) -> tuple[float, float]:
        """Mean absolute error and interval score."""
        if (group, habits) not in self._losses:
            rows = [s for history in self._groups[group] for s in predictions(history, habits)]
            self._losses[group, habits] = (
                float(np.mean([abs(s.value - 1) for s in rows])),
                float(np.mean([s.interval_score for s in rows])),
            )
        return self._losses[group, habits]

    def choose(self, groups: Sequence[str]) -> Habits:
        """The best habits on these groups, equally weighted: first by value, then by interval."""

        def total(which: int) -> Callable[[Habits], float]:
            return lambda habits: sum(self.of(g, habits)[which] for g in groups)

        values = [
            replace(HABITS, lift=lift, max_lift=3 * lift, alike=alike)
            for lift, alike in itertools.product(LIFTS, ALIKE)
        ]
        best = min(values, key=total(0))
        bounds = [replace(best, up=u, down=d) for u, d in itertools.product(UPS, DOWNS)]
        return min(bounds, key=total(1))


def mlperf_groups(every: int, made_up_runs: int) -> Groups:
    """MLPerf's workloads, made-up runs, and traces if there are any."""
    groups: Groups = {}
    for subject in mlperf(every):
        groups.setdefault(str(subject.group), []).append(subject.history)
    groups["made-up"] = made_up(MIXED, made_up_runs)
    if TRACES.exists():
        cuts = itertools.cycle(CUTS)
        groups["traces"] = [in_epochs(t, next(cuts)) for t in traces(2 * every)]
    return groups


def by_workload(quick: bool) -> list[Figure]:
    """Errors on each workload with the constants chosen without it; then on all of them."""
    if not EPOCHS.exists():
        return [Figure("epochs, constants chosen without it", None, "%", note=EPOCHS_MISSING)]
    groups = mlperf_groups(5 if quick else 1, 20 if quick else 150)
    losses = Losses(groups)
    figures, everything = [], []
    for left_out in (g for g in groups if g not in OTHERS):
        habits = losses.choose([g for g in groups if g != left_out])
        rows = [s for history in groups[left_out] for s in predictions(history, habits)]
        everything += rows
        note = f"{described(habits)}; {judged(rows)}"
        name = f"  without {left_out}: error on it, 2 to 5 epochs seen"
        figures.append(
            Figure(name, 100 * float(np.mean([abs(s.value - 1) for s in rows])), "%", note=note)
        )
    for k in AT:
        rows = [s for s in everything if s.seen == k]
        name = f"online, {k} epochs seen: error, constants chosen without the workload"
        error = 100 * float(np.mean([abs(s.value - 1) for s in rows]))
        figures.append(Figure(name, error, "%", note=judged(rows)))
    habits = losses.choose(list(groups))
    rows = [s for g in groups if g not in OTHERS for h in groups[g] for s in predictions(h, habits)]
    note = f"{described(habits)}; shipped: {described(HABITS)}"
    error = 100 * float(np.mean([abs(s.value - 1) for s in rows]))
    figures.append(
        Figure("  chosen on all: error on MLPerf, 2 to 5 epochs seen", error, "%", note=note)
    )
    return figures


def described(habits: Habits) -> str:
    """The constants as text."""
    return f"lift {habits.lift:g}, alike {habits.alike:g}, up {habits.up:g}, down {habits.down:g}"


def judged(rows: Sequence[Predicted]) -> str:
    """90th percentile of the errors, coverage and width of the intervals, as text."""
    inside = 100 * float(np.mean([s.low <= 1 <= s.high for s in rows]))
    width = 100 * float(np.mean([s.high - s.low for s in rows]))
    p90 = 100 * float(np.percentile([abs(s.value - 1) for s in rows], 90))
    return f"90th percentile {p90:.1f} %, coverage {inside:.0f} %, width {width:.0f} %"


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
    """The figures by workload and by machine."""
    return [*by_workload(quick), *by_machine(quick)]


if __name__ == "__main__":
    run("fit_online", __doc__, benchmark)
