import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast import serialize
from joulecast.errors import UsageError
from joulecast.units import (
    Z90,
    Estimate,
    Provenance,
    add_independent,
    add_up,
    counted,
    estimate_texts,
    format_duration,
    format_estimate,
    format_number,
    format_quantity,
    one_line,
    parse_carbon,
    parse_duration,
    parse_energy,
    parse_money,
    parse_power,
    printable,
    provenance_of_sum,
    weakest,
)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_energy, "50 kJ", 50e3),
        (parse_energy, "0.3 kWh", 1.08e6),
        (parse_energy, "0.3kwh", 1.08e6),
        (parse_energy, "1200", 1200),
        (parse_energy, "5 mJ", 5e-3),
        (parse_energy, "5 MJ", 5e6),
        (parse_power, "250 W", 250),
        (parse_power, "1.2kW", 1200),
        (parse_duration, "1.5 h", 5400),
        (parse_duration, "200ms", 0.2),
        (parse_duration, "30", 30),
        (parse_duration, "7d", 604800),
        (parse_duration, "5y", 5 * 365.25 * 86400),
        (parse_duration, "4.5 years", 4.5 * 365.25 * 86400),
        (parse_duration, "6 months", 182.625 * 86400),
        (parse_duration, "2 weeks", 1209600),
        (parse_duration, "90 mins", 5400),
        (parse_carbon, "30gCO2", 30),
        (parse_carbon, "30 g CO2e", 30),
        (parse_carbon, "1.2 kgCO2eq", 1200),
        (parse_carbon, "250 mg co₂", 0.25),
        (parse_carbon, "0.5 t", 5e5),
    ],
)
def test_common_spellings_of_units_are_read(parse, text, value):
    assert parse(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "abc", "-5 J", "5 W", "nan", "1e999 J", "5 mj5", "5 J J"])
def test_invalid_text_is_an_error_of_one_line(text):
    with pytest.raises(UsageError) as error:
        parse_energy(text)
    assert "\n" not in str(error.value)


def test_milli_and_mega_are_never_taken_for_each_other():
    with pytest.raises(UsageError):
        parse_energy("5 mWH")  # may be mWh or MWh


@pytest.mark.parametrize("text", ["1Ms", "1M", "1 H"])
def test_durations_are_read_as_written(text):
    with pytest.raises(UsageError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "money"),
    [
        ("5 EUR", (5, "EUR")),
        ("5eur", (5, "EUR")),
        ("EUR 5", (5, "EUR")),
        ("€5", (5, "EUR")),
        ("5.50€", (5.5, "EUR")),
        ("$0.50", (0.5, "USD")),
        (" .5 CHF ", (0.5, "CHF")),
    ],
)
def test_amounts_of_money(text, money):
    assert parse_money(text) == money


@pytest.mark.parametrize("text", ["5", "EUR", "5 XQZ", "€5 EUR", "-5 EUR", "1.2.3 EUR", "5 %", ""])
def test_invalid_amounts_of_money(text):
    with pytest.raises(UsageError, match=re.escape(repr(text))):
        parse_money(text)


@pytest.mark.parametrize("text", ["30 gCO2 kg", "CO2", "-3 g", "30 kJ", "30 CO3"])
def test_invalid_masses_of_co2(text):
    with pytest.raises(UsageError, match="CO2"):
        parse_carbon(text)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12345, "J", "12.3 kJ"),
        (0, "J", "0.00 J"),
        (999.96, "W", "1.00 kW"),
        (0.0042, "J", "4.20 mJ"),
        (3.2e9, "J", "3.20 GJ"),
        (59.2, "s", "59.2 s"),
        (65, "s", "65.0 s"),
    ],
)
def test_figures_as_people_read_them(value, unit, text):
    assert format_quantity(value, unit) == text


