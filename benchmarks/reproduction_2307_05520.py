"""The methods of del Rey et al. 2023 (arXiv 2307.05520) on the SEAA runs, with published figures.

Prints the tables of `docs/reproductions/reproduction-2307.05520.md`; `--write` puts them there.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from itertools import groupby, islice, pairwise
from pathlib import Path

import numpy as np

from harness import ROOT, SHARED_DATA, log, machine
from joulecast.forecasting.base import Prediction, Work
from joulecast.forecasting.literature.pre import Pre, PreEnergy, PrePower
from joulecast.forecasting.literature.step import StepEnergy, StepForecaster, StepPower
from joulecast.forecasting.past_run import Facts, StaticRun, completed
from joulecast.forecasting.scoring.accuracy import Split, StaticScore
from joulecast.forecasting.scoring.splits import folds
from joulecast.forecasting.scoring.static_methods import StaticMethod, static_methods
from joulecast.forecasting.scoring.static_scores import score_static

SEAA = SHARED_DATA / "seaa"
PAGE = ROOT / "docs" / "reproductions" / "reproduction-2307.05520.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
# The column "trained epochs" counts this many epochs that were not trained.
EPOCHS_TOO_HIGH = 9
# Height and width of an image, in pixels.
IMAGE = 128.0
# The server's memory by the authors' notebooks; that of the other two machines is not published.
RAM_GB = 16.0
# RMSE over the energy of a run, kJ.
PUBLISHED = {
    "STEP power": 7.34,
    "STEP energy": 7.85,
    "PRE power": 27.6,
    "PRE energy": 49.7,
    "Green Algorithms": 176.6,
    "ML CO2": 187.3,
}
PUBLISHED_TARGET = {"PRE power": (8.06, "W"), "PRE energy": (0.71, "kJ/epoch")}
DRAWS = 10


def read_runs() -> list[StaticRun]:
    """The 369 trainings; energy is that of the GPU."""
    runs = []
    with (SEAA / "runs.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            facts = Facts(
                architecture=row["architecture"],
                gpu=row["gpu model"],
                batch=float(row["batch size"]),
                image_height=IMAGE,
                image_width=IMAGE,
                training_size=float(row["training size"]),
                validation_size=float(row["validation size"]),
                epochs=float(row["trained epochs"]) - EPOCHS_TOO_HIGH,
                gflops=float(row["GFLOPs"]),
                ram_gb=RAM_GB,
                tdp_w=float(row["max power limit (W)"]),
                utilization=float(row["gpu usage (%)"]) / 100,
            )
            energy_j = 1e6 * float(row["energy (MJ)"])
            duration_s = 3600 * float(row["training duration (h)"])
            runs.append(StaticRun(row["run"], completed(facts), energy_j, duration_s))
    return runs


def traces(runs: Sequence[StaticRun]) -> list[tuple[StaticRun, np.ndarray]]:
    """The runs that have a power trace, and the trace, W at 1 Hz.

    Traces have other names than the runs: each belongs to the run of its architecture whose
    energy and duration are nearest.
    """
    traced = []
    with gzip.open(SEAA / "power_1hz.csv.gz", "rt", newline="") as file:
        rows = csv.DictReader(file)
        for (_, architecture, _), group in groupby(
            rows, key=lambda r: (r["env"], r["arch"], r["run_ts"])
        ):
            power = np.array([float(row["power_W"]) for row in group])
            traced.append((_owner(runs, architecture, power), power))
    return traced


def _owner(runs: Sequence[StaticRun], architecture: str, power: np.ndarray) -> StaticRun:
    def distance(run: StaticRun) -> float:
        energy = abs(run.energy_j / power.sum() - 1)
        return max(energy, abs(run.duration_s / len(power) - 1))

    nearest = min((r for r in runs if r.facts.architecture == architecture), key=distance)
    if distance(nearest) > 0.03:
        raise ValueError(f"a trace of {architecture} fits no run: {distance(nearest):.1%} off")
    return nearest


def step_errors(
    traced: Sequence[tuple[StaticRun, np.ndarray]],
    build: Callable[[], StepForecaster],
    seen: int = 15,
) -> list[float]:
    """Errors (J) after 15 epochs, of runs cut into epochs of the same length."""
    errors = []
    for run, power in traced:
        count = int(run.facts.epochs or 0)
        at = np.linspace(0, len(power), count + 1).astype(int)
        method = build()
        for start, end in islice(pairwise(at), seen):
            method.add(Work(1.0, float(end - start), float(power[start:end].sum())))
        forecast = method.forecast(count)
        if forecast is not None:
            errors.append(forecast.energy.value - float(power.sum()))
    return errors


def step_table(traced: Sequence[tuple[StaticRun, np.ndarray]]) -> str:
    """RMSE of both forms of STEP for each configuration, and mean power around its window."""
    groups: dict[tuple[str, str], list[tuple[StaticRun, np.ndarray]]] = {}
    for run, power in traced:
        groups.setdefault((run.facts.gpu, run.facts.architecture), []).append((run, power))
    head = ("GPU", "architecture", "traces", "STEP power, kJ", "STEP energy, kJ")
    rows = [(*head, "power before", "power after")]
    for (gpu, architecture), group in sorted(groups.items()):
        before, after = [], []
        for run, power in group:
            at = np.linspace(0, len(power), int(run.facts.epochs or 0) + 1).astype(int)
            window = power[at[10] : at[15]].mean()
            before.append(100 * (power[: at[10]].mean() / window - 1))
            after.append(100 * (power[at[15] :].mean() / window - 1))
        errors = [f"{rmse(step_errors(group, form)) / 1e3:.2f}" for form in (StepPower, StepEnergy)]
        changes = [f"{statistics.mean(part):+.1f} %" for part in (before, after)]
        name = gpu.removeprefix("NVIDIA GeForce ")
        rows.append((name, architecture, str(len(group)), *errors, *changes))
    return markdown(rows)


def rmse(errors: Sequence[float]) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(errors))))


class SameConfiguration:
    """The mean power (or epoch energy) of the runs of the same architecture and GPU.

    No method can do better from features that are the same in all of them.
    """

    def __init__(self, runs: Sequence[StaticRun], timed: bool) -> None:
        self._timed = timed
        groups: dict[tuple[str, str], list[float]] = {}
        for run in runs:
            value = run.power_w if timed else run.energy_j / (run.facts.epochs or 1)
            groups.setdefault((run.facts.architecture, run.facts.gpu), []).append(value)
        self._mean = {key: statistics.mean(values) for key, values in groups.items()}

    def predict(self, facts: Facts, duration_s: float) -> Prediction | None:
        """None for a configuration that no run had."""
        mean = self._mean.get((facts.architecture, facts.gpu))
        if mean is None:
            return None
        return Prediction(mean * (duration_s if self._timed else facts.epochs or 0.0))


def pre(
    runs: Sequence[StaticRun], form: type[Pre], iterations: int, draws: int
) -> tuple[list[float], list[float], list[str]]:
    """For each split: RMSE of a run's energy (kJ), RMSE of the target, the best regression."""
    totals, targets, kinds = [], [], []
    for seed in range(draws):
        (fold,) = folds(runs, Split.RANDOM, seed)
        fitted = form.fit([runs[i] for i in fold.train], iterations=iterations, seed=seed)
        tested = [runs[i] for i in fold.test]
        predictions = [fitted.predict(run.facts, run.duration_s) for run in tested]
        pairs = [
            (p.value, run) for p, run in zip(predictions, tested, strict=True) if p is not None
        ]
        totals.append(rmse([value - run.energy_j for value, run in pairs]) / 1e3)
        targets.append(rmse([fitted.error(run) or 0.0 for run in tested]))
        kinds.append(fitted.regression.kind)
        log(f"  {form.name}, split {seed + 1}/{draws}: {totals[-1]:.1f} kJ, {kinds[-1]}")
    return totals, targets, kinds


