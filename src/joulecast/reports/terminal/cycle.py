"""What `joulecast cycle` shows in the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...analysis.tradeoff.full_cycle import (
    BreakEven,
    Cycle,
    Figure,
    FullCycle,
    InferenceDemand,
    Verdict,
    counted,
)
from ...units import format_duration, format_quantity, one_line
from ..words.common import INTERVAL, percent
from .fitting_table import fitting_table
from .run import notes, section

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

MOST_ROWS = 40


def render_cycle(found: FullCycle, title: str, console: Console) -> None:
    """Print each model's energy under the usage, cheapest first, and where two break even."""
    from rich.text import Text

    console.print(Text.assemble((one_line(title, 200), "bold"), f"  {_usage(found.usage)}"))
    console.print()
    wide = console.width >= 100
    titles = ["model", "training", "per inference", "in all"]
    titles += [INTERVAL] if wide else []
    titles += ["training's share", "per request"]
    rows = [_row(c, wide) for c in found.cycles[:MOST_ROWS]]
    console.print(fitting_table(console.width, titles, rows))
    more = len(found.cycles) - len(rows)
    if more > 0:
        console.print(Text(f"{more:,} more: --json has them", "dim"))
    if found.pairs:
        section(console, "Break-even")
        for pair in found.pairs[:MOST_ROWS]:
            console.print(_pair(pair))
        rest = len(found.pairs) - MOST_ROWS
        if rest > 0:
            console.print(Text(f"{rest:,} more pairs: --json has them", "dim"))
    left = [f"{n:,} row{'s' * (n != 1)}: {one_line(r)}" for r, n in found.left_out.items()]
    notes(console, "Left out", left, "-", "yellow")
    notes(console, "Notes", found.notes, "-", "dim")


def _usage(usage: InferenceDemand) -> str:
    text = f"{counted(usage.requests)} inferences"
    if usage.per_s is None or usage.duration_s is None:
        return text
    return f"{text}: {counted(usage.per_s * 86400)} a day for {format_duration(usage.duration_s)}"


def _row(c: Cycle, wide: bool) -> list[str]:
    return [
        one_line(c.model.name),
        format_quantity(c.model.training.value, "J"),
        format_quantity(c.model.inference.value, "J"),
        format_quantity(c.total.value, "J"),
        *([_range(c.total)] if wide else []),
        percent(c.training_share),
        "-" if math.isnan(c.per_request) else format_quantity(c.per_request, "J"),
    ]


def _range(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return "-"
    return f"{format_quantity(figure.low, 'J')} to {format_quantity(figure.high, 'J')}"


def _pair(pair: BreakEven) -> Text:
    from rich.text import Text

    text = Text(pair.sentence)
    if pair.verdict is Verdict.BREAKS_EVEN and pair.low is not None:
        if pair.high is None:
            never = percent(pair.never_share or 0.0)
            text.append(f"  (from {counted(pair.low)} on; in {never} of the draws never)", "dim")
        else:
            text.append(f"  ({counted(pair.low)} to {counted(pair.high)})", "dim")
    elif pair.never_share is not None and 0 < pair.never_share < 1:
        text.append(f"  (sure to {percent(pair.never_share)})", "dim")
    return text
