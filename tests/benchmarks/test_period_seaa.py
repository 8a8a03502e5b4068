"""The period of recorded power traces, compared with the epochs that were trained.

Each training there has two parts: ten epochs with a frozen backbone, then fine-tuning, whose epochs
take longer. The "trained epochs" of the table are nine too high. The traces hold no boundaries, so
the truth is the time of the fine-tuning over its epochs; the first part's own length is read from
the traces of the same model and machine, and matters little.
"""

import csv
import gzip
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from joulecast.forecasting.online.period import Period, find_period

DATA = Path(__file__).parents[3] / "shared" / "data" / "seaa"
ENVIRONMENTS = {"cloud": "Cloud", "local-v2": "Local ML Engineer/Gamer"}
FROZEN = 10  # epochs


@pytest.fixture(scope="module")
def periods() -> list[tuple[Period | None, float]]:
    """For each run the period of its second half, or None, and the true one."""
    if not (DATA / "power_1hz.csv.gz").exists():
        pytest.skip("../shared/data/seaa is absent")
    traces = defaultdict(list)
    with gzip.open(DATA / "power_1hz.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            key = (row["env"], row["arch"], row["run_ts"])
            traces[key].append((float(row["t_s"]), float(row["power_W"])))
    runs = defaultdict(list)
    with (DATA / "runs.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            duration_s = float(row["training duration (h)"]) * 3600
            key = (row["training environment"], row["architecture"])
            runs[key].append((duration_s, int(row["trained epochs"]) - 9))
    frozen_s = defaultdict(list)
    results = []
    for (env, arch, _), rows in sorted(traces.items()):
        trace = np.array(rows)
        candidates = runs[ENVIRONMENTS[env], arch]  # the trace of a run has its duration
        run = min(candidates, key=lambda run: abs(run[0] - trace[-1, 0]))
        candidates.remove(run)
        for epochs in (5, 7):  # of the run's mean length: within the first part, which has ten
            early = trace[trace[:, 0] < epochs * run[0] / run[1]]
            if isinstance(first := find_period(early[:, 0], early[:, 1]), Period):
                frozen_s[env, arch].append(first.period_s)
                break
        late = trace[len(trace) // 2 :]
        period = find_period(late[:, 0], late[:, 1])
        results.append(((env, arch), period or None, trace[-1, 0], run[1]))
    fallback = 0.5  # of an epoch of the whole, as elsewhere
    return [
        (
            period,
            (duration_s - FROZEN * np.median(frozen_s[key] or [fallback * duration_s / epochs]))
            / (epochs - FROZEN),
        )
        for key, period, duration_s, epochs in results
    ]


def test_the_period_is_that_of_the_epochs(periods):
    ratios = np.array([p.period_s / truth if p else np.nan for p, truth in periods])
    none = np.isnan(ratios)
    right = np.abs(ratios - 1) < 0.06
    multiples = [*range(2, 7), *(1 / k for k in range(2, 7))]
    harmonic = np.min([np.abs(ratios / m - 1) for m in multiples], axis=0) < 0.06
    other = ~(none | right | harmonic)
    print(
        f"\n{len(periods)} runs: right {right.mean():.1%}, a multiple or a part"
        f" {harmonic.mean():.1%}, another {other.mean():.1%}, none {none.mean():.1%}"
    )
    assert len(periods) > 300
    assert right.mean() > 0.8
    assert right.sum() / (~none).sum() > 0.9