@pytest.mark.parametrize(
    ("value", "digits", "sign", "text"),
    [
        (0.01234, 3, "", "0.0123"),
        (999.4, 3, "", "999"),
        (999.6, 3, "", "1,000"),
        (-1234567.8, 3, "", "-1,234,568"),
        (83.654, 5, "", "83.654"),
        (-0.0, 3, "+", "+0"),
        (1234.5, 3, "+", "+1,234"),
        (2e12, 3, "", "2e+12"),
    ],
)
def test_bare_numbers(value, digits, sign, text):
    assert format_number(value, digits, sign) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.85, "850 ms"),
        (125, "2 min 05 s"),
        (4800, "1 h 20 min"),
        (183600, "2 d 3 h"),
        (365 * 86400, "365 d"),
        (86399.6, "1 d"),
        (3599.7, "1 h 00 min"),
    ],
)
def test_durations(seconds, text):
    assert format_duration(seconds) == text


def test_an_estimate_reads_as_value_and_bounds_in_one_unit():
    assert format_estimate(Estimate(12300, 11900, 12700)) == "12.3 kJ (11.9 to 12.7)"
    wide = Estimate(95.9e-6, 4.7e-6, 0.137)  # of a run too short for the tick of its CPU time
    assert format_estimate(wide) == "95.9 µJ (4.70 µJ to 137 mJ)"


def test_an_estimate_holds_its_value_between_its_bounds():
    with pytest.raises(ValueError, match="6, 5, 7"):
        Estimate(5, 6, 7)


def test_sums_take_the_weakest_provenance():
    measured = Estimate(1, 1, 1, "J", Provenance.MEASURED)
    assumed = Estimate(1, 0.5, 2, "J", Provenance.ASSUMED)
    assert add_independent([measured, assumed]).provenance is Provenance.ASSUMED
    assert weakest([Provenance.MODELLED, Provenance.MEASURED]) is Provenance.MODELLED
    assert add_independent([]) is None
    with pytest.raises(ValueError, match="units"):
        add_independent([measured, Estimate(1, 1, 1, "s")])


finite = st.floats(0, 1e12)


@given(st.lists(st.tuples(finite, st.floats(0, 1), st.floats(0, 3)), min_size=1, max_size=9))
def test_a_sum_is_narrower_than_the_sum_of_widths_and_wider_than_any_part(parts):
    estimates = [Estimate(v, v * (1 - lo), v * (1 + hi)) for v, lo, hi in parts]
    total = add_independent(estimates)
    assert total.value == pytest.approx(math.fsum(v for v, _, _ in parts))
    widths = [e.high - e.low for e in estimates]
    slack = 1e-6 * (1 + total.value)
    assert max(widths) * 0.99 - slack <= (total.high - total.low) * math.sqrt(2)
    assert total.high - total.low <= math.fsum(widths) + slack


@given(finite, st.floats(0, 1), st.floats(0, 3))
def test_json_and_back(value, low, high):
    e = Estimate(value, value * (1 - low), value * (1 + high), "J", Provenance.MODELLED)
    assert serialize.read(serialize.to_builtins(e), Estimate) == e


def test_a_sum_is_called_by_most_of_it_and_shows_its_mix():
    gpu = Estimate(90.0, 80.0, 100.0)
    ram = Estimate(10.0, 1.0, 20.0, provenance=Provenance.ASSUMED)
    total = add_independent([gpu, ram])
    assert total.provenance is Provenance.MEASURED
    assert total.mix == {"measured": 0.9, "assumed": 0.1}
    more = add_independent([total, Estimate(100.0, 90.0, 110.0, provenance=Provenance.MODELLED)])
    assert more.provenance is Provenance.MODELLED
    assert more.mix == pytest.approx({"measured": 0.45, "modelled": 0.5, "assumed": 0.05})
    assert add_independent([gpu, gpu]).mix == {}


def test_of_two_equal_parts_the_weaker_names_the_sum():
    equal = [Estimate(5.0, 5.0, 5.0, provenance=p) for p in Provenance]
    assert add_independent(equal[:2]).provenance is Provenance.MODELLED


