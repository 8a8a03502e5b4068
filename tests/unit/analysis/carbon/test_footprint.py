"""Joules into grams: the site, the sum, what is unknown and why."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast.analysis.carbon.cost import parse_tariff
from joulecast.analysis.carbon.embodied import Embodied
from joulecast.analysis.carbon.footprint import FIGURES, Site, add, carbon
from joulecast.errors import UsageError
from joulecast.forecasting.physical.job import Site as ForecastSite
from joulecast.hardware.catalog.grids import find_grid
from joulecast.units import Estimate, Provenance

KWH = 3.6e6


def joules(value, low=None, high=None, provenance=Provenance.MEASURED):
    return Estimate(
        value, value if low is None else low, value if high is None else high, "J", provenance
    )


# --- the site ------------------------------------------------------------------------------------


def test_a_kwh_in_a_country_is_its_intensity():
    grid = find_grid("Germany", 2021)
    site = Site.of("DE", year=2021)
    grams = site.carbon_g(joules(KWH, 0.9 * KWH, 1.2 * KWH))
    assert grams.value == pytest.approx(grid.carbon_g_per_kwh)
    assert (grams.low / grams.value, grams.high / grams.value) == pytest.approx((0.9, 1.2))
    assert (grams.unit, grams.provenance) == ("g CO2e", Provenance.ASSUMED)
    assert (site.basis, site.year, site.source) == ("Germany, 2021", 2021, grid.source)
    assert site.notes == ()


def test_a_year_that_is_not_held_is_said():
    site = Site.of("DE", year=2035)
    assert site.year == find_grid("DE").year
    (note,) = site.notes
    assert "2035" in note and str(site.year) in note and "Germany" in note


def test_without_a_country_it_is_the_worlds_average_and_says_so():
    site = Site.of()
    assert site.basis.startswith("World")
    assert "--region" in site.notes[0]


def test_an_intensity_that_is_given():
    site = Site.of(intensity=50, pue=1.5)
    assert site.carbon_g(joules(KWH)).value == pytest.approx(75)
    assert str(site) == "50 g CO2e/kWh (as given), PUE 1.5"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"pue": 0.99}, "PUE 0.99"),
        ({"pue": 0}, "PUE 0"),
        ({"pue": -1}, "PUE -1"),
        ({"pue": math.nan}, "PUE nan"),
        ({"pue": math.inf}, "PUE inf"),
        ({"intensity": 0}, "above zero"),
        ({"intensity": -5}, "above zero"),
        ({"intensity": math.nan}, "above zero"),
        ({"intensity": math.inf}, "above zero"),
        ({"region": "DE", "intensity": 5}, "one of the two"),
        ({"region": "Germnay"}, "Germany"),
        ({"region": ""}, "--region"),
    ],
)
def test_what_is_no_site(wrong, said):
    with pytest.raises(UsageError, match=said) as caught:
        Site.of(**wrong)
    assert "\n" not in str(caught.value)


def test_forecasts_and_budgets_use_the_same_sum():
    from joulecast.run.budget import parse_budget

    assert ForecastSite is Site
    budget = parse_budget("30gCO2", region="FR", pue=1.2)
    site = Site.of("FR", pue=1.2)
    assert budget.cost(joules(1e6)) == site.carbon_g(joules(1e6))


# --- the sum -------------------------------------------------------------------------------------

HELD = Embodied(150_000.0, 1000 * 3600.0)


def test_all_of_it():
    found = carbon(
        joules(KWH, 0.8 * KWH, 1.2 * KWH),
        Site(400.0, "here", 1.25),
        duration_s=3600,
        hardware=HELD,
        tariff=parse_tariff("0.30 EUR/kWh"),
    )
    assert found.operational.value == pytest.approx(500)
    assert found.embodied.value == pytest.approx(150)
    assert found.total.value == pytest.approx(650)
    assert (found.total.low, found.total.high) == pytest.approx((550, 750))
    assert (found.cost.value, found.cost.unit) == (pytest.approx(0.375), "EUR")
    assert found.reasons == ()


def test_a_total_of_what_is_not_known_is_not_known():
    found = carbon(joules(KWH), Site(400.0, "here"), why_no_hardware="nobody knows")
    assert found.operational.value == pytest.approx(400)
    assert found.embodied is found.total is found.cost is None
    assert found.why("embodied") == "nobody knows"
    assert "embodied" in found.why("total")
    assert "--tariff" in found.why("cost")


def test_a_run_without_energy_has_reasons_and_never_zero():
    tariff = parse_tariff(0.3)
    found = carbon(
        None, Site(400.0, "here"), duration_s=60, hardware=HELD, tariff=tariff,
        why_no_energy="no meter",
    )  # fmt: skip
    assert found.energy is found.operational is found.total is found.cost is None
    assert found.embodied.value > 0
    for name in ("energy", "operational", "cost"):
        assert found.why(name) == "no meter"
    assert found.why("embodied") is None
    document = found.to_json()
    assert document["operational"] is None
    assert document["reasons"]["operational"] == "no meter"


def test_hardware_without_a_duration():
    found = carbon(joules(KWH), Site(400.0, "here"), hardware=HELD)
    assert found.embodied is None
    assert "--duration" in found.why("embodied")


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_an_energy_that_is_none(value):
    with pytest.raises((UsageError, ValueError)):
        carbon(joules(value), Site(400.0, "here"))


@given(
    st.floats(0, 1e12),
    st.floats(0.1, 2000),
    st.floats(1, 3),
    st.floats(0, 1e8),
)
def test_json_has_no_nan_and_every_none_its_reason(energy, intensity, pue, duration_s):
    found = carbon(
        joules(energy, 0.5 * energy, 2 * energy),
        Site(intensity, "here", pue),
        duration_s=duration_s,
        hardware=HELD,
    )
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    for name in FIGURES:
        assert (document[name] is None) == (name in document["reasons"])
    assert document["total"]["value"] == pytest.approx(
        document["operational"]["value"] + document["embodied"]["value"]
    )


def test_several_add_up_with_their_bounds():
    one = carbon(joules(KWH, 0.9 * KWH, 1.1 * KWH), Site(400.0, "here"), tariff=parse_tariff(0.3))
    total = add([one, one, one])
    assert total["operational"].value == pytest.approx(1200)
    assert (total["operational"].low, total["operational"].high) == pytest.approx((1080, 1320))
    assert total["total"] is None
    unknown = carbon(None, Site(400.0, "here"))
    assert add([one, unknown])["operational"] is None
