"""Fits the constants of the physical model and writes `forecasting/physical/data/physical.toml`.

    python benchmarks/fit_physical.py [--write] [--quick]

Fitted together, by robust least squares in logarithms (`physical_fit`): constants of all devices,
factors of each machine (its host, how its board differs from the catalog's row) and of each job
that ran on several machines (what its description misses), and the rate of input pipelines.
Only the constants are shipped. Counting the operations of the workloads takes longest; the counts
are kept in `.bench/` until the code that counts changes. The widths of the intervals come from
forecasts for architectures and GPUs left out of the fit. The starting values of the constants come
from single operators that NeuSight measured on seven GPUs (`neusight`).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import neusight
import static_data
import static_mlenergy
from harness import ROOT, SHARED_DATA, log
from physical_fit import FACTORS, JOB, Fit, fit_rows, row, usual_rates
from physical_splits import WIDEN, HeldOut, architecture, gpu, half_width, held_out, score
from static_data import Measured

FILE = ROOT / "src" / "joulecast" / "forecasting" / "physical" / "data" / "physical.toml"


def measured(quick: bool) -> list[Measured]:
    """The measured runs of all data sets; of the large ones a part."""
    log("counting what the measured workloads do")
    return [
        *static_data.zeus(limits=2 if quick else 3),
        *static_data.seaa(),
        *static_data.ecnas(15 if quick else 60),
        *static_data.timm(6 if quick else 30),
        *static_mlenergy.mlenergy(),
    ]


def show(fit: Fit) -> None:
    """The fit as text."""
    for name, value in fit.values.items():
        print(f"{name:22} {value:10.3g}")
    print(f"{'':16}" + "".join(f"{name:>9}" for name in FACTORS))
    for machine, factors in fit.machines.items():
        print(f"{machine:16}" + "".join(f"{f:9.2f}" for f in factors))
    print(f"{'':16}" + "".join(f"{name:>9}" for name in JOB))
    for (_, job), factors in fit.jobs.items():
        print(f"{job:16}" + "".join(f"{f:9.2f}" for f in factors))
    for (data, of), seconds in fit.feeds.items():
        print(f"{data} {of}: {1e6 * seconds:.3g} us a sample to read")


def show_errors(name: str, of: list[HeldOut]) -> None:
    """Errors of the rows left out, by data set and by fold."""
    for data in dict.fromkeys(h.row.data for h in of):
        for error in ("energy_error", "time_error"):
            own = [h for h in of if h.row.data == data and (h.row.energy_j or error[0] == "t")]
            if own:
                s = score(own, of, error)
                print(
                    f"{name:26} {data:7} {error:13} {s.rows:5} rows, MAPE {100 * s.mape:5.1f} %, "
                    f"median {100 * s.median:5.1f} %, p90 {100 * s.p90:5.1f} %, "
                    f"covered {100 * s.coverage:5.1f} %, upper/lower {s.width:.2f}"
                )


def document(fit: Fit, by_gpu: list[HeldOut], by_architecture: list[HeldOut]) -> str:
    """The data file."""
    lines = [
        "# Constants of the physical model (forecasting/physical), of any device.",
        "# Written by benchmarks/fit_physical.py; not by hand. Fitted on: operator latencies of",
        "# NeuSight (MIT), step times of pytorch-image-models (Apache-2.0), epochs",
        "# of Zeus (Apache-2.0), of the SEAA data set seaa2023_ect (CC BY 4.0) and of EC-NAS-Bench",
        "# (MIT), steps of ML.ENERGY v2 and v3 (Apache-2.0). No row of them is in here.",
        "#",
        "# vector_*, tensor_*: attained share of the peak rate (winograd: above 1, it multiplies",
        "# less). memory_*: attained share of the peak bandwidth, above 1 where caches help.",
        "# geforce: the same of GeForce boards over others' (tensor cores limited to half rate,",
        "# clocks above the rated one).",
        "# narrow, shallow: cost of few tiles and of short sums. *_s: seconds. launch_backward,",
        "# launch_optimizer: of launch_s. backward_*: attained by the backward pass, relative to",
        "# the forward pass. awake_*, power_*: shares of the TDP; power_density: exponent of a",
        "# board's operations per watt, relative to rate_per_watt. held: mean power under a limit,",
        "# as a share of it.",
        "",
        "[constants]",
        *(f"{name} = {value:.4g}" for name, value in fit.values.items()),
        "",
        "# What measurements cover, and by how much (in logarithms, of the half width) an interval",
        "# grows for what they do not. GPUs by generation, with stacked memory (HBM) and without.",
        "[known]",
        # Of the P4 (unstacked Pascal) operators alone.
        'stacked = ["Pascal", "Volta", "Ampere", "Hopper"]',
        'unstacked = ["Maxwell", "Pascal", "Turing", "Ampere", "Ada Lovelace", "Blackwell"]',
        'kinds = ["matmul", "conv", "depthwise", "attention", "norm", "elementwise", "move",',
        '  "pool", "softmax", "optimizer", "recurrent"]',
        "",
        "[known.widen]",
        *(f"{name} = {value}" for name, value in WIDEN.items()),
        "",
        "# TFLOP/s in fp32 per watt of TDP that boards of a generation have, from the catalog.",
        *(
            line
            for kind, rates in usual_rates().items()
            for line in (f"[rate_per_watt.{kind}]", *(f'"{n}" = {r}' for n, r in rates.items()), "")
        ),
        "# Half widths of the 90 % intervals, in natural logarithms: `calibrated` from",
        "# architectures left out (of a machine known by others), `catalog` from GPUs left out,",
        "# and no narrower.",
    ]
    rungs = {"catalog": (by_gpu, by_architecture), "calibrated": (by_architecture,)}
    for rung, errors in rungs.items():
        lines += ["", f"[errors.{rung}]"]
        for name in ("duration", "energy", "power"):
            error = {"duration": "time_error"}.get(name, f"{name}_error")
            lines.append(f"{name} = {max(half_width(of, error) for of in errors):.3f}")
    return "\n".join(lines) + "\n"


def main(arguments: Iterable[str] | None = None) -> None:
    """Fits, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the data file")
    parser.add_argument("--quick", action="store_true", help="few rows, to try the script")
    parser.add_argument("--to", type=Path, default=FILE, help="where to write it")
    options = parser.parse_args(None if arguments is None else list(arguments))
    if not SHARED_DATA.exists():
        raise SystemExit(static_data.MISSING)
    neusight.show()
    rows = [row(m) for m in measured(options.quick)]
    log(f"fitting {len(rows)} rows")
    fit = fit_rows(rows)
    show(fit)
    by_architecture, _ = held_out(rows, architecture)
    show_errors("architecture left out", by_architecture)
    seen, new = held_out(rows, gpu)
    show_errors("GPU left out", seen)
    show_errors("GPU left out, job unseen", new)
    if options.write:
        options.to.write_text(document(fit, new, by_architecture))


if __name__ == "__main__":
    main()
