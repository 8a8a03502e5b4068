"""What a terminal shows of a run's carbon."""

import io

import pytest
from rich.console import Console

from fakes.recordings import ENVIRONMENT, training, without_samples
from joulecast.analysis.carbon.cost import parse_tariff
from joulecast.analysis.carbon.footprint import Site
from joulecast.analysis.carbon.intensity import IntensityPeriod, IntensitySeries
from joulecast.analysis.carbon.run_carbon import carbon_of_energy, carbon_of_run
from joulecast.recording.summary import summarize
from joulecast.reports.terminal.carbon import render_carbon
from joulecast.units import Estimate, Provenance

SITE = Site.of("DE", year=2021, pue=1.3)
H100 = ENVIRONMENT | {"gpus": [{"index": 0, "name": "NVIDIA H100 80GB HBM3"}]}


def shown(*runs, width=100):
    out = io.StringIO()
    render_carbon(runs, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def test_one_run_in_full():
    tariff = parse_tariff("0.30EUR/kWh")
    text = shown(carbon_of_run(summarize(training(environment=H100)), SITE, tariff=tariff))
    rows = {line.split("  ")[0]: line for line in text.splitlines() if line}
    assert "metered" in rows["energy"]
    for name in ("operational", "embodied", "total"):
        assert "g CO2e" in rows[name] and "assumed" in rows[name]
    assert "EUR" in rows["cost"]
    assert "394.5 g CO2e/kWh (Germany, 2021), PUE 1.3" in rows["grid"]
    assert "HGX H100" in rows["hardware"]
    assert "6 years, in use 85 % of them" in rows["written off"]
    assert "0.30 EUR/kWh: as given" in rows["tariff"]


def test_what_is_unknown_says_why():
    text = " ".join(shown(carbon_of_run(summarize(without_samples()), SITE)).split())
    assert "operational unknown: " in text
    assert "embodied unknown: " in text
    assert "0.00" not in text


def test_hours_and_what_they_cover():
    summary = summarize(training())
    start = summary.recording.header.started_at
    known = (
        IntensityPeriod(start - 60, start + 40, 100.0, True),
        IntensityPeriod(start + 40, start + 70, 300.0),
    )
    series = IntensitySeries("CAISO_NORTH", known, "WattTime", "MOER", marginal=True)
    text = " ".join(shown(carbon_of_run(summary, SITE, series=series)).split())
    assert "grid, marginal" in text
    assert "of the energy, 100 to 394.5 g/kWh in its hours" in text
    assert "the provider estimates" in text
    assert "marginal emissions: what one more kWh caused" in text


@pytest.mark.parametrize("width", [60, 100, 200])
def test_several_side_by_side(width):
    energy = Estimate(3.6e6, 3.6e6, 3.6e6, "J", Provenance.ASSUMED)
    runs = [
        carbon_of_run(summarize(training(name="a[bold]b\x1b[31m")), SITE),
        carbon_of_run(summarize(without_samples(name="silent")), SITE),
        carbon_of_energy("1kWh", energy, Site.of(intensity=20.0)),
    ]
    text = shown(*runs, width=width)
    assert "\x1b" not in text
    assert "a[bold]b" in text
    assert "silent" in text and "unknown" in text
    assert "Germany, 2021" in text and "as given" in text
    assert max(len(line) for line in text.splitlines()) <= width
