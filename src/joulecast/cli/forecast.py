"""`joulecast forecast MODEL`: what a training or inference will cost, before it runs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ..errors import JoulecastError, LedgerError, UsageError
from . import options

if TYPE_CHECKING:
    from ..forecasting.physical.device import Device, StepForecast
    from ..forecasting.physical.job import JobForecast, Plan, Site
    from ..hardware.environment import Environment
    from ..workload.model import Workload

PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw", "none")


def parse_shape(text: str) -> tuple[int, ...]:
    """`3x224x224` as a shape. Raises `UsageError`."""
    try:
        shape = tuple(int(part) for part in text.lower().split("x"))
    except ValueError:
        shape = (0,)
    if min(shape) < 1:
        raise UsageError(f"--input {text}: write the sizes of one sample, as in 3x224x224 or 512")
    return shape


@click.command("forecast")
@click.argument("model")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="SHAPE",
    help="Of one sample, without the batch: 3x224x224, or 512 tokens. Once for each input.",
)
@click.option("--batch", type=click.IntRange(min=1), default=32, show_default=True)
@click.option("--samples", type=click.IntRange(min=1), help="In an epoch.")
@click.option("--val-samples", type=click.IntRange(min=0), default=0, help="After each epoch.")
@click.option("--epochs", type=click.FloatRange(min=0, min_open=True), default=1.0)
@click.option("--steps", type=click.IntRange(min=1), help="In all, instead of samples and epochs.")
@click.option("--training/--inference", default=True, help="[default: training]")
@click.option("--gpu", metavar="NAME[,NAME]", help="Of the catalog; several are compared.")
@click.option(
    "--cpu", is_flag=False, flag_value="", metavar="[NAME]", help="This machine's, or one by name."
)
@click.option("--here", is_flag=True, help="This machine's GPU, or CPU. [default]")
@click.option("--precision", type=click.Choice(PRECISIONS), default="fp32", show_default=True)
@click.option("--optimizer", type=click.Choice(OPTIMIZERS), default="adamw", show_default=True)
@click.option("--probe", is_flag=True, help="Run real steps on this machine for a few seconds.")
@options.grid
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@options.ledger
def command(model: str, as_json: bool, ledger: str | None, **given: Any) -> None:
    """Forecast energy, time and carbon of MODEL before it runs.

    MODEL is torchvision:resnet50, timm:..., transformers:..., or FILE.py:function.

        joulecast forecast torchvision:resnet50 --input 3x224x224 --batch 64
            --samples 50000 --epochs 30 --gpu "NVIDIA A100"
    """
    from ..workload import analyze

    names = _names(given["gpu"])
    if given["probe"] and (names or given["cpu"]):
        raise UsageError("--probe runs the job here: leave out --gpu and --cpu NAME")
    plan = _plan(given)
    site = _site(given)
    devices = _devices(names, given, ledger)
    shapes = [parse_shape(text) for text in given["inputs"]]
    about = {
        "batch": given["batch"],
        "optimizer": given["optimizer"] if given["training"] else "none",
        "precision": given["precision"],
    }
    shape = shapes[0] if len(shapes) == 1 else shapes or None
    works: dict[str, tuple[Workload, Workload | None]] = {}
    for kind in {device.kind for group in devices for device in group}:
        work = analyze(model, shape, training=given["training"], device=kind, **about)
        after = None
        if plan.validation_steps:
            after = analyze(model, shape, training=False, device=kind, **about)
        works[kind] = work, after
    if given["probe"]:
        first = devices[0][0]
        jobs = [_probed(model, shape, works[first.kind], first, plan, site)]
    else:
        jobs = [_forecast(group, *works[group[0].kind], plan, site) for group in devices]
    if as_json:
        click.echo(json.dumps(_document(jobs), indent=2))
        return
    from rich.console import Console

    from ..reports.terminal.forecast import render_forecast

    render_forecast(jobs, Console(highlight=False))


def _plan(given: dict[str, Any]) -> Plan:
    from ..forecasting.physical.job import Plan

    steps, samples = given["steps"], given["samples"]
    if (steps is None) == (samples is None):
        raise UsageError("say how much: --samples 50000 --epochs 30, or --steps 1000")
    if steps is not None:
        return Plan(steps)
    return Plan.of_samples(samples, given["batch"], given["epochs"], given["val_samples"])


def _site(given: dict[str, Any]) -> Site:
    from ..forecasting.physical.job import Site

    return Site.of(given["region"], given["carbon_intensity"], given["pue"])


def _names(gpu: str | None) -> list[str]:
    """The GPUs of `--gpu`, in their order. Raises `UsageError` for a name left blank."""
    names = [] if gpu is None else [name.strip() for name in gpu.split(",")]
    if "" in names:
        raise UsageError(f"--gpu {gpu!r}: a name is blank: write NAME, or NAME,NAME")
    return names


def _devices(
    names: list[str], given: dict[str, Any], ledger: str | None
) -> list[tuple[Device, ...]]:
    """Those asked for, each once; each with others it might be, where its name does not tell."""
    from ..calibration import devices
    from ..hardware.environment import Environment

    found = [devices.gpus_named(name) for name in names]
    if given["cpu"]:
        found.append((devices.cpu_named(given["cpu"]),))
    if given["here"] or given["cpu"] == "" or not found:
        environment = Environment.detect()
        gpu = None if given["cpu"] == "" else devices.gpu_here(environment)
        if gpu is not None:
            index, device = gpu
            domain = f"gpu:{index}"
        else:
            domain, device = "cpu", devices.cpu_here(environment)
        found.append((_calibrated(device, domain, environment, ledger),))
    return [group for i, group in enumerate(found) if group not in found[:i]]


def _calibrated(
    device: Device, domain: str, environment: Environment, ledger: str | None
) -> Device:
    """A device of this machine, with the constants that `joulecast calibrate` found of it."""
    from ..calibration.stored_constants import calibration_of
    from ..ledger import open_ledger

    try:
        with open_ledger(ledger, create=False) as opened:
            found = calibration_of(opened, environment.to_json(), domain)
    except LedgerError:  # there is none yet
        return device
    return device if found is None else device.calibrated(found)


def _forecast(
    group: tuple[Device, ...],
    work: Workload,
    validation: Workload | None,
    plan: Plan,
    site: Site,
) -> JobForecast:
    from ..forecasting.physical.forecaster import Physical
    from ..forecasting.physical.job import forecast_job, widest

    method = Physical()

    def step(of: Workload, device: Device) -> StepForecast:
        found = method.step(of, device)
        if found is None:
            raise JoulecastError(f"{of.name} on {device.name} cannot be forecast: try --probe")
        return found

    def on(device: Device) -> JobForecast:
        after = None if validation is None else step(validation, device)
        return forecast_job(step(work, device), work, device, plan, site, after)

    first, *others = [on(device) for device in group]
    if not others:
        return first
    names = ", ".join(other.device.name for other in others)
    note = f"taken for {first.device.name}; it may be {names}, which the intervals allow for"
    return replace(widest(first, others), notes=(note, *first.notes))


def _probed(
    model: str,
    shape: Any,
    works: tuple[Workload, Workload | None],
    device: Device,
    plan: Plan,
    site: Site,
) -> JobForecast:
    """From real steps, run here: with training and, where the plan has any, without."""
    from ..calibration.probe import check_memory, probe
    from ..calibration.steps import steps_of
    from ..forecasting.physical.job import forecast_job
    from ..forecasting.physical.memory_fit import memory_needed

    def ran(work: Workload) -> StepForecast:
        step = steps_of(
            model,
            shape,
            batch=work.batch,
            training=work.training,
            optimizer=work.optimizer,
            precision=work.precision,
            device="cuda" if device.kind == "gpu" else "cpu",
        )
        return probe(step)

    work, validation = works
    check_memory(memory_needed(each, device) for each in works if each is not None)
    after = None if validation is None else ran(validation)
    return forecast_job(ran(work), work, device, plan, site, after)


def _document(jobs: list[JobForecast]) -> dict[str, Any]:
    from ..forecasting.physical.job import SCHEMA

    if len(jobs) == 1:
        return {"schema": SCHEMA, **jobs[0].to_json()}
    return {"schema": SCHEMA, "forecasts": [job.to_json() for job in jobs]}
