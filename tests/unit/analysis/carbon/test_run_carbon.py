"""A recorded run's carbon: its own year, its own hours, its GPUs, and what is unknown."""

import json
from dataclasses import replace

import pytest

from fakes.recordings import ENVIRONMENT, training, without_samples
from joulecast.analysis.carbon.cost import parse_tariff
from joulecast.analysis.carbon.embodied import embodied
from joulecast.analysis.carbon.footprint import Site
from joulecast.analysis.carbon.intensity import IntensityPeriod, IntensitySeries
from joulecast.analysis.carbon.run_carbon import carbon_of_energy, carbon_of_run, gpus_of, year_of
from joulecast.recording.model import Status
from joulecast.recording.summary import summarize
from joulecast.units import Estimate, Provenance

H100 = ENVIRONMENT | {"gpus": [{"index": 0, "vendor": "NVIDIA", "name": "NVIDIA H100 80GB HBM3"}]}
SITE = Site.of("DE", year=2021)


def test_energy_times_the_yearly_mean():
    summary = summarize(training())
    found = carbon_of_run(summary, SITE)
    grams = summary.total.value / 3.6e6 * SITE.carbon_g_per_kwh
    assert found.carbon.operational.value == pytest.approx(grams)
    assert found.energy_basis == "metered"
    assert found.status == "finished"
    json.dumps(found.to_json(), allow_nan=False)


def test_energy_at_the_wall_where_it_is_known():
    summary = summarize(training())
    wall = summary.total.scaled(1.2)
    found = carbon_of_run(replace(summary, wall=wall), SITE)
    assert found.carbon.energy == wall
    assert found.energy_basis == "at the wall"


def test_the_year_is_the_runs_own():
    assert year_of(summarize(training(started_at=1_622_505_600.0))) == 2021


@pytest.mark.parametrize("start", [float("nan"), float("inf"), 1e20, -1e20])
def test_a_start_that_is_no_time_has_no_year(start):
    summary = summarize(training(started_at=start))
    assert year_of(summary) is None
    json.dumps(carbon_of_run(summary, SITE).to_json(), allow_nan=False)


def test_its_own_hours():
    summary = summarize(training(domains=("gpu:0", "cpu:0")))
    start, end = summary.recording.header.started_at, summary.duration_s
    half = start + end / 2
    known = (
        IntensityPeriod(start - 50, half, 100.0),
        IntensityPeriod(half, start + end + 50, 300.0),
    )
    series = IntensitySeries("DE", known, "Provider", "its source")
    found = carbon_of_run(summary, SITE, series=series)
    site = found.carbon.site
    assert 100 < site.carbon_g_per_kwh < 300
    assert site.over_time.coverage == pytest.approx(1)
    assert found.carbon.operational.provenance is Provenance.MODELLED
    assert "Provider, DE, hour by hour" in site.basis
    assert site.year is None


def test_half_of_its_hours():
    summary = summarize(training())
    start = summary.recording.header.started_at
    known = (IntensityPeriod(start, start + summary.duration_s / 2, 100.0),)
    found = carbon_of_run(
        summary, SITE, series=IntensitySeries("DE", known, "Provider", "its source")
    )
    site = found.carbon.site
    assert 0.3 < site.over_time.coverage < 0.7
    assert "the rest at Germany, 2021" in site.basis
    assert "Ember" in site.source and "its source" in site.source
    assert found.carbon.operational.provenance is Provenance.ASSUMED


def test_none_of_its_hours():
    found = carbon_of_run(
        summarize(training()), SITE, series=IntensitySeries("DE", (), "Provider", "its source")
    )
    assert found.carbon.site.basis == SITE.basis
    assert any("Provider knows no hour" in note for note in found.notes)


def test_marginal_emissions_are_called_so():
    summary = summarize(training())
    start = summary.recording.header.started_at
    known = (IntensityPeriod(start - 1, start + 1e4, 100.0),)
    series = IntensitySeries("CAISO_NORTH", known, "WattTime", "MOER", marginal=True)
    found = carbon_of_run(summary, SITE, series=series)
    assert found.to_json()["grid"]["signal"] == "marginal"
    assert any(note.startswith("marginal emissions") for note in found.notes)


def test_an_interrupted_run_counts_up_to_its_last_reading_and_says_so():
    summary = summarize(training(status=Status.INTERRUPTED))
    found = carbon_of_run(summary, SITE)
    assert found.carbon.operational.value > 0
    assert any("last reading" in note for note in found.notes)


def test_a_run_without_energy():
    summary = summarize(without_samples(environment=H100))
    found = carbon_of_run(summary, SITE, tariff=parse_tariff(0.3))
    assert found.carbon.operational is None
    assert found.carbon.cost is None
    assert found.carbon.why("operational")
    json.dumps(found.to_json(), allow_nan=False)


def test_its_gpus_by_the_catalog():
    found = carbon_of_run(summarize(training(environment=H100)), SITE)
    share = 164_000 * found.duration_s / found.carbon.hardware.lifetime_s / 0.85
    assert found.carbon.embodied.value == pytest.approx(share)
    assert any("GPUs alone" in note for note in found.notes)


def test_gpus_that_are_not_in_the_catalog():
    summary = summarize(training())
    assert gpus_of(summary) == ["NVIDIA A100-SXM4-80GB"]
    found = carbon_of_run(summary, SITE)
    assert found.carbon.embodied is None
    assert "A100-SXM4-80GB" in found.carbon.why("embodied")
    found = carbon_of_run(summary, SITE, hardware=embodied(150_000.0))
    assert found.carbon.embodied.value > 0


@pytest.mark.parametrize("gpus", [None, [], "x", [None, 3], [{"index": 0}], [{"name": "H100"}]])
def test_an_environment_that_says_little(gpus):
    summary = summarize(training(environment={"gpus": gpus}))
    assert gpus_of(summary) == ["gpu:0"]
    assert carbon_of_run(summary, SITE).carbon.embodied is None


def test_an_energy_at_the_newest_intensity():
    energy = Estimate(3.6e6, 3.6e6, 3.6e6, "J", Provenance.ASSUMED)
    series = IntensitySeries(
        "DE", (IntensityPeriod(1.8e9, 1.8e9 + 3600, 250.0),), "Provider", "its source"
    )
    found = carbon_of_energy("1kWh", energy, SITE, series=series)
    assert found.carbon.operational.value == pytest.approx(250)
    assert "2027-01-15 08:00 UTC" in found.carbon.site.basis
