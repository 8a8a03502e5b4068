"""The physical model against measured runs; skipped where the data are not here."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="../shared/data is not here")


@pytest.fixture(scope="module", autouse=True)
def benchmarks():
    for library in ("torch", "torchvision"):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    path = str(ROOT / "benchmarks")
    sys.path.insert(0, path)
    yield
    sys.path.remove(path)


def test_cells_are_built_as_they_were_trained():
    import csv

    import torch

    from static_models import nas_network

    graphs = json.loads((DATA / "ecnas" / "generated_graphs_5V9E.json").read_text())
    with (DATA / "ecnas" / "ecnas_results.csv").open(newline="") as file:
        parameters = {r["arch_hash"]: int(r["trainable_params"]) for r in csv.DictReader(file)}
    chosen = sorted(set(graphs) & set(parameters))[::60]
    assert len(chosen) > 20
    for name in chosen:
        with torch.device("meta"):
            network = nas_network(*graphs[name])
        assert sum(p.numel() for p in network.parameters()) == parameters[name]


def test_forecasts_of_cells_from_the_catalog_alone():
    import static_data
    from flops_tdp import FlopsTdp
    from joulecast.forecasting.physical.forecaster import Physical
    from physical_fit import row

    def error(forecaster, run):
        steps = [(forecaster.step(work, run.device), count) for work, count in run.parts]
        return np.log(sum(s.duration.value * c for s, c in steps) / run.duration_s)

    runs = list(static_data.ecnas(12))
    assert runs and all(r.needs for r in map(row, runs))
    ours, rated = (np.abs([error(f, r) for r in runs]) for f in (Physical(), FlopsTdp()))
    assert np.median(ours) < np.median(rated)
    steps = [Physical().step(r.parts[0][0], r.device) for r in runs]
    half = np.log([s.duration.high / s.duration.value for s in steps])
    assert np.mean(ours <= half) >= 0.85


def test_a_fit_recovers_the_constants_of_its_rows():
    from dataclasses import replace

    import static_data
    from physical_fit import PRIORS, Fit, fit_rows, row

    rows = [row(m) for m in static_data.ecnas(8)]
    # Eight rows move a constant away from its prior, not all of them.
    constants = {name: start for name, (start, _) in PRIORS.items()}
    truth = Fit(constants | {"vector_winograd": 1.2}, {}, {}, {}, (150.0,))
    seconds, watts = truth.forecast(rows)
    made = [
        replace(r, duration_s=float(s), energy_j=float(s * w))
        for r, s, w in zip(rows, seconds, watts, strict=True)
    ]
    again, power = fit_rows(made).forecast(made)
    assert again == pytest.approx(seconds, rel=0.05)
    assert power == pytest.approx(watts, rel=0.05)
