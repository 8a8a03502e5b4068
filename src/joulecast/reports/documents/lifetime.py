"""The report of `joulecast tradeoff --requests`."""

from ...analysis.tradeoff.demand import Demand
from ...analysis.tradeoff.lifetime import (
    BreakEven,
    EnergyRange,
    LifetimeEnergy,
    ModelLifetime,
    Verdict,
    count_text,
)
from ...units import counted, format_duration, format_quantity, one_line
from ..words.common import INTERVAL, percent
from .model import Block, Column, Document, Line, ReportTable, Section, Styled, figures, notes

MAX_ROWS = 40


def lifetime_document(result: LifetimeEnergy) -> Document:
    """Each model's energy under the demand, and where two break even."""
    title = Styled(one_line(result.title, 200), "strong")
    head: list[Block] = [(title, f"  {_demand(result.demand)}"), "", _models(result)]
    if len(result.models) > MAX_ROWS:
        head.append(_more(len(result.models)))
    sections = []
    if result.break_even:
        lines: list[Block] = [_break_even(pair) for pair in result.break_even[:MAX_ROWS]]
        if len(result.break_even) > MAX_ROWS:
            lines.append(_more(len(result.break_even)))
        sections.append(Section("Break-even", lines))
    left_out = [f"{counted(n, 'row')}: {one_line(r)}" for r, n in result.left_out.items()]
    sections += notes("Left out", left_out, "-", "warning")
    return Document(head, [*sections, *notes("Notes", result.notes)])


def _more(count: int) -> Styled:
    return Styled(f"{count - MAX_ROWS:,} more: see --json", "dim")


def _demand(demand: Demand) -> str:
    text = f"{count_text(demand.requests)} requests"
    if demand.requests_per_s is None or demand.service_life_s is None:
        return text
    per_day = count_text(demand.requests_per_s * 86400)
    return f"{text}: {per_day} a day for {format_duration(demand.service_life_s)}"


def _models(result: LifetimeEnergy) -> ReportTable:
    columns = [
        Column("model", fit="cut"),
        *figures("training", "per inference", "total"),
        *figures(INTERVAL, min_width=100),
        *figures("training share", "per request"),
    ]
    return ReportTable(columns, [_row(model) for model in result.models[:MAX_ROWS]])


def _row(model: ModelLifetime) -> list[str]:
    per_request = model.per_request_j
    return [
        one_line(model.name),
        format_quantity(model.training.value, "J"),
        format_quantity(model.per_inference.value, "J"),
        format_quantity(model.total.value, "J"),
        _interval(model.total),
        percent(model.training_share),
        "-" if per_request is None else format_quantity(per_request, "J"),
    ]


def _interval(energy: EnergyRange) -> str:
    if energy.low is None or energy.high is None:
        return "-"
    return f"{format_quantity(energy.low, 'J')} to {format_quantity(energy.high, 'J')}"


def _break_even(pair: BreakEven) -> Line:
    never_share = pair.never_share
    if pair.verdict is Verdict.BREAKS_EVEN and pair.low is not None:
        low = count_text(pair.low)
        if pair.high is not None:
            return (pair.sentence, Styled(f"  ({low} to {count_text(pair.high)})", "dim"))
        never = percent(never_share or 0.0)
        return (pair.sentence, Styled(f"  ({low} or more; in {never} of the draws never)", "dim"))
    if never_share is not None and 0 < never_share < 1:
        return (pair.sentence, Styled(f"  (in {percent(never_share)} of the draws)", "dim"))
    return pair.sentence
