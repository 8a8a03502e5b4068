"""The report of `joulecast carbon`: one run in full, several in a table."""

from collections.abc import Iterator, Sequence

from ...analysis.carbon.carbon import CarbonReport
from ...analysis.carbon.cost import format_money
from ...analysis.carbon.footprint import FIGURES, UNIT, Carbon, CarbonFigures
from ...analysis.carbon.run_carbon import RunCarbon
from ...estimate import Estimate, format_estimate
from ...units import YEAR_S, counted, format_duration, format_quantity, one_line
from ..words.common import mix_text, percent, when
from .model import (
    Block,
    Column,
    Document,
    Line,
    Pairs,
    ReportTable,
    Section,
    Styled,
    figures,
    notes,
    provenance,
)


def carbon_document(report: CarbonReport) -> Document:
    """The emissions and cost of runs, with the source of every figure."""
    runs = report.runs
    if len(runs) == 1:
        head: list[Block] = [Styled(_title(runs[0]), "strong"), Pairs(_rows(runs[0]))]
    else:
        head = [Styled(counted(len(runs), "run"), "strong"), _table(report)]
    sources = dict.fromkeys(row for run in runs for row in _sources(run))
    sections = [Section("Sources", [Pairs(list(sources))])]
    return Document(head, [*sections, *notes("Notes", list(dict.fromkeys(_notes(runs))))])


def _notes(runs: Sequence[RunCarbon]) -> Iterator[str]:
    """Assumptions; and why figures are unknown, where the table has no room for it."""
    for run in runs:
        yield from run.notes
    if len(runs) > 1:
        for run in runs:
            for name in ("energy", "embodied"):
                if name in run.reasons:
                    yield f"{one_line(run.name, 40)}: {name} unknown: {run.reasons[name]}"
    if any(run.site.pue == 1 for run in runs):
        yield "PUE 1: energy for cooling and power supply of the site is not counted (--pue)"


def _title(run: RunCarbon) -> str:
    name = one_line(run.name) or "(no name)"
    if run.started_at is None:
        return name
    return f"{name}  {when(run.started_at)}, {format_duration(run.duration_s or 0.0)}"


def _rows(run: RunCarbon) -> list[tuple[str, Line]]:
    names = [name for name in FIGURES if name != "cost" or run.tariff is not None]
    rows = [(name, _figure(getattr(run, name), run.reasons.get(name))) for name in names]
    if run.energy is not None:
        kwh = format_quantity(run.energy.value / 3600, "Wh")
        rows.insert(1, ("", Styled(f"{kwh}, {run.energy_basis}", "dim")))
    return rows


def _figure(estimate: Estimate | None, reason: str | None) -> Line:
    if estimate is None:
        return Styled(f"unknown: {reason}", "warning")
    text = _text(estimate) if estimate.low < estimate.high else _lead(estimate)
    mix = f"  {mix_text(estimate)}" if estimate.mix else ""
    return (text + " ", provenance(estimate.provenance), Styled(mix, "dim"))


def _text(estimate: Estimate) -> str:
    in_si = estimate.unit in ("J", UNIT)
    return format_estimate(estimate) if in_si else format_money(estimate)


def _lead(estimate: Estimate | None) -> str:
    return "unknown" if estimate is None else _text(estimate).partition(" (")[0]


def _sources(carbon: Carbon) -> list[tuple[str, Line]]:
    site = carbon.site
    grid = "grid" if site.signal == "average" else "grid, marginal"
    rows: list[tuple[str, Line]] = [(grid, f"{site}: {site.source}")]
    mean = site.over_time
    if mean is not None:
        text = f"intensity known for {percent(mean.coverage)} of the energy"
        if mean.low_g_per_kwh < mean.high_g_per_kwh:
            text += f", {mean.low_g_per_kwh:.4g} to {mean.high_g_per_kwh:.4g} g/kWh in its hours"
        if mean.estimated > 0:
            text += f"; {percent(mean.estimated)} of that is the provider's estimate"
        rows.append(("over time", text))
    hardware = carbon.hardware
    if hardware is not None:
        mass = format_quantity(hardware.carbon_g / 1000, "kg")
        if hardware.carbon_g >= 1e6:
            mass = format_quantity(hardware.carbon_g / 1e6, "t")
        share = "" if hardware.share == 1 else f", {percent(hardware.share)} of it occupied"
        rows.append(("hardware", f"{mass} CO2e{share}: {hardware.source}"))
        years = f"{hardware.lifetime_s / YEAR_S:.3g} years"
        use = f"in use {percent(hardware.utilization)} of them: {hardware.written_off_by}"
        rows.append(("written off", f"over {years}, {use}"))
    if carbon.tariff is not None:
        rows.append(("tariff", f"{carbon.tariff}: {carbon.tariff.source}"))
    return rows


def _table(report: CarbonReport) -> ReportTable:
    names = [name for name in FIGURES if any(getattr(run, name) for run in report.runs)]
    rows = [[one_line(run.name, 40) or "(no name)", *_cells(run, names)] for run in report.runs]
    rows.append(["sum", *_cells(report.sum, names)])
    columns = [Column("run", fit="cut"), *figures(*names)]
    return ReportTable(columns, rows, rules=frozenset({len(rows) - 1}))


def _cells(carbon: CarbonFigures, names: Sequence[str]) -> list[str]:
    return [_lead(getattr(carbon, name)) for name in names]
