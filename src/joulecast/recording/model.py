"""A recording: everything about one run, as plain data.

Times inside a recording are seconds since its start; `started_at` anchors them to the calendar.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..estimate import Estimate
from ..masking import masked, masked_command
from ..meters.base import GaugeSource, Source
from ..meters.gpu_counter import NOT_BELIEVED
from .made_forecasts import MadeForecast

Array = npt.NDArray[np.float64]


class Status(StrEnum):
    """The state of a run."""

    RUNNING = "running"
    FINISHED = "finished"
    # Ended with an error, a fatal signal or a non-zero exit code.
    FAILED = "failed"
    # By its user: Ctrl-C, SIGTERM, a closed terminal.
    CANCELED = "canceled"
    # At its energy budget.
    STOPPED = "stopped"
    # The recorder died, so that the end is unknown.
    INTERRUPTED = "interrupted"


@dataclass(slots=True)
class Span:
    """A named segment of a run; spans nest through `parent`."""

    id: int
    parent: int | None
    kind: str  # "epoch", "step", "phase"
    name: str
    start_s: float
    # None while the span is open, or if the recorder was killed during it.
    end_s: float | None = None
    index: int | None = None  # of an epoch or step, from 0
    origin: int = 0  # process id that opened it

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", masked(self.name))


@dataclass(frozen=True, slots=True)
class Metric:
    """A value that was logged (accuracy, loss), in a span or in the whole run."""

    t_s: float
    name: str
    value: float
    span: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", masked(self.name))


@dataclass(frozen=True, slots=True)
class Gap:
    """A segment in which a domain was not measured; `end_s` is None where it lasted to the end.

    One without length marks the time from which on its readings are worse, for the reason given.
    For a gauge, `domain` is its name.
    """

    domain: str
    start_s: float
    end_s: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Samples:
    """Readings of one domain, oldest first; five arrays of shape (n,), as in `meters.Reading`.

    Of a gauge too: `low` and `high` are its value, `held_s` is 0.
    """

    t_s: Array
    value: Array
    low: Array
    high: Array
    held_s: Array

    def __len__(self) -> int:
        return len(self.t_s)

    @classmethod
    def empty(cls) -> Samples:
        """No readings."""
        return cls(*(np.empty(0) for _ in range(5)))

    @classmethod
    def concat(cls, parts: list[Samples]) -> Samples:
        """Several parts joined in this order."""
        if not parts:
            return cls.empty()
        return cls(
            *(
                np.concatenate([getattr(p, name) for p in parts])
                for name in ("t_s", "value", "low", "high", "held_s")
            )
        )


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a run when it starts."""

    run_id: str
    name: str
    started_at: float  # seconds since 1970, UTC
    command: list[str]
    scope: str  # "process" or "machine"; "unknown" of an imported table
    interval_s: float
    environment: dict[str, Any]
    sources: list[Source]
    group: str | None = None  # runs of one distributed job share it
    tags: dict[str, str] = field(default_factory=dict)
    planned_epochs: int | None = None
    idle_power_w: dict[str, float] | None = None  # per domain; None if no baseline was taken
    warnings: list[str] = field(default_factory=list)
    gauges: list[GaugeSource] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Of older recordings, too: no secret is stored again, or shown.
        object.__setattr__(self, "command", masked_command(self.command))
        for name in ("name", "tags", "warnings"):
            object.__setattr__(self, name, masked(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class Footer:
    """What is known of a run only when it ends."""

    status: Status
    duration_s: float
    exit_code: int | None = None
    warnings: list[str] = field(default_factory=list)  # those that arose during the run
    # Energy of all domains, stored so that lists of runs need not read samples.
    total: Estimate | None = None
    # Of the energy of the whole run, in the order in which they were made.
    forecasts: list[MadeForecast] = field(default_factory=list)


@dataclass(slots=True)
class Recording:
    """One run: its header, what happened, its samples by domain, its footer.

    `samples` and `gaps` include those of the gauges. `header.sources` names the domains of energy,
    `header.gauges` the gauges.
    """

    header: Header
    spans: list[Span] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    samples: dict[str, Samples] = field(default_factory=dict)
    footer: Footer | None = None  # None while it runs
    status: Status = Status.RUNNING

    @property
    def duration_s(self) -> float:
        """From the footer, or up to the last sample where there is none."""
        if self.footer is not None:
            return self.footer.duration_s
        return max((float(s.t_s[-1]) for s in self.samples.values() if len(s)), default=0.0)

    @property
    def sources(self) -> list[Source]:
        """Those of the header, as they were read until the end: not by a counter that failed."""
        failed = {gap.domain for gap in self.gaps if gap.reason.startswith(NOT_BELIEVED)}
        instead = "{}, replaced by integrated power"
        return [
            replace(s, source=instead.format(s.source)) if s.domain in failed else s
            for s in self.header.sources
        ]

    @property
    def gaps_of(self) -> defaultdict[str, list[Gap]]:
        """The gaps of each domain and gauge; none of one that has none."""
        by_domain: defaultdict[str, list[Gap]] = defaultdict(list)
        for gap in self.gaps:
            by_domain[gap.domain].append(gap)
        return by_domain

    @property
    def energy_gaps(self) -> list[Gap]:
        """The gaps of domains of energy, without those of gauges."""
        gauges = {gauge.domain for gauge in self.header.gauges}
        return [gap for gap in self.gaps if gap.domain not in gauges]

    @property
    def warnings(self) -> list[str]:
        """Those of the start, then those that arose during the run."""
        return [*self.header.warnings, *(self.footer.warnings if self.footer else [])]


class RecordingSink(Protocol):
    """Where a recording goes while it is made. The ledger is one. Called from one thread.

    `flush` is given everything new since the last call, about once a second: the samples by domain
    and gauge, and every span that was opened or closed (a span that closes is given again, with its
    end and the same `id`). A sink raises `LedgerError` when it cannot store; the recorder then
    goes on without it.
    """

    def open(self, header: Header) -> None:
        """The run is about to start. May take long."""

    def begin(self, header: Header) -> None:
        """The run has started; its header with the time of that."""

    def flush(
        self,
        samples: dict[str, Samples],
        spans: list[Span],
        metrics: list[Metric],
        gaps: list[Gap],
    ) -> None:
        """Store what is new."""

    def close(self, footer: Footer) -> None:
        """The run has ended; everything was flushed."""
