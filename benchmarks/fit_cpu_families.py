"""Fits the CPU families of the catalog to SPECpower_ssj2008, and predicts families left out.

    python benchmarks/fit_cpu_families.py [../shared/data/hardware/specpower.csv]

SPECpower gives wall power of whole servers at full load and at active idle. What is fitted:

* **Package power at full load.** Of the wall power that load adds, `DYNAMIC_TO_PACKAGE` reaches
  the packages: the power supply passes on 92 % (80 PLUS Platinum at half load), the voltage
  regulators 90 %, and fans and memory take 7 % of the rest. 0.92 x 0.90 x 0.93 = 0.77.
* **Package power at idle.** `IDLE_TO_PACKAGE` = 0.35 of the wall's; boards, memory, disks, fans and
  the badly loaded power supply take the rest (Fan et al. 2007, doi:10.1145/1273440.1250665, give
  CPUs a third of a server's power). The lowest quartile: what else a box holds only adds.
* **The curve between.** The overall result of a run is the operations of all eleven levels over
  the power of all eleven, and those of a level follow from those at full load. So the mean power
  of the nine middle levels follows, and with it the exponent of
  `power = idle + wake + (full - idle - wake) * load**k`.

Left out: results that do not comply ("NC"), more than one node, and the very models on which the
curve is checked against RAPL (`CHECKED`). Prints the fitted constants next to those of
`cpu_families.toml`, and the errors on families left out, from which the intervals of
`meters/cpu_curve.py` come. In the catalog, rows with `results = 0` name their `source`.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from joulecast.errors import UnknownHardwareError
from joulecast.hardware.catalog.cpus import CpuModel, families, find_cpu

DYNAMIC_TO_PACKAGE = 0.77
IDLE_TO_PACKAGE = 0.35
CHECKED = ("Xeon E3-1240 v2", "EPYC 8024P")
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Result:
    """One SPECpower result, per package."""

    cpu: CpuModel
    full_w: float
    idle_w: float
    middle: float  # mean over 10 % to 90 % load of (power - idle) / (full - idle)


def results(path: Path) -> list[Result]:
    """The results that can be used."""
    usable = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            try:
                full, idle = float(row["avg. watts @ 100%"]), float(row["avg. watts @ active idle"])
                ops = float(row["ssj_ops @ 100%"])
                overall = float(row["Result (Overall ssj_ops/watt)"])
                nodes, chips = int(row["Nodes"]), int(row["Chips"])
                name = row["CPU Description"].rstrip(",").replace("(r)", "").split(", ")[0]
                cpu = find_cpu(name.replace(" Processor", "").replace("Platinum 6252", "Gold 6252"))
            except (ValueError, UnknownHardwareError):
                continue
            if nodes != 1 or cpu.name in CHECKED:
                continue
            middle_w = (5.5 * ops / overall - full - idle) / 9
            package_idle = IDLE_TO_PACKAGE * idle / chips
            package_full = package_idle + DYNAMIC_TO_PACKAGE * (full - idle) / chips
            middle = (middle_w - idle) / (full - idle)
            usable.append(Result(cpu, package_full, package_idle, middle))
    return usable


def awake_middle(result: Result, wake_w: float) -> float:
    """The middle of the curve without the step `wake_w` that the package takes as it wakes."""
    dynamic = result.full_w - result.idle_w
    return (result.middle * dynamic - wake_w) / (dynamic - wake_w)


def exponent(middle: float) -> float:
    """The k for which the mean of load**k over 10 %, 20 %, ... 90 % is `middle`."""
    load = np.arange(1, 10) / 10
    ks = np.linspace(0.3, 3, 2701)
    return float(ks[np.argmin(np.abs((load[None] ** ks[:, None]).mean(1) - middle))])


def main() -> None:
    """Print the fit next to the catalog, then the errors on families left out."""
    default = ROOT.parent / "shared/data/hardware/specpower.csv"
    rows = results(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
    by_family: dict[str, list[Result]] = defaultdict(list)
    for row in rows:
        by_family[row.cpu.family].append(row)
    catalog = {f.name: f for f in families()}
    print(f"{len(rows)} results of {len(by_family)} families; fitted (catalog)")
    print(
        f"{'family':24}{'n':>4} {'idle W/core':>15} {'full W/core':>15} {'full/TDP':>13} {'k':>13}"
    )
    for name, of in by_family.items():
        listed = catalog[name]
        cores = np.array([r.cpu.cores for r in of], float)
        fitted = (
            max(0.02, np.quantile([(r.idle_w - listed.uncore_w) / r.cpu.cores for r in of], 0.25)),
            np.median(([r.full_w - listed.uncore_w - listed.wake_w for r in of]) / cores),
            np.median([r.full_w / r.cpu.tdp_w for r in of]),
            exponent(float(np.median([awake_middle(r, listed.wake_w) for r in of]))),
        )
        shipped = (
            listed.idle_w_per_core,
            listed.full_w_per_core,
            listed.full_of_tdp,
            listed.exponent,
        )
        pairs = "".join(f"{f:>8.2f} ({s:.2f})" for f, s in zip(fitted, shipped, strict=True))
        print(f"{name:24}{len(of):>4}{pairs}")
    left_out(by_family)


def left_out(by_family: dict[str, list[Result]]) -> None:
    """Print how far each family is from the median of the others, all with the same weight."""
    means = {
        name: (
            np.mean([np.log(r.full_w / r.cpu.tdp_w) for r in of]),
            np.mean([np.log(r.idle_w / r.cpu.tdp_w) for r in of]),
            np.mean([r.middle for r in of]),
        )
        for name, of in by_family.items()
    }
    print("\nfamilies left out: log error of the median of the others, and spread within a family")
    for i, what in enumerate(("full / TDP", "idle / TDP", "middle of the curve")):
        across = [
            means[name][i] - np.median([m[i] for other, m in means.items() if other != name])
            for name in means
        ]
        within = [
            value - means[name][i]
            for name, of in by_family.items()
            for r in of
            for value in [
                (np.log(r.full_w / r.cpu.tdp_w), np.log(r.idle_w / r.cpu.tdp_w), r.middle)[i]
            ]
        ]
        print(
            f"{what:22} others: median {np.median([m[i] for m in means.values()]):6.2f}, "
            f"bias {np.mean(across):6.3f}, sd {np.std(across):.3f}; within: sd {np.std(within):.3f}"
        )


if __name__ == "__main__":
    main()
