"""Rows of the ML.ENERGY benchmark: image and video transformers, and text generation, on A100/H100.

Layer sizes are those of the models' published configurations; a step is one pass through the
transformer (two samples per picture where guidance needs both). Text encoders and decoders of
pictures, some per cent of the work, are left out. Text generation gives the power of memory
traffic: its step's time is taken as measured, because the server and not the device decides it, and
the context is assumed to be 700 tokens.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass

from harness import SHARED_DATA
from joulecast.workload.model import Op, OperatorKind, Phase, Workload
from static_data import Measured, device_of

H100, A100 = "NVIDIA H100 SXM5 80GB", "NVIDIA A100 SXM4 40GB"
CONTEXT = 700
# The largest batches measured that are fitted: larger ones repeat them.
BATCHES = (1, 4, 16)


@dataclass(frozen=True, slots=True)
class Transformer:
    """Sizes of a diffusion transformer, and how often a picture passes through it per step."""

    layers: int
    width: int
    inner: int
    tokens: int
    passes: int
    crossed: bool = False


DIFFUSION = {
    "FLUX.1 Dev": Transformer(57, 3072, 4 * 3072, 4096 + 512, 1),
    "Stable Diffusion 3.5 Large": Transformer(38, 2432, 4 * 2432, 4096 + 333, 2),
    "PixArt-Σ": Transformer(28, 1152, 4 * 1152, 4096, 2, crossed=True),
    "Wan 2.1 1.3B": Transformer(30, 1536, 8960, 21 * 30 * 52, 2, crossed=True),
    "CogVideoX 2B": Transformer(30, 1920, 4 * 1920, 13 * 30 * 45 + 226, 2),
    "HunyuanVideo": Transformer(60, 3072, 4 * 3072, 33 * 45 * 80 + 256, 1),
    "stabilityai/stable-diffusion-3-medium-diffusers": Transformer(24, 1536, 4 * 1536, 4429, 2),
}
# Layers, width, inner width, width of keys and values, vocabulary.
DECODERS = {
    "Llama 3.1 8B Instruct": (32, 4096, 14336, 1024, 128256),
    "Qwen 3 8B": (36, 4096, 12288, 1024, 151936),
    "Qwen 3 14B": (40, 5120, 17408, 1024, 151936),
    "Qwen 3 32B": (64, 5120, 25600, 1024, 151936),
}


def _product(m: int, n: int, k: int, count: int) -> Op:
    moved = 2.0 * (m * k + k * n + m * n)
    shape = (1, m, n, k)
    return Op(OperatorKind.MATMUL, Phase.FORWARD, 2.0 * m * n * k, moved, "bf16", "", shape, count)


def _passes(kind: OperatorKind, elements: float, count: int) -> Op:
    """Kernels that read and write each element once."""
    return Op(kind, Phase.FORWARD, 4.0 * elements, 4.0 * elements, "bf16", "", (), count)


def _workload(name: str, batch: int, ops: list[Op]) -> Workload:
    sizes = dict.fromkeys(
        ("weight_bytes", "gradient_bytes", "optimizer_bytes", "activation_bytes"), 0.0
    )
    return Workload(name, batch, (1,), "bf16", False, None, 0, tuple(ops), (), **sizes)


def diffusion_step(name: str, batch: int) -> Workload:
    """One denoising step of a batch of pictures."""
    t = DIFFUSION[name]
    samples = batch * t.passes
    m, n = samples * t.tokens, t.layers
    ops = [
        _product(m, 3 * t.width, t.width, n),
        _product(m, t.width, t.width, n * (3 if t.crossed else 1)),
        _product(m, t.inner, t.width, n),
        _product(m, t.width, t.inner, n),
        Op(
            *(OperatorKind.ATTENTION, Phase.FORWARD),
            *(4.0 * samples * t.tokens**2 * t.width, 8.0 * m * t.width, "bf16"),
            count=n,
        ),
        # Norms of the input of both halves, of queries and keys; their scales, gates, positions.
        _passes(OperatorKind.NORM, m * t.width, 4 * n),
        _passes(OperatorKind.ELEMENTWISE, m * t.width, 8 * n),
        _passes(OperatorKind.ELEMENTWISE, m * t.inner, n),
    ]
    return _workload(name, batch, ops)


def decode_step(name: str, batch: int) -> Workload:
    """The next token of a batch of requests."""
    layers, width, inner, keys, vocabulary = DECODERS[name]
    ops = [
        _product(batch, width + 2 * keys, width, layers),
        _product(batch, width, width, layers),
        _product(batch, 2 * inner, width, layers),
        _product(batch, width, inner, layers),
        _product(batch, vocabulary, width, 1),
        Op(
            *(OperatorKind.ATTENTION, Phase.FORWARD, 4.0 * batch * CONTEXT * width),
            *(4.0 * batch * CONTEXT * keys, "bf16"),
            count=layers,
        ),
        _passes(OperatorKind.NORM, batch * width, 2 * layers),
    ]
    return _workload(name, batch, ops)


def _read(name: str) -> list[dict[str, str]]:
    with (SHARED_DATA / "mlenergy" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _row(
    name: str, machine: str, gpu: str, work: Workload, seconds: float, watts: float, decoding: bool
) -> Measured:
    return Measured(
        data="decoding" if decoding else "diffusion",
        architecture=name,
        machine=machine,
        device=device_of(gpu),
        parts=((work, 1.0),),
        duration_s=seconds,
        energy_j=seconds * watts,
        batch=work.batch,
        label=f"{name} on {machine}, batch {work.batch}",
        graph=decoding,
        waits_s=seconds if decoding else 0.0,
    )


def mlenergy() -> Iterator[Measured]:
    """One step of each model and batch on one GPU."""
    for row in _read("v3_diffusion_h100"):
        name, batch = row["nickname"], int(row["batch_size"])
        if name in DIFFUSION and row["num_gpus"] == "1" and batch in BATCHES:
            work = diffusion_step(name, batch)
            seconds = float(row["batch_latency_s"]) / float(row["inference_steps"])
            yield _row(name, "H100 v3", H100, work, seconds, float(row["avg_power_watts"]), False)
    for row in _read("v2_configurations_flat"):
        name, batch = row["Model"], int(row["Batch size"] or 0)
        if name in DIFFUSION and batch in BATCHES and row["Denoising steps"] == "25":
            gpu = A100 if "A100" in row["gpu_dir"] else H100
            work = diffusion_step(name, batch)
            each = float(row["Batch latency (s)"])
            watts = float(row["Energy/image (J)"]) * batch / each
            yield _row(name, f"{gpu.split()[1]} v2", gpu, work, each / 25, watts, False)
    for row in _read("v3_llm_h100"):
        name = row["nickname"]
        if name in DECODERS and row["task"] == "lm-arena-chat" and row["num_gpus"] == "1":
            batch = round(float(row["avg_batch_size"]))
            if batch <= 128:
                work = decode_step(name, batch)
                seconds = float(row["median_itl_ms"]) / 1e3
                watts = float(row["avg_power_watts"])
                yield _row(name, "H100 v3", H100, work, seconds, watts, True)
