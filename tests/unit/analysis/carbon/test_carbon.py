import doctest

import pytest

import joulecast
from fakes.recordings import training
from joulecast.errors import RunNotFoundError, UsageError
from joulecast.estimate import Estimate, Provenance
from joulecast.hardware.catalog.grids import find_grid
from joulecast.recording.summary import summarize


def test_example():
    (example,) = doctest.DocTestFinder().find(
        joulecast.carbon, "carbon", globs={"joulecast": joulecast}
    )
    assert len(example.examples) >= 2
    assert doctest.DocTestRunner().run(example).failed == 0


def test_energies_and_their_sum():
    report = joulecast.carbon(["1kWh", Estimate(7.2e6, 7e6, 8e6)], carbon_intensity=100.0, pue=1.5)
    assert [run.operational.value for run in report.runs] == pytest.approx([150, 300])
    assert [run.energy_basis for run in report.runs] == ["as given", "as given"]
    assert report.sum.operational.value == pytest.approx(450)
    assert report.runs[0].energy.provenance is Provenance.ASSUMED
    assert report.live is None


def test_hardware_and_price_as_text_or_numbers():
    text = joulecast.carbon(
        "1kWh", embodied="150kg", lifetime="4y", held_for="10h", tariff="0.3EUR/kWh"
    )
    numbers = joulecast.carbon(
        "1kWh", embodied=150e3, lifetime=4 * 365.25 * 86400, held_for=36e3, tariff=0.3
    )
    embodied_g = 150e3 * 10 / (4 * 365.25 * 24 * 0.85)
    for report in (text, numbers):
        (run,) = report.runs
        assert run.embodied.value == pytest.approx(embodied_g)
        assert run.cost.value == pytest.approx(0.3)
    assert text.runs[0].cost.unit == "EUR"


def test_runs_of_a_ledger_and_summaries_give_the_same(tmp_path):
    recording = training(name="early", run_id="dddd0004", started_at=1_600_000_000.0)
    with joulecast.open_ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.add(recording)
    report = joulecast.carbon("early", region="DE", ledger=tmp_path / "ledger.sqlite")
    assert report.runs[0].site.year == 2020
    grid = find_grid("DE", 2020)
    run = report.runs[0]
    assert run.operational.value == pytest.approx(run.energy.value / 3.6e6 * grid.carbon_g_per_kwh)
    again = joulecast.carbon(summarize(recording), region="DE")
    assert again.runs[0].operational.value == pytest.approx(run.operational.value, rel=1e-6)
    later = joulecast.carbon(summarize(recording), region="DE", year=2021)
    assert later.runs[0].site.year == 2021
    with pytest.raises(RunNotFoundError):
        joulecast.carbon("late", ledger=tmp_path / "ledger.sqlite")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"carbon_intensity": 5.0, "year": 2021}, "--year"),
        ({"carbon_intensity": 5.0, "live_grid": "uk"}, "--live-grid"),
        ({"zone": "DE"}, "--zone"),
        ({"held_for": "0h"}, "--held-for"),
        ({"utilization": 0.0}, "--utilization"),
        ({"embodied": "heavy"}, "heavy"),
    ],
)
def test_impossible_options(options, named):
    with pytest.raises(UsageError, match=named):
        joulecast.carbon("1kWh", **options)
