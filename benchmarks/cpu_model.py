"""The CPU model against RAPL on two machines to which nothing in it was fitted.

Compared with TDP x load and with CodeCarbon's load mode, TDP x (0.1 + 0.9 load^3). The
data (../shared/data/hardware/cpu_load_rapl) hold two views of the same power: the column
`rapl_power`, by which the target is set, and `rapl_energy / duration`. The first runs one row
behind the second (the power at each load is the energy of the load before), so both are printed.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness import SHARED_DATA, Figure, run
from joulecast.hardware.catalog.cpus import find_cpu
from joulecast.hardware.detect.cpu import DetectedCpu
from joulecast.meters.cpu_curve import package_power
from joulecast.meters.cpu_model import choose_spec

DATA = SHARED_DATA / "hardware" / "cpu_load_rapl"
MACHINES = {"EPYC 8024P": "amd_epyc_8024p", "Xeon E3-1240 v2": "intel_e3_1240v2"}
KWH_J = 3.6e6


@dataclass(frozen=True, slots=True)
class Point:
    """Half a minute of one load on one machine; `cpu` as the machine names it."""

    cpu: str
    load: float
    power_w: float


Model = Callable[[Point], float]


def tdp_times_load(point: Point) -> float:
    """Watts by Green Algorithms' rule."""
    return find_cpu(point.cpu).tdp_w * point.load


def codecarbon(point: Point) -> float:
    """Watts by CodeCarbon's load mode."""
    return find_cpu(point.cpu).tdp_w * (0.1 + 0.9 * point.load**3)


def ours(point: Point) -> tuple[float, float, float]:
    """Watts and their 90 % interval by joulecast's model."""
    spec, _ = choose_spec(DetectedCpu(name=point.cpu))
    watts, low, high = package_power(spec, point.load)
    return watts, low, high


def read(path: Path, by_energy: bool) -> list[Point]:
    """The points of one file from 10 % load on."""
    points = []
    with path.open() as file:
        for row in csv.DictReader(file):
            load = float(row["cpu_load"]) / 100
            power = float(row["rapl_power"])
            if by_energy:
                power = float(row["rapl_energy"]) * KWH_J / float(row["duration"])
            if load >= 0.0995:
                points.append(Point(row["cpu_name"], load, power))
    return points


def error_percent(model: Model, points: list[Point]) -> float:
    """Mean absolute error, % of the measured power."""
    return 100 * statistics.mean(abs(model(p) - p.power_w) / p.power_w for p in points)


def coverage_percent(points: list[Point]) -> float:
    """How many points lie within our 90 % interval, %."""
    covered = []
    for point in points:
        _, low, high = ours(point)
        covered.append(low <= point.power_w <= high)
    return 100 * statistics.mean(covered)


MODELS: dict[str, Model] = {
    "joulecast": lambda point: ours(point)[0],
    "TDP x load": tdp_times_load,
    "CodeCarbon": codecarbon,
}


def read_all(cores: str, by_energy: bool) -> dict[str, list[Point]]:
    """The points of both machines: load spread over all cores, or filling some of them."""
    return {name: read(DATA / f"{stem}_{cores}.csv", by_energy) for name, stem in MACHINES.items()}


def errors(points: dict[str, list[Point]]) -> dict[str, dict[str, float]]:
    """The mean absolute error of each model on each machine, % of the measured power."""
    return {
        name: {machine: error_percent(model, points[machine]) for machine in points}
        for name, model in MODELS.items()
    }


def inside(points: dict[str, list[Point]]) -> float:
    """Coverage over both machines, %."""
    return coverage_percent([p for of in points.values() for p in of])


def by_machine(error: dict[str, float]) -> str:
    """The errors of one model as text."""
    return ", ".join(f"{machine} {e:.0f} %" for machine, e in error.items())


def judged() -> list[Figure]:
    """The view by which the target is set, and the rules to be better than."""
    points = read_all("all_cores", by_energy=False)
    by_model = errors(points)
    means = {name: statistics.mean(error.values()) for name, error in by_model.items()}
    limits = {"joulecast": min(means["TDP x load"], means["CodeCarbon"])}
    figures = [
        Figure(
            f"CPU power, error of {name}", means[name], "%", limits.get(name), note=by_machine(e)
        )
        for name, e in by_model.items()
    ]
    name = "CPU power, points inside our 90 % interval"
    return [*figures, Figure(name, inside(points), "%", at_least=85.0)]


def other_view(title: str, cores: str, by_energy: bool) -> list[Figure]:
    """The same by another view of the data, with no target."""
    points = read_all(cores, by_energy)
    by_model = errors(points)
    note = "; ".join(f"{name}: {by_machine(error)}" for name, error in by_model.items())
    mean = statistics.mean(by_model["joulecast"].values())
    return [
        Figure(f"  {title}: error of joulecast", mean, "%", note=note),
        Figure(f"  {title}: inside the interval", inside(points), "%"),
    ]


def benchmark(quick: bool) -> list[Figure]:
    """The judged table, then the same by other views of the data; it is quick either way."""
    if not DATA.is_dir():
        return [Figure("CPU power", None, "%", note="skipped: ../shared/data/hardware is not here")]
    return [
        *judged(),
        *other_view("all cores, by energy", "all_cores", by_energy=True),
        *other_view("some cores", "some_cores", by_energy=False),
        *other_view("some cores, by energy", "some_cores", by_energy=True),
    ]


if __name__ == "__main__":
    run("cpu_model", __doc__, benchmark)
