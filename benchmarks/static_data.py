"""Runs whose step time or energy was measured, with the workloads of their steps.

Facts of a job that the data sets lack come from its published script:

* Zeus: PyTorch of 2021, so optimizers loop over parameters, and products are in TF32 where the GPU
  has it; `sentiment140` pads to the longest text of a batch, taken as 48 tokens; DeepSpeech2 runs
  in half precision, an utterance 12.3 s long; an epoch is one pass over the training set.
* SEAA: an epoch is 744 training and 319 validation steps of 32 images of 128 x 128. The column
  "trained epochs" is 9 too high. Energy is the GPU's.
* EC-NAS: an epoch is 40,000 images in batches of 256; between epochs 1 (or 2) and 4 all 60,000 are
  evaluated once. Energy is of GPU, CPU and memory, a PUE of 1.59 divided out.
* timm: automatic mixed precision, in the batch of each row.
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache, partial
from statistics import median

import torch

from harness import SHARED_DATA
from joulecast.errors import JoulecastError
from joulecast.forecasting.physical.device import Device
from joulecast.hardware.catalog.gpus import find_gpu
from joulecast.workload import analyze
from joulecast.workload.model import MULTIPLYING, Op, OperatorKind, Phase, Workload
from static_counts import at_batch, kept
from static_models import (
    QUESTION,
    SEAA,
    TEXT,
    Bert,
    DeepSpeech2,
    NeuMF,
    nas_network,
    resnet50,
    shufflenet_cifar,
)

MISSING = "skipped: ../shared/data is absent"
PUE = 1.59
# Kernels that an optimizer's loop over parameters launches for each (torch/optim, release 1.10).
LOOPED = {"adadelta": (9, 2), "adam": (9, 2), "adamw": (10, 2)}


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured epoch of a job on one machine (one step, in timm's tables).

    Rows with the same `machine` share a host.
    """

    data: str
    architecture: str
    machine: str
    device: Device
    parts: tuple[tuple[Workload, float], ...] = field(repr=False)
    duration_s: float
    energy_j: float | None
    batch: int
    label: str = ""
    # Its kernels are launched together, as a recorded graph.
    graph: bool = False
    # Seconds that a step is known to take, for reasons outside the model.
    waits_s: float = 0.0

    @property
    def cell(self) -> tuple[str, str, str]:
        """Rows of the same cell differ in batch and power limit alone."""
        return self.data, self.architecture, self.machine


def device_of(name: str, limit_w: float | None = None) -> Device:
    """The catalog's device, with a power limit if there is one below its TDP."""
    device = Device.of_gpu(find_gpu(name))
    if limit_w is None or limit_w >= device.tdp_w:
        return device
    return replace(device, power_limit_w=limit_w)


def products(device: Device) -> str:
    """The precision in which frameworks of 2020 to 2022 multiply single-precision matrices."""
    return "tf32" if "tf32" in device.tensor else "fp32"


def _rounded(work: Workload) -> Workload:
    """The same step with products in TF32."""
    ops = tuple(replace(op, dtype="tf32") if op.kind in MULTIPLYING else op for op in work.ops)
    return replace(work, precision="tf32", ops=ops)


def _looped(work: Workload, optimizer: str, tensors: int) -> Workload:
    """The workload with an optimizer that updates its `tensors` parameters one after another."""
    kernels, states = LOOPED[optimizer]
    each = work.parameters / tensors
    # Each kernel reads two operands and writes one.
    moved = 4.0 * each * 3
    op = Op(OperatorKind.OPTIMIZER, Phase.OPTIMIZER, each, moved, "fp32", count=tensors * kernels)
    state_bytes = 4.0 * states * work.parameters
    return replace(work, optimizer=optimizer, ops=(*work.ops, op), optimizer_bytes=state_bytes)


ZEUS_GPUS = {
    "v100": "Tesla V100 PCIe 32GB",
    "a40": "NVIDIA A40",
    "rtx6000": "Quadro RTX 6000",
    "p100": "Tesla P100 PCIe 16GB",
}
Shape = tuple[int, ...] | int
ZEUS_JOBS: dict[str, tuple[Callable[[], torch.nn.Module], Shape, int]] = {
    "cifar100": (shufflenet_cifar, (3, 32, 32), 50_000),
    "imagenet": (resnet50, (3, 224, 224), 1_281_167),
    "librispeech": (DeepSpeech2, (1, 161, 1230), 281_241),
    # Each rating comes with four negative samples.
    "movielens-1m": (NeuMF, (2,), 5 * 994_169),
    "squad": (Bert, (QUESTION,), 88_524),
    "sentiment140": (Bert, (TEXT,), 1_600_000),
}


