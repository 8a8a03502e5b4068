"""The Python interface: `joulecast.record`."""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, overload

from ..errors import UsageError
from ..units import parse_duration, parse_power
from .budget import Budget
from .run_options import RunOptions
from .training import F, Run

if TYPE_CHECKING:
    from ..forecasting.early_stopping.rule import EarlyStopping


@overload
def record(name: F) -> F: ...


@overload
def record(
    name: str | None = None,
    *,
    epochs: int | None = None,
    tags: Mapping[str, str] | None = None,
    interval: float | str = 0.1,
    scope: str = "process",
    ledger: str | Path | None = None,
    idle: float | str = 0.0,
    idle_power: float | str | Mapping[str, float] | None = None,
    live: bool = False,
    quiet: bool = False,
    budget: Budget | float | str | None = None,
    early_stopping: str | EarlyStopping | None = None,
) -> Run: ...


def record(
    name: str | F | None = None,
    *,
    epochs: int | None = None,
    tags: Mapping[str, str] | None = None,
    interval: float | str = 0.1,
    scope: str = "process",
    ledger: str | Path | None = None,
    idle: float | str = 0.0,
    idle_power: float | str | Mapping[str, float] | None = None,
    live: bool = False,
    quiet: bool = False,
    budget: Budget | float | str | None = None,
    early_stopping: str | EarlyStopping | None = None,
) -> Run | F:
    """Record the energy of a training, as a context manager or a decorator.

    Inside a process that is already recorded (by `joulecast run`, or by another `record`), it joins
    that run: its spans and metrics appear there, and `run.energy` is None here.

    Args:
        name: of the run; the script's name by default.
        epochs: planned number of epochs, for the forecast of the whole run.
        tags: any words to find the run by.
        interval: time between readings, 0.01 to 1 s, or text (`"100ms"`).
        scope: `"process"` (the GPUs visible to this process and its tree's share of the CPU) or
            `"machine"`.
        ledger: a file or a PostgreSQL URL; `JOULECAST_LEDGER` or the user's data folder by default.
        idle: how long to measure the idle baseline before the run, s, or text (`"10s"`).
        idle_power: the idle baseline itself: watts of the whole machine (or text, `"40W"`), or by
            domain `{"gpu:0": 25.0}`.
        live: print a line for each epoch, with a forecast of the whole run, on stderr.
        quiet: print nothing at the end.
        budget: limit of energy, CO2 or money: `joulecast.Budget(...)`, or joules, or text
            (`"50kJ"`, `"0.3kWh"`). A forecast above it is reported on stderr.
        early_stopping: the rule that may end the training early, by a metric given to `log`:
            `"val_loss:patience=5"`. The forecast then includes the run that stops early.

    Returns:
        The run, to be used in a `with` block or as a decorator; of a function, the decorated one.

    Raises:
        BudgetExceeded: after an epoch, see `Budget`.
        UsageError: an argument makes no sense. Trouble with meters or the ledger never raises: it
            is reported on stderr and among the recording's warnings, and the training goes on.

    Examples:
        >>> with joulecast.record("example", epochs=2, quiet=True) as run:
        ...     for epoch in run.epochs():
        ...         run.log(accuracy=0.9)
    """
    # Written @joulecast.record, without parentheses.
    if callable(name):
        return record(name.__name__)(name)
    if budget is not None and not isinstance(budget, Budget):
        budget = Budget(budget)
    try:
        options = RunOptions(
            name=str(name) if name is not None else _script_name(),
            epochs=None if epochs is None else operator.index(epochs),
            tags={str(key): str(value) for key, value in dict(tags or {}).items()},
            interval_s=_number(interval, parse_duration),
            scope=scope,
            ledger=None if ledger is None else os.fspath(ledger),
            idle_s=_number(idle, parse_duration),
            idle_power_w=_watts(idle_power),
            live=bool(live),
            budget=budget,
            early_stopping=_rule(early_stopping),
        )
    except (TypeError, ValueError) as error:
        raise UsageError(f"joulecast.record: an argument has the wrong type: {error}") from None
    return Run(options, quiet=quiet)


def _number(value: float | str, parse: Callable[[str], float]) -> float:
    return parse(value) if isinstance(value, str) else float(value)


def _watts(power: float | str | Mapping[str, float] | None) -> dict[str, float] | None:
    if power is None:
        return None
    if isinstance(power, Mapping):
        return {str(domain): _number(watts, parse_power) for domain, watts in power.items()}
    return {"total": _number(power, parse_power)}


def _rule(rule: str | EarlyStopping | None) -> EarlyStopping | None:
    if not isinstance(rule, str):
        return rule
    from ..forecasting.early_stopping import rule as early_stopping

    return early_stopping.parse(rule)


def _script_name() -> str:
    return Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"
