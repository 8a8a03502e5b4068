"""The report of `joulecast forecast`: one device in full, several next to each other."""

from collections.abc import Mapping, Sequence

from ...estimate import Estimate, format_estimate
from ...forecasting.physical.device import Shares
from ...forecasting.physical.generation import GenerationForecast
from ...forecasting.physical.job import JobForecast, JobForecasts
from ...units import counted, format_duration, format_quantity, one_line
from ..words.common import INTERVAL, lead, range_text
from .model import Column, Document, Line, Pairs, ReportTable, Section, Styled, figures, notes

_PARTS = {
    "compute": "arithmetic",
    "memory": "memory traffic",
    "launch": "launching kernels",
    "input": "the input pipeline",
}
_RUNGS = {
    "catalog": "catalog alone",
    "calibrated": "calibrated machine",
    "probed": "job itself, run for a few seconds",
}
# In a table of devices their vendors and series are left out.
_PREFIXES = ("NVIDIA ", "AMD ", "GeForce ", "Tesla ", "Intel ")
_WIDE = 110
_MIN_SHARE = 0.005


def forecast_document(result: JobForecasts) -> Document:
    """Energy, duration, power, carbon and memory of a job on each device."""
    jobs = result.forecasts
    first = jobs[0]
    if len(jobs) == 1:
        section = Section(f"On {_devices(first)}", [Pairs(_rows(first))])
    else:
        section = Section("On each device", [_comparison(jobs)])
    warnings = [f"{_devices(job)}: {job.memory.warning}" for job in jobs if job.memory.warning]
    every_note = dict.fromkeys(note for job in jobs for note in job.notes)
    return Document(
        [Styled(_title(first), "strong"), Styled(_counts(first), "dim")],
        [
            section,
            *notes("Memory", warnings, "!", "warning"),
            *notes("Notes", list(every_note)),
        ],
    )


def _title(job: JobForecast) -> str:
    work = job.workload
    kind = f"training, {work.optimizer}" if work.training else "inference"
    size = "x".join(str(n) for n in work.input)
    if job.generation is not None:
        kind, tokens = "generation", job.generation.generate_tokens
        size = f"{size} tokens, {tokens} generated"
    return f"{one_line(work.name)}: {kind}, batch {work.batch} of {size}, {work.precision}"


def _counts(job: JobForecast) -> str:
    plan, work = job.plan, job.workload
    runs = counted(plan.steps, "step") + (f" x {plan.epochs} epochs" if plan.epochs != 1 else "")
    if plan.validation_steps:
        runs += f", {counted(plan.validation_steps, 'step')} of validation after each"
    # Of small models, a tenth of a million says nothing.
    small = work.parameters < 1e6
    parameters = f"{work.parameters:,}" if small else f"{work.parameters / 1e6:,.1f} M"
    flops, moved = format_quantity(work.step_flops, "FLOP"), format_quantity(work.step_bytes, "B")
    return f"{parameters} parameters, {flops} and {moved} a step; {runs}"


def _devices(job: JobForecast) -> str:
    """`8 x NVIDIA H100 SXM5 80GB`."""
    return job.device if job.device_count == 1 else f"{job.device_count} x {job.device}"


