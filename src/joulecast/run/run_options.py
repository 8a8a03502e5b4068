"""How a run is recorded and watched."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from .budget_watch import OnBudget, Policy

if TYPE_CHECKING:
    from ..forecasting.early_stopping.rule import EarlyStopping
    from .budget import Budget

SLOWEST_S, FASTEST_S = 1.0, 0.01


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is recorded. Raises `UsageError` where the figures make no sense."""

    name: str
    epochs: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    interval_s: float = 0.1
    scope: str = "process"
    ledger: str | Path | None = None
    idle_s: float = 0.0  # measure the idle baseline for so long before the run
    idle_power_w: Mapping[str, float] | None = None  # or it is given: by domain, or "total"
    live: bool = False  # a line on stderr for each epoch, with a forecast
    reads_output: bool = False  # progress is read from what the command prints, or from its power
    pattern: str | None = None  # of the user's own, for that
    early_stopping: EarlyStopping | None = None  # that may end the run before its planned epochs
    budget: Budget | None = None
    on_budget: OnBudget = Policy.STOP

    def __post_init__(self) -> None:
        if not FASTEST_S <= self.interval_s <= SLOWEST_S:
            raise UsageError(
                f"interval {self.interval_s:g} s: sample between 100 times a second (0.01 s) "
                "and once (1 s)"
            )
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
            raise UsageError("the idle baseline is either measured or given, not both")
