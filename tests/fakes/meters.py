"""A meter whose readings are a function of time, and the header of a recording made with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from joulecast.errors import MeterLostError
from joulecast.estimate import Provenance
from joulecast.meters.base import Meter, Reading, ReadingKind, Source, Uncertainty
from joulecast.recording.model import Header


def source(
    domain: str = "gpu:0", kind: ReadingKind = ReadingKind.COUNTER, period_s: float = 0.1
) -> Source:
    return Source(
        domain, "a test", kind, Provenance.MEASURED, period_s, Uncertainty(0.1, 0.2, "a test")
    )


@dataclass
class FunctionMeter(Meter):
    """Reads a function of the seconds since it was made."""

    clock: Callable[[], float]
    value: Callable[[float], float]
    source: Source = field(default_factory=source)
    lost_after_s: float = float("inf")
    reads: int = 0
    closed: bool = False
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.made = self.clock()

    def read(self) -> Reading:
        self.reads += 1
        t = self.clock() - self.made
        if t > self.lost_after_s:
            raise MeterLostError("it fell off the bus")
        v = self.value(t)
        return Reading(self.clock(), v, v * 0.9, v * 1.2, t)

    def note(self) -> str | None:
        return self.notes.pop() if self.notes else None

    def close(self) -> None:
        self.closed = True


def header(meters: list[Meter], **more: object) -> Header:
    fields = {
        "run_id": "0123456789abcdef",
        "name": "test",
        "started_at": 0.0,
        "command": ["test"],
        "scope": "process",
        "interval_s": 0.1,
        "environment": {},
        "sources": [m.source for m in meters],
    }
    return Header(**(fields | more))
