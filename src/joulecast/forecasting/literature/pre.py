"""PRE, the method of del Rey et al. 2023 (arXiv 2307.05520) for before a run, in its two forms.

The power form predicts the mean power of a run and multiplies it by the duration of the run. The
energy form predicts the energy of an epoch and multiplies it by the number of epochs. Both are
regressions (`model_search`) on facts of the work and of the machine, learned from finished runs.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

from ...errors import BadInputError
from ..base import Prediction
from ..past_run import Facts, StaticRun
from .model_search import ITERATIONS, Regression, search

# As published; facts that some runs lack are left out.
FEATURES = (
    *("batch", "image_height", "image_width", "training_size", "validation_size"),
    *("gflops", "ram_gb", "gpu_cores", "gpu_memory_gb", "tdp_w"),
)

# Runs that a regression is searched on: two in each of five folds.
MIN_RUNS = 10


class Pre(ABC):
    """What both forms share; made by `fit`."""

    name: ClassVar[str]

    def __init__(self, regression: Regression, unit: str, spread: float | None = None) -> None:
        """Wrap a fitted regression.

        Args:
            regression: of W, or of kJ per epoch.
            unit: in what the length of runs is known: `"epochs"`, `"steps"`, or `""`.
            spread: half-width of the 90 % interval, in W or kJ per epoch. It is absolute, because
                the errors of small predictions are about as large as those of large ones.
        """
        self.regression, self.unit, self.spread = regression, unit, spread

    @classmethod
    def fit(cls, runs: Sequence[StaticRun], *, iterations: int = ITERATIONS, seed: int = 0) -> Self:
        """Learn from finished runs: search, then fit the best regression on all of them.

        Raises:
            BadInputError: too few runs, or no fact of `FEATURES` that all of them have.
            MissingExtraError: scikit-learn is not installed.
        """
        if len(runs) < MIN_RUNS:
            raise BadInputError(f"{cls.name} learns from {MIN_RUNS} or more runs, not {len(runs)}")
        unit = _unit(runs)
        columns = tuple(c for c in FEATURES if all(getattr(r.facts, c) is not None for r in runs))
        if not columns:
            raise BadInputError(
                f"{cls.name}: all runs must have one of these facts: {', '.join(FEATURES)}"
            )
        targets = [cls.target(run, unit) for run in runs]
        rows = _rows(runs, columns)
        return cls(search(rows, targets, columns, iterations=iterations, seed=seed), unit)

    def again(self, runs: Sequence[StaticRun]) -> Self:
        """The same regression with its settings, fitted on other runs."""
        rows = _rows(runs, self.regression.columns)
        targets = [self.target(run, self.unit) for run in runs]
        return type(self)(self.regression.again(rows, targets), self.unit, self.spread)

    def error(self, run: StaticRun) -> float | None:
        """Absolute error of the prediction for a run, in the unit of the paper."""
        predicted = self.regression.predict(run.facts)
        if predicted is None:
            return None
        return abs(max(0.0, predicted) - self.target(run, self.unit))

    def with_spread(self, half: float | None) -> Self:
        """A copy with intervals of this half-width."""
        return type(self)(self.regression, self.unit, half)

    def predict(self, facts: Facts, duration_s: float) -> Prediction | None:
        """Energy of a run of this duration, J; None where a fact is missing.

        A regression can be negative; the prediction is at least 0.
        """
        predicted, factor = self.regression.predict(facts), self.factor(facts, duration_s)
        if predicted is None or factor is None:
            return None
        predicted = max(0.0, predicted)
        if self.spread is None:
            return Prediction(predicted * factor)
        low = max(0.0, predicted - self.spread)
        return Prediction(predicted * factor, low * factor, (predicted + self.spread) * factor)

    @staticmethod
    @abstractmethod
    def target(run: StaticRun, unit: str) -> float:
        """What is predicted, in the unit of the paper, of a finished run."""

    @abstractmethod
    def factor(self, facts: Facts, duration_s: float) -> float | None:
        """What the prediction is multiplied by to give the joules of a run."""


class PrePower(Pre):
    """Mean power (W), times the duration of the run."""

    name = "pre-power"

    @staticmethod
    def target(run: StaticRun, unit: str) -> float:
        """Mean power, W."""
        return run.power_w

    def factor(self, facts: Facts, duration_s: float) -> float | None:
        """The duration, s."""
        return duration_s


class PreEnergy(Pre):
    """Energy of an epoch (kJ), its validation included, times the number of epochs."""

    name = "pre-energy"

    @staticmethod
    def target(run: StaticRun, unit: str) -> float:
        """Mean energy of an epoch (or step), kJ."""
        if not unit:
            raise BadInputError("pre-energy: the epochs (or the steps) of a run are unknown")
        return run.energy_j / 1e3 / float(getattr(run.facts, unit))

    def factor(self, facts: Facts, duration_s: float) -> float | None:
        """The number of epochs (or steps), times 1000 J per kJ."""
        count: float | None = getattr(facts, self.unit)
        return None if count is None else 1e3 * count


def _unit(runs: Sequence[StaticRun]) -> str:
    """In what the length of all runs is known."""
    for unit in ("epochs", "steps"):
        if all(getattr(run.facts, unit) is not None for run in runs):
            return unit
    return ""


def _rows(runs: Sequence[StaticRun], columns: Sequence[str]) -> list[list[float]]:
    return [[getattr(run.facts, column) for column in columns] for run in runs]
