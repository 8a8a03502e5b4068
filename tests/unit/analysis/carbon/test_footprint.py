"""Joules into grams: the site, the sum, what is unknown and why."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast.analysis.carbon.cost import parse_tariff
from joulecast.analysis.carbon.embodied import Embodied
from joulecast.analysis.carbon.footprint import FIGURES, Site, add, carbon_of
from joulecast.errors import UsageError
from joulecast.estimate import Estimate, Provenance
from joulecast.forecasting.physical.job import Site as ForecastSite
from joulecast.hardware.catalog.grids import find_grid
from joulecast.serialize import to_builtins

KWH = 3.6e6


def joules(value, low=None, high=None, provenance=Provenance.MEASURED):
    return Estimate(
        value, value if low is None else low, value if high is None else high, "J", provenance
    )


# --- the site ------------------------------------------------------------------------------------


def test_carbon_of_one_kwh_is_the_intensity():
    grid = find_grid("Germany", 2021)
    site = Site.of("DE", year=2021)
    grams = site.carbon_g(joules(KWH, 0.9 * KWH, 1.2 * KWH))
    assert grams.value == pytest.approx(grid.carbon_g_per_kwh)
    assert (grams.low / grams.value, grams.high / grams.value) == pytest.approx((0.9, 1.2))
    assert (grams.unit, grams.provenance) == ("g CO2e", Provenance.ASSUMED)
    assert (site.basis, site.year, site.source) == ("Germany, 2021", 2021, grid.source)
    assert site.notes == ()


def test_missing_year_is_noted():
    site = Site.of("DE", year=2035)
    assert site.year == find_grid("DE").year
    (note,) = site.notes
    assert "2035" in note and str(site.year) in note and "Germany" in note


def test_world_average_without_a_country():
    site = Site.of()
    assert site.basis.startswith("World")
    assert "--region" in site.notes[0]


def test_given_intensity():
    site = Site.of(intensity=50, pue=1.5)
    assert site.carbon_g(joules(KWH)).value == pytest.approx(75)
    assert str(site) == "50 g CO2e/kWh (as given), PUE 1.5"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"pue": 0.99}, "PUE 0.99"),
        ({"pue": 0}, "PUE 0"),
        ({"pue": -1}, "PUE -1"),
        ({"pue": math.nan}, "PUE nan"),
        ({"pue": math.inf}, "PUE inf"),
        ({"intensity": 0}, "intensity"),
        ({"intensity": -5}, "intensity"),
        ({"intensity": math.nan}, "intensity"),
        ({"intensity": math.inf}, "intensity"),
        ({"region": "DE", "intensity": 5}, "--region"),
        ({"region": "Germnay"}, "Germany"),
        ({"region": ""}, "--region"),
    ],
)
def test_invalid_site(wrong, named):
    with pytest.raises(UsageError, match=named):
        Site.of(**wrong)


def test_forecasts_and_budgets_use_the_same_sum():
    from joulecast.run.budget import Budget

    assert ForecastSite is Site
    budget = Budget("30gCO2", region="FR", pue=1.2)
    site = Site.of("FR", pue=1.2)
    assert budget.cost(joules(1e6)) == site.carbon_g(joules(1e6))


# --- the sum -------------------------------------------------------------------------------------

HELD = Embodied(150_000.0, 1000 * 3600.0)


def test_all_figures():
    carbon = carbon_of(
        joules(KWH, 0.8 * KWH, 1.2 * KWH),
        Site(400.0, "here", 1.25),
        duration_s=3600,
        hardware=HELD,
        tariff=parse_tariff("0.30 EUR/kWh"),
    )
    assert carbon.operational.value == pytest.approx(500)
    assert carbon.embodied.value == pytest.approx(150)
    assert carbon.total.value == pytest.approx(650)
    assert (carbon.total.low, carbon.total.high) == pytest.approx((550, 750))
    assert (carbon.cost.value, carbon.cost.unit) == (pytest.approx(0.375), "EUR")
    assert carbon.reasons == {}


def test_total_is_unknown_where_a_part_is():
    carbon = carbon_of(joules(KWH), Site(400.0, "here"), why_no_hardware="not given")
    assert carbon.operational.value == pytest.approx(400)
    assert carbon.embodied is carbon.total is carbon.cost is None
    assert carbon.reasons["embodied"] == "not given"
    assert "embodied" in carbon.reasons["total"]
    assert "--tariff" in carbon.reasons["cost"]


def test_unknown_energy_has_reasons_instead_of_zeros():
    tariff = parse_tariff(0.3)
    carbon = carbon_of(
        None, Site(400.0, "here"), duration_s=60, hardware=HELD, tariff=tariff,
        why_no_energy="no meter",
    )  # fmt: skip
    assert carbon.energy is carbon.operational is carbon.total is carbon.cost is None
    assert carbon.embodied.value > 0
    for name in ("energy", "operational", "cost"):
        assert carbon.reasons[name] == "no meter"
    assert "embodied" not in carbon.reasons
    document = to_builtins(carbon)
    assert document["operational"] is None
    assert document["reasons"]["operational"] == "no meter"


def test_hardware_without_a_duration():
    carbon = carbon_of(joules(KWH), Site(400.0, "here"), hardware=HELD)
    assert carbon.embodied is None
    assert "--held-for" in carbon.reasons["embodied"]


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_invalid_energy(value):
    with pytest.raises((UsageError, ValueError)):
        carbon_of(joules(value), Site(400.0, "here"))


@given(
    st.floats(0, 1e12),
    st.floats(0.1, 2000),
    st.floats(1, 3),
    st.floats(0, 1e8),
)
def test_every_unknown_figure_has_a_reason(energy, intensity, pue, duration_s):
    carbon = carbon_of(
        joules(energy, 0.5 * energy, 2 * energy),
        Site(intensity, "here", pue),
        duration_s=duration_s,
        hardware=HELD,
    )
    document = to_builtins(carbon)
    for name in FIGURES:
        assert (document[name] is None) == (name in document["reasons"])
    assert document["total"]["value"] == pytest.approx(
        document["operational"]["value"] + document["embodied"]["value"]
    )


def test_sum_adds_values_and_bounds():
    one = carbon_of(
        joules(KWH, 0.9 * KWH, 1.1 * KWH), Site(400.0, "here"), tariff=parse_tariff(0.3)
    )
    total = add([one, one, one])
    assert total.operational.value == pytest.approx(1200)
    assert (total.operational.low, total.operational.high) == pytest.approx((1080, 1320))
    assert total.total is None
    assert total.energy.provenance is Provenance.MEASURED
    unknown = carbon_of(None, Site(400.0, "here"))
    assert add([one, unknown]).operational is None


def test_sum_has_the_provenance_of_most_of_it():
    parts = [
        carbon_of(joules(3 * KWH), Site(400.0, "here")),
        carbon_of(joules(KWH, provenance=Provenance.ASSUMED), Site(400.0, "here")),
    ]
    energy = add(parts).energy
    assert energy.provenance is Provenance.MEASURED
    assert energy.mix == {"measured": 0.75, "assumed": 0.25}


def test_emissions_of_a_mixed_energy_are_as_sure_as_the_intensity():
    energy = Estimate(KWH, KWH, KWH, mix={"measured": 0.75, "assumed": 0.25})
    assumed = Site(400.0, "here").carbon_g(energy)
    assert (assumed.provenance, assumed.mix) == (Provenance.ASSUMED, {})
    modelled = Site(400.0, "here", provenance=Provenance.MODELLED).carbon_g(energy)
    assert modelled.provenance is Provenance.MODELLED
    assert modelled.mix == {"modelled": 0.75, "assumed": 0.25}
