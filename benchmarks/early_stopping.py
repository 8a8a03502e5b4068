"""When early stopping will end a run, forecast from its learning curve so far, on real curves.

Each curve is trained to its planned end; the rule then shows where it would have ended. We are
asked at 20, 40 and 60 % of the epochs before that, and at epochs 5, 10, 20 and 40 of all runs that
are not over by then (the fair question: nobody who asks knows how far the end is). The constants
were chosen on curves of digits and diabetes; what is judged are three other sets of data.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness import Figure, log, run
from joulecast.forecasting.base import Forecast, Prediction, Work
from joulecast.forecasting.early_stopping.rule import EarlyStopping, expected_energy, stopping
from learning_curves import ACCURACY, LOSS, settings, train

CHOSEN_ON = ("digits", "diabetes")
JUDGED_ON = ("breast_cancer", "wine", "text")
PATIENCES = (3, 5, 10)
PARTS = (0.2, 0.4, 0.6)
EPOCHS_SEEN = (5, 10, 20, 40)
EPOCH = Work(1.0, 10.0, 2000.0)  # all alike: what is judged here is the epoch of the end


@dataclass(frozen=True, slots=True)
class Answer:
    """The forecast at one moment of one run, and the truth."""

    inside: bool
    width: float  # of the interval, epochs
    error: float  # of the expected energy, part of that of all planned epochs
    planned_error: float  # of taking that for granted


def ended(curve: list[float], rule: EarlyStopping) -> int:
    """The epoch at which the rule ends the run, straight from its words."""
    sign = -1 if rule.rising else 1
    best, at = float("inf"), 0
    for epoch, value in enumerate(curve, 1):
        if sign * value < best:
            best, at = sign * value, epoch
        elif epoch - at >= rule.patience:
            return epoch
    return len(curve)


def ask(curve: list[float], rule: EarlyStopping, seen: int, end: int) -> Answer:
    """The forecast after so many epochs."""
    planned = len(curve)
    forecast = stopping(curve[:seen], rule, planned)
    total = Prediction(planned * EPOCH.energy_j), Prediction(planned * EPOCH.duration_s)
    so_far = Work(seen, seen * EPOCH.duration_s, seen * EPOCH.energy_j)
    energy = expected_energy(forecast, Forecast(*total), so_far).energy
    low, high = forecast.interval
    whole = planned * EPOCH.energy_j
    error = abs(energy.value - end * EPOCH.energy_j) / whole
    return Answer(low <= end <= high, high - low, error, (planned - end) / planned)


def answers(data: tuple[str, ...], quick: bool) -> Iterator[tuple[str, Answer]]:
    """Every question to every curve, by the moment at which it was put."""
    for name in data:
        epochs = 20 if quick else 60 if name == "text" else 120
        for setting in settings(name, 2 if quick else 20, epochs):
            curves = train(setting)
            for metric in (LOSS, ACCURACY):
                for patience in PATIENCES:
                    rule = EarlyStopping(metric, patience)
                    curve = curves[metric]
                    end = ended(curve, rule)
                    for part in PARTS:
                        moment = f"at {100 * part:.0f} % of the way"
                        yield moment, ask(curve, rule, max(1, round(part * end)), end)
                    for seen in EPOCHS_SEEN:
                        if seen < end:
                            yield f"after {seen} epochs", ask(curve, rule, seen, end)


def inside(of: list[Answer]) -> float:
    """Coverage, %."""
    return 100 * statistics.mean(a.inside for a in of)


def figures(by_moment: dict[str, list[Answer]], chosen: dict[str, list[Answer]]) -> list[Figure]:
    """Two rows for each moment, and what was reached where the constants were chosen."""
    rows = []
    for moment, of in by_moment.items():
        width = statistics.median(a.width for a in of)
        note = f"{len(of)} questions, median width {width:.0f} epochs"
        if moment in chosen:
            note += f"; where the constants were chosen {inside(chosen[moment]):.0f} %"
        rows.append(
            Figure(
                f"{moment}: last epoch in its 90 % interval", inside(of), "%", None, 80, note=note
            )
        )
        rows.append(
            Figure(
                "  mean error of the expected energy",
                100 * statistics.mean(a.error for a in of),
                "%",
                below=100 * statistics.mean(a.planned_error for a in of),
                note=f"{moment}, of the energy of all planned epochs; target: less than by taking "
                "it for granted that all are run",
            )
        )
    return rows


def update_ms(seen: int, planned: int) -> float:
    """Milliseconds of one answer, the median of ten."""
    draw = np.random.default_rng(1)
    curve = (1 / np.sqrt(np.arange(1, seen + 1)) + draw.normal(0, 0.005, seen)).tolist()
    taken = []
    for _ in range(10):
        start = time.perf_counter()
        stopping(curve, EarlyStopping(patience=planned), planned)
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken)


def benchmark(quick: bool) -> list[Figure]:
    """Train, ask, compare."""
    try:
        import sklearn  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        return [Figure("early stopping", None, "%", at_least=80, note=f"not installed: {error}")]
    taken: dict[tuple[str, ...], dict[str, list[Answer]]] = {}
    for data in (JUDGED_ON, CHOSEN_ON):
        log(f"  training on {', '.join(data)}")
        taken[data] = defaultdict(list)
        for moment, answer in answers(data, quick):
            taken[data][moment].append(answer)
    speed = Figure("one answer with 200 of 400 epochs seen", update_ms(200, 400), "ms", below=20)
    return [*figures(taken[JUDGED_ON], taken[CHOSEN_ON]), speed]


if __name__ == "__main__":
    run("early_stopping", __doc__, benchmark)
