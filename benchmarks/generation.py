"""Energy of generated text against ML.ENERGY v3 (vLLM on H100), each model left out in turn.

    python benchmarks/generation.py [--quick] [--json FILE] [--write]

`--write` fits the constants to all of it and writes `forecasting/physical/data/generation.toml`.
The table has no lengths of prompts: those of its tasks are assumed. Needs `../shared/data`.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from scipy.optimize import lsq_linear

from harness import SHARED_DATA, Figure, run
from joulecast.calibration.devices import gpus_named
from joulecast.forecasting.physical.generation import PARTS, Requests, constants, parts_of_step
from joulecast.workload.decoder import Decoder, decoder_named

TABLE = SHARED_DATA / "mlenergy" / "v3_llm_h100.csv"
MEDIAN_ERROR = 25.0  # the target, %
# Tokens of a prompt, by task: assumed, for questions, chats, an image, a video, and code.
PROMPTS = {
    "gpqa": 250,
    "lm-arena-chat": 150,
    "image-chat": 700,
    "video-chat": 3000,
    "sourcegraph-fim": 800,
}
# In mxfp4 a block of 32 elements of 4 bits has a scale of 8.
WIDTHS = {"bfloat16": 2.0, "fp8": 1.0, "mxfp4": 4.25 / 8}
# What no seconds at the peak can be below: shares of the peaks attained are below 1.
LOWEST = {
    "time": {"weights": 1.1, "cache": 1.1, "compute": 1.3},
    "energy": {"weights": 0.6, "cache": 0.6, "compute": 0.8},
}
# Nemotron Nano 2 (arXiv 2508.14444, table 1): layers of attention and of Mamba 2 (128 heads of 80,
# states of 128, in fp32 and so two elements each, read and written).
MAMBA = 2 * 2 * 128 * 80 * 128
NEMOTRON = {
    "9b": Decoder(8.9e9, 56, cache=8192.0, attention=40_960.0, state=27 * MAMBA),
    "12b": Decoder(12.3e9, 62, cache=12_288.0, attention=61_440.0, state=28 * MAMBA),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One configuration: the parts of a step, and what was measured of one."""

    model: str
    task: str
    parts: tuple[float, ...]
    time_s: float
    tdp_s: float  # energy of a step, over the TDP of the devices


def decoder(model: str) -> Decoder:
    """Of a model by its name on its page."""
    name = model.split("/")[-1].lower()
    if "nemotron" in name:
        return NEMOTRON["9b" if "9b" in name else "12b"]
    return _of_catalog(re.sub(r"qwen3-(vl|omni|coder)-", "qwen3-", name))


@cache
def _of_catalog(name: str) -> Decoder:
    return decoder_named(f"transformers:{name}", 2)[1]


def rows(prompts: float = 1.0) -> list[Row]:
    """The table, with assumed prompts `prompts` times as long."""
    (device,) = gpus_named("H100 SXM5")
    found = []
    for line in csv.DictReader(TABLE.open()):
        batch, devices = float(line["avg_batch_size"]), int(line["num_gpus"])
        length = prompts * PROMPTS[line["task"]]
        requests = Requests(batch, length, float(line["avg_output_len"]))  # type: ignore[arg-type]
        width = WIDTHS[line["weight_precision"]]
        parts = parts_of_step(decoder(line["model_id"]), requests, device, devices, width)
        joules = float(line["energy_per_token_joules"]) * batch
        found.append(
            Row(
                line["model_id"],
                line["task"],
                tuple(parts[name] for name in PARTS),
                batch / float(line["output_throughput_tokens_per_sec"]),
                joules / devices / device.tdp_w,
            )
        )
    return found


def fitted(of: list[Row], what: str) -> np.ndarray:
    """The constants of time or energy, of least relative error; each model has the same weight."""
    truth = np.array([r.time_s if what == "time" else r.tdp_s for r in of])
    columns = np.array([r.parts for r in of])
    counts = {r.model: sum(o.model == r.model for o in of) for r in of}
    models = np.array([counts[r.model] for r in of]) ** -0.5
    weights = models
    bounds = [LOWEST[what].get(name, 0.0) for name in PARTS], np.inf
    scale = columns.max(0)
    for _ in range(6):
        design = columns / scale / truth[:, None] * weights[:, None]
        solved = lsq_linear(design, weights, bounds=(np.array(bounds[0]) * scale, np.inf)).x / scale
        residuals = np.abs(columns @ solved / truth - 1)
        # Robust: large residuals count less.
        weights = models / np.sqrt(np.maximum(residuals, 0.05))
    return solved


