"""Studies as the ledger returns them: plans, trials, and figures drawn from a fixed seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import nan

import numpy as np

from joulecast.analysis.table.columns import Cell, Table
from joulecast.ledger.study_model import Conditions, Study, Trial, TrialStatus
from joulecast.study.results import StudyResults

ENERGY_J = {"small": 800.0, "wide": 2600.0, "deep": 4000.0}
ACCURACY = {"small": 0.952, "wide": 0.962, "deep": 0.981}


def study(
    name: str = "digits",
    factors: Mapping[str, Sequence[str | int | float | bool]] | None = None,
    repetitions: int = 6,
    quality: str | None = "accuracy",
    maximize: bool = True,
) -> Study:
    levels = factors or {"architecture": tuple(ENERGY_J), "batch": (16, 64)}
    return Study(
        name=name,
        entry="train.py:train",
        factors={f: tuple(ls) for f, ls in levels.items()},
        repetitions=repetitions,
        seed=3,
        epochs=5,
        early_stopping="val_loss:patience=3",
        conditions=Conditions(warm_up_s=30, cool_down_s=5, cool_to_c=45),
        quality=quality,
        maximize=maximize,
    )


def results(
    plan: Study | None = None,
    failed: Mapping[int, tuple[TrialStatus, str]] | None = None,
    constant: bool = False,
    metric: str | None = "accuracy",
    run_ids: Sequence[str] = (),
) -> StudyResults:
    """Every trial of a plan, in order; those in `failed` (by their place) did not finish."""
    plan = plan or study()
    rng = np.random.default_rng(0)
    names = list(plan.factors)
    trials, rows = [], []
    configurations = list(product(*plan.factors.values()))
    for i, (levels, repetition) in enumerate(product(configurations, range(plan.repetitions))):
        status, error = (failed or {}).get(i, (TrialStatus.FINISHED, None))
        factors = dict(zip(names, levels, strict=True))
        run_id = run_ids[i % len(run_ids)] if run_ids else f"run{i}"
        trials.append(
            Trial(f"t{i}", i, factors, repetition, repetition, status, run_id, error, host="a")
        )
        place = configurations.index(levels)
        scatter = 1.0 if constant else 1 + 0.05 * rng.standard_normal()
        first = str(levels[0])
        energy = ENERGY_J.get(first, 500.0 * (1 + place)) * (1 + 0.3 * (place % 2)) * scatter
        score = ACCURACY.get(first, 0.9) + (0 if constant else 0.004 * rng.standard_normal())
        row: dict[str, Cell] = {f: _cell(x) for f, x in factors.items()}
        row |= {"trial": f"t{i}", "repetition": float(repetition), "seed": float(repetition)}
        row |= {"order": float(i), "status": str(status), "run_id": run_id, "host": "a"}
        row |= {"energy_j": energy, "energy_low_j": 0.95 * energy, "energy_high_j": 1.05 * energy}
        row |= {"duration_s": energy / 60, "power_w": 60.0 + 3 * place, "epochs": 5.0}
        row |= {"cpu_utilization_pct": 40.0 + 10 * place + (0 if constant else rng.random())}
        if metric is not None:
            row[metric] = score if status is TrialStatus.FINISHED else nan
        rows.append(row)
    columns = {c: [row[c] for row in rows] for c in rows[0]} if rows else {}
    return StudyResults(plan, tuple(trials), Table(plan.name, columns))


ONE_RUN = study(factors={"architecture": ("small",)}, repetitions=1)
THREE_FACTORS = study(factors={"a": (1, 2), "b": (1, 2), "c": ("x", "y")})
ALL_FAILED = dict.fromkeys(range(36), (TrialStatus.FAILED, "x"))


def _cell(level: str | int | float | bool) -> Cell:
    if isinstance(level, bool):
        return str(level).lower()
    return level if isinstance(level, str) else float(level)
