"""The Python interface: `joulecast.forecast`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from ..analysis.carbon.footprint import Site
from ..calibration import devices
from ..calibration.probe import check_memory, probe
from ..calibration.steps import steps_of
from ..calibration.stored_constants import calibration_of
from ..errors import JoulecastError, LedgerError, UsageError
from ..forecasting.physical.device import Device, StepForecast
from ..forecasting.physical.forecaster import Physical
from ..forecasting.physical.generation import (
    Requests,
    check_generation,
    generation_step,
    generation_workload,
    memory_of,
)
from ..forecasting.physical.job import JobForecast, JobForecasts, Plan, forecast_job, widest
from ..forecasting.physical.memory_fit import memory_needed
from ..forecasting.physical.node import node_of_device
from ..forecasting.physical.parallel import (
    Layout,
    Waiting,
    at_efficiency,
    check_layout,
    layout_of,
    on_all_devices,
    on_one_device,
    samples_per_part,
    usual_micro_batches,
    waiting,
)
from ..hardware.environment import Environment
from ..ledger import open_ledger
from ..workload import analyze
from ..workload.decoder import Decoder, decoder_named
from ..workload.model import Workload


def forecast(
    model: Any,
    input: Any = None,
    *,
    gpu: str | Sequence[str] | None = None,
    cpu: str | None = None,
    here: bool = False,
    batch: int = 32,
    samples: int | None = None,
    val_samples: int = 0,
    epochs: int = 1,
    steps: int | None = None,
    training: bool = True,
    precision: str = "default",
    optimizer: str = "adamw",
    nodes: int = 1,
    parallel: str | None = None,
    accumulate: int | None = None,
    gradient_checkpointing: bool = False,
    lora: str | int | None = None,
    mean_length: int | None = None,
    compile: bool = False,
    mfu: float | None = None,
    prompt_tokens: int | None = None,
    generate_tokens: int | None = None,
    probe: bool = False,
    region: str | None = None,
    carbon_intensity: float | None = None,
    pue: float = 1.0,
    ledger: str | Path | None = None,
) -> JobForecasts:
    """Forecast energy, duration and carbon of a training or inference before it runs.

    Args:
        model: `"torchvision:resnet50"`, `"timm:..."`, `"transformers:..."`, `"FILE.py:function"`,
            an `nn.Module`, or a function that returns one.
        input: shape of one sample without the batch, `(3, 224, 224)`; a list of shapes for several
            inputs. By default what the model's library uses.
        gpu: name of a GPU in the catalog, or several: each gets a forecast. `"8xH100"` is a node of
            eight.
        cpu: name of a CPU in the catalog; `""` for this machine's.
        here: this machine's first GPU, else its CPU; the default where no device is named.
        batch: samples in a step, over all devices and micro-batches.
        samples: training samples in an epoch. Either this or `steps`.
        val_samples: validation samples after each epoch.
        epochs: how many epochs.
        steps: total number of steps.
        training: False for inference.
        precision: `"default"` (PyTorch's: fp32, with convolutions in TF32 where the GPU has it),
            `"fp32"`, `"tf32"`, `"bf16"`, `"fp16"` or `"fp8"`; `analyze` describes them.
        optimizer: `"sgd"`, `"momentum"`, `"adam"`, `"adamw"` or `"none"`.
        nodes: nodes of the GPUs in `gpu`.
        parallel: how the job is divided among them: `"data"`, `"fsdp"`, `"tensor:8"`,
            `"pipeline:4"`, or a product, `"fsdp,tensor:8"`. By default each has a copy.
        accumulate: micro-batches that a step adds the gradients of; by default one, and in a
            pipeline up to four for each of its stages.
        gradient_checkpointing: keep only what goes from block to block of the model, and compute
            each block again in the backward pass.
        lora: rank of low-rank adapters, which alone are trained: 16, or `"r=16"`.
        mean_length: mean tokens of sequences that are not padding, where padding is not computed.
        compile: as `torch.compile` runs it, with chains of elementwise operators fused.
        mfu: known model FLOPs utilization, above 0 and at most 1, which sets the time.
        prompt_tokens: of a request, in inference of a language model that generates text. `batch`
            sequences are then under way at a time, and `samples` are requests.
        generate_tokens: that answer a request.
        probe: run real steps on this machine for a few seconds, instead of the model of devices.
        region: country whose electricity mix is used, as a code or a name; by default the world.
        carbon_intensity: of the electricity, g CO2e per kWh, instead of `region`.
        pue: power usage effectiveness, facility energy / IT energy.
        ledger: file or URL with this machine's calibrations; the default ledger if None.

    Returns:
        A forecast for each device, with 90 % intervals: energy (J), duration (s), power (W), carbon
        (g CO2e), memory, and what a step's time goes to. What does not fit has no energy.

    Raises:
        UsageError: the arguments do not make sense together.
        UnknownHardwareError: the catalog does not have the GPU or CPU.
        MissingExtraError: torch or the model's library is not installed.
        ProbeError: the job cannot be run here.

    Examples:
        >>> import torch
        >>> forecasts = joulecast.forecast(
        ...     torch.nn.Linear(512, 10), (512,), gpu="A100 SXM4 80GB", steps=1000
        ... )
        >>> forecasts.cheapest.device
        'NVIDIA A100 SXM4 80GB'
    """
    names = _names(gpu)
    changed = (lora, mean_length, accumulate, mfu, gradient_checkpointing, compile)
    many = nodes > 1 or parallel is not None or any(name.count > 1 for name in names)
    _check_place(names, cpu, here, many)
    if probe:
        _check_probe(names, cpu, any(changed))
    generating = prompt_tokens is not None or generate_tokens is not None
    if generating and steps is None and samples is None:
        # One batch of requests.
        steps = 1
    plan = _plan(steps, samples, val_samples, epochs, batch)
    optimizer = optimizer if training else "none"
    site = Site.of(region, carbon_intensity, pue)
    division = _Division(batch, nodes, parallel, accumulate)
    groups = _devices(names, division, cpu, here, ledger)
    if generating:
        _check_generation(training, probe, val_samples, input is not None, *changed)
        tokens = check_generation(prompt_tokens, generate_tokens)
        name, decoder = decoder_named(model, sum(tokens))
        requests = Requests(batch, *tokens)
        return JobForecasts(
            tuple(_generating(name, decoder, requests, precision, g, plan, site) for g in groups)
        )
    # One step of the job, and one of its validation where the plan has any.
    modes = (training, False) if plan.validation_steps else (training,)

    @cache
    def workloads(kind: str, samples: int) -> list[Workload]:
        return [
            analyze(
                model,
                input,
                batch=samples,
                optimizer=optimizer,
                precision=precision,
                training=mode,
                device=kind,
                gradient_checkpointing=gradient_checkpointing,
                lora=lora,
                mean_length=mean_length,
                compile=compile,
            )
            for mode in modes
        ]

    # All of them first, so that what does not come out is reported before any is counted.
    parts = [samples_per_part(group.layout, batch) for group in groups]
    if probe:
        device = groups[0].devices[0]
        counted = workloads(device.kind, parts[0])
        return JobForecasts((_probed(model, input, counted, device, plan, site),))
    return JobForecasts(
        tuple(
            _forecast(group, workloads(group.devices[0].kind, samples), plan, site, mfu)
            for group, samples in zip(groups, parts, strict=True)
        )
    )


def _check_place(names: list[_Named], cpu: str | None, here: bool, many: bool) -> None:
    if many and (not names or cpu is not None or here):
        raise UsageError("--nodes and --parallel divide a job among GPUs: name them: --gpu 8xH100")


def _check_probe(names: list[_Named], cpu: str | None, changed: bool) -> None:
    if names or cpu:
        raise UsageError("--probe runs the job on this machine: leave out --gpu and --cpu NAME")
    if changed:
        raise UsageError(
            "--probe runs the model as it is: leave out --accumulate, --gradient-checkpointing, "
            "--lora, --mean-length, --compile and --mfu"
        )


def _check_generation(*others: object) -> None:
    if any(others):
        raise UsageError(
            "--prompt-tokens and --generate-tokens go with --inference, --gpu, --batch, "
            "--precision and --parallel tensor:N only"
        )


@dataclass(frozen=True, slots=True)
class _Named:
    """A GPU as named, `8xH100`; `count` is 0 where no number was written."""

    text: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class _Division:
    """How a batch is divided, as asked for."""

    batch: int
    nodes: int
    parallel: str | None
    accumulate: int | None


@dataclass(frozen=True, slots=True)
class _Devices:
    """A device with others that its name may mean, and how a job is divided among several."""

    devices: tuple[Device, ...]
    layout: Layout = field(default_factory=Layout)
    whole_nodes: bool = False


def _names(gpu: str | Sequence[str] | None) -> list[_Named]:
    """The GPUs that are named, in their order."""
    if gpu is None:
        return []
    names = [name.strip() for name in (gpu.split(",") if isinstance(gpu, str) else gpu)]
    if "" in names:
        raise UsageError(f"--gpu {gpu!r}: a name is empty: write NAME, or NAME,NAME")
    return [_named(name) for name in names]


def _named(text: str) -> _Named:
    # `8xH100`, `8 x H100`, and wrong numbers, which no GPU's name begins with.
    parts = re.fullmatch(r"([-+]?[\d.]*\d)\s*[x*]\s*(\S.*)", text, re.IGNORECASE)
    if parts is None:
        return _Named(text, text, 0)
    number, name = parts.groups()
    if not re.fullmatch(r"[1-9]\d{0,5}", number):
        raise UsageError(f"--gpu {text}: {number} is no number of GPUs: write 8x{name}")
    return _Named(text, name, int(number))


def _plan(
    steps: int | None, samples: int | None, val_samples: int, epochs: int, batch: int
) -> Plan:
    if (steps is None) == (samples is None):
        raise UsageError(
            "the amount of work is not clear: pass --samples 50000 --epochs 30, or --steps 1000"
        )
    if steps is not None:
        return Plan(steps)
    assert samples is not None
    return Plan.of_samples(samples, batch, epochs, val_samples)


def _devices(
    names: list[_Named],
    division: _Division,
    cpu: str | None,
    here: bool,
    ledger: str | Path | None,
) -> list[_Devices]:
    """The devices to forecast on, each once; each with others that its name may mean."""
    groups = [_of_gpus(name, division) for name in names]
    alone = Layout(micro_batches=division.accumulate or 1)
    if cpu:
        groups.append(_Devices((devices.cpu_named(cpu),), alone))
    if here or cpu == "" or not groups:
        groups.append(_Devices((_device_here(ledger, cpu_only=cpu == ""),), alone))
    return [group for i, group in enumerate(groups) if group not in groups[:i]]


def _of_gpus(named: _Named, division: _Division) -> _Devices:
    """GPUs as named, in their nodes."""
    group = devices.gpus_named(named.name)
    node, count = node_of_device(group[0]), max(1, named.count)
    if count > node.max_gpus:
        raise UsageError(
            f"--gpu {named.text}: a node ({node.name}) has at most {node.max_gpus} of them: "
            f"--gpu {node.max_gpus}x{named.name} --nodes {math.ceil(count / node.max_gpus)}"
        )
    layout = layout_of(division.parallel, count, division.nodes)
    parts = division.accumulate or usual_micro_batches(layout, division.batch)
    layout = replace(layout, micro_batches=parts)
    return _Devices(group, layout, named.count > 0 or division.nodes > 1)


def _device_here(ledger: str | Path | None, cpu_only: bool) -> Device:
    """This machine's GPU, else its CPU, with its calibration where there is one."""
    environment = Environment.detect()
    gpu = None if cpu_only else devices.gpu_here(environment)
    if gpu is None:
        domain, device = "cpu", devices.cpu_here(environment)
    else:
        domain, device = f"gpu:{gpu[0]}", gpu[1]
    try:
        with open_ledger(ledger, create=False) as opened:
            calibration = calibration_of(opened, environment.to_json(), domain)
    except LedgerError:
        # There is no ledger yet.
        return device
    return device if calibration is None else device.calibrated(calibration)


def _forecast(
    group: _Devices, workloads: list[Workload], plan: Plan, site: Site, mfu: float | None
) -> JobForecast:
    """On the first device of a group, with intervals that include the others."""
    method, layout = Physical(), group.layout
    for workload in workloads:
        check_layout(layout, workload)

    def step(workload: Workload, device: Device) -> tuple[StepForecast, Waiting]:
        own = method.step(on_one_device(workload, layout), device)
        if own is None:
            raise JoulecastError(f"{workload.name} on {device.name} has no forecast: try --probe")
        compute_s = own.duration.value / layout.pipeline
        waits = waiting(workload, layout, node_of_device(device), compute_s)
        forecast = on_all_devices(own, waits, layout, device)
        if mfu is not None:
            forecast = at_efficiency(forecast, workload, layout, device, mfu)
        return forecast, waits

    def on(device: Device) -> JobForecast:
        (first, waits), *after = [step(workload, device) for workload in workloads]
        return forecast_job(
            first,
            workloads[0],
            device,
            plan,
            site,
            *(forecast for forecast, _ in after),
            layout=layout,
            waits=waits if layout.devices > 1 else None,
            whole_nodes=group.whole_nodes,
        )

    return _with_others([on(device) for device in group.devices])


def _generating(
    name: str,
    decoder: Decoder,
    requests: Requests,
    precision: str,
    group: _Devices,
    plan: Plan,
    site: Site,
) -> JobForecast:
    """Text generated on the first device of a group, with intervals that include the others."""
    layout = group.layout
    if layout.fsdp > 1 or layout.pipeline > 1 or group.devices[0].kind != "gpu":
        raise UsageError("text is generated on GPUs, with --parallel tensor:N, data, or both")
    note = "weights in bf16, as served: --precision fp8 for others"
    assumed = (note,) if precision == "default" else ()
    precision = "bf16" if precision == "default" else precision
    each = replace(requests, batch=samples_per_part(layout, requests.batch))

    def on(device: Device) -> JobForecast:
        step, generation = generation_step(
            decoder, each, device, layout.tensor, layout.data, precision
        )
        return forecast_job(
            step,
            generation_workload(name, decoder, each, precision, assumed),
            device,
            plan,
            site,
            layout=layout,
            whole_nodes=group.whole_nodes,
            memory=memory_of(decoder, each, device, layout.tensor, precision),
            generation=generation,
        )

    return _with_others([on(device) for device in group.devices])


def _with_others(jobs: list[JobForecast]) -> JobForecast:
    """The first of several that a name may mean, with intervals that include the others."""
    first, *others = jobs
    if not others:
        return first
    names = ", ".join(other.device for other in others)
    note = f"treated as {first.device}; it may be {names}, which the intervals include"
    return replace(widest(first, others), notes=(note, *first.notes))


def _probed(
    model: Any, input: Any, workloads: list[Workload], device: Device, plan: Plan, site: Site
) -> JobForecast:
    """From real steps, run here: of the job, and of its validation."""
    check_memory(memory_needed(workload, device) for workload in workloads)
    # One after the other, so that only one of them is in memory.
    steps = (
        steps_of(
            model,
            input,
            batch=workload.batch,
            training=workload.training,
            optimizer=workload.optimizer,
            precision=workload.precision,
            device="cuda" if device.kind == "gpu" else "cpu",
        )
        for workload in workloads
    )
    first, *after = map(probe, steps)
    return forecast_job(first, workloads[0], device, plan, site, *after)