def left_out(of: list[Row], what: str) -> np.ndarray:
    """Forecast over measured of each row, its model left out of the fit."""
    ratios = np.empty(len(of))
    for model in dict.fromkeys(r.model for r in of):
        solved = fitted([r for r in of if r.model != model], what)
        for i, r in enumerate(of):
            if r.model == model:
                measured = r.time_s if what == "time" else r.tdp_s
                ratios[i] = np.array(r.parts) @ solved / measured
    return ratios


def half_width(ratios: np.ndarray, of: list[Row]) -> float:
    """90 % quantile of the errors in logarithms, each model with the same weight."""
    counts = {r.model: sum(o.model == r.model for o in of) for r in of}
    errors = np.abs(np.log(ratios))
    order = np.argsort(errors)
    share = np.cumsum([1 / counts[of[i].model] for i in order])
    return float(errors[order][np.searchsorted(share, 0.9 * share[-1])])


def write(of: list[Row], errors: Mapping[str, float]) -> None:
    """Write the constants, fitted to all rows."""
    path = files("joulecast.forecasting.physical").joinpath("data", "generation.toml")
    text = path.read_text(encoding="utf-8")
    lines = [text[: text.index("[time]")].rstrip(), ""]
    for what in ("time", "energy"):
        solved = fitted(of, what)
        lines += [f"[{what}]", *(f"{n} = {v:.4g}" for n, v in zip(PARTS, solved, strict=True)), ""]
    lines += ["[errors]", *(f"{name} = {value:.3f}" for name, value in errors.items())]
    Path(str(path)).write_text("\n".join(lines) + "\n", encoding="utf-8")


def benchmark(quick: bool) -> list[Figure]:
    """Median errors with the model left out, and how many intervals held."""
    if not TABLE.exists():
        return [Figure("generated text", None, "", below=0, note="../shared/data is absent")]
    of = rows()
    energy, time = left_out(of, "energy"), left_out(of, "time")
    figures = []
    errors = {name: half_width(r, of) for name, r in (("time", time), ("energy", energy))}
    errors["power"] = half_width(energy / time, of)
    # Prompts half and twice as long as assumed widen what is forecast.
    far = [half_width(left_out(rows(f), "energy"), of) for f in (0.5, 2.0)] if not quick else []
    errors["energy"] = max(errors["energy"], *far) if far else errors["energy"]
    errors["other_devices"] = constants()["errors"]["other_devices"]
    by_model = {r.model: [] for r in of}
    for r, ratio in zip(of, energy, strict=True):
        by_model[r.model].append(ratio)
    worst = sorted((float(np.median(v)), k.split("/")[-1]) for k, v in by_model.items())
    note = "; ".join(f"{name} {value:.2f}" for value, name in (*worst[:3], *worst[-2:]))
    error = 100 * float(np.median(np.abs(energy - 1)))
    title = "energy of a token, model left out, ML.ENERGY v3: median error"
    figures.append(
        Figure(title, error, "%", below=MEDIAN_ERROR, note=f"forecast / measured: {note}")
    )
    held = 100 * float(np.mean(np.abs(np.log(energy)) <= errors["energy"]))
    title = "  90 % interval, model left out, ML.ENERGY v3: held"
    figures.append(Figure(title, held, "%", at_least=85.0, note=f"+-{errors['energy']:.2f} in ln"))
    title = "time of a token, model left out, ML.ENERGY v3: median error"
    figures.append(Figure(title, 100 * float(np.median(np.abs(time - 1))), "%"))
    if "--write" in sys.argv:
        write(of, errors)
    return figures


if __name__ == "__main__":
    if "--write" in sys.argv:
        benchmark(quick=False)
    else:
        run("generation", __doc__, benchmark)