def test_scaled_estimate_has_the_weaker_provenance_part_by_part():
    energy = Estimate(2.0, 1.0, 4.0, mix={"measured": 0.75, "assumed": 0.25})
    assert energy.scaled(3.0).mix == energy.mix
    modelled = energy.scaled(0.5, "W", Provenance.MODELLED)
    assert (modelled.value, modelled.low, modelled.high, modelled.unit) == (1.0, 0.5, 2.0, "W")
    assert modelled.provenance is Provenance.MODELLED
    assert modelled.mix == {"modelled": 0.75, "assumed": 0.25}
    assert energy.scaled(1.0, provenance=Provenance.ASSUMED).mix == {}
    kept_apart = Estimate(2.0, 1.0, 4.0, own_low=1.5, own_high=3.0).scaled(2.0)
    assert (kept_apart.own_low, kept_apart.own_high) == (3.0, 6.0)


CPU = Estimate(100, 55, 185, own_low=97, own_high=104).by_meter("a cpu")
"""Shared: 44.9 below and 84.9 above."""


def swing(e: Estimate) -> tuple[float, float]:
    """Of one whose shared error is that of one meter."""
    (change,) = e.shared.values()
    return change


def sides(e: Estimate) -> tuple[float, float]:
    return e.value - e.low, e.high - e.value


def test_where_nothing_is_known_to_be_shared_all_error_is_its_own():
    whole = Estimate(100, 90, 120)
    assert (whole.own_low, whole.own_high, whole.own_sides) == (90, 120, (10, 20))
    assert whole.shared == {} and not whole.is_apart
    assert whole == Estimate(100, 90, 120, own_low=90, own_high=120)
    with pytest.raises(ValueError, match="own 101, 120"):
        Estimate(100, 90, 120, own_low=101, own_high=120)
    with pytest.raises(ValueError, match="own 90, 99"):
        Estimate(100, 90, 120, own_low=90, own_high=99)


def test_the_shared_error_is_what_the_own_leaves_of_the_whole():
    assert CPU.own_sides == (3, 4)
    assert swing(CPU) == pytest.approx((-math.sqrt(45**2 - 9), math.sqrt(85**2 - 16)))
    assert list(CPU.shared) == ["a cpu"]
    one_sided = Estimate(100, 90, 110, own_low=90, own_high=105)
    assert swing(one_sided) == (0.0, pytest.approx(math.sqrt(75)))
    # An own error that is larger than the whole leaves nothing.
    assert Estimate(100, 90, 110, own_low=80, own_high=120).shared == {}


def test_errors_of_meters_add_in_quadrature_to_the_own():
    e = Estimate.of_errors(10, (3, 5), {"a": (-4, 12), "b": (0, 0)}, unit="W")
    assert (e.low, e.value, e.high, e.own_low, e.own_high, e.unit) == (5, 10, 23, 7, 15, "W")
    # A value that falls where the scale is at its high end.
    falling = Estimate.of_errors(10, (0, 0), {"a": (6, -3)})
    assert (falling.low, falling.high) == (7, 16)
    rising_twice = Estimate.of_errors(10, (0, 0), {"a": (2, 3)})
    assert (rising_twice.low, rising_twice.high) == (10, 13)
    sinking_twice = Estimate.of_errors(10, (0, 0), {"a": (-2, -3)})
    assert (sinking_twice.low, sinking_twice.high) == (7, 10)


def test_of_one_meter_the_scale_cancels_in_a_difference():
    idle = Estimate(60, 33, 111, own_low=59, own_high=62).by_meter("a cpu")
    left = CPU.minus(idle)
    assert left.value == 40
    assert left.own_sides == pytest.approx((math.hypot(3, 2), math.hypot(4, 1)))
    expected = [x - y for x, y in zip(swing(CPU), swing(idle), strict=True)]
    assert swing(left) == pytest.approx(expected)
    assert sides(left)[0] == pytest.approx(math.hypot(3, 2, expected[0]))
    assert sides(left)[1] == pytest.approx(math.hypot(4, 1, expected[1]))
    same = CPU.minus(CPU)
    assert sides(same) == (5, 5)
    # Read from JSON, both are taken to be of one meter.
    stored = serialize.read(serialize.to_builtins(CPU), Estimate)
    assert sides(stored.minus(stored)) == (5, 5)


