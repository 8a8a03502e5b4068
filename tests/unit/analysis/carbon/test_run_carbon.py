"""A recorded run's carbon: its own year, its own hours, its GPUs, and what is unknown."""

from dataclasses import replace

import pytest

from fakes.recordings import ENVIRONMENT, training, without_samples
from joulecast.analysis.carbon.cost import parse_tariff
from joulecast.analysis.carbon.embodied import embodied
from joulecast.analysis.carbon.footprint import Site
from joulecast.analysis.carbon.intensity import IntensityPeriod, IntensitySeries
from joulecast.analysis.carbon.run_carbon import (
    MARGINAL,
    carbon_of_energy,
    carbon_of_run,
    gpus_of,
    year_of,
)
from joulecast.estimate import Estimate, Provenance
from joulecast.recording.model import Status
from joulecast.recording.summary import summarize
from joulecast.serialize import to_builtins

H100 = ENVIRONMENT | {"gpus": [{"index": 0, "vendor": "NVIDIA", "name": "NVIDIA H100 80GB HBM3"}]}
SITE = Site.of("DE", year=2021)


def test_energy_times_the_yearly_intensity():
    summary = summarize(training())
    run = carbon_of_run(summary, SITE)
    grams = summary.total.value / 3.6e6 * SITE.carbon_g_per_kwh
    assert run.operational.value == pytest.approx(grams)
    assert run.energy_basis == "metered"
    assert run.status == "finished"


def test_energy_at_the_wall_is_preferred():
    summary = summarize(training())
    wall = summary.total.scaled(1.2)
    run = carbon_of_run(replace(summary, wall=wall), SITE)
    assert run.energy == wall
    assert run.energy_basis == "at the wall"


def test_year_of_a_run():
    assert year_of(summarize(training(started_at=1_622_505_600.0))) == 2021


@pytest.mark.parametrize("start", [float("nan"), float("inf"), 1e20, -1e20])
def test_invalid_start_has_no_year(start):
    summary = summarize(training(started_at=start))
    assert year_of(summary) is None
    assert to_builtins(carbon_of_run(summary, SITE))["name"]


def test_intensity_during_the_run():
    summary = summarize(training(domains=("gpu:0", "cpu:0")))
    start, end = summary.recording.header.started_at, summary.duration_s
    half = start + end / 2
    periods = (
        IntensityPeriod(start - 50, half, 100.0),
        IntensityPeriod(half, start + end + 50, 300.0),
    )
    series = IntensitySeries("DE", periods, "Provider", "its source")
    run = carbon_of_run(summary, SITE, series=series)
    site = run.site
    assert 100 < site.carbon_g_per_kwh < 300
    assert site.over_time.coverage == pytest.approx(1)
    assert run.operational.provenance is Provenance.MODELLED
    assert "Provider" in site.basis and "DE" in site.basis.replace(",", " ").split()
    assert site.year is None


def test_intensity_of_half_of_the_run():
    summary = summarize(training())
    start = summary.recording.header.started_at
    periods = (IntensityPeriod(start, start + summary.duration_s / 2, 100.0),)
    run = carbon_of_run(
        summary, SITE, series=IntensitySeries("DE", periods, "Provider", "its source")
    )
    site = run.site
    assert 0.3 < site.over_time.coverage < 0.7
    assert "Germany" in site.basis and "2021" in site.basis
    assert "Ember" in site.source and "its source" in site.source
    assert run.operational.provenance is Provenance.ASSUMED


def test_no_intensity_during_the_run():
    run = carbon_of_run(
        summarize(training()), SITE, series=IntensitySeries("DE", (), "Provider", "its source")
    )
    assert run.site.basis == SITE.basis
    assert any("Provider" in note for note in run.notes)


def test_marginal_emissions_are_noted():
    summary = summarize(training())
    start = summary.recording.header.started_at
    periods = (IntensityPeriod(start - 1, start + 1e4, 100.0),)
    series = IntensitySeries("CAISO_NORTH", periods, "WattTime", "MOER", marginal=True)
    run = carbon_of_run(summary, SITE, series=series)
    assert run.site.signal == "marginal"
    assert MARGINAL in run.notes


def test_interrupted_run_counts_up_to_its_last_reading():
    summary = summarize(training(status=Status.INTERRUPTED))
    run = carbon_of_run(summary, SITE)
    assert run.operational.value > 0
    assert len(run.notes) == 1


def test_a_run_without_energy():
    summary = summarize(without_samples(environment=H100))
    run = carbon_of_run(summary, SITE, tariff=parse_tariff(0.3))
    assert run.operational is None
    assert run.cost is None
    assert run.reasons.get("operational")


def test_embodied_carbon_of_catalog_gpus():
    run = carbon_of_run(summarize(training(environment=H100)), SITE)
    share = 164_000 * run.duration_s / run.hardware.lifetime_s / 0.85
    assert run.embodied.value == pytest.approx(share)
    assert any("--embodied" in note for note in run.notes)


def test_the_module_of_a_superchip_holds_its_gpu():
    recording = training(environment=H100)
    first = recording.header.sources[0]
    recording.header.sources[0] = replace(first, domain="module:0")
    recording.samples["module:0"] = recording.samples.pop(first.domain)
    assert gpus_of(summarize(recording)) == gpus_of(summarize(training(environment=H100)))


def test_gpus_not_in_the_catalog():
    summary = summarize(training())
    assert gpus_of(summary) == ["NVIDIA A100-SXM4-80GB"]
    run = carbon_of_run(summary, SITE)
    assert run.embodied is None
    assert "A100-SXM4-80GB" in run.reasons["embodied"]
    run = carbon_of_run(summary, SITE, hardware=embodied(150_000.0))
    assert run.embodied.value > 0


@pytest.mark.parametrize("gpus", [None, [], "x", [None, 3], [{"index": 0}], [{"name": "H100"}]])
def test_incomplete_environment(gpus):
    summary = summarize(training(environment={"gpus": gpus}))
    assert gpus_of(summary) == ["gpu:0"]
    assert carbon_of_run(summary, SITE).embodied is None


def test_energy_at_the_latest_intensity():
    energy = Estimate(3.6e6, 3.6e6, 3.6e6, "J", Provenance.ASSUMED)
    series = IntensitySeries(
        "DE", (IntensityPeriod(1.8e9, 1.8e9 + 3600, 250.0),), "Provider", "its source"
    )
    run = carbon_of_energy("1kWh", energy, SITE, series=series)
    assert run.operational.value == pytest.approx(250)
    assert "2027-01-15 08:00 UTC" in run.site.basis
