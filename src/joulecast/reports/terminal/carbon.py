"""What runs emitted and cost, for the terminal: one in full, several side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ...analysis.carbon.cost import format_money
from ...analysis.carbon.embodied import YEAR_S
from ...analysis.carbon.footprint import FIGURES, Carbon, add
from ...analysis.carbon.run_carbon import RunCarbon
from ...units import Estimate, format_duration, format_estimate, format_quantity, one_line
from ..words.common import lead, percent, when
from .run import notes, pairs, plain_table, section

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def render_carbon(runs: Sequence[RunCarbon], console: Console) -> None:
    """Print the carbon and cost of runs; every figure names its source."""
    from rich.text import Text

    first = runs[0]
    if len(runs) == 1:
        console.print(Text(_title(first), "bold"))
        pairs(console, _rows(first))
        section(console, "Sources")
        pairs(console, _sources(first.carbon))
    else:
        console.print(Text(f"{len(runs)} runs", "bold"))
        console.print(_table(runs))
        section(console, "Sources")
        pairs(console, dict.fromkeys(row for run in runs for row in _sources(run.carbon)))
    notes(console, "Notes", list(dict.fromkeys(_notes(runs))), "-", "dim")


def _notes(runs: Sequence[RunCarbon]) -> Iterator[str]:
    """What was assumed, and, where there is no room beside it, why a figure is unknown."""
    for run in runs:
        yield from run.notes
    if len(runs) > 1:
        for run in runs:
            for name in ("energy", "embodied"):
                if why := run.carbon.why(name):
                    yield f"{one_line(run.name, 40)}: {name} unknown: {why}"
    if any(run.carbon.site.pue == 1 for run in runs):
        yield "PUE 1: what the site takes for cooling and supply is not counted (--pue)"


def _title(run: RunCarbon) -> str:
    name = one_line(run.name) or "(no name)"
    if run.started_at is None:
        return name
    return f"{name}  {when(run.started_at)}, {format_duration(run.duration_s or 0.0)}"


def _rows(run: RunCarbon) -> list[tuple[str, str]]:
    carbon = run.carbon
    energy = carbon.energy
    rows = []
    if energy is not None:
        told = format_estimate(energy) if energy.low < energy.high else lead(energy)
        kwh = format_quantity(energy.value / 3600, "Wh")
        rows.append(("energy", f"{told}, {kwh}, {run.energy_basis}, {energy.provenance}"))
    else:
        rows.append(("energy", f"unknown: {carbon.why('energy')}"))
    rows += [
        (name, _figure(getattr(carbon, name), carbon.why(name)))
        for name in ("operational", "embodied", "total")
    ]
    if carbon.tariff is not None:
        rows.append(("cost", _figure(carbon.cost, carbon.why("cost"))))
    return rows


def _figure(figure: Estimate | None, why: str | None) -> str:
    if figure is None:
        return f"unknown: {why}"
    if figure.unit != "g CO2e":
        told = format_money(figure)
        told = told if figure.low < figure.high else told.partition(" (")[0]
        return f"{told} {figure.provenance}"
    told = format_estimate(figure) if figure.low < figure.high else lead(figure)
    return f"{told} {figure.provenance}"


def _sources(carbon: Carbon) -> list[tuple[str, str]]:
    site = carbon.site
    rows = [("grid", f"{site}: {site.source}")]
    if site.marginal:
        rows[0] = ("grid, marginal", rows[0][1])
    mean = site.over_time
    if mean is not None:
        told = f"intensity known for {percent(mean.coverage)} of the energy"
        if mean.low_g_per_kwh < mean.high_g_per_kwh:
            told += f", {mean.low_g_per_kwh:.4g} to {mean.high_g_per_kwh:.4g} g/kWh in its hours"
        if mean.estimated > 0:
            told += f"; {percent(mean.estimated)} of that the provider estimates"
        rows.append(("over time", told))
    held = carbon.hardware
    if held is not None:
        kg = format_quantity(held.carbon_g / 1000, "kg") if held.carbon_g < 1e6 else None
        mass = kg or format_quantity(held.carbon_g / 1e6, "t")
        share = "" if held.share == 1 else f", {percent(held.share)} of it held"
        rows.append(("hardware", f"{mass} CO2e{share}: {held.source}"))
        years = f"{held.lifetime_s / YEAR_S:.3g} years, in use {percent(held.utilization)} of them"
        rows.append(("written off", f"over {years}: {held.written_off_by}"))
    if carbon.tariff is not None:
        rows.append(("tariff", f"{carbon.tariff}: {carbon.tariff.source}"))
    return rows


def _table(runs: Sequence[RunCarbon]) -> Table:
    from rich.text import Text

    table = plain_table()
    shown = [name for name in FIGURES if any(getattr(run.carbon, name) for run in runs)]
    table.add_column("run")
    for name in shown:
        table.add_column(name, justify="right", no_wrap=True)
    for run in runs:
        cells = [_cell(getattr(run.carbon, name)) for name in shown]
        table.add_row(Text(one_line(run.name, 40) or "(no name)"), *cells)  # a name is no markup
    total = add([run.carbon for run in runs])
    table.add_row("all", *(_cell(total[name]) for name in shown), style="bold")
    return table


def _cell(figure: Estimate | None) -> str:
    if figure is None:
        return "unknown"
    if figure.unit in ("J", "g CO2e"):
        return lead(figure)
    return format_money(figure).partition(" (")[0]
