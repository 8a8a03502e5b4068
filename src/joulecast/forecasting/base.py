"""What every online forecaster is fed with, and what it says.

All of them see the same thing: stretches of finished work, each with its energy and its duration,
and how much of the run they were. The unit of progress is the plan's: epochs as a rule (a step is
then a fraction of one), or the whole run as 1 where only a fraction is known.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Work:
    """A stretch of the run: `progress` in the unit of the plan, its duration and its energy."""

    progress: float
    duration_s: float
    energy_j: float


NOTHING = Work(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A value with its 90 % interval, both None where the method has none."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """Energy (J) and duration (s) of the whole run, what was spent already included.

    `notes` say what the reader must know of how it arose: "warm-up of 12 steps left out".
    """

    energy: Prediction
    duration: Prediction
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """A run that is over, as forecasters see it: its epochs in order, and how many were planned."""

    run_id: str
    epochs: tuple[Work, ...]
    planned: int


class OnlineForecaster(ABC):
    """Forecasts one run from its finished work. One object a run; `add` as the work is done."""

    name: ClassVar[str]

    @abstractmethod
    def add(self, work: Work) -> None:
        """The next stretch of work is finished. Stretches may be of different sizes."""

    @abstractmethod
    def forecast(self, planned: float, pending: Work = NOTHING) -> Forecast | None:
        """The whole run of `planned` units, or None before the method can tell.

        `pending` is what was spent since the last finished work, its progress unknown (0): no
        forecast is below what is spent already.
        """
