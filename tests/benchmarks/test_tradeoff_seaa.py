"""Trade-offs of measured trainings (del Rey et al. 2023), and power of measured traces."""

import csv
import gzip
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from fakes.gauges import gauge_samples
from fakes.recordings import training
from joulecast.analysis.power.behavior import power_behavior
from joulecast.analysis.power.change_point import last_change
from joulecast.analysis.power.stabilize import stabilizing_time
from joulecast.analysis.statistics.interaction import interaction
from joulecast.analysis.table.columns import Table, read_csv
from joulecast.analysis.tradeoff.tradeoff import tradeoff
from joulecast.estimate import Provenance
from joulecast.meters.base import GaugeSource, ReadingKind, Source, Uncertainty
from joulecast.recording.model import Footer, Recording, Samples, Status
from joulecast.recording.summary import summarize

SEAA = Path(__file__).parents[2].parent / "shared" / "data" / "seaa"
pytestmark = pytest.mark.skipif(not SEAA.is_dir(), reason="the measured trainings are not here")

ENERGY, QUALITY, ENVIRONMENT = "energy (MJ)", "f1-score", "training environment"
# Energy reduction against VGG16 as published (arXiv 2307.05520, RQ1 and RQ2), percent.
PUBLISHED = {
    "Cloud": {"mobilenet_v2": 63.9, "resnet50": 29.3, "xception": 13.9, "nasnet_mobile": 13.5},
    "Local ML Engineer/Gamer": {"mobilenet_v2": 80.8, "nasnet_mobile": 55.9, "resnet50": 49.4},
}


@pytest.fixture(scope="module")
def runs() -> Table:
    return read_csv(SEAA / "runs.csv")


def within(runs: Table, *environments: str) -> Table:
    return runs.rows(np.array([x in environments for x in runs.labels(ENVIRONMENT)]))


def test_intervals_of_savings_cover_the_published_ones_in_the_cloud(runs):
    cloud = tradeoff(within(runs, "Cloud"), cost=ENERGY, quality=QUALITY, baseline="vgg16")
    saved = {p.lower_cost: p.cost_reduction_pct for p in cloud.pairs if p.higher_cost == "vgg16"}
    for name, published in PUBLISHED["Cloud"].items():
        assert saved[name].low < published < saved[name].high
        assert saved[name].value == pytest.approx(published, abs=2.5)


def test_the_small_network_is_on_every_front(runs):
    for environment in PUBLISHED:
        front = tradeoff(within(runs, environment), cost=ENERGY, quality=QUALITY)
        first = front.configurations[0]
        assert first.name == "mobilenet_v2"
        assert first.front_share == 1.0
        assert front.pick.name == "mobilenet_v2"  # within 2 % of the best F1
        assert front.pick.best == "vgg16"


def test_the_energy_of_an_architecture_depends_on_the_environment(runs):
    both = interaction(within(runs, *PUBLISHED), ENERGY, "architecture", ENVIRONMENT)
    assert both.method == "art"
    assert both.effects[2].p < 0.001
    everywhere = interaction(runs, ENERGY, "architecture", ENVIRONMENT)
    assert len(everywhere.missing) == 3
    assert everywhere.sums == "II"
    assert everywhere.effects[2].p < 0.001


@pytest.fixture(scope="module")
def traces() -> list[tuple[str, np.ndarray]]:
    """Of each environment and architecture the first three: t_s, utilization, power."""
    first_traces: list[tuple[str, np.ndarray]] = []
    seen: dict[tuple[str, str], int] = {}
    with gzip.open(SEAA / "power_1hz.csv.gz", "rt", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        for (env, arch, _), group in groupby(rows, key=lambda r: (r[0], r[1], r[2])):
            lines = list(group)
            if seen.setdefault((env, arch), 0) < 3:
                figures = np.array([(r[3], r[4], r[7]) for r in lines], dtype=float).T
                first_traces.append((f"{env} {arch}", figures))
            seen[env, arch] += 1
    return first_traces


# stumpy compiles first, for 20 s on an idle machine.
@pytest.mark.timeout(600)
def test_the_change_point_of_cusum_is_near_that_of_fluss(traces):
    pytest.importorskip("stumpy", reason="stumpy is not installed: joulecast[analysis]")
    apart = []
    first = [trace for i, (_, trace) in enumerate(traces) if i % 6 == 0]
    for t_s, _, watts in first:
        fluss = stabilizing_time(t_s, watts)
        change = last_change(watts)
        if fluss is not None and fluss < t_s[-1] / 2 and change is not None:
            apart.append(abs(float(t_s[change.at]) - fluss))
    assert len(apart) >= len(first) / 2
    assert np.median(apart) < 90  # epochs take 15 to 60 s


def test_power_after_the_change_point_is_stable(traces):
    assert len(traces) >= 15
    for name, (_, _, watts) in traces:
        change = last_change(watts)
        at = 0 if change is None else change.at
        rest = watts[at:]
        assert abs(rest[:300].mean() - rest.mean()) < 0.1 * rest.mean(), name


def test_power_of_a_measured_run(traces):
    name, (t_s, load, watts) = next(x for x in traces if x[0] == "cloud mobilenet_v2")
    t_s, order = np.unique(t_s, return_index=True)
    source = Source(
        "gpu:0", "driver", ReadingKind.POWER, Provenance.MEASURED, 1.0, Uncertainty(0.05, 0.05, "")
    )
    gauge = GaugeSource(
        "gpu:0/utilization_pct", "driver", "%", ReadingKind.GAUGE, Provenance.MEASURED, 1.0
    )
    facts = replace(
        training(epochs=1).header, name=name, sources=[source], gauges=[gauge], interval_s=1.0
    )
    watts = watts[order]
    recording = Recording(
        facts,
        samples={
            "gpu:0": Samples(t_s, watts, watts, watts, t_s),
            "gpu:0/utilization_pct": gauge_samples(t_s, load[order]),
        },
        footer=Footer(Status.FINISHED, float(t_s[-1])),
        status=Status.FINISHED,
    )
    behavior = power_behavior(summarize(recording))
    stable_s = behavior.stabilizing.t_s
    assert 200 < stable_s < 600  # its first epochs draw a fifth less
    assert behavior.power.mean == pytest.approx(watts[t_s >= stable_s].mean(), rel=0.01)
    assert behavior.utilization[0].spearman > 0.5
    assert behavior.utilization[0].slope_w_per_pct > 0