def test_of_two_meters_nothing_cancels_in_a_difference():
    other = CPU.by_meter("b cpu")
    left = CPU.minus(other)
    assert left.shared == {"a cpu": swing(CPU), "b cpu": tuple(-x for x in swing(CPU))}
    assert sides(left)[0] == pytest.approx(math.hypot(45, 85))
    assert sides(left)[1] == pytest.approx(math.hypot(85, 45))
    assert left.own_sides == (5, 5)


def test_a_difference_of_errors_that_are_not_kept_apart_has_both():
    left = Estimate(1000, 995, 1005).minus(Estimate(990, 990, 990))
    assert (left.low, left.value, left.high) == (5, 10, 15)
    below_nothing = Estimate(10, 9, 11).minus(Estimate(14, 13, 16))
    assert below_nothing.low == pytest.approx(-4 - math.hypot(1, 2))
    assert below_nothing.high == pytest.approx(-4 + math.hypot(1, 1))
    assert Estimate(0, 0, 1).minus(Estimate(0, 0, 0)).high == 1
    kept = Estimate(5, 4, 6, "W", Provenance.ASSUMED, {"measured": 0.4, "assumed": 0.6}, reason="x")
    left = kept.minus(kept)
    assert (left.unit, left.provenance, left.mix, left.reason) == (
        *("W", Provenance.ASSUMED, kept.mix, "x"),
    )


def test_of_one_meter_the_scale_cancels_in_a_ratio():
    after = CPU.scaled(0.8)
    ratio = after.ratio(CPU)
    assert (ratio.value, ratio.unit) == (0.8, "")
    assert swing(ratio) == pytest.approx((0, 0))
    assert ratio.own_low == pytest.approx(0.8 - math.hypot(0.8 * 0.03, 0.8 - 80 / 104))
    assert ratio.own_high == pytest.approx(0.8 + math.hypot(0.8 * 0.04, 80 / 97 - 0.8))
    assert (ratio.low, ratio.high) == pytest.approx((ratio.own_low, ratio.own_high))
    modelled = CPU.ratio(Estimate(5, 4, 6, provenance=Provenance.MODELLED))
    assert modelled.provenance is Provenance.MODELLED


def test_of_two_meters_nothing_cancels_in_a_ratio():
    ratio = CPU.ratio(CPU.by_meter("b cpu").scaled(2.0))
    low, high = swing(CPU)
    here, there = ratio.shared["a cpu"], ratio.shared["b cpu"]
    assert here == pytest.approx((low / 200, high / 200))
    assert there == pytest.approx((100 / (200 + 2 * low) - 0.5, 100 / (200 + 2 * high) - 0.5))
    assert there[0] > 0 > there[1]


def test_there_is_no_ratio_to_what_may_be_nothing():
    with pytest.raises(ValueError, match="reaches zero"):
        CPU.ratio(Estimate(1, 0, 2))
    assert CPU.ratio(Estimate(1, 0.5, 2)).value == 100


def test_sums_keep_the_meters_of_their_parts():
    gpu = Estimate(50, 45, 56, own_low=49, own_high=52).by_meter("a gpu")
    total = add_independent([CPU, gpu])
    assert total.own_sides == pytest.approx((math.hypot(3, 1), math.hypot(4, 2)))
    assert total.shared == {"a cpu": swing(CPU), "a gpu": swing(gpu)}
    assert sides(total) == pytest.approx((math.hypot(45, 5), math.hypot(85, 6)))
    again = add_independent([total, CPU])
    assert again.shared["a cpu"] == pytest.approx(tuple(2 * x for x in swing(CPU)))
    assert again.shared["a gpu"] == swing(gpu)
    # Without names they are of different meters here.
    nameless = [Estimate(100, 80, 130, own_low=97, own_high=104)] * 2
    assert sides(add_independent(nameless)) == pytest.approx((20 * 2**0.5, 30 * 2**0.5))