def spread_of(values: Sequence[float], digits: int = 1) -> str:
    """Mean and range."""
    mean, low, high = statistics.mean(values), min(values), max(values)
    if len(values) == 1:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is the head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def reproduced(runs: Sequence[StaticRun], iterations: int, draws: int) -> str:
    """The published table and ours."""
    traced = traces(runs)
    rows = [("method", "published, kJ", "here, kJ", "here, runs", "note")]
    for name, build in (("STEP power", StepPower), ("STEP energy", StepEnergy)):
        errors = step_errors(traced, build)
        rows.append(_row(name, f"{rmse(errors) / 1e3:.2f}", len(errors), "after 15 epochs"))
    logs = [replace(r, facts=replace(r.facts, gflops=float(np.log(r.facts.gflops)))) for r in runs]
    for name, form in (("PRE power", PrePower), ("PRE energy", PreEnergy)):
        value, unit = PUBLISHED_TARGET[name]
        for label, of in ((name, runs), (f"{name}, GFLOPs in logarithms", logs)):
            totals, targets, kinds = pre(of, form, iterations, draws)
            best = statistics.mode(kinds)
            note = f"{spread_of(targets, 2)} {unit} (published {value} {unit}); {best}"
            tested = round(0.3 * len(runs))
            rows.append(_row(label, spread_of(totals), tested, note))
    methods = static_methods()
    baselines = (
        ("Green Algorithms", "green-algorithms", "at the utilization measured, 16 GB"),
        ("ML CO2", "mlco2", "at the power limit"),
        ("FLOPs / peak x TDP", "flops-tdp", "fp32 peak of the catalog"),
    )
    for label, name, note in baselines:
        fitted = methods[name].fit([])
        predictions = [fitted.predict(r.facts, r.duration_s) for r in runs]
        errors = [
            p.value - r.energy_j for p, r in zip(predictions, runs, strict=True) if p is not None
        ]
        rows.append(_row(label, f"{rmse(errors) / 1e3:.1f}", len(errors), note))
    return markdown(rows)


