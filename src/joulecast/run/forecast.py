"""The Python interface: `joulecast.forecast`."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
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
from ..forecasting.physical.job import JobForecast, JobForecasts, Plan, forecast_job, widest
from ..forecasting.physical.memory_fit import memory_needed
from ..hardware.environment import Environment
from ..ledger import open_ledger
from ..workload import analyze
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
        gpu: name of a GPU in the catalog, or several: each gets a forecast.
        cpu: name of a CPU in the catalog; `""` for this machine's.
        here: this machine's first GPU, else its CPU; the default where no device is named.
        batch: samples in a step.
        samples: training samples in an epoch. Either this or `steps`.
        val_samples: validation samples after each epoch.
        epochs: how many epochs.
        steps: total number of steps.
        training: False for inference.
        precision: `"default"` (PyTorch's: fp32, with convolutions in TF32 where the GPU has it),
            `"fp32"`, `"tf32"`, `"bf16"`, `"fp16"` or `"fp8"`; `analyze` describes them.
        optimizer: `"sgd"`, `"momentum"`, `"adam"`, `"adamw"` or `"none"`.
        probe: run real steps on this machine for a few seconds, instead of the model of devices.
        region: country whose electricity mix is used, as a code or a name; by default the world.
        carbon_intensity: of the electricity, g CO2e per kWh, instead of `region`.
        pue: power usage effectiveness, facility energy / IT energy.
        ledger: file or URL with this machine's calibrations; the default ledger if None.

    Returns:
        A forecast for each device, with 90 % intervals: energy (J), duration (s), power (W), carbon
        (g CO2e), memory, and what a step's time goes to.

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
    if probe and (names or cpu):
        raise UsageError("--probe runs the job on this machine: leave out --gpu and --cpu NAME")
    plan = _plan(steps, samples, val_samples, epochs, batch)
    optimizer = optimizer if training else "none"
    site = Site.of(region, carbon_intensity, pue)
    groups = _devices(names, cpu, here, ledger)
    count = partial(analyze, model, input, batch=batch, optimizer=optimizer, precision=precision)
    # One step of the job, and one of its validation where the plan has any.
    modes = (training, False) if plan.validation_steps else (training,)
    workloads = {
        kind: [count(training=mode, device=kind) for mode in modes]
        for kind in {each.kind for group in groups for each in group}
    }
    if probe:
        device = groups[0][0]
        return JobForecasts((_probed(model, input, workloads[device.kind], device, plan, site),))
    return JobForecasts(
        tuple(_forecast(group, workloads[group[0].kind], plan, site) for group in groups)
    )


def _names(gpu: str | Sequence[str] | None) -> list[str]:
    """The GPUs that are named, in their order."""
    if gpu is None:
        return []
    names = [name.strip() for name in (gpu.split(",") if isinstance(gpu, str) else gpu)]
    if "" in names:
        raise UsageError(f"--gpu {gpu!r}: a name is empty: write NAME, or NAME,NAME")
    return names


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
    names: list[str], cpu: str | None, here: bool, ledger: str | Path | None
) -> list[tuple[Device, ...]]:
    """The devices to forecast on, each once; each with others that its name may mean."""
    groups = [devices.gpus_named(name) for name in names]
    if cpu:
        groups.append((devices.cpu_named(cpu),))
    if here or cpu == "" or not groups:
        groups.append((_device_here(ledger, cpu_only=cpu == ""),))
    return [group for i, group in enumerate(groups) if group not in groups[:i]]


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
    group: tuple[Device, ...], workloads: list[Workload], plan: Plan, site: Site
) -> JobForecast:
    """On the first device of a group, with intervals that include the others."""
    method = Physical()

    def step(workload: Workload, device: Device) -> StepForecast:
        forecast = method.step(workload, device)
        if forecast is None:
            raise JoulecastError(f"{workload.name} on {device.name} has no forecast: try --probe")
        return forecast

    def on(device: Device) -> JobForecast:
        first, *after = [step(workload, device) for workload in workloads]
        return forecast_job(first, workloads[0], device, plan, site, *after)

    first, *others = [on(device) for device in group]
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
