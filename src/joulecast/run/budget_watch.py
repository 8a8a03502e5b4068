"""When a run's budget makes news, and what is done about it; pure, without clock or meter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ..errors import BudgetExceeded, UsageError
from ..units import Estimate
from .budget import Budget

_PATIENCE_S = 10.0  # meters that have told no energy by then will hardly do so
_SURELY_WITHIN = 0.99  # of the limit: a forecast that trembles at it is not news each time


class Action(StrEnum):
    """What has become of a budget."""

    UNKNOWN = "unknown"  # nothing is measured: it cannot be kept
    WARN = "warn"  # the whole run is forecast over it, at 95 % (the lower bound of a 90 % interval)
    WITHIN = "within"  # after a warning: it is forecast within again
    EXCEEDED = "exceeded"  # it is spent


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """A budget at the moment something became of it, for people (`text`) and for callbacks.

    `spent` and `forecast` (of the whole run) are metered energy, J; None where unknown.
    """

    budget: Budget
    action: Action
    text: str
    spent: Estimate | None
    forecast: Estimate | None

    def error(self) -> BudgetExceeded:
        """The exception that ends a training which spent its budget."""
        if self.spent is None:
            raise ValueError("nothing is known of what was spent")
        text = f"{self.text}: raise the budget, or train for fewer epochs or a smaller model"
        return BudgetExceeded(text, self.budget.text, self.budget.limit_j, self.spent)


class BudgetWatch:
    """Fed as a run goes on; says once what becomes of its budget.

    A warning comes when the forecast's lower bound is over the limit, and again only after the
    upper bound was under it: in between the verdict stands. When the budget is spent, that is said
    once, and nothing after it. Energy that is unknown never exceeds a budget.
    """

    def __init__(self, budget: Budget, *, metered: bool = True) -> None:
        """`metered` False: there is no meter, so that the first update tells it."""
        self.budget = budget
        self._metered = metered
        self._unknown = self._over = self._spent = False  # what was said last

    def update(
        self, t_s: float, spent: Estimate | None, forecast: Estimate | None
    ) -> BudgetStatus | None:
        """The run after `t_s` seconds: energy (J) spent, and forecast of the whole, if known."""
        news = self._news(t_s, spent, forecast)
        return BudgetStatus(self.budget, *news, spent, forecast) if news else None

    def overspent(self, spent: Estimate | None, forecast: Estimate | None) -> BudgetStatus | None:
        """The status by which to decide, with today's figures, each time; None while within."""
        if spent is None or not self.budget.exceeded(spent):
            return None
        return BudgetStatus(self.budget, Action.EXCEEDED, self._spent_text(spent), spent, forecast)

    def _news(
        self, t_s: float, spent: Estimate | None, forecast: Estimate | None
    ) -> tuple[Action, str] | None:
        budget, limit_j = self.budget, self.budget.limit_j
        if self._spent:
            return None
        if spent is not None and budget.exceeded(spent):
            self._spent = True
            return Action.EXCEEDED, self._spent_text(spent)
        if spent is None and not self._unknown and (not self._metered or t_s >= _PATIENCE_S):
            self._unknown = True
            return Action.UNKNOWN, f"the budget of {budget} cannot be kept: no energy is measured"
        if forecast is None:
            return None
        whole = f"the whole run is forecast at {self._figure(forecast)}"
        if not self._over and forecast.low > limit_j:
            self._over = True
            return Action.WARN, f"{whole}, over the budget of {budget}"
        if self._over and forecast.high <= _SURELY_WITHIN * limit_j:
            self._over = False
            return Action.WITHIN, f"{whole}, now within the budget of {budget}"
        return None

    def _spent_text(self, spent: Estimate) -> str:
        return f"the budget of {self.budget} is spent: {self._figure(spent)}"

    def _figure(self, energy: Estimate) -> str:
        basis = f", {self.budget.basis}" if self.budget.basis else ""
        return f"{self.budget.spent(energy)}{basis}"


class Policy(StrEnum):
    """What to do when a budget is spent."""

    WARN = "warn"  # say so, and go on
    STOP = "stop"  # end the command; from Python, raise `BudgetExceeded` after the epoch


OnBudget = Policy | Callable[[BudgetStatus], bool | None]


def parse_policy(given: str | Callable[[BudgetStatus], bool | None]) -> OnBudget:
    """ "warn", "stop", or a callback that decides. Raises `UsageError`."""
    if callable(given):
        return given
    try:
        return Policy(given)
    except ValueError:
        raise UsageError(f"on_budget={given!r}: use 'warn', 'stop' or a function") from None


def goes_on(policy: OnBudget, status: BudgetStatus) -> bool:
    """Whether a run whose budget is spent goes on.

    A callback says True to go on (it is asked again after the next epoch) and False to stop. One
    that says nothing (None) has decided nothing, and a budget is a limit: the run stops.
    """
    if isinstance(policy, Policy):
        return policy is Policy.WARN
    return bool(policy(status))
