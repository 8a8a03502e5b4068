"""The report of `joulecast doctor`."""

from ...run.checkup import Checkup, DomainNow
from ...units import format_duration
from ..words.common import INTERVAL, bounds_text, lead, percent, uncertainty_text
from ..words.environment import environment_rows
from ..words.gauges import gauge_text, label
from .model import (
    Block,
    Column,
    Document,
    Line,
    Pairs,
    ReportTable,
    Section,
    Style,
    Styled,
    figures,
    notes,
    provenance,
)

_SCOPES = {
    "machine": "the whole machine. By default `joulecast run` counts only the GPUs visible to its "
    "command, and the command's share of CPU and memory",
    "process": "this process only, as `joulecast run` counts its command. It is idle, so its share "
    "is close to zero; use --scope machine for the whole machine",
}


def doctor_document(checkup: Checkup) -> Document:
    """What can be measured, what cannot and what to do, and the uncertainty to expect."""
    sections = []
    if checkup.domains:
        power = Section(
            f"Power now, over {format_duration(checkup.watched_s)}",
            [_power(checkup), Styled(f"Scope {checkup.scope}: {_SCOPES[checkup.scope]}.", "dim")],
        )
        sections += [power, Section("Source and uncertainty of each domain", [_sources(checkup)])]
    if checkup.gauges:
        sections.append(Section("Also recorded, once a second", [_gauges(checkup)]))
    if checkup.unavailable:
        sections.append(Section("Not measured here", [_unavailable(checkup)]))
    sections += notes("Warnings", checkup.warnings, "!", "warning")
    rows = environment_rows(checkup.environment)
    if rows:
        sections.append(Section("Environment", [Pairs(rows)]))
    return Document(_verdict(checkup), sections)


def _verdict(checkup: Checkup) -> list[Block]:
    working = [d for d in checkup.domains if d.power is not None]
    if not working:
        return [Styled("No energy can be measured here.", "bad")]
    kinds: dict[str, list[str]] = {}
    for d in working:
        kinds.setdefault(str(d.source.provenance), []).append(d.source.domain)
    text = "; ".join(f"{', '.join(domains)} {kind}" for kind, domains in kinds.items())
    head: list[Block] = [Styled(f"Energy is available here: {text}.", "strong")]
    if checkup.relative:
        low, high = checkup.relative
        head.append(
            f"Expect totals within -{percent(low)} to +{percent(high)} ({INTERVAL}, at this load)."
        )
    return head


def _power(checkup: Checkup) -> ReportTable:
    rows: list[list[Line]] = [
        [d.source.domain, *_figures(d), provenance(d.source.provenance), d.source.device]
        for d in checkup.domains
    ]
    total = checkup.power
    several = total is not None and len(rows) > 1
    if total is not None and several:
        rows.append(["total", lead(total), bounds_text(total), provenance(total.provenance), ""])
    columns = [
        Column("domain"),
        *figures("power"),
        Column(INTERVAL),
        Column(),
        Column("device", fit="fold", style="dim"),
    ]
    return ReportTable(columns, rows, rules=frozenset({len(rows) - 1} if several else ()))


def _figures(d: DomainNow) -> tuple[str, str]:
    if d.power is None:
        return "unknown", d.reason or ""
    return lead(d.power), bounds_text(d.power)


def _sources(checkup: Checkup) -> Pairs:
    rows: list[tuple[str, Line]] = []
    for d in checkup.domains:
        origin = f" ({d.source.uncertainty.origin})" if d.source.uncertainty.origin else ""
        shortest = d.shortest_window_s
        resolved = (
            f"; resolves windows of {format_duration(shortest)} or longer" if shortest else ""
        )
        rows.append(
            (
                d.source.domain,
                f"{d.source.source}: {uncertainty_text(d.source)}{origin}{resolved}",
            )
        )
    return Pairs(rows)


def _gauges(checkup: Checkup) -> ReportTable:
    rows: list[list[Line]] = []
    for gauge in checkup.gauges:
        value = gauge_text(gauge.value, gauge.source.unit)
        about = "; ".join(filter(None, (gauge.source.source, gauge.reason)))
        style: Style = "warning" if gauge.value is None else ""
        rows.append([" ".join(label(gauge.source.domain)), Styled(value, style), about])
    columns = [Column("gauge"), *figures("now"), Column("source", fit="fold", style="dim")]
    return ReportTable(columns, rows)


def _unavailable(checkup: Checkup) -> Pairs:
    rows: list[tuple[str, Line]] = []
    for u in checkup.unavailable:
        rows.append((u.domain, f"{u.source}: {u.reason}"))
        if u.remedy:
            rows.append(("", (Styled("what to do: ", "accent"), u.remedy)))
    return Pairs(rows)
