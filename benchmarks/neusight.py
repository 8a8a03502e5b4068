"""Operators alone, on seven GPUs (NeuSight's tables): what they attain of the peaks."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness import SHARED_DATA
from joulecast.forecasting.physical.device import Device
from joulecast.hardware.catalog.gpus import find_gpu
from least_squares import fit

EVERY = 5  # rows taken of those of a table
TENSORS = {"add": 3, "relu": 2, "gelu": 2, "tanh": 2, "softmax": 2, "ln": 2}


@dataclass(frozen=True, slots=True)
class Table:
    """Operators of one kind: seconds measured, at the peak rate and at the peak bandwidth."""

    seconds: np.ndarray
    compute: np.ndarray
    memory: np.ndarray
    gpus: list[str]


def table(name: str, work: Callable[[dict[str, float]], tuple[float, float]]) -> Table:
    """A table of NeuSight; `work` says FLOPs and bytes of a row. Single precision throughout."""
    columns = defaultdict(list)
    with gzip.open(SHARED_DATA / "neusight" / f"{name}.csv.gz", "rt", newline="") as file:
        for row in list(csv.DictReader(file))[::EVERY]:
            device = Device.of_gpu(find_gpu(row["Device"]))
            sizes = {k: float(v) for k, v in row.items() if v and v.replace(".", "").isdigit()}
            flops, moved = work(sizes)
            columns["seconds"].append(1e-3 * float(row["Latency"]))
            columns["compute"].append(flops / ((device.peak_tflops("fp32", False) or 1.0) * 1e12))
            columns["memory"].append(moved / (device.memory_bandwidth_gb_s * 1e9))
            columns["gpus"].append(row["Device"])
    arrays = {k: np.array(columns[k]) for k in ("seconds", "compute", "memory")}
    return Table(**arrays, gpus=columns["gpus"])


def _product(r: dict[str, float]) -> tuple[float, float]:
    b, m, n, k = r["B"], r["M"], r["N"], r["K"]
    return 2 * b * m * n * k, 4 * b * (m * k + k * n + m * n)


def _convolution(r: dict[str, float]) -> tuple[float, float]:
    kernel, size = r["Kernel_Szie"], r["Input_Size"]  # the tables spell it so
    out = max(1.0, (size + 2 * r["Padding"] - kernel) // r["Stride"] + 1)
    c_in, c_out, b = r["Input_Channel"], r["Output_Channel"], r["B"]
    weights = c_in * c_out * kernel**2
    moved = b * (c_in * size**2 + c_out * out**2) + weights
    return 2 * b * out**2 * weights, 4 * moved


def _elements(tensors: int) -> Callable[[dict[str, float]], tuple[float, float]]:
    return lambda r: (0.0, 4 * tensors * r["B"] * r["H"])


TABLES = {"bmm": _product, "linear": _product, "conv": _convolution}
TABLES |= {name: _elements(count) for name, count in TENSORS.items()}


def show() -> None:
    """Attained shares of the peaks, and how far GPUs left out lie off: the model's first half."""
    if not (SHARED_DATA / "neusight").exists():
        return
    print("operators alone: compute, bandwidth attained; start; median error, and on GPUs left out")
    for name, work in TABLES.items():
        rows = table(name, work)
        everything = np.ones(len(rows.seconds), bool)
        at = _fit(rows, everything)
        gpus = np.array(rows.gpus)
        errors = []
        for gpu in dict.fromkeys(rows.gpus):
            left = gpus == gpu
            errors.append(float(np.median(_error(rows, _fit(rows, ~left))[left])))
        compute, memory, start = np.exp(at) * (1, 1, 1e6)
        own = float(np.median(_error(rows, at)))
        attained = f"{compute:.2f}" if rows.compute.any() else "-"
        print(
            f"{name:8} {attained:>5} {memory:5.2f} {start:6.1f} us {100 * own:5.1f} %   "
            f"{100 * float(np.median(errors)):.1f} % ({100 * max(errors):.0f} % at worst)"
        )


def _said(rows: Table, at: np.ndarray) -> np.ndarray:
    compute, memory, start = np.exp(at)
    return start + rows.compute / compute + rows.memory / memory


def _error(rows: Table, at: np.ndarray) -> np.ndarray:
    return np.abs(_said(rows, at) / rows.seconds - 1)


def _fit(rows: Table, kept: np.ndarray) -> np.ndarray:
    def residuals(at: np.ndarray) -> np.ndarray:
        return np.log(_said(rows, at) / rows.seconds)[kept] / 0.2

    return fit(residuals, np.log([0.8, 0.7, 2e-5]), np.ones(3))
