"""When the state of a run's budget changes, and whether the run goes on. Without clock or meter."""

from ..estimate import Estimate
from .budget import Action, Budget, BudgetStatus, OnExceeded

# Meters that have given no energy by then are treated as silent.
_PATIENCE_S = 10.0
# Fraction of the limit below which a forecast is within it again; avoids alternating messages.
_SURELY_WITHIN = 0.99


class BudgetWatch:
    """Updated as a run goes on; reports each change of its budget's state once.

    A warning comes when the lower bound of the forecast is above the limit, and again only after
    the upper bound was below it. A budget limits energy as it is metered, so that the error which
    all readings of a meter share is not in these bounds. After the budget is exceeded nothing more
    is reported. Unknown energy never exceeds a budget.
    """

    def __init__(self, budget: Budget, *, metered: bool = True) -> None:
        """`metered` False: there is no meter, which the first update reports."""
        self.budget = budget
        self._metered = metered
        # What was reported.
        self._unknown = self._over = self._exceeded = False

    def update(
        self, t_s: float, energy: Estimate | None, forecast: Estimate | None
    ) -> BudgetStatus | None:
        """The run after `t_s` seconds: energy (J) so far, and forecast of the whole, if known."""
        change = self._change(t_s, energy, forecast)
        return BudgetStatus(self.budget, *change, energy, forecast) if change else None

    def exceeded(self, energy: Estimate | None, forecast: Estimate | None) -> BudgetStatus | None:
        """The status with the current figures, for the decision to go on; None while within."""
        if energy is None or not self.budget.exceeded(energy):
            return None
        return BudgetStatus(
            self.budget, Action.EXCEEDED, self._exceeded_text(energy), energy, forecast
        )

    def _change(
        self, t_s: float, energy: Estimate | None, forecast: Estimate | None
    ) -> tuple[Action, str] | None:
        budget, limit_j = self.budget, self.budget.limit_j
        if self._exceeded:
            return None
        if energy is not None and budget.exceeded(energy):
            self._exceeded = True
            return Action.EXCEEDED, self._exceeded_text(energy)
        if energy is None and not self._unknown and (not self._metered or t_s >= _PATIENCE_S):
            self._unknown = True
            return (
                Action.UNKNOWN,
                f"the budget of {budget} cannot be checked: no energy is measured",
            )
        if forecast is None:
            return None
        whole = f"the whole run is forecast at {self._figure(forecast)}"
        below, above = forecast.own_sides
        if not self._over and forecast.value - below > limit_j:
            self._over = True
            return Action.WARN, f"{whole}, over the budget of {budget}"
        if self._over and forecast.value + above <= _SURELY_WITHIN * limit_j:
            self._over = False
            return Action.WITHIN, f"{whole}, now within the budget of {budget}"
        return None

    def _exceeded_text(self, energy: Estimate) -> str:
        return f"the budget of {self.budget} is exceeded: {self._figure(energy)}"

    def _figure(self, energy: Estimate) -> str:
        basis = f", {self.budget.basis}" if self.budget.basis else ""
        return f"{self.budget.cost_text(energy)}{basis}"


def goes_on(on_exceeded: OnExceeded, status: BudgetStatus) -> bool:
    """Whether a run that has exceeded its budget goes on.

    A function returns True to go on (it is called again after the next epoch), False or None to
    stop.
    """
    if callable(on_exceeded):
        return bool(on_exceeded(status))
    return on_exceeded == "warn"
