"""Forecasts of jobs on many GPUs against published trainings and the power of MLPerf's servers.

Language models: published GPU hours (time), and those times the rated power (energy). MLPerf
Training v4.0: the energy of whole nodes for a part of the run, read every 2 s.
"""

from __future__ import annotations

import csv
import statistics
from dataclasses import dataclass
from typing import Any

import joulecast
from harness import SHARED_DATA, Figure, log
from joulecast.forecasting.physical.job import JobForecast

PUBLISHED = SHARED_DATA / "published" / "llm_training.csv"
MLPERF = SHARED_DATA / "mlperf_training" / "epochs.csv"
# Right within these factors.
LOW, HIGH = 0.67, 1.5
WANTED = 5
NODE_ERROR = 30.0  # %


@dataclass(frozen=True, slots=True)
class Asked:
    """How a published training is asked for, on a number of GPUs that fits."""

    model: str
    batch: int
    options: dict[str, Any]


COMPILED = {"compile": True}
ASKED = {
    # 16 GPUs, 2 M tokens a step, fused kernels (its README).
    "TinyLlama": Asked(
        "tinyllama-1.1b",
        1024,
        {"gpu": "8xA100-SXM4-40GB", "nodes": 2, "parallel": "fsdp", "accumulate": 16} | COMPILED,
    ),
    # 4 M tokens a step (arXiv 2307.09288, table 1).
    "Llama-2-7B": Asked(
        "llama-2-7b",
        1024,
        {"gpu": "8xA100-SXM4-80GB", "nodes": 32, "parallel": "fsdp", "accumulate": 4} | COMPILED,
    ),
    "Llama-2-13B": Asked(
        "llama-2-13b",
        1024,
        {"gpu": "8xA100-SXM4-80GB", "nodes": 64, "parallel": "fsdp,tensor:2", "accumulate": 4}
        | COMPILED,
    ),
    "Llama-2-70B": Asked(
        "llama-2-70b",
        1024,
        {
            "gpu": "8xA100-SXM4-80GB",
            "nodes": 128,
            "parallel": "fsdp",
            "gradient_checkpointing": True,
        }
        | COMPILED,
    ),
    "Llama-3-8B": Asked(
        "llama-3-8b",
        1024,
        {"gpu": "8xH100-SXM5", "nodes": 128, "parallel": "fsdp,tensor:2", "accumulate": 2}
        | COMPILED,
    ),
    # 8 GPUs, half a million tokens a step, no dropout (its discussion).
    "GPT-2-124M": Asked(
        "GPT2Config(attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0)",
        512,
        {"gpu": "8xA100-SXM4-80GB", "accumulate": 4} | COMPILED,
    ),
}


def published() -> list[Figure]:
    """Time and energy of language models, and how many intervals held."""
    time, energy, held, notes = {}, {}, {}, []
    for row in csv.DictReader(PUBLISHED.open()):
        asked, length = ASKED[row["model"]], int(row["sequence"])
        log(f"counting {row['model']}")
        steps = round(float(row["tokens_b"]) * 1e9 / length / asked.batch)
        (job,) = joulecast.forecast(
            f"transformers:{asked.model}",
            length,
            batch=asked.batch,
            steps=steps,
            precision="bf16",
            **asked.options,
        ).forecasts
        name, hours = row["model"], float(row["gpu_hours"])
        joules = hours * 3600 * float(row["gpu_power_w"])
        if job.energy is None or job.duration is None:
            notes.append(f"{name} does not fit ({job.memory.needed_bytes / 1e9:.0f} GB)")
            continue
        seconds = 3600 * hours / job.device_count
        time[name] = job.duration.value / seconds
        energy[name] = job.energy.value / joules
        held[name] = (
            job.duration.low <= seconds <= job.duration.high
            and job.energy.low <= joules <= job.energy.high
        )
        notes.append(f"{name} time {time[name]:.2f}, energy {energy[name]:.2f}")
    note = "; ".join(notes)
    figures = [
        Figure(
            f"language models, {what}: within 0.67 and 1.5 of 6 published",
            sum(LOW <= ratio <= HIGH for ratio in ratios.values()),
            "",
            at_least=WANTED,
            note=f"forecast / published: {note}",
        )
        for what, ratios in (("time", time), ("energy", energy))
    ]
    title = "  90 % intervals of time and energy both, language models: held of 6"
    return [*figures, Figure(title, sum(held.values()), "", at_least=WANTED)]


