"""What is known of a machine itself, for the terminal: its constants, its power at the wall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...calibration.stored_constants import MEANINGS, OF_CPUS, UNITS
from ...ledger.calibrations import WALL, Stored
from ...units import format_duration, format_quantity
from ...wall.wall_energy import WallFit
from ..words.common import domains_text, when
from .run import notes, plain_table, section

if TYPE_CHECKING:
    from rich.console import Console


def render_stored(stored: Sequence[Stored], console: Console) -> None:
    """Print what the ledger holds of a machine: each device, then the wall."""
    from rich.text import Text

    console.print(Text(stored[0].machine, "bold"))
    for one in stored:
        if not one.device.startswith(WALL):
            render_calibrated(one.device, one.document, console, one.made_at)
    for one in stored:
        if one.device.startswith(WALL):
            render_fit(WallFit.from_json(one.document), console, one.made_at)


def render_calibrated(
    device: str, document: Mapping[str, Any], console: Console, made_at: float | None = None
) -> None:
    """Print one device's constants, with what each means and how sure it is."""
    from rich.text import Text

    section(console, f"{device}: {document.get('name', '')}")
    versions = document.get("versions", {})
    about = [f"torch {versions['torch']}"] if "torch" in versions else []
    about += [f"in {format_duration(document.get('seconds', 0.0))}"]
    about += [] if made_at is None else [when(made_at)]
    about += [f"power {kind}"] if (kind := document.get("power_provenance")) else []
    console.print(Text(", ".join(about), "dim"))
    table = plain_table()
    table.add_column("constant", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("spread", justify="right", no_wrap=True)
    table.add_column("what it is", style="dim")
    reasons = document.get("reasons", {})
    spreads = document.get("spreads", {})
    for name, meaning in MEANINGS.items():
        value, spread = document.get("values", {}).get(name), spreads.get(name)
        if value is None and name in OF_CPUS:
            continue
        if value is None:
            why = reasons.get(name, "not looked for")
            table.add_row(name, Text("unknown", "yellow"), "", Text(f"{meaning}: {why}"))
            continue
        known = f"x {value:.3g}" if name not in UNITS else format_quantity(value, UNITS[name])
        sure = "" if spread is None else f"± {100 * spread:.0f} %"
        table.add_row(name, known, sure, Text(meaning))
    given = document.get("input_s")
    if given:
        seconds = given[0] + given[1] * 3 * 224 * 224 * 4
        rate = f"{1 / seconds:,.0f}/s" if seconds > 0 else "unknown"
        table.add_row("input", rate, "", Text("images of 3x224x224 the host's pipeline gives"))
    console.print(table)
    notes(console, "Notes", list(document.get("notes", ())), "!", "yellow")


def render_fit(fit: WallFit, console: Console, made_at: float | None = None) -> None:
    """Print how wall power follows the meters."""
    from rich.text import Text

    section(console, f"Wall power, of runs in scope {fit.scope}")
    about = [fit.origin, f"{fit.bins} means of {format_duration(fit.bin_s)}"]
    about += [] if made_at is None else [when(made_at)]
    console.print(Text(", ".join(about), "dim"))
    offset = f"{fit.offset_w:.1f} ± {fit.offset_error_w:.1f} W"
    console.print(
        f"wall = ({fit.slope:.3f} ± {fit.slope_error:.3f}) x metered + ({offset})",
        style="bold",
    )
    low, high = fit.metered_w
    console.print(
        f"r = {fit.r:.3f}, RMSE {fit.rmse_w:.1f} W, of {low:.0f} to {high:.0f} W metered by "
        f"{domains_text(list(fit.domains))}"
    )
    if fit.lag_s:
        console.print(Text(f"the readings came {fit.lag_s:.1f} s late, which is taken off", "dim"))
