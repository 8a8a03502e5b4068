"""The Python interface: `joulecast.record`."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, overload

from ..errors import UsageError
from ..units import parse_duration, parse_power
from .budget import parse_budget
from .budget_watch import BudgetStatus, parse_policy
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
    budget: float | str | None = None,
    on_budget: str | Callable[[BudgetStatus], bool | None] = "stop",
    tariff: float | str | None = None,
    region: str | None = None,
    carbon_intensity: float | None = None,
    pue: float = 1.0,
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
    budget: float | str | None = None,
    on_budget: str | Callable[[BudgetStatus], bool | None] = "stop",
    tariff: float | str | None = None,
    region: str | None = None,
    carbon_intensity: float | None = None,
    pue: float = 1.0,
    early_stopping: str | EarlyStopping | None = None,
) -> Run | F:
    """Record the energy of a training.

    As a context manager or a decorator::

        with joulecast.record("digits", epochs=30) as run:
            for epoch in run.epochs():
                train(...)
                with run.span("validate"):
                    run.log(accuracy=validate(...))

    Inside a process that is itself recorded (by `joulecast run`, or by another `record`), it joins
    that run: its spans and metrics appear there, and `run.energy` is None here.

    Args:
        name: what the run is called; the script's name by default.
        epochs: how many are planned; lets the run be forecast.
        tags: any words to find the run by.
        interval: seconds between readings, 0.01 to 1, or text (`"100ms"`).
        scope: `"process"` (the GPUs visible to this process and its tree's share of the CPU) or
            `"machine"`.
        ledger: a file or a PostgreSQL URL; `JOULECAST_LEDGER` or the user's data folder by default.
        idle: measure the idle baseline for so many seconds (or text, `"10s"`) before the run.
        idle_power: or give it: watts of the whole machine (or text, `"40W"`), or by domain
            `{"gpu:0": 25.0}`.
        live: print a line for each epoch, with a forecast of the whole, on stderr.
        quiet: print nothing at the end.
        budget: what the run may spend: joules, or text (`"50kJ"`, `"0.3kWh"`, `"30gCO2"`,
            `"5EUR"`). A forecast over it is said on stderr.
        on_budget: once it is spent, `"stop"` raises `BudgetExceeded` after the epoch, `"warn"` says
            so and goes on; a function is given a `BudgetStatus` after each epoch from then on, and
            the run goes on where it returns True.
        tariff: price of electricity, for a budget in money: `0.32` (per kWh) or `"0.32EUR/kWh"`.
        region: country of the grid, for a budget in CO2; the world's average by default.
        carbon_intensity: or its intensity, g CO2e per kWh.
        pue: what the site takes over what the machine takes, for both.
        early_stopping: the rule that may end the training early, by a metric given to `log`:
            `"val_loss:patience=5"`. The forecast then says what it is expected to cost, too.

    Raises:
        BudgetExceeded: after an epoch, see `budget`.
        UsageError: for figures that make no sense. Trouble with meters or the ledger never raises:
            it is said on stderr and in the recording's warnings, and the training goes on.
    """
    if callable(name):  # written @joulecast.record, without brackets
        return record(name.__name__)(name)
    try:
        options = RunOptions(
            name=str(name) if name is not None else _script_name(),
            epochs=None if epochs is None else operator.index(epochs),
            tags={str(key): str(value) for key, value in dict(tags or {}).items()},
            interval_s=_number(interval, parse_duration),
            scope=scope,
            ledger=None if ledger is None else Path(ledger) if not _is_url(ledger) else str(ledger),
            idle_s=_number(idle, parse_duration),
            idle_power_w=_watts(idle_power),
            live=bool(live),
            budget=None
            if budget is None
            else parse_budget(
                budget,
                tariff=tariff,
                region=region,
                carbon_intensity=carbon_intensity,
                pue=pue,
            ),
            on_budget=parse_policy(on_budget),
            early_stopping=_rule(early_stopping),
        )
    except (TypeError, ValueError) as error:
        raise UsageError(f"joulecast.record: an argument of the wrong kind: {error}") from None
    return Run(options, quiet=quiet)


def _number(given: float | str, parse: Callable[[str], float]) -> float:
    return parse(given) if isinstance(given, str) else float(given)


def _watts(given: float | str | Mapping[str, float] | None) -> dict[str, float] | None:
    if given is None:
        return None
    if isinstance(given, Mapping):
        return {str(domain): _number(watts, parse_power) for domain, watts in given.items()}
    return {"total": _number(given, parse_power)}


def _rule(given: str | EarlyStopping | None) -> EarlyStopping | None:
    if not isinstance(given, str):
        return given
    from ..forecasting.early_stopping import rule as early_stopping

    return early_stopping.parse(given)


def _is_url(ledger: str | Path) -> bool:
    return isinstance(ledger, str) and "://" in ledger


def _script_name() -> str:
    return Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"