def test_runs_by_one_meter_add_up_and_those_by_two_in_quadrature():
    both = add_up([CPU, CPU])
    assert (both.value, both.own_sides) == (200, (6, 8))
    assert swing(both) == pytest.approx(tuple(2 * x for x in swing(CPU)))
    assert sides(both) == pytest.approx((90, 170))
    apart = add_up([CPU, CPU.by_meter("b cpu")])
    assert apart.own_sides == (6, 8)
    assert sides(apart)[0] == pytest.approx(math.hypot(6, *2 * [swing(CPU)[0]]))
    whole = Estimate(100, 90, 120)
    assert sides(add_up([whole, whole])) == (20, 40)
    with pytest.raises(ValueError, match="different units"):
        add_up([CPU, Estimate(1, 1, 1, "W")])
    mixed = add_up([CPU, Estimate(300, 300, 300, provenance=Provenance.ASSUMED)])
    assert (mixed.provenance, mixed.mix) == (
        *(Provenance.ASSUMED, {"measured": 0.25, "assumed": 0.75}),
    )


def test_a_forecast_has_the_relative_errors_of_what_it_was_made_from():
    whole = Estimate(400, 380, 430, provenance=Provenance.MODELLED).metered_by(CPU)
    assert whole.own_sides == pytest.approx((math.hypot(20, 12), math.hypot(30, 16)))
    assert swing(whole) == pytest.approx(tuple(4 * x for x in swing(CPU)))
    assert list(whole.shared) == ["a cpu"]
    assert whole.provenance is Provenance.MODELLED


def test_no_bound_of_a_whole_is_below_that_of_its_part():
    whole = Estimate(110, 50, 300, own_low=80, own_high=120).at_least(CPU)
    assert (whole.low, whole.own_low, whole.high) == (55, 97, 300)
    assert Estimate(110, 60, 300, own_low=99, own_high=120).at_least(CPU).own_low == 99
    nearly = Estimate(90, 85, 95).at_least(Estimate(95, 93, 96))
    assert (nearly.low, nearly.own_low) == (90, 90)


def test_a_scaled_estimate_and_one_with_other_fields_keep_their_meters():
    half = CPU.scaled(0.5, "W")
    assert half.shared == {"a cpu": pytest.approx(tuple(x / 2 for x in swing(CPU)))}
    assert (half.own_low, half.own_high, half.low, half.high) == pytest.approx(
        (48.5, 52, 27.5, 92.5)
    )
    changed = CPU.changed(reason="x")
    assert (changed.reason, changed.shared, changed.low) == ("x", CPU.shared, 55)
    assert Estimate(1, 1, 1, reason="y").scaled(2).reason == "y"


def test_as_metered_has_the_own_error_alone():
    alone = CPU.as_metered
    assert (alone.low, alone.high, alone.own_low, alone.own_high) == (97, 104, 97, 104)
    assert alone.shared == {} and not alone.is_apart
    odd = Estimate(1, 0, 2, "W", Provenance.ASSUMED, {"a": 1.0}, 1, 1, "x").as_metered
    assert (odd.unit, odd.provenance, odd.mix, odd.reason) == (
        "W",
        Provenance.ASSUMED,
        {"a": 1.0},
        "x",
    )


@pytest.mark.parametrize(
    ("estimate", "text", "short"),
    [
        (
            Estimate(397, 217, 736, own_low=389, own_high=406),
            "397 J (389 to 406 as metered; 217 to 736 in all)",
            "397 J (389 to 406 as metered)",
        ),
        # A measured GPU.
        (Estimate(1000, 950, 1050, own_low=980, own_high=1020), "1.00 kJ (0.95 to 1.05)", None),
        (
            Estimate(100, 87.9, 101, own_low=98, own_high=101),
            "100 J (98.0 to 101 as metered; 87.9 to 101 in all)",
            "100 J (98.0 to 101 as metered)",
        ),
        (Estimate(100, 88.1, 101, own_low=98, own_high=101), "100 J (88.1 to 101)", None),
        (
            Estimate(100, 98, 112.1, own_low=98, own_high=102),
            "100 J (98.0 to 102 as metered; 98.0 to 112 in all)",
            "100 J (98.0 to 102 as metered)",
        ),
        (
            Estimate(1e-3, 0, 100, own_low=1e-3, own_high=1e-3),
            "1.00 mJ (1.00 to 1.00 as metered; 0.00 J to 100 J in all)",
            "1.00 mJ (1.00 to 1.00 as metered)",
        ),
        (Estimate(0.8, 0.7, 0.9, ""), "0.80 (0.70 to 0.90)", None),
        (Estimate(90, 80, 100, "s"), "90.0 s (80.0 s to 1 min 40 s)", None),
    ],
)
def test_both_intervals_are_shown_where_much_is_shared(estimate, text, short):
    assert format_estimate(estimate) == text
    assert format_estimate(estimate, short=True) == (short or text)


