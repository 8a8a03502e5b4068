"""`online` against the other methods: on measured epochs, on power traces, on made-up runs.

Truth is the energy of the whole run. `online` ships constants that were chosen with sight of all
these data; what they reach on a workload or machine left out of the choice comes from
`fit_online.py`, whose rows stand below.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np

import fit_online
from forecast_data import (
    CELLS,
    CELLS_MISSING,
    EPOCHS,
    EPOCHS_MISSING,
    FRACTIONS,
    MIXED,
    STEADY,
    TRACES,
    TRACES_MISSING,
    Kind,
    MedianOfLater,
    cells,
    in_steps,
    made_up,
    mlperf,
    traces,
    watched,
)
from harness import Figure, run
from joulecast.forecasting.base import History, Work
from joulecast.forecasting.online.forecaster import Online
from joulecast.forecasting.scoring.accuracy import OnlineScore
from joulecast.forecasting.scoring.online_methods import METHODS, RunContext
from joulecast.forecasting.scoring.online_scores import Build, score_histories

AT = (1, 2, 3, 5)
COVERAGE = {"at_least": 85.0, "below": 97.01}  # up to 97 % and not more
RATED_W = 5600.0  # eight H100 SXM of 700 W: not in the data, but mlco2 needs it
FROM_DATA = ("carbontracker", "step-energy", "step-power")  # need nothing beyond the epochs


def methods(runs: Sequence[History], nodes: dict[str, int]) -> dict[str, Build]:
    """All that can be built from the facts of these runs, and the median of later epochs."""

    def builder(name: str) -> Build:
        return lambda h: METHODS[name].build(RunContext(tdp_w=RATED_W * nodes.get(h.run_id, 1)))

    builds: dict[str, Build] = {name: builder(name) for name in (*FROM_DATA, "mlco2")}
    return {"online": lambda _: Online(), **builds, MedianOfLater.name: lambda _: MedianOfLater()}


def compared(label: str, scores: Sequence[OnlineScore], seen: int, judged: bool) -> list[Figure]:
    """Error, its 90th percentile, coverage and width of `online` and of the other methods.

    The target is the best of those that know no more than `online` does, as `joulecast evaluate`
    compares them on these data; mlco2, which is given the rated power, is shown too.
    """
    here = {s.forecaster: s for s in scores if s.epochs_seen == seen}
    ours = here.pop("online")
    epochs = f"{seen} epoch{'s' * (seen > 1)} seen"
    others = {
        "error": {name: s.energy.mape_pct for name, s in here.items()},
        "90th percentile of errors": {name: s.energy.p90_pct for name, s in here.items()},
    }
    reached = {"error": ours.energy.mape_pct, "90th percentile of errors": ours.energy.p90_pct}
    figures = []
    for what, values in reached.items():
        note = ", ".join(f"{name} {value:.1f} %" for name, value in others[what].items())
        rivals = [value for name, value in others[what].items() if name != "mlco2"]
        below = min(rivals) if judged else None
        figures.append(Figure(f"{label}, {epochs}: {what}", values, "%", below=below, note=note))
    note = f"duration: {ours.duration.mape_pct:.1f} %, inside {ours.duration.coverage_pct:.0f} %"
    figures += [
        Figure(
            f"{label}, {epochs}: inside the interval (85 to 97)",
            ours.energy.coverage_pct,
            "%",
            **(COVERAGE if judged else {}),
            note=note,
        ),
        Figure(f"  {label}, {epochs}: mean width of the interval", ours.energy.width_pct, "%"),
        Figure(
            f"  {label}, {epochs}: RMSE",
            ours.energy.rmse / 1e3,
            "kJ",
            note=", ".join(f"{name} {s.energy.rmse / 1e3:.0f} kJ" for name, s in here.items()),
        ),
    ]
    return figures


def on_mlperf(quick: bool) -> list[Figure]:
    """The targets on measured epochs."""
    if not EPOCHS.exists():
        return [Figure("MLPerf", None, "%", note=EPOCHS_MISSING)]
    subjects = mlperf(5 if quick else 1)
    runs = [s.history for s in subjects]
    nodes = {h.run_id: int(h.run_id.split("x", 1)[0]) for h in runs}
    scores = score_histories(runs, AT, methods(runs, nodes))
    figures = [f for k in AT for f in compared("MLPerf", scores, k, judged=True)]
    for group in sorted({str(s.group) for s in subjects}):
        part = [s.history for s in subjects if s.group == group]
        scores = score_histories(part, AT, {"online": lambda _: Online()})
        note = "; ".join(
            f"{s.epochs_seen}: {s.energy.mape_pct:.1f} %, inside {s.energy.coverage_pct:.0f} %, "
            f"width {s.energy.width_pct:.0f} %"
            for s in scores
        )
        mean = statistics.mean(s.energy.mape_pct for s in scores)
        figures.append(Figure(f"  MLPerf, {group} alone: error at 1 to 5", mean, "%", note=note))
    return [*figures, *learning(subjects)]


def learning(subjects: Sequence[fit_online.EpochRun]) -> list[Figure]:
    """One epoch seen, and the other runs as past runs."""
    figures = []
    for title, others in (("all others", False), ("those of other workloads", True)):
        past = {
            s.history.run_id: [
                o.history for o in subjects if o is not s and not (others and o.group == s.group)
            ]
            for s in subjects
        }
        (score,) = score_histories(
            [s.history for s in subjects], [1], {"online": lambda h, p=past: Online(p[h.run_id])}
        )
        energy = score.energy
        note = f"90th percentile {energy.p90_pct:.1f} %, inside {energy.coverage_pct:.0f} %"
        name = f"  MLPerf, 1 epoch seen, with past runs ({title}): error"
        figures.append(Figure(name, energy.mape_pct, "%", note=note))
    return figures


def on_traces(quick: bool) -> list[Figure]:
    """The targets on power traces of one second, of which only the fraction done is known."""
    if not TRACES.exists():
        return [Figure("traces", None, "%", note=TRACES_MISSING)]
    attempts = [a for trace in traces(10 if quick else 1) for a in watched(trace)]
    figures = []
    for fraction in FRACTIONS:
        here = [a for a in attempts if a.fraction == fraction]
        mean = 100 * statistics.mean(a.error_of_mean for a in here)
        name = f"traces, {100 * fraction:g} % seen"
        figures += [
            Figure(
                f"{name}: error",
                100 * statistics.mean(a.error for a in here),
                "%",
                below=mean / 2 if fraction in (0.02, 0.05, 0.1) else mean,
                note=f"mean power so far {mean:.1f} %",
            ),
            Figure(
                f"  {name}: inside the interval",
                100 * statistics.mean(a.inside for a in here),
                "%",
                note=f"mean width {100 * statistics.mean(a.width for a in here):.0f} %",
            ),
        ]
    return figures


def on_cells() -> list[Figure]:
    """First against four epochs of networks that no constant was chosen on."""
    if not CELLS.exists():
        return [Figure("EC-NAS", None, "%", note=CELLS_MISSING)]
    builds: dict[str, Build] = {
        "online": lambda _: Online(),
        "carbontracker": lambda _: METHODS["carbontracker"].build(RunContext()),
    }
    return compared("EC-NAS", score_histories(cells(), [1], builds), 1, judged=False)


def on_made_up(quick: bool) -> list[Figure]:
    """Families of made-up runs: whole epochs, then the first epochs in steps."""
    figures = []
    for title, kind in (("made-up", MIXED), ("made-up, nothing odd", STEADY)):
        runs = made_up(kind, 20 if quick else 400)
        builds: dict[str, Build] = {
            "online": lambda _: Online(),
            "carbontracker": lambda _: METHODS["carbontracker"].build(RunContext()),
            MedianOfLater.name: lambda _: MedianOfLater(),
        }
        scores = score_histories(runs, (1, 2, 5, 20), builds)
        for k in (1, 2, 5, 20):
            figures += compared(title, scores, k, judged=False)[:4]
        figures += in_first_steps(title, kind, 20 if quick else 200)
    return figures


def in_first_steps(title: str, kind: Kind, count: int, per_epoch: int = 200) -> list[Figure]:
    """Forecasts from within the first epoch, 200 steps long, the first 5 of them warm-up."""
    at = (20, 100, 200)
    errors: dict[int, list[float]] = {k: [] for k in at}
    inside: dict[int, list[bool]] = {k: [] for k in at}
    for seed, history in enumerate(made_up(kind, count)):
        truth = sum(w.energy_j for w in history.epochs)
        online = Online()
        for i, work in enumerate(in_steps(history, seed, per_epoch, 1), 1):
            online.add(work)
            if i in at:
                forecast = online.forecast(history.planned)
                assert forecast is not None
                energy = forecast.energy
                errors[i].append(abs(energy.value / truth - 1))
                inside[i].append((energy.low or 0) <= truth <= (energy.high or 0))
    return [
        Figure(
            f"  {title}, {k} of {per_epoch} steps of the first epoch seen: error",
            100 * statistics.mean(errors[k]),
            "%",
            note=f"inside the interval {100 * statistics.mean(inside[k]):.0f} %",
        )
        for k in at
    ]


def update_cost(quick: bool) -> list[Figure]:
    """One span added and one forecast made, with 10,000 spans seen, as epochs and as steps."""
    figures = []
    for title, progress, planned in (("epochs", 1.0, 20_000.0), ("steps", 0.001, 30.0)):
        online = Online()
        rng = np.random.default_rng(0)
        for power in rng.normal(200, 5, 10_000):
            online.add(Work(progress, 1.0, float(power)))
        times = []
        for power in rng.normal(200, 5, 50 if quick else 500):
            start = time.perf_counter()
            online.add(Work(progress, 1.0, float(power)))
            online.forecast(planned)
            times.append(1e3 * (time.perf_counter() - start))
        name = f"one update of the forecast, 10,000 {title} seen"
        figures.append(Figure(name, statistics.median(times), "ms", below=1.0))
    return figures


def benchmark(quick: bool) -> list[Figure]:
    """All of it, and what the constants reach where they were not chosen."""
    return [
        *on_mlperf(quick),
        *on_traces(quick),
        *on_cells(),
        *on_made_up(quick),
        *update_cost(quick),
        *fit_online.benchmark(quick),
    ]


if __name__ == "__main__":
    run("forecast", __doc__, benchmark)
