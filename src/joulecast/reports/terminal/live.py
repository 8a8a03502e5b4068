"""The status line of a run while it goes on. Imports no rich."""

import math

from ...estimate import format_estimate
from ...run.run_state import RunState
from ...units import counted, format_duration, format_quantity


def live_line(state: RunState, budget: str | None = None) -> str:
    """`12.3 kJ, 142 W | forecast 92.1 kJ (85.0 to 99.0) | 4 min 05 s remaining | epoch 4 of 30`.

    The most important figure comes first, because a narrow terminal cuts the line. `budget` is
    the state of the budget.
    """
    parts = [_energy(state)]
    if state.total_energy is not None:
        parts.append(f"forecast {format_estimate(state.total_energy, short=True)}")
    parts.append(budget or "")
    if state.remaining_s is not None:
        parts.append(f"{format_duration(state.remaining_s)} remaining")
    if state.early_stop is not None:
        parts.append(str(state.early_stop))
    parts.append(_place(state))
    if state.total_duration is None and state.reason:
        parts.append(f"no forecast: {state.reason}")
    return " | ".join(part for part in parts if part)


def _energy(state: RunState) -> str:
    energy = format_quantity(state.energy.value, "J") if state.energy else "energy not measured"
    power = "" if state.power_w is None else f", {format_quantity(state.power_w, 'W')}"
    return energy + power


def _place(state: RunState) -> str:
    """`epoch 4 of 30`, `37 % done`; counted from one."""
    if state.done is None:
        return ""
    if state.planned == 1.0 and state.done < 1:
        return f"{state.done:.0%} done".replace("%", " %")
    epoch = int(state.done) + state.before + 1
    if state.planned is None:
        # Whether another one follows is not known.
        between = state.done == int(state.done) > 0
        return f"{counted(epoch - 1, 'epoch')} done" if between else f"epoch {epoch}"
    planned = state.planned + state.before
    return f"epoch {min(epoch, math.ceil(planned))} of {planned:g}"
