"""One GPU of any maker: joules of its energy counter, checked against its power, or watts."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..errors import MeterLostError
from ..estimate import Provenance
from .base import DeviceFigure, ReadingKind, Source, Uncertainty
from .gpu_counter import CheckedCounter, believable_w
from .sensor import Clock, SensorMeter

Pids = Callable[[], Collection[int]]


@dataclass(frozen=True, slots=True)
class GpuSensor:
    """One way to read a card: `read` returns watts, or counts of `unit_j` joules.

    It raises anything where the card is gone. `text` describes it for people.
    """

    read: Callable[[], float]
    text: str
    period_s: float
    uncertainty: Uncertainty
    unit_j: float = 0.0


@dataclass(frozen=True, slots=True)
class Card:
    """What a meter needs of a card, of which it has a counter or power.

    Attributes:
        explain: the reason and the remedy of an error that a sensor has raised.
        figures: its other figures, see `Meter.figures`.
        close: releases it; called once.
    """

    domain: str
    device: str
    counter: GpuSensor | None
    power: GpuSensor | None
    explain: Callable[[Exception], tuple[str, str]]
    figures: Callable[[str, Pids], list[DeviceFigure]]
    close: Callable[[], None] = lambda: None


class GpuMeter(SensorMeter):
    """One card, or the module that holds it. Raises `MeterLostError` where it does not answer."""

    def __init__(self, card: Card, clock: Clock) -> None:
        counter, power = card.counter, card.power
        sensor = counter or power
        assert sensor is not None
        kind = ReadingKind.COUNTER if counter else ReadingKind.POWER
        about = sensor.text, kind, Provenance.MEASURED, sensor.period_s, sensor.uncertainty
        super().__init__(Source(card.domain, *about, card.device), clock)
        self._card, self._read, self._is_open = card, sensor.read, True
        self._counter: CheckedCounter | None = None
        if counter:
            read_w, is_mean = (power.read, power.period_s >= 1) if power else (None, False)
            unit_j, period_s = counter.unit_j, counter.period_s
            self._counter = CheckedCounter(counter.read, unit_j, period_s, read_w, is_mean)
        # The base of a counter.
        self._value(self._opened_s)

    def _value(self, t_s: float) -> float | None:
        try:
            if self._counter is None:
                return believable_w(self._read())
            joules = self._counter.joules(t_s)
        except Exception as error:
            # Drivers raise exceptions of their own families.
            reason, remedy = self._card.explain(error)
            what = f"{self.source.domain} ({self.source.device})"
            raise MeterLostError(f"{what} was lost: {reason}; try: {remedy}") from error
        if self._card.power and not self._counter.is_believed:
            self._bounds = self._card.power.uncertainty
        return joules

    def note(self) -> str | None:
        """See `Meter.note`."""
        return self._counter.note() if self._counter else None

    def warning(self) -> str | None:
        """See `Meter.warning`."""
        return self._counter.warning() if self._counter else None

    def figures(self, scope: str, pids: Pids) -> list[DeviceFigure]:
        """See `Meter.figures`."""
        return self._card.figures(scope, pids)

    def close(self) -> None:
        """Release the card."""
        if self._is_open:
            self._is_open = False
            self._card.close()
