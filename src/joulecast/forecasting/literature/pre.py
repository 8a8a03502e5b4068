"""PRE, the method of del Rey et al. 2023 (arXiv 2307.05520) for before a run, in its two forms.

The power form predicts the mean power of a run and multiplies it by the run's time; the energy form
predicts the energy of an epoch and multiplies it by their number. Both are regressions on facts of
the work and of the machine, learnt from runs that are over (`regression`).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from ...errors import BadInputError, UnknownHardwareError
from ...hardware.catalog.gpus import find_gpu
from ..base import Prediction
from ..past_run import Facts, StaticRun
from ..physical.device import Device, StaticForecaster, StepForecast
from .model_search import ITERATIONS, Regression, search

if TYPE_CHECKING:
    from ...workload.model import Workload

FEATURES = (
    *("batch", "image_height", "image_width", "training_size", "validation_size"),
    *("gflops", "ram_gb", "gpu_cores", "gpu_memory_gb", "tdp_w"),
)
"""As published; those that not every run has are left out."""

LEAST_RUNS = 10
"""That a regression is searched on: two in each of five folds."""


class Pre(StaticForecaster):
    """What both forms share. Made by `fit`; a forecast of a step needs `set_in` as well."""

    def __init__(self, regression: Regression, unit: str, spread: float | None = None) -> None:
        """Of a fitted regression; runs are told in `unit`, "epochs" or "steps".

        `spread` is the half-width of the 90 % interval of what it predicts (W, or kJ per epoch),
        whose errors are about as large for small values as for large ones; None: no interval.
        """
        self.regression, self.unit, self.spread = regression, unit, spread
        self._setting = Facts()
        self._clock: StaticForecaster | None = None

    @classmethod
    def fit(cls, runs: Sequence[StaticRun], *, iterations: int = ITERATIONS, seed: int = 0) -> Self:
        """Learn from runs that are over: search, then fit the best on all of them.

        Raises:
            BadInputError: too few runs, or no fact of `FEATURES` that all of them have.
            MissingExtraError: scikit-learn is not installed.
        """
        if len(runs) < LEAST_RUNS:
            raise BadInputError(
                f"{cls.name} learns from {LEAST_RUNS} runs or more, not {len(runs)}"
            )
        unit = _unit(runs)
        rows, columns = _rows(runs, FEATURES)
        if not columns:
            raise BadInputError(f"{cls.name}: no fact is known of all runs: {', '.join(FEATURES)}")
        targets = [cls.target(run, unit) for run in runs]
        return cls(search(rows, targets, columns, iterations=iterations, seed=seed), unit)

    def again(self, runs: Sequence[StaticRun]) -> Self:
        """The same regression with the settings found, fitted on other runs."""
        rows, _ = _rows(runs, self.regression.columns)
        targets = [self.target(run, self.unit) for run in runs]
        return type(self)(self.regression.again(rows, targets), self.unit, self.spread)

    def error(self, run: StaticRun) -> float | None:
        """Distance of what it predicts to the truth, in the unit of the paper."""
        said = self.regression.predict(run.facts)
        return None if said is None else abs(max(0.0, said) - self.target(run, self.unit))

    def with_spread(self, half: float | None) -> Self:
        """A copy with intervals so wide to each side."""
        return type(self)(self.regression, self.unit, half)

    def set_in(self, setting: Facts, clock: StaticForecaster) -> Self:
        """A copy that can forecast steps.

        Args:
            setting: what a step's workload and device do not tell: sizes of the sets, memory.
            clock: gives the time of a step, which neither form predicts.
        """
        made = self.with_spread(self.spread)
        made._setting, made._clock = setting, clock
        return made

    def step(self, workload: Workload, device: Device) -> StepForecast | None:
        """One step, or None where a fact it was fitted on is missing, or the time of the step."""
        if self._clock is None or not workload.training:
            return None
        facts = facts_of(workload, device, self._setting)
        timed = self._clock.step(workload, device)
        if timed is None:
            return None
        duration_s = timed.duration.value
        energy = self._times(facts, self._per_step(facts, duration_s))
        if energy is None:
            return None
        power = Prediction(energy.value / duration_s) if duration_s > 0 else timed.power
        notes = (f"the time of a step is that of {timed.method}",)
        return StepForecast(timed.duration, energy, power, None, self.name, "catalog", notes)

    def predict(self, facts: Facts, duration_s: float) -> Prediction | None:
        """Energy of a whole run that takes so long, J; None where a fact is missing.

        It is never below 0, which the regression may well be.
        """
        return self._times(facts, self._per_run(facts, duration_s))

    def _times(self, facts: Facts, amount: float | None) -> Prediction | None:
        """What the regression says, and its bounds, times an amount."""
        said = self.regression.predict(facts)
        if said is None or amount is None:
            return None
        said = max(0.0, said)
        if self.spread is None:
            return Prediction(said * amount)
        low = max(0.0, said - self.spread)
        return Prediction(said * amount, low * amount, (said + self.spread) * amount)

    @staticmethod
    @abstractmethod
    def target(run: StaticRun, unit: str) -> float:
        """What is predicted, in the unit of the paper: of a run that is over."""

    @abstractmethod
    def _per_run(self, facts: Facts, duration_s: float) -> float | None:
        """What the prediction is multiplied by to make joules of a run."""

    @abstractmethod
    def _per_step(self, facts: Facts, duration_s: float) -> float | None:
        """And of a step that takes so long."""


class PrePower(Pre):
    """Mean power (W), times the time of the run."""

    name = "pre-power"

    @staticmethod
    def target(run: StaticRun, unit: str) -> float:
        """Mean power, W."""
        return run.power_w

    def _per_run(self, facts: Facts, duration_s: float) -> float | None:
        return duration_s

    def _per_step(self, facts: Facts, duration_s: float) -> float | None:
        return duration_s


class PreEnergy(Pre):
    """Energy of an epoch (kJ), its validation included, times the number of them."""

    name = "pre-energy"

    @staticmethod
    def target(run: StaticRun, unit: str) -> float:
        """Mean energy of an epoch (or step), kJ."""
        if not unit:
            raise BadInputError("pre-energy: the epochs (or the steps) of a run are not known")
        return run.energy_j / 1e3 / float(getattr(run.facts, unit))

    def _per_run(self, facts: Facts, duration_s: float) -> float | None:
        count: float | None = getattr(facts, self.unit)
        return None if count is None else 1e3 * count

    def _per_step(self, facts: Facts, duration_s: float) -> float | None:
        if self.unit == "steps":
            return 1e3
        if facts.training_size is None or facts.batch is None:
            return None
        return 1e3 / math.ceil(facts.training_size / facts.batch)


def facts_of(workload: Workload, device: Device, setting: Facts) -> Facts:
    """The facts that a workload and a device tell; others as in `setting`."""
    from ...workload.model import Phase  # late: learning from runs counts no model

    height, width = workload.input_shape[-2:] if len(workload.input_shape) == 3 else (None, None)
    try:
        cores = find_gpu(device.name).per_device().cores
    except UnknownHardwareError:
        cores = None
    return replace(
        setting,
        gpu=device.name,
        precision=workload.precision,
        batch=workload.batch,
        image_height=height,
        image_width=width,
        gflops=workload.flops(Phase.FORWARD) / workload.batch / 1e9,
        parameters=workload.parameters,
        gpu_cores=cores,
        gpu_memory_gb=device.memory_gb,
        tdp_w=device.limit_w,
    )


def _unit(runs: Sequence[StaticRun]) -> str:
    """In what the length of all runs is told."""
    for unit in ("epochs", "steps"):
        if all(getattr(run.facts, unit) is not None for run in runs):
            return unit
    return ""


def _rows(
    runs: Sequence[StaticRun], wanted: Sequence[str]
) -> tuple[list[list[float]], tuple[str, ...]]:
    """The values of the facts in `wanted` that all runs have, and their names."""
    columns = tuple(c for c in wanted if all(getattr(r.facts, c) is not None for r in runs))
    return [[getattr(run.facts, c) for c in columns] for run in runs], columns