def test_the_bounds_of_a_text_have_its_unit():
    assert estimate_texts(Estimate(1200, 1000, 1400)) == ("1.20 kJ", "1.00 to 1.40", "kJ")
    assert estimate_texts(Estimate(1e-3, 0, 100)) == ("1.00 mJ", "0.00 J to 100 J", "")
    assert estimate_texts(Estimate(90, 80, 100, "s"))[2] == ""


def test_printable_text_acts_on_no_terminal():
    for mark in ("\x1b", "\x9b", "\x07", "\r", "\u202e", "\x7f"):
        assert printable(f"a{mark}[31mb\nc") == "a\N{REPLACEMENT CHARACTER}[31mb\nc"
    assert printable("caf\udce9 é") == "caf\\xe9 é"


@pytest.mark.parametrize(
    ("parse", "units"),
    [
        (parse_energy, {"J": 1, "mJ": 0.001, "kJ": 1000, "MJ": 10**6, "GJ": 10**9, "Wh": 3600}),
        (parse_energy, {"mWh": 3.6, "kWh": 3_600_000, "MWh": 36 * 10**8, "GWh": 36 * 10**11}),
        (parse_power, {"W": 1, "mW": 0.001, "kW": 1000, "MW": 10**6}),
        (parse_duration, {"s": 1, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "m": 60, "min": 60}),
        (parse_duration, {"minute": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400}),
        (parse_duration, {"week": 604_800, "weeks": 604_800, "month": 2_629_800}),
        (parse_duration, {"year": 31_557_600, "yrs": 31_557_600, "y": 31_557_600}),
        (parse_carbon, {"mg": 0.001, "g": 1, "kg": 1000, "t": 10**6}),
    ],
)
def test_each_unit_has_its_si_value(parse, units):
    assert {unit: parse(f"1 {unit}") for unit in units} == pytest.approx(units, rel=1e-12)


def test_nothing_is_a_quantity_and_less_is_not():
    assert parse_energy("0 J") == parse_duration("0") == 0
    for text in ("-0.1 J", "1e400 J"):
        with pytest.raises(UsageError):
            parse_energy(text)


def test_the_article_fits_the_word():
    for parse, phrase in ((parse_energy, " an energy:"), (parse_power, " a power:")):
        with pytest.raises(UsageError, match=phrase):
            parse("x")


@pytest.mark.parametrize("text", ["1 hs", "5 ss", "5 ds", "5 ys", "5 dd"])
def test_a_unit_of_one_letter_has_no_plural(text):
    with pytest.raises(UsageError):
        parse_duration(text)


def test_independent_errors_add_in_quadrature_on_each_side():
    # 3-4-5 below, 5-12-13 above: added linearly they would be 7 and 17.
    total = add_independent([Estimate(100, 97, 105), Estimate(50, 46, 62)])
    assert (total.low, total.value, total.high, total.unit) == (145, 150, 163, "J")
    assert add_independent([Estimate(1, 1, 1, "W")]).unit == "W"


def test_half_width_of_a_90_percent_interval():
    # Of a standard normal, 5 % lie above it.
    assert 0.5 * math.erfc(Z90 / math.sqrt(2)) == pytest.approx(0.05, rel=1e-9)


def test_ranks_of_provenance():
    assert [p.rank for p in Provenance] == [0, 1, 2]
    assert weakest(Provenance) is Provenance.ASSUMED


def test_bounds_may_lie_on_the_value():
    assert Estimate(5, 5, 5).low == 5
    with pytest.raises(ValueError, match="7, 9, 8"):
        Estimate(9, 7, 8)


