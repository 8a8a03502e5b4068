"""How a run is recorded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from ..forecasting.early_stopping.rule import EarlyStopping
    from .budget import Budget

MAX_INTERVAL_S, MIN_INTERVAL_S = 1.0, 0.01


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is recorded.

    Attributes:
        name: of the run.
        epochs: planned.
        tags: to find the run by.
        interval_s: between readings.
        scope: `process` or `machine`.
        ledger: a file or URL; None for the user's own.
        idle_s: for how long the idle baseline is measured before the run.
        idle_power_w: the idle baseline where it is given, by domain or as "total".
        live: whether a line for each epoch is printed on stderr.
        reads_output: whether progress is read from the command's output, or from its power.
        pattern: the user's own pattern of progress in that output.
        early_stopping: the rule that may end the run before its planned epochs.
        budget: of energy, CO2 or money.

    Raises:
        UsageError: a figure makes no sense.
    """

    name: str
    epochs: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    interval_s: float = 0.1
    scope: str = "process"
    ledger: str | Path | None = None
    idle_s: float = 0.0
    idle_power_w: Mapping[str, float] | None = None
    live: bool = False
    reads_output: bool = False
    pattern: str | None = None
    early_stopping: EarlyStopping | None = None
    budget: Budget | None = None

    @property
    def is_followed(self) -> bool:
        """Whether anything is to be reported while the run goes on."""
        wanted = (self.epochs, self.live, self.reads_output, self.pattern)
        return any(wanted) or self.early_stopping is not None or self.budget is not None

    def __post_init__(self) -> None:
        if not MIN_INTERVAL_S <= self.interval_s <= MAX_INTERVAL_S:
            raise UsageError(f"interval {self.interval_s:g} s: use 0.01 to 1 s")
        if self.scope not in ("process", "machine"):
            raise UsageError(f"scope {self.scope!r}: use 'process' or 'machine'")
        if self.epochs is not None and self.epochs < 0:
            raise UsageError(f"epochs={self.epochs}: cannot be negative")
        if not (math.isfinite(self.idle_s) and self.idle_s >= 0):
            raise UsageError(f"idle={self.idle_s:g}: must be finite and not negative")
        for watts in (self.idle_power_w or {}).values():
            if not (math.isfinite(watts) and watts >= 0):
                raise UsageError(f"idle_power={watts:g}: must be finite and not negative")
        if self.idle_s and self.idle_power_w:
            raise UsageError("idle and idle_power: the baseline is measured or given, not both")
