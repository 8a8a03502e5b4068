"""Forecasts before a run on measured runs: architectures left out, GPUs left out, step times.

    python benchmarks/static.py [--quick] [--json FILE]

Every figure is of runs that the fit had not seen: an architecture left out everywhere (the machine
known from its other architectures: rung "calibrated"), or a GPU left out (its catalog row alone).
With a GPU left out a job may have run on the others, as it has for every method under this split;
the forecast for a job that ran nowhere is in the notes, and so is the error on fitted runs. The
GTX 750 Ti, whose meter reads 28 W at 95 % utilization, is left out of energies. Needs
`../shared/data`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import many_devices
import static_data
from fit_physical import measured
from flops_tdp import FlopsTdp
from harness import SHARED_DATA, Figure, log, run
from physical_fit import Fit, Row, fit_rows, row
from physical_splits import HeldOut, architecture, forecasts, gpu, held_out, score

# The targets, %; of a bias, measured over forecast.
ARCHITECTURE = {"Zeus": 25.0, "SEAA": 12.0, "EC-NAS": 11.0}
GPU = {"Zeus": 20.0, "SEAA": 20.0, "EC-NAS": 20.0, "diffusion": 20.0, "decoding": 20.0}
STEP = 17.0
COVERED = 85.0, 97.0
BIAS = 0.9, 1.1


def mape(of: Sequence[HeldOut]) -> float:
    """Mean absolute error of energies."""
    return float(np.mean([abs(np.exp(-h.energy_error) - 1) for h in of]))


def energies(
    name: str,
    targets: dict[str, float],
    of: list[HeldOut],
    fitted: list[HeldOut],
    unseen: list[HeldOut],
) -> list[Figure]:
    """Error, bias and coverage of energies under one split, by data set."""
    scored = [h for h in of if h.row.energy_j is not None and not h.row.misread]
    figures = []
    for data, below in targets.items():
        own, known, nowhere = (
            [h for h in every if h.row.data == data and not h.row.misread]
            for every in (scored, fitted, unseen)
        )
        if not own:
            continue
        s, known_score = score(own, scored), score(known, known)
        note = (
            f"{s.rows} runs, median {100 * s.median:.0f} %; fitted {100 * known_score.mape:.0f} %"
        )
        if name == "GPU":
            note += f"; {100 * mape(nowhere):.0f} % where the job ran nowhere before"
        title = f"energy, {name} left out, {data}"
        figures.append(Figure(f"{title}: MAPE", 100 * s.mape, "%", below=below, note=note))
        figures.append(
            Figure(f"  {title}: bias", s.bias, "", at_least=BIAS[0], below=BIAS[1] + 1e-9)
        )
        figures.append(
            Figure(
                f"  {title}: 90 % interval held",
                *(100 * s.coverage, "%"),
                at_least=COVERED[0],
                below=COVERED[1] + 1e-9,
                note=f"by run; upper bound {s.width:.1f} times the lower",
            )
        )
    return figures


def step_times(of: list[HeldOut]) -> list[Figure]:
    """Median errors of timm's step times, all GPUs and each."""
    own = [h for h in of if h.row.data == "timm"]
    s = score(own, of, "time_error")
    each = []
    for name in dict.fromkeys(h.row.device.name for h in own):
        one = score([h for h in own if h.row.device.name == name], of, "time_error")
        each.append(f"{name.split('GeForce ')[-1]} {100 * one.median:.0f} %")
    note = f"{s.rows} steps: {', '.join(each)}; 90 % interval held {100 * s.coverage:.0f} %"
    title = "step time, GPU left out, timm: median error"
    return [Figure(title, 100 * s.median, "%", below=STEP, note=note)]


def training_over_inference(fitted: Fit, rows: Sequence[Row]) -> list[Figure]:
    """Time of a training step over one of inference, of timm's models on one GPU and libraries."""
    seconds, _ = fitted.forecast(rows)
    each: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}
    for r, s in zip(rows, seconds.tolist(), strict=True):
        if r.data == "timm" and r.machine == "timm rtx3090":
            name, kind, layout, _ = r.label.split(", ")
            # The table of the training's own libraries is the last.
            each.setdefault((name, layout), {})[kind] = r.duration_s / r.batch, s / r.batch
    pairs = [both for both in each.values() if len(both) == 2]
    of_measured, of_forecast = (
        float(np.median([both["train"][i] / both["infer"][i] for both in pairs])) for i in (0, 1)
    )
    note = f"measured {of_measured:.2f}; {len(pairs)} pairs, fitted"
    return [Figure("step of training / of inference, timm: forecast", of_forecast, "", note=note)]


def rated(rows: Sequence[Row], joules: Sequence[float]) -> list[Figure]:
    """Errors of FLOPs / peak x TDP."""
    figures = []
    for data in ("Zeus", "SEAA", "EC-NAS"):
        own = [(r.energy_j, j) for r, j in zip(rows, joules, strict=True) if r.data == data]
        truth, forecast = np.array(own, float).T
        error = 100 * float(np.mean(np.abs(forecast / truth - 1)))
        figures.append(Figure(f"  FLOPs / peak x TDP, {data}: MAPE", error, "%"))
    return figures


def benchmark(quick: bool) -> list[Figure]:
    """The targets of forecasts before a run."""
    if not SHARED_DATA.exists():
        return [Figure("forecasts before a run", None, "", below=0, note=static_data.MISSING)]
    runs = measured(quick)
    rows = [row(m) for m in runs]
    baseline = FlopsTdp()
    joules = []
    for m in runs:
        steps = [(baseline.step(work, m.device), count) for work, count in m.parts]
        joules.append(sum(s.energy.value * count for s, count in steps if s))
    log("fitting")
    everything = fit_rows(rows)
    fitted = forecasts(everything, [r for r in rows if r.energy_j], architecture, jobs=True)
    by_architecture, _ = held_out(rows, architecture)
    by_gpu, unseen = held_out(rows, gpu)
    return [
        *energies("architecture", ARCHITECTURE, by_architecture, fitted, []),
        *energies("GPU", GPU, by_gpu, fitted, unseen),
        *step_times(unseen),
        *training_over_inference(everything, rows),
        *rated(rows, joules),
        *([] if quick else [*many_devices.published(), *many_devices.mlperf()]),
    ]


if __name__ == "__main__":
    run("static", __doc__, benchmark)
