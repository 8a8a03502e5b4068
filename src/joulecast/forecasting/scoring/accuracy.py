"""How accurate predictions are, and the results of evaluating forecasters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ...recording.made_forecasts import ForecastRecord
from ...result import Result
from ..base import Prediction


class Split(StrEnum):
    """How the tested runs differ from those that a method learns from."""

    # The same configuration may be on both sides.
    RANDOM = "random"
    ARCHITECTURE = "leave-one-architecture-out"
    GPU = "leave-one-gpu-out"


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Errors relative to the truth, and how well intervals cover it.

    Attributes:
        mape_pct: mean of |prediction - truth| / truth, %.
        median_pct: its median, %.
        p90_pct: its 90th percentile, %.
        rmse: root mean square error, J or s.
        coverage_pct: how many truths lie in the 90 % interval, %; None where a prediction has no
            interval.
        width_pct: mean width of the interval relative to the truth, %; None likewise.
    """

    mape_pct: float
    median_pct: float
    p90_pct: float
    rmse: float
    coverage_pct: float | None
    width_pct: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """How accurate a forecaster is over several runs.

    Attributes:
        forecaster: its name.
        runs: number of forecasts; a run that is drawn twice counts twice.
        energy: of the whole run.
        duration: likewise; None for the reason in `duration_reason`.
    """

    forecaster: str
    runs: int
    energy: Accuracy
    duration: Accuracy | None
    duration_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineScore(Score):
    """The score of forecasts made after `epochs_seen` epochs of each run."""

    epochs_seen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticScore(Score):
    """The score of forecasts made before the runs, under one split."""

    split: Split


@dataclass(frozen=True, slots=True)
class Unscored:
    """A forecaster that was not used, or only for some of the runs, and why."""

    forecaster: str
    reason: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A run that is not part of the evaluation, and why."""

    run_id: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation(Result):
    """What both kinds of evaluations have.

    Attributes:
        source: the file, or the ledger.
        runs: number of runs that were forecast.
        unscored: forecasters without a score.
        left_out: runs that were not used.
        notes: what else to know of the scores.
    """

    source: str
    runs: int
    unscored: tuple[Unscored, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class OnlineEvaluation(Evaluation):
    """Scores of forecasts during runs, by epochs seen; in `groups` also of each group of runs.

    Attributes:
        forecast_record: of recorded runs, how often the forecasts that were made during them held.
    """

    SCHEMA: ClassVar[str] = "joulecast/evaluate/1"
    epochs: int
    results: tuple[OnlineScore, ...]
    groups: Mapping[str, tuple[OnlineScore, ...]]
    forecast_record: ForecastRecord | None = None


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class StaticEvaluation(Evaluation):
    """Scores of forecasts before runs, by split; in `groups` also of each group of runs."""

    SCHEMA: ClassVar[str] = "joulecast/evaluate-static/1"
    architectures: int
    gpus: int
    results: tuple[StaticScore, ...]
    groups: Mapping[str, tuple[StaticScore, ...]]


# A truth close to 0 makes relative errors infinite.
@np.errstate(over="ignore", invalid="ignore")
def accuracy(predictions: Sequence[Prediction], truths: Sequence[float]) -> Accuracy:
    """The accuracy of one or more predictions, with truths above 0 in the same unit (J or s)."""
    truth = np.array(truths)
    value = np.array([p.value for p in predictions])
    error_pct = 100 * np.abs(value - truth) / truth
    coverage_pct, width_pct = _intervals(predictions, truth)
    return Accuracy(
        mape_pct=float(error_pct.mean()),
        median_pct=float(np.median(error_pct)),
        p90_pct=float(np.percentile(error_pct, 90)),
        rmse=float(np.sqrt(np.mean((value - truth) ** 2))),
        coverage_pct=coverage_pct,
        width_pct=width_pct,
    )


def _intervals(
    predictions: Sequence[Prediction], truth: npt.NDArray[np.float64]
) -> tuple[float | None, float | None]:
    """Coverage and mean relative width, %; None where one prediction has no interval."""
    bounds = [(p.low, p.high) for p in predictions if p.low is not None and p.high is not None]
    if len(bounds) != len(predictions):
        return None, None
    low, high = np.array(bounds).T
    inside = (low <= truth) & (truth <= high)
    return float(100 * inside.mean()), float(100 * ((high - low) / truth).mean())
