"""`online` against the other methods: on made-up series, measured epochs, and power traces.

Truth is the energy of the whole run. The constants for whole epochs were chosen on made-up runs of
other seeds, so that the measured epochs are left out of the fit, each workload of them too.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

import fit_online
from forecast_data import (
    CELLS,
    CELLS_MISSING,
    EPOCHS,
    EPOCHS_MISSING,
    FRACTIONS,
    KINDS,
    MIXED,
    ONE_LINERS,
    STEADY,
    TRACES,
    TRACES_MISSING,
    Kind,
    OneLine,
    cells,
    in_epochs,
    in_steps,
    made_up,
    mlperf,
    series,
    traces,
    watched,
)
from harness import Figure, run
from joulecast.forecasting.base import History, Work
from joulecast.forecasting.online.forecaster import Online
from joulecast.forecasting.scoring.accuracy import OnlineScore
from joulecast.forecasting.scoring.epochs_csv import EpochRun
from joulecast.forecasting.scoring.online_methods import METHODS, RunContext
from joulecast.forecasting.scoring.online_scores import (
    Build,
    forecasts,
    score_histories,
    scores,
)

AT = (1, 2, 3, 5, 10, 15)
CUTS = (10, 20, 50, 100)  # epochs that traces are cut into
# By how much `online` may be behind the better one of the rules of one line.
BEHIND = 1.1
# Of made-up runs: as good as a rule, up to what 200 of them cannot tell.
AS_GOOD = 1.03
SEEDS_FROM = 1000  # those before served to choose the constants

# Of each kind: epochs seen (or after the change), the largest error in %, the smallest coverage.
# A name stands for the error of that rule.
Target = tuple[int, float | str | None, float | None]
_STEADY = ((2, 0.4, 85.0), (5, 0.3, 85.0), (15, 0.2, 85.0))
_DRIFT = ((5, None, 80.0), (10, 10.0, 80.0), (15, 5.0, 80.0))
_CHANGE = ((3, 2.0, 85.0), (6, 2.0, 85.0))
SERIES: dict[str, Sequence[Target]] = {
    "no noise": ((2, 1e-6, None), (5, 1e-6, None), (15, 1e-6, None)),
    "noise 5 %": tuple((k, "median of later", 85.0) for k in (2, 5, 15)),
    "noise 20 %": tuple((k, "mean of later", 85.0) for k in (2, 5, 15)),
    "first epoch 1.3 times": _STEADY,
    "first epoch 20 times": _STEADY,
    "rise of 1 % an epoch": _DRIFT,
    "fall of 1 % an epoch": _DRIFT,
    "every 5th twice as long": ((2, None, 85.0), (5, None, 85.0), (10, 3.0, 85.0), (15, 0.5, 85.0)),
    "every 2nd 1.5 times": ((2, None, 85.0), (5, None, 85.0), (8, 1.0, 85.0), (15, 1.0, 85.0)),
    "30 % more from half on": _CHANGE,
    "30 % less from half on": _CHANGE,
    "one of the first five 5 times as long": ((2, None, 80.0), (5, 2.0, 80.0), (15, 0.5, 80.0)),
}
assert tuple(SERIES) == KINDS


def rules() -> dict[str, Build]:
    """`online` and the rules of one line."""
    lines = {n: (lambda _, f=f: OneLine(f)) for n, f in ONE_LINERS.items()}
    return {"online": lambda _: Online(), **lines}


def on_series(quick: bool) -> list[Figure]:
    """The targets on made-up series of each kind."""
    figures = []
    for kind, targets in SERIES.items():
        runs = [series(kind, SEEDS_FROM + i) for i in range(20 if quick else 200)]
        for seen, error, coverage in targets:
            figures += on_one_kind(kind, runs, seen, error, coverage)
    return figures


def on_one_kind(
    kind: str, runs: Sequence[History], seen: int, error: float | str | None, coverage: float | None
) -> list[Figure]:
    """Error and coverage of runs of one kind."""
    changes = SERIES[kind] is _CHANGE
    scored = []
    for history in runs:
        at = seen + (len(history.epochs) // 2 if changes else 0)
        built = {name: build(history) for name, build in rules().items()}
        usable = {name: f for name, f in built.items() if f is not None}
        scored += [replace(f, epochs_seen=seen) for f in forecasts(history, [at], usable)]
    by_name = {s.forecaster: s.energy for s in scores(scored)}
    ours = by_name["online"]
    name = f"{kind}, {seen} epochs {'after the change' if changes else 'seen'}"
    note = ", ".join(f"{rule} {by_name[rule].mape_pct:.2g} %" for rule in ONE_LINERS)
    below = AS_GOOD * by_name[error].mape_pct if isinstance(error, str) else error
    width = f"mean width {ours.width_pct:.0f} %"
    limits = {"at_least": coverage, "below": 97.01 if kind.startswith("noise") else None}
    return [
        Figure(f"{name}: error", ours.mape_pct, "%", below=below, note=note),
        Figure(f"  {name}: inside the interval", ours.coverage_pct, "%", **limits, note=width),
    ]


def compared(label: str, results: Sequence[OnlineScore], seen: int) -> list[Figure]:
    """Error and coverage of `online`; the target is near the better of the rules of one line."""
    here = {s.forecaster: s for s in results if s.epochs_seen == seen}
    if "online" not in here:
        return []
    ours = here.pop("online")
    epochs = f"{label}, {seen} epoch{'s' * (seen > 1)} seen"
    best = [s.energy.mape_pct for name, s in here.items() if name in ONE_LINERS]
    note = ", ".join(f"{name} {s.energy.mape_pct:.2f} %" for name, s in here.items())
    width = f"mean width {ours.energy.width_pct:.0f} %"
    if ours.duration is not None:
        width += f"; duration: {ours.duration.mape_pct:.1f} %, {ours.duration.coverage_pct:.0f} %"
    return [
        Figure(
            *(f"{epochs}: error", ours.energy.mape_pct, "%"),
            below=BEHIND * min(best) if best else None,
            note=note,
        ),
        Figure(f"  {epochs}: inside the interval", ours.energy.coverage_pct, "%", note=width),
    ]


def on_mlperf(quick: bool) -> list[Figure]:
    """Measured epochs, each workload alone, and one epoch seen with past runs."""
    if not EPOCHS.exists():
        return [Figure("MLPerf", None, "%", note=EPOCHS_MISSING)]
    subjects = mlperf(5 if quick else 1)
    builds = rules() | {"mean of all": lambda _: METHODS["carbontracker"].build(RunContext())}
    results = score_histories([s.history for s in subjects], AT, builds)
    figures = [f for k in AT for f in compared("MLPerf", results, k)]
    for group in sorted({str(s.group) for s in subjects}):
        part = [s.history for s in subjects if s.group == group]
        for k in (2, 5):
            figures += compared(f"  {group} alone", score_histories(part, [k], rules()), k)
    return [*figures, *learning(subjects)]


def learning(subjects: Sequence[EpochRun]) -> list[Figure]:
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


def on_cut_traces(quick: bool) -> list[Figure]:
    """The same traces cut into epochs, of which they have no marks."""
    if not TRACES.exists():
        return []
    runs = [in_epochs(t, n) for t in traces(10 if quick else 2) for n in CUTS]
    results = score_histories(runs, AT[1:], rules())
    return [f for k in AT[1:] for f in compared("traces cut into epochs", results, k)]


def on_cells() -> list[Figure]:
    """First against four epochs of networks that no constant was chosen on."""
    if not CELLS.exists():
        return [Figure("EC-NAS", None, "%", note=CELLS_MISSING)]
    builds = rules() | {"mean of all": lambda _: METHODS["carbontracker"].build(RunContext())}
    return compared("EC-NAS", score_histories(cells(), [1], builds), 1)


def on_made_up(quick: bool) -> list[Figure]:
    """Families of made-up runs: whole epochs, then the first epochs in steps."""
    figures = []
    for title, kind in (("made-up", MIXED), ("made-up, nothing odd", STEADY)):
        runs = made_up(kind, 20 if quick else 400)
        results = score_histories(runs, (1, 2, 5, 20), rules())
        for k in (1, 2, 5, 20):
            figures += [replace(f, below=None) for f in compared(title, results, k)]
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
        *on_series(quick),
        *on_mlperf(quick),
        *on_traces(quick),
        *on_cut_traces(quick),
        *on_cells(),
        *on_made_up(quick),
        *update_cost(quick),
        *fit_online.benchmark(quick),
    ]


if __name__ == "__main__":
    run("forecast", __doc__, benchmark)
