"""A run under way in one line: what the terminal shows while it goes on. Imports no rich."""

from __future__ import annotations

from ...run.run_state import RunState
from ...units import format_duration, format_estimate, format_quantity


def live_line(seen: RunState, budget: str | None = None) -> str:
    """`12.3 kJ, 142 W | forecast 92.1 kJ (85.0 to 99.0) | 4 min 05 s left | epoch 4 of 30`.

    The most important comes first: a narrow terminal cuts the end off. `budget` is its state.
    """
    parts = [_spent(seen)]
    if seen.total_energy is not None:
        parts.append(f"forecast {format_estimate(seen.total_energy)}")
    if seen.left_s is not None:
        parts.append(f"{format_duration(seen.left_s)} left")
    if seen.early is not None:
        parts.append(str(seen.early))
    parts.append(_place(seen))
    if budget:
        parts.append(budget)
    if seen.total_duration is None and seen.reason:
        parts.append(f"no forecast: {seen.reason}")
    return " | ".join(part for part in parts if part)


def _spent(seen: RunState) -> str:
    energy = format_quantity(seen.energy.value, "J") if seen.energy else "energy not measured"
    power = "" if seen.power_w is None else f", {format_quantity(seen.power_w, 'W')}"
    return energy + power


def _place(seen: RunState) -> str:
    """`epoch 4 of 30`, `37 % done`: people count from one, and the last does not end twice."""
    if seen.done is None:
        return ""
    if seen.planned == 1.0 and seen.done < 1:
        return f"{seen.done:.0%} done".replace("%", " %")
    epoch = int(seen.done) + 1
    if seen.planned is None:
        return f"epoch {epoch}"
    return f"epoch {min(epoch, int(seen.planned))} of {seen.planned:g}"