def _rows(job: JobForecast) -> list[tuple[str, Line]]:
    grid = f"{job.grid.carbon_g_per_kwh:.4g} g CO2e/kWh ({job.grid.basis})"
    if job.pue != 1:
        grid += f", PUE {job.pue:g}"
    rows: list[tuple[str, Line]] = []
    if job.energy is None or job.duration is None or job.carbon is None:
        rows.append(("energy", "unknown: it does not fit the memory"))
    else:
        rows.append(("energy", _joules(job.energy)))
        if job.node is not None and job.total_energy is not None:
            node = f"{format_estimate(job.node.energy)}: CPU, RAM, fans, network ({job.node.kind})"
            rows += [("node around", node), ("in total", _joules(job.total_energy))]
        rows += [
            ("duration", format_estimate(job.duration)),
            ("power", format_estimate(job.power)),
            ("carbon", f"{format_estimate(job.carbon)}, at {grid}"),
        ]
    if job.generation is not None:
        rows += _generation_rows(job.generation)
    else:
        each = f"{format_estimate(job.step_energy)} in {format_estimate(job.step_duration)}"
        rows.append(("a step", each))
    if job.waiting is not None:
        rows.append(("divided", _divided(job)))
    if job.shares is not None:
        rows.append(("step time", shares_text(job.shares)))
    memory = f"about {job.memory.needed_bytes / 1e9:.3g} GB"
    if job.memory.available_bytes is not None:
        memory += f" of {job.memory.available_bytes / 1e9:.4g}"
    rows.append(("memory", memory))
    if len(job.workload.kinds_by_type) > 1:
        rows.append(("computed in", _types_text(job.workload.kinds_by_type)))
    rows.append(("method", f"{job.method}, from the {_RUNGS[job.rung]}"))
    return rows


def _types_text(kinds_by_type: Mapping[str, Sequence[str]]) -> str:
    """`tf32: conv; fp32: matmul, norm`."""
    return "; ".join(f"{dtype}: {', '.join(kinds)}" for dtype, kinds in kinds_by_type.items())


def _generation_rows(generation: GenerationForecast) -> list[tuple[str, Line]]:
    each = format_estimate(generation.token_duration)
    first = format_estimate(generation.first_token)
    return [
        ("a token", f"{format_estimate(generation.energy_per_token)}, one in {each}"),
        ("a request", f"{format_estimate(generation.energy_per_request)}, prompt read in {first}"),
    ]


def _joules(energy: Estimate) -> str:
    return f"{format_estimate(energy)}, {format_quantity(energy.value / 3600, 'Wh')}"


def _divided(job: JobForecast) -> str:
    """`fsdp:8, 3 % of a step exchanging data, 2 % waiting`."""
    assert job.waiting is not None
    share = 100 / job.step_duration.value
    idle = job.waiting.pipeline_s + job.waiting.slowest_s
    return (
        f"{job.layout}; {share * job.waiting.exposed_s:.0f} % of a step exchanging data, "
        f"{share * idle:.0f} % waiting"
    )


def shares_text(shares: Shares) -> str:
    """`72 % arithmetic, 20 % memory traffic, 8 % launching kernels`, the largest first."""
    names = sorted(_PARTS, key=lambda name: -getattr(shares, name))
    shown = [(getattr(shares, name), _PARTS[name]) for name in names]
    return ", ".join(
        f"{100 * share:.0f} % {words}" for share, words in shown if share >= _MIN_SHARE
    )


def _comparison(jobs: Sequence[JobForecast]) -> ReportTable:
    """The device with the lowest energy in bold."""
    cheapest = min((job.energy.value for job in jobs if job.energy), default=None)
    rows: list[list[Line]] = []
    for job in jobs:
        cells = [
            _short(_devices(job)),
            lead(job.energy) if job.energy else "does not fit",
            range_text(job.energy) if job.energy else "",
            format_duration(job.duration.value) if job.duration else "",
            lead(job.power) if job.energy else "",
            lead(job.carbon) if job.carbon else "",
            _PARTS[job.dominated_by] if job.dominated_by else "",
        ]
        strong = job.energy is not None and job.energy.value == cheapest
        rows.append([Styled(cell, "strong") if strong else cell for cell in cells])
    columns = [
        Column("device", fit="fold"),
        *figures("energy", INTERVAL, "duration", "power", "carbon"),
        Column("mostly", min_width=_WIDE),
    ]
    return ReportTable(columns, rows)


def _short(name: str) -> str:
    """`A100 SXM4 80GB`."""
    for prefix in _PREFIXES:
        name = name.replace(prefix, "")
    return name
