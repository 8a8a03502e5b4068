"""A forecast made before a run, for the terminal: one device in full, several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...forecasting.physical.device import Shares
from ...forecasting.physical.job import JobForecast
from ...units import Estimate, format_duration, format_estimate, format_quantity, one_line
from ..words.common import lead, range_text
from .run import notes, pairs, plain_table, section

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PARTS = {
    "compute": "arithmetic",
    "memory": "memory traffic",
    "launch": "launching kernels",
    "input": "the input pipeline",
}


def render_forecast(jobs: Sequence[JobForecast], console: Console) -> None:
    """Print the forecasts of one job on one or more devices."""
    from rich.text import Text

    first = jobs[0]
    console.print(Text(_title(first), "bold"))
    console.print(Text(_counts(first), "dim"))
    if len(jobs) == 1:
        section(console, f"On {first.device.name}")
        pairs(console, _rows(first))
    else:
        section(console, "On each device")
        console.print(_comparison(jobs, console.width >= 110))
    for job in jobs:
        if job.memory.warning:
            console.print(Text(f"! {job.device.name}: {job.memory.warning}", "yellow"))
    told = dict.fromkeys(note for job in jobs for note in job.notes)
    notes(console, "Notes", list(told), "-", "dim")


def _title(job: JobForecast) -> str:
    work = job.workload
    what = f"training, {work.optimizer}" if work.training else "inference"
    size = "x".join(str(n) for n in work.input_shape)
    return f"{one_line(work.name)}: {what}, batch {work.batch} of {size}, {work.precision}"


def _counts(job: JobForecast) -> str:
    plan, work = job.plan, job.workload
    runs = f"{plan.steps} steps" + (f" x {plan.epochs:g} epochs" if plan.epochs != 1 else "")
    if plan.validation_steps:
        runs += f", {plan.validation_steps} steps of validation after each"
    return (
        f"{work.parameters / 1e6:.1f} M parameters, {work.flops() / 1e9:.4g} GFLOP and "
        f"{work.bytes() / 1e9:.3g} GB a step; {runs}"
    )


def _rows(job: JobForecast) -> list[tuple[str, str]]:
    rows = [
        ("energy", f"{format_estimate(job.energy)}, {_wh(job.energy)}"),
        ("duration", format_estimate(job.duration)),
        ("power", format_estimate(job.power)),
        ("carbon", f"{format_estimate(job.carbon)}, at {job.site}"),
        ("a step", f"{format_estimate(job.step_energy)} in {format_estimate(job.step_duration)}"),
    ]
    if job.step.shares is not None:
        rows.append(("goes to", shares_text(job.step.shares)))
    memory = f"about {job.memory.needed_bytes / 1e9:.3g} GB"
    if job.device.memory_gb is not None:
        memory += f" of {job.device.memory_gb:.4g}"
    return [*rows, ("memory", memory), ("method", f"{job.step.method}, from the {_rung(job)}")]


def _rung(job: JobForecast) -> str:
    words = {
        "catalog": "catalog alone",
        "calibrated": "calibrated machine",
        "probed": "job itself, run for a few seconds",
    }
    return words[job.step.rung]


def shares_text(shares: Shares) -> str:
    """`72 % arithmetic, 20 % memory traffic, 8 % launching kernels`, the largest first."""
    parts = sorted(_PARTS, key=lambda name: -getattr(shares, name))
    shown = [(getattr(shares, name), _PARTS[name]) for name in parts]
    return ", ".join(f"{100 * part:.0f} % {words}" for part, words in shown if part >= 0.005)


def _wh(energy: Estimate) -> str:
    return format_quantity(energy.value / 3600, "Wh")


def _comparison(jobs: Sequence[JobForecast], wide: bool) -> Table:
    """The cheapest in bold; intervals of all but the energy only where there is room."""
    table = plain_table()
    titles = ["device", "energy", "90 % interval", "duration", "power", "carbon"]
    for title in titles + (["most goes to"] if wide else []):
        left = title in ("device", "most goes to")
        table.add_column(title, justify="left" if left else "right", no_wrap=title != "device")
    cheapest = min(job.energy.value for job in jobs)
    for job in jobs:
        most = _PARTS[job.step.shares.dominant] if job.step.shares else ""
        cells = [
            _short(job.device.name),
            lead(job.energy),
            range_text(job.energy),
            format_duration(job.duration.value),
            lead(job.power),
            lead(job.carbon),
        ]
        style = "bold" if job.energy.value == cheapest else ""
        table.add_row(*cells, *([most] if wide else []), style=style)
    return table


def _short(name: str) -> str:
    """`A100 SXM4 80GB`: in a row of devices, vendors and series are known."""
    for word in ("NVIDIA ", "AMD ", "GeForce ", "Tesla ", "Intel "):
        name = name.removeprefix(word)
    return name