@dataclass(frozen=True, slots=True)
class Part:
    """A job of MLPerf: what is repeated, how many samples it has, and how it is asked for."""

    workload: str
    nodes: int
    samples: float
    model: Any
    input: Any
    batch: int
    options: dict[str, Any]


# Llama-2-70B on sequences twice as long as its context.
LORA_MODEL = (
    "transformers:LlamaConfig(hidden_size=8192, intermediate_size=28672, num_hidden_layers=80, "
    "num_attention_heads=64, num_key_value_heads=8, max_position_embeddings=8192)"
)


def ssd() -> Any:
    """RetinaNet on a ResNeXt-50, for the 264 classes of MLPerf's OpenImages."""
    from torchvision.models.detection import RetinaNet
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

    backbone = resnet_fpn_backbone(
        backbone_name="resnext50_32x4d", weights=None, trainable_layers=3, returned_layers=[2, 3, 4]
    )
    return RetinaNet(backbone, 264)


# Samples between two evaluations: 4 epochs of ImageNet, 384 of the LoRA's samples, one epoch of
# OpenImages (1,170,301 images). Layouts are those that fit.
HALF = {"compile": True, "precision": "fp16"}
LORA = {"compile": True, "precision": "fp8", "lora": 16, "gradient_checkpointing": True}
IMAGES, BOXES = HALF | {"optimizer": "momentum"}, HALF | {"optimizer": "adam"}
PARTS = [
    Part("resnet", 1, 1_281_167, "torchvision:resnet50", (3, 224, 224), 3200, IMAGES),
    Part("resnet", 8, 1_281_167, "torchvision:resnet50", (3, 224, 224), 3200, IMAGES),
    Part(
        *("llama2_70b_lora", 1, 384, LORA_MODEL, 8192, 8),
        LORA | {"parallel": "tensor:4", "accumulate": 4},
    ),
    Part("llama2_70b_lora", 8, 384, LORA_MODEL, 8192, 8, LORA | {"parallel": "tensor:8"}),
    Part("ssd", 1, 1_170_301, ssd, (3, 800, 800), 256, BOXES),
    Part("ssd", 8, 1_170_301, ssd, (3, 800, 800), 256, BOXES),
]


def job_of(part: Part) -> JobForecast:
    """The forecast of one part."""
    log(f"counting {part.workload} on {part.nodes}")
    (job,) = joulecast.forecast(
        part.model,
        part.input,
        gpu="8xH100-SXM5",
        nodes=part.nodes,
        batch=part.batch,
        steps=max(1, round(part.samples / part.batch)),
        **part.options,
    ).forecasts
    return job


def mlperf() -> list[Figure]:
    """Energy of nodes for a part of a run, forecast over measured."""
    measured: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for row in csv.DictReader(MLPERF.open()):
        nodes = int(row["hardware"].split("x")[0])
        both = float(row["energy_j"]), float(row["duration_s"])
        measured.setdefault((row["workload"], nodes), []).append(both)
    figures = []
    for part in PARTS:
        job = job_of(part)
        parts = measured[part.workload, part.nodes]
        joules, seconds = (statistics.median(p[i] for p in parts) for i in (0, 1))
        title = f"MLPerf v4.0, {8 * part.nodes} H100, {part.workload}, node energy: error"
        if job.total_energy is None or job.duration is None:
            figures.append(Figure(title, None, "%", below=NODE_ERROR, note="it does not fit"))
            continue
        ratio = job.total_energy.value / joules
        held = job.total_energy.low <= joules <= job.total_energy.high
        note = f"forecast / measured {ratio:.2f}, time {job.duration.value / seconds:.2f}, "
        note += f"GPUs {job.power.value / job.device_count:.0f} W each; "
        note += f"interval {'held' if held else 'missed'}"
        figures.append(Figure(title, 100 * abs(ratio - 1), "%", below=NODE_ERROR, note=note))
    return figures
