"""Forecasts before a run on measured runs: architectures left out, GPUs left out, step times.

    python benchmarks/static.py [--quick] [--json FILE]

Every figure is of runs that the fit had not seen: an architecture left out everywhere (the machine
known from its other architectures: rung "calibrated"), or a GPU left out (its catalog row alone).
With a GPU left out a job may have run on the others, as it has for every method under this split;
the forecast for a job that ran nowhere is shown too. Needs `../shared/data`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import static_data
from flops_tdp import FlopsTdp
from harness import SHARED_DATA, Figure, log, run
from physical_fit import Row, row
from physical_splits import HeldOut, architecture, gpu, held_out, score

ARCHITECTURE_MAPE, GPU_MAPE, STEP_ERROR = 12.0, 25.0, 20.0  # the targets, %
COVERED = 85.0, 97.0
WHY = {
    (
        "architecture",
        "Zeus",
    ): "each network is alone in its kind: ShuffleNet's kernels of 2021 take "
    "twice what those of others suggest, DeepSpeech2 pads, BERT is forecast too slow",
    (
        "architecture",
        "SEAA",
    ): "two of five networks wait for Keras's host: with one left out, the other cannot part "
    "the time of a step from that of its kernels",
    ("GPU", "SEAA"): "the host of the RTX 3090 takes about 20 ms a step, the GTX 750 Ti draws half "
    "of what its TDP suggests",
}


def measured(quick: bool) -> tuple[list[Row], list[float]]:
    """Rows to fit and score, and their energies by FLOPs / peak x TDP, J."""
    runs = [
        *static_data.zeus(limits=2 if quick else 3),
        *static_data.seaa(),
        *static_data.ecnas(15 if quick else 100),
        *static_data.timm(6 if quick else 50),
    ]
    rated = FlopsTdp()
    joules = []
    for m in runs:
        steps = [(rated.step(work, m.device), count) for work, count in m.parts]
        joules.append(sum(s.energy.value * count for s, count in steps if s))
    return [row(m) for m in runs], joules


def mape(predicted: Sequence[float], rows: Sequence[Row]) -> float:
    """Mean absolute error, %."""
    truth = np.array([r.energy_j for r in rows], float)
    return 100 * float(np.mean(np.abs(np.array(predicted) / truth - 1)))


def energies(
    name: str, below: float, of: list[HeldOut], unseen: list[HeldOut] | None
) -> list[Figure]:
    """Errors of energies under one split, by data set, then the intervals'."""
    figures = []
    with_energy = [h for h in of if h.row.energy_j is not None]
    for data in ("Zeus", "SEAA", "EC-NAS"):
        own = [h for h in with_energy if h.row.data == data]
        if not own or (name == "GPU" and data == "EC-NAS"):
            continue
        s = score(own, with_energy)
        note = f"median {100 * s.median:.0f} %, nine in ten under {100 * s.p90:.0f} %"
        if 100 * s.mape >= below and (name, data) in WHY:
            note += f"; {WHY[name, data]}"
        if unseen is not None:
            alone = score([h for h in unseen if h.row.data == data], unseen)
            note += f"; {100 * alone.mape:.0f} % where the job ran nowhere before"
        title = f"energy, {name} left out, {data}: MAPE"
        figures.append(Figure(title, 100 * s.mape, "%", below=below, note=note))
    each = {
        data: score([h for h in with_energy if h.row.data == data], with_energy)
        for data in ("Zeus", "SEAA", "EC-NAS")
        if any(h.row.data == data for h in with_energy)
    }
    covered = 100 * float(np.mean([s.coverage for s in each.values()]))
    note = ", ".join(f"{data} {100 * s.coverage:.0f} %" for data, s in each.items())
    widest = max(s.width for s in each.values())
    by_run = np.average(
        [s.coverage for s in each.values()], weights=[s.rows for s in each.values()]
    )
    note += f"; data sets weigh the same (counted by run {100 * by_run:.0f} %); "
    note += f"upper bound {widest:.1f} times the lower"
    if covered > COVERED[1]:
        note += f"; more than the {COVERED[1]:.0f} % aimed at"
    title = f"  90 % interval, {name} left out: held"
    figures.append(Figure(title, covered, "%", at_least=COVERED[0], note=note))
    return figures


def step_times(of: list[HeldOut]) -> list[Figure]:
    """Median errors of timm's step times, all GPUs and each."""
    own = [h for h in of if h.row.data == "timm"]
    s = score(own, own, "time_error")
    each = []
    for name in dict.fromkeys(h.row.device.name for h in own):
        one = score([h for h in own if h.row.device.name == name], own, "time_error")
        each.append(f"{name.split('GeForce ')[-1]} {100 * one.median:.0f} %")
    note = f"{s.rows} steps: {', '.join(each)}; 90 % interval held {100 * s.coverage:.0f} %"
    title = "step time, GPU left out, timm: median error"
    return [Figure(title, 100 * s.median, "%", below=STEP_ERROR, note=note)]


def benchmark(quick: bool) -> list[Figure]:
    """The targets of forecasts before a run."""
    if not SHARED_DATA.exists():
        return [Figure("forecasts before a run", None, "", below=0, note=static_data.MISSING)]
    log("counting what the measured workloads do")
    rows, rated = measured(quick)
    by_architecture, _ = held_out(rows, architecture)
    figures = energies("architecture", ARCHITECTURE_MAPE, by_architecture, None)
    by_gpu, unseen = held_out(rows, gpu)
    figures += energies("GPU", GPU_MAPE, by_gpu, unseen)
    figures += step_times(unseen)
    for data in ("Zeus", "SEAA", "EC-NAS"):
        own = [(j, r) for j, r in zip(rated, rows, strict=True) if r.data == data]
        predicted, of = zip(*own, strict=True)
        figures.append(Figure(f"  FLOPs / peak x TDP, {data}: MAPE", mape(predicted, of), "%"))
    return figures


if __name__ == "__main__":
    run("static", __doc__, benchmark)