def test_a_sum_of_nothing_has_the_weakest_provenance():
    nothing = [Estimate(0, 0, 0), Estimate(0, 0, 0, provenance=Provenance.MODELLED)]
    assert provenance_of_sum(nothing) == (Provenance.MODELLED, {})
    # A part of zero has no share; parts that cancel still have both.
    one = Estimate(2, 2, 2)
    assert provenance_of_sum([one, nothing[1]]) == (Provenance.MEASURED, {})
    taken = Estimate(-2, -2, -2, provenance=Provenance.ASSUMED)
    assert provenance_of_sum([one, taken]) == (
        Provenance.ASSUMED,
        {"measured": 0.5, "assumed": 0.5},
    )
    endless = Estimate(math.inf, 0, math.inf, provenance=Provenance.ASSUMED)
    assert provenance_of_sum([one, endless]) == (Provenance.ASSUMED, {})


def test_scaling_merges_shares_that_become_one_kind():
    energy = Estimate(1, 1, 1, mix={"measured": 0.5, "modelled": 0.25, "assumed": 0.25})
    assert energy.scaled(2, provenance=Provenance.MODELLED).mix == {
        "modelled": 0.75,
        "assumed": 0.25,
    }
    assert energy.scaled(2).unit == "J"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (999.4, "J", "999 J"),
        (999.5, "J", "1.00 kJ"),
        (99.94, "J", "99.9 J"),
        (99.95, "J", "100 J"),
        (9.994, "J", "9.99 J"),
        (9.995, "J", "10.0 J"),
        (-12345, "J", "-12.3 kJ"),
        (1.5e6, "J", "1.50 MJ"),
        (2e12, "J", "2.00 TJ"),
        (2e15, "J", "2000 TJ"),
        (3e-6, "J", "3.00 µJ"),
        (3e-8, "J", "0.03 µJ"),
        (math.inf, "J", "inf J"),
    ],
)
def test_three_digits_and_the_prefix_that_fits(value, unit, text):
    assert format_quantity(value, unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1.00 s"),
        (0.5, "500 ms"),
        (99.94, "99.9 s"),
        (99.95, "1 min 40 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (3661, "1 h 01 min"),
        (86399, "23 h 59 min"),
        (86400, "1 d"),
        (90000, "1 d 1 h"),
    ],
)
def test_durations_at_the_bounds_of_their_units(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(999.5, 3, "1,000"), (9.9949e8, 3, "999,490,000"), (1e9, 3, "1e+09"), (99.5, 2, "100")],
)
def test_bare_numbers_at_the_bounds(value, digits, text):
    assert format_number(value, digits) == text
    assert format_number(1234.4) == "1,234" and format_number(0.12345) == "0.123"


def test_counts_of_things():
    assert [counted(n, "run") for n in (0, 1, 2, 1200)] == [
        "0 runs",
        "1 run",
        "2 runs",
        "1,200 runs",
    ]


def test_bounds_of_an_estimate_are_in_its_unit_up_to_ten_thousand():
    assert format_estimate(Estimate(1, 0.5, 9999)) == "1.00 J (0.50 to 9999)"
    assert format_estimate(Estimate(1, 0.5, 10_000)) == "1.00 J (500 mJ to 10.0 kJ)"
    assert format_estimate(Estimate(0, 0, 0.25)) == "0.00 mJ (0.00 to 250)"
    assert format_estimate(Estimate(90, 60, 120, "s")) == "90.0 s (60.0 s to 2 min 00 s)"
    assert str(Estimate(2, 1, 3, "W")) == "2.00 W (1.00 to 3.00)"


def test_text_for_a_terminal():
    assert printable("a\x1b[31mb\nc") == "a\N{REPLACEMENT CHARACTER}[31mb\nc"
    assert one_line("a\x1b\n  b") == "a b"
    assert one_line("caf\udce9") == "caf\\xe9"
    assert one_line("x" * 60) == "x" * 60
    assert one_line("x" * 61) == "x" * 59 + "\u2026"
    assert one_line("abcdef", 4) == "abc\u2026"