@cache
def _zeus_step(job: str, batch: int, precision: str, optimizer: str) -> Workload:
    build, shape, _ = ZEUS_JOBS[job]
    with torch.device("meta"):
        model = build()

    def count(counted: int) -> Workload:
        return analyze(model, shape, batch=counted, precision="fp32", optimizer="none")

    work = at_batch(count, batch, "Zeus", job)
    assert work is not None
    if precision == "tf32":
        work = _rounded(work)
    if precision == "fp16":
        halved = (replace(op, dtype="fp16", bytes=op.bytes / 2) for op in work.ops)
        work = replace(work, precision=precision, ops=tuple(halved))
    return _looped(work, optimizer, len(list(model.parameters())))


def zeus(limits: int | None = None, largest: int | None = None) -> Iterator[Measured]:
    """Every epoch, or only those at `limits` power limits spread over each GPU's range."""
    for machine, gpu in ZEUS_GPUS.items():
        with (SHARED_DATA / "zeus" / f"summary_power_{machine}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        kept = sorted({float(row["power_limit"]) for row in rows})
        if limits is not None:
            kept = [kept[i * (len(kept) - 1) // (limits - 1)] for i in range(limits)]
        for row in rows:
            limit, batch, job = float(row["power_limit"]), int(row["batch_size"]), row["dataset"]
            if limit not in kept or (largest and batch > largest):
                continue
            device = device_of(gpu, limit)
            precision = "fp16" if job == "librispeech" else products(device)
            work = _zeus_step(job, batch, precision, row["optimizer"])
            seconds = float(row["time_per_epoch"])
            yield Measured(
                data="Zeus",
                architecture=job,
                machine=machine,
                device=device,
                parts=((work, ZEUS_JOBS[job][2] / batch),),
                duration_s=seconds,
                energy_j=seconds * float(row["average_power"]),
                batch=batch,
                label=f"{job}, batch {batch}, {limit:.0f} W",
            )


@cache
def _seaa_step(name: str, training: bool, precision: str) -> Workload:
    def count() -> Workload:
        with torch.device("meta"):
            model = SEAA[name]()
        chosen = "momentum" if training else "none"
        return analyze(
            *(model, (3, 128, 128)),
            batch=32,
            training=training,
            optimizer=chosen,
            precision="fp32",
        )

    work = kept(count, "SEAA", name, training)
    assert work is not None
    return _rounded(work) if precision == "tf32" else work


def seaa() -> Iterator[Measured]:
    """The median epoch of each network on each machine."""
    runs_of = defaultdict(list)
    with (SHARED_DATA / "seaa" / "runs.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            epochs = int(row["trained epochs"]) - 9
            if epochs > 0:
                seconds = 3600 * float(row["training duration (h)"]) / epochs
                joules = 1e6 * float(row["energy (MJ)"]) / epochs
                key = row["gpu model"], row["architecture"]
                runs_of[key].append((seconds, joules, float(row["max power limit (W)"])))
    for (gpu, name), runs in runs_of.items():
        device = device_of(gpu, runs[0][2])
        steps = [(_seaa_step(name, t, products(device)), n) for t, n in ((True, 744), (False, 319))]
        yield Measured(
            data="SEAA",
            architecture=name,
            machine=gpu.split()[-1] if "Ti" not in gpu else "750 Ti",
            device=device,
            parts=tuple(steps),
            duration_s=median(s for s, _, _ in runs),
            energy_j=median(j for _, j, _ in runs),
            batch=32,
            label=f"{name} on {gpu}",
        )


def _cell_step(graph: tuple[list[list[int]], list[int]], training: bool) -> Workload:
    with torch.device("meta"):
        model = nas_network(*graph)
    chosen = "momentum" if training else "none"
    return analyze(
        *(model, (3, 32, 32)), batch=256, training=training, optimizer=chosen, precision="fp32"
    )


def ecnas(networks: int | None = None) -> Iterator[Measured]:
    """The mean later epoch of each cell of both spaces, or of `networks` cells drawn by a seed."""
    runs: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for space, first in (("4V9E", 1.0), ("5V9E", 2.0)):
        seen: dict[tuple[str, str], dict[float, tuple[float, float]]] = defaultdict(dict)
        with (SHARED_DATA / "ecnas" / "ecnas_results.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                if row["space"] == space:
                    values = float(row["training_time_s"]), 3.6e6 * float(row["energy_kWh"]) / PUE
                    seen[row["arch_hash"], row["repeat"]][float(row["epochs"])] = values
        for (name, _), at in seen.items():
            if first in at and 4.0 in at:
                (t0, e0), (t1, e1), epochs = at[first], at[4.0], 4.0 - first
                runs[space, name].append(((t1 - t0) / epochs, (e1 - e0) / epochs))
    chosen = sorted(runs)
    if networks is not None:
        chosen = random.Random(0).sample(chosen, min(networks, len(chosen)))
    graphs = {
        space: json.loads((SHARED_DATA / "ecnas" / f"generated_graphs_{space}.json").read_text())
        for space in ("4V9E", "5V9E")
    }
    for space, name in chosen:
        if name not in graphs[space]:
            continue
        train, test = (
            kept(partial(_cell_step, graphs[space][name], training), space, name, training)
            for training in (True, False)
        )
        assert train is not None and test is not None
        evaluated = 60_000 / 256 / (3.0 if space == "4V9E" else 2.0)
        yield Measured(
            data="EC-NAS",
            architecture=name,
            machine="ecnas",
            device=device_of("Quadro RTX 6000"),
            parts=((train, 40_000 / 256), (test, evaluated)),
            duration_s=median(s for s, _ in runs[space, name]),
            energy_j=median(j for _, j in runs[space, name]),
            batch=256,
            label=f"cell {name[:8]} of {space}",
        )


TIMM_GPUS = {
    "rtx3090": "GeForce RTX 3090",
    "rtx4090": "GeForce RTX 4090",
    "5090": "GeForce RTX 5090",
    "pro6000maxq": "RTX PRO 6000 Blackwell Max-Q Workstation Edition",
}
# The newest table of each GPU and layout. Tables of compiled models (dynamo) are left out: their
# kernels are fused.
TIMM_TABLES = (
    "infer-amp-nchw-pt240-cu124-rtx3090",
    "infer-amp-nhwc-pt240-cu124-rtx3090",
    "infer-amp-nchw-pt240-cu124-rtx4090",
    "infer-amp-nhwc-pt240-cu124-rtx4090",
    "infer-amp-nchw-pt291-cu130-5090",
    "infer-amp-nchw-pt291-cu130-pro6000maxq",
    "train-amp-nchw-pt112-cu113-rtx3090",
    "train-amp-nhwc-pt112-cu113-rtx3090",
    # Of the same libraries as the trainings.
    "infer-amp-nchw-pt113-cu117-rtx3090",
    "infer-amp-nhwc-pt113-cu117-rtx3090",
)


@cache
def _timm_step(name: str, size: int, batch: int, training: bool) -> Workload | None:
    def count(counted: int) -> Workload | None:
        try:
            return analyze(
                f"timm:{name}",
                (3, size, size),
                batch=counted,
                training=training,
                optimizer="momentum" if training else "none",
                precision="fp16",
            )
        except JoulecastError:
            # The model was renamed after the table was made, or has a fixed image size.
            return None

    return at_batch(count, batch, "timm", name, size, training)


def timm(models: int) -> Iterator[Measured]:
    """Steps of `models` models, drawn by a seed from those in every table."""
    tables = {}
    for table in TIMM_TABLES:
        with (SHARED_DATA / "timm" / f"benchmark-{table}.csv").open(newline="") as file:
            tables[table] = {row["model"]: row for row in csv.DictReader(file)}
    names = sorted(set.intersection(*(set(rows) for rows in tables.values())))
    for name in random.Random(0).sample(names, min(models, len(names))):
        for table, rows in tables.items():
            kind, *_, gpu = table.split("-")
            row = rows[name]
            try:
                size = int(row[f"{kind}_img_size"])
                batch = int(float(row[f"{kind}_batch_size"]))
                rate = float(row[f"{kind}_samples_per_sec"])
            except ValueError:
                # The cell is empty: the model ran out of memory.
                continue
            work = _timm_step(name, size, batch, kind == "train")
            if work is not None and rate > 0:
                layout = re.search("nchw|nhwc", table)
                yield Measured(
                    data="timm",
                    architecture=name,
                    machine=f"timm {gpu}",
                    device=device_of(TIMM_GPUS[gpu]),
                    parts=((work, 1.0),),
                    duration_s=batch / rate,
                    energy_j=None,
                    batch=batch,
                    label=f"{name}, {kind}, {layout[0] if layout else ''}, {gpu}",
                )