def _row(label: str, here: str, count: int, note: str) -> tuple[str, ...]:
    published = PUBLISHED.get(label)
    return (label, "" if published is None else f"{published:g}", here, str(count), note)


def under_splits(runs: Sequence[StaticRun], iterations: int) -> str:
    """Every method under every split."""
    names = ("pre-power", "pre-energy", "green-algorithms", "mlco2", "flops-tdp")
    published = static_methods()
    methods: dict[str, StaticMethod] = {name: published[name] for name in names}
    methods["pre-power"] = replace(
        methods["pre-power"], fit=lambda runs: PrePower.fit(runs, iterations=iterations)
    )
    methods["pre-energy"] = replace(
        methods["pre-energy"], fit=lambda runs: PreEnergy.fit(runs, iterations=iterations)
    )
    for label, timed in (
        ("same configuration, power", True),
        ("same configuration, energy", False),
    ):
        methods[label] = StaticMethod(
            lambda runs, timed=timed: SameConfiguration(runs, timed), lambda _: None
        )
    board = score_static(runs, methods, done=lambda _: log("  fold done"))
    scores = {(s.forecaster, s.split): s for s in board.results}
    head = ["method"]
    titles = {Split.RANDOM: "random", Split.ARCHITECTURE: "architecture left out"}
    titles |= {Split.GPU: "environment left out"}
    head += [
        f"{title}: {what}" for title in titles.values() for what in ("RMSE", "MAPE", "covered")
    ]
    rows = [head]
    for name in methods:
        cells = [cell for split in titles for cell in _cells(scores.get((name, split)))]
        rows.append([name, *cells])
    return markdown(rows)


def _cells(score: StaticScore | None) -> tuple[str, str, str]:
    if score is None:
        return "", "", ""
    a = score.energy
    covered = "" if a.coverage_pct is None else f"{a.coverage_pct:.0f} %"
    return f"{a.rmse / 1e3:,.1f} kJ", f"{a.mape_pct:,.1f} %", covered


def scatter(runs: Sequence[StaticRun]) -> str:
    """Mean and range of the runs of each configuration."""
    groups: Mapping[tuple[str, str], list[StaticRun]] = {}
    for run in runs:
        groups.setdefault((run.facts.gpu, run.facts.architecture), []).append(run)
    rows = [
        ("GPU", "architecture", "runs", "GFLOPs", "mean power, W", "energy, kJ/epoch", "s/epoch")
    ]
    for (gpu, architecture), group in sorted(groups.items()):
        count = [r.facts.epochs or 1 for r in group]
        power = [r.power_w for r in group]
        energy = [r.energy_j / 1e3 / n for r, n in zip(group, count, strict=True)]
        length = [r.duration_s / n for r, n in zip(group, count, strict=True)]
        gflops = f"{group[0].facts.gflops:.2f}"
        head = (gpu.removeprefix("NVIDIA GeForce "), architecture, str(len(group)), gflops)
        rows.append((*head, spread_of(power), spread_of(energy, 2), spread_of(length)))
    return markdown(rows)


def page(iterations: int, draws: int) -> str:
    """All tables, with the date and the versions of the libraries that computed them."""
    runs = read_runs()
    where = machine()
    versions = ", ".join(f"{n} {metadata.version(n)}" for n in ("numpy", "scikit-learn", "scipy"))
    joulecast = where["versions"].get("joulecast", "")
    made = (
        f"{where['date']}, joulecast {joulecast}, Python {where['python']}, {versions}; "
        f"{iterations} random settings of each regression, {draws} random splits."
    )
    log("as published:")
    first = reproduced(runs, iterations, draws)
    log("under three splits:")
    second = under_splits(runs, iterations)
    return "\n\n".join(
        (
            made,
            "### Root mean square error over the energy of a run",
            first,
            "### The same methods, tested on other runs than they were fitted on",
            second,
            "### STEP by configuration; mean power before and after its window, against that in it",
            step_table(traces(runs)),
            "### How runs of one configuration differ: mean (min to max)",
            scatter(runs),
        )
    )


def main() -> None:
    """Print the tables, or put them into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few regression settings, few splits")
    parser.add_argument("--write", type=Path, nargs="?", const=PAGE, metavar="PAGE",
                        help=f"write the tables into PAGE [default: {PAGE.name}]")  # fmt: skip
    args = parser.parse_args()
    if not (SEAA / "runs.csv").is_file():
        print("skipped: ../shared/data/seaa is absent")
        return
    tables = page(5, 2) if args.quick else page(100, DRAWS)
    print(tables)
    if args.write:
        text = args.write.read_text()
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        args.write.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}")


if __name__ == "__main__":
    main()
