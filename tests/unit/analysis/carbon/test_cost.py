"""Prices of electricity as people write them, and what energy costs by them."""

import math

import pytest

from joulecast.analysis.carbon.cost import format_amount, format_money, parse_tariff
from joulecast.errors import UsageError
from joulecast.estimate import Estimate, Provenance

KWH = 3.6e6


@pytest.mark.parametrize(
    ("text", "per_kwh", "currency"),
    [
        (0.32, 0.32, None),
        ("0.32", 0.32, None),
        ("0.32 EUR/kWh", 0.32, "EUR"),
        ("€320/MWh", 0.32, "EUR"),
        ("$0.10", 0.1, "USD"),
        ("1e-1", 0.1, None),
    ],
)
def test_parse_tariff(text, per_kwh, currency):
    tariff = parse_tariff(text)
    assert (tariff.per_kwh, tariff.currency) == (pytest.approx(per_kwh), currency)


@pytest.mark.parametrize(
    "text",
    [0, -1, "0 EUR/kWh", "-0.3", "free", "", "nan", math.nan, math.inf, "0.3/kW", "0.3 XQZ/kWh"],
)
def test_invalid_price(text):
    with pytest.raises(UsageError, match="--tariff"):
        parse_tariff(text)


def test_cost_is_energy_times_pue_times_price():
    energy = Estimate(2 * KWH, KWH, 4 * KWH)
    cost = parse_tariff("0.5EUR/kWh").cost(energy, pue=1.5)
    assert (cost.value, cost.low, cost.high) == pytest.approx((1.5, 0.75, 3.0))
    assert (cost.unit, cost.provenance) == ("EUR", Provenance.ASSUMED)  # the PUE is assumed
    assert parse_tariff("0.5EUR/kWh").cost(energy).provenance is Provenance.MEASURED


def test_cost_keeps_the_mix_of_the_energy_unless_a_pue_is_assumed():
    mix = {"measured": 0.75, "modelled": 0.25}
    energy = Estimate(KWH, KWH, KWH, mix=mix)
    tariff = parse_tariff("0.5EUR/kWh")
    assert tariff.cost(energy).mix == mix
    assert tariff.cost(energy, pue=1.2).mix == {}


def test_formatted_money():
    assert [format_amount(x) for x in (0, 1234.5, 0.5, 0.0123, 3.2e-12)] == [
        "0.00",
        "1234.50",
        "0.50",
        "0.012",
        "0.000000000",
    ]
    assert format_money(Estimate(1.5, 0.75, 3, "EUR")) == "1.50 EUR (0.75 to 3.00)"
    assert format_money(Estimate(2.8e-7, 1e-7, 6e-7, "EUR")) == "under 0.001 EUR"
    assert format_money(Estimate(9e-4, 5e-4, 2e-3, "EUR")) == "under 0.001 EUR (up to 0.0020)"
    assert format_money(Estimate(2.8e-5, 1e-5, 6e-5), 0) == "0.000028 J (0.000010 to 0.000060)"
    assert format_money(Estimate(0, 0, 0, "EUR")) == "0.00 EUR (0.00 to 0.00)"
    assert str(parse_tariff("0.32EUR/kWh")) == "0.32 EUR/kWh"
