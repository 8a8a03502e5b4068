"""The input and output that all online forecasters share.

The input is segments of finished work, each with its energy, its duration, and its share of the
run. The unit of progress is the plan's: usually epochs (a step is then a fraction of one), or the
whole run as 1 where only a fraction is known.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Work:
    """A segment of the run: `progress` in the unit of the plan, its duration and its energy."""

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
    """Energy (J) and duration (s) of the whole run, including what was used so far.

    `notes` are for people: "warm-up of 12 steps left out".
    """

    energy: Prediction
    duration: Prediction
    notes: tuple[str, ...] = ()

    def with_width(self, width: float) -> "Forecast":
        """With the interval of its energy so many times as wide, as the record of runs asks."""
        value, low, high = self.energy.value, self.energy.low, self.energy.high
        if width == 1 or low is None or high is None:
            return self
        energy = Prediction(value, value - width * (value - low), value + width * (high - value))
        note = f"interval {width:.2f} times as wide, by the record of earlier runs"
        return Forecast(energy, self.duration, (*self.notes, note))


@dataclass(frozen=True, slots=True)
class History:
    """A finished run: its epochs in order, and how many were planned."""

    run_id: str
    epochs: tuple[Work, ...]
    planned: int


class OnlineForecaster(ABC):
    """Forecasts one run from its finished work: one object per run, `add` for each segment."""

    name: ClassVar[str]

    @abstractmethod
    def add(self, work: Work) -> None:
        """Add the next finished segment of work. Segments may have different sizes."""

    @abstractmethod
    def forecast(self, planned: float, pending: Work = NOTHING) -> Forecast | None:
        """The whole run of `planned` units, or None while the method knows too little.

        `pending` is what was used since the last finished work, its progress unknown (0): no
        forecast is below what was used so far.
        """
