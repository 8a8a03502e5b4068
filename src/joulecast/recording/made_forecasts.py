"""The forecasts of a run's energy that were made while it went on, and what came of them.

Intervals follow that record: each run whose energy was outside makes those of later runs wider,
each inside a little narrower, so that nine of ten hold in the long run whatever the runs are
(adaptive conformal inference; Gibbs and Candes, arXiv 2106.00170).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Runs that are counted, and runs that the width of intervals is learned from.
COUNTED, LEARNED = 50, 200
# Of fewer runs, the share that held is mostly chance.
MIN_SHOWN = 5
# Before so many runs have ended, intervals stay as they are.
ENOUGH = 20
# Outside in the long run; the step of ln(width) for each miss; the narrowest and the widest.
OUTSIDE, STEP, NARROWEST, WIDEST = 0.1, 0.1, 0.5, 3.0
# The part of a run after which its forecast is judged.
JUDGED_AT = 0.2
# Forecasts that are kept of a run; of more, every second one is dropped.
KEPT = 128


@dataclass(frozen=True, slots=True)
class MadeForecast:
    """A forecast of the energy of a whole run, J, with the 90 % interval of the forecast alone.

    Attributes:
        t_s: when it was made, since the start of the run.
        done: epochs (or parts) that were finished.
        planned: epochs of the run, or 1 where only a fraction is known.
        value: the forecast.
        low: lower bound, as it would be without a record of earlier runs.
        high: upper bound, likewise.
        width: by how much that record had made the interval wider.
    """

    t_s: float
    done: float
    planned: float
    value: float
    low: float
    high: float
    width: float = 1.0

    def distance(self, energy_j: float) -> float:
        """How far the run's energy was from the value, in halves of the interval to that side."""
        off = energy_j - self.value
        half = self.high - self.value if off > 0 else self.value - self.low
        if off == 0:
            return 0.0
        return abs(off) / half if half > 0 else math.inf


@dataclass(frozen=True, slots=True)
class ForecastRecord:
    """How often the energy of finished runs was within the 90 % interval of their forecast.

    Attributes:
        runs: number of the latest runs that had a forecast, at most 50.
        held: in how many of them the interval held.
        width: by how much that makes the intervals of later runs wider (below 1: narrower); 1 until
            20 runs have ended.
    """

    runs: int
    held: int
    width: float

    @property
    def is_shown(self) -> bool:
        """Whether there are enough runs to be worth a line."""
        return self.runs >= MIN_SHOWN

    def __str__(self) -> str:
        text = f"90 % intervals held in {self.held} of your last {self.runs} runs"
        if self.runs < ENOUGH:
            return text
        return f"{text}; that makes them {self.width:.2f} times as wide"


def keep(forecasts: list[MadeForecast], forecast: MadeForecast) -> None:
    """Add a forecast to those of a run."""
    forecasts.append(forecast)
    if len(forecasts) > KEPT:
        # The last one shows whether the run did what was planned.
        forecasts[:] = [*forecasts[:-1:2], forecasts[-1]]


def judged(forecasts: Sequence[MadeForecast]) -> MadeForecast | None:
    """The forecast that a finished run is judged by: of those for as much as it did, the one made
    nearest to a fifth of it. None where the run ended before its plan.
    """
    if not forecasts:
        return None
    last = forecasts[-1]
    if last.planned - last.done > max(1.0, 0.25 * last.planned):
        return None
    same = [f for f in forecasts if f.planned == last.planned]
    return min(same, key=lambda f: abs(f.done / f.planned - JUDGED_AT))


def forecast_record(
    runs: Iterable[tuple[Sequence[MadeForecast], float]],
) -> ForecastRecord | None:
    """The record of finished runs, newest first, each with its energy, J; None without any."""
    outcomes = []
    for forecasts, energy_j in runs:
        forecast = judged(forecasts)
        if forecast is not None and energy_j > 0:
            outcomes.append((forecast.distance(energy_j), forecast.width))
            if len(outcomes) == LEARNED:
                break
    if not outcomes:
        return None
    counted = outcomes[:COUNTED]
    held = sum(distance <= width for distance, width in counted)
    width = 1.0
    if len(outcomes) >= ENOUGH:
        for distance, _ in reversed(outcomes):
            missed = STEP * ((distance > width) - OUTSIDE)
            width = min(WIDEST, max(NARROWEST, width * math.exp(missed)))
    return ForecastRecord(len(counted), held, width)
