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
    counted,
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


def test_a_difference_keeps_own_errors_and_the_shared_part_of_what_is_left():
    energy = Estimate(100, 80, 130, own_low=88, own_high=109)
    idle = Estimate(60, 50, 78, own_low=55, own_high=64)
    left = energy.minus(idle)
    assert left.value == 40
    assert left.own_low == pytest.approx(40 - math.hypot(12, 4))
    assert left.own_high == pytest.approx(40 + math.hypot(9, 5))
    shared_below, shared_above = math.sqrt(20**2 - 12**2), math.sqrt(30**2 - 9**2)
    assert left.low == pytest.approx(40 - math.hypot(12, 4, 0.4 * shared_below))
    assert left.high == pytest.approx(40 + math.hypot(9, 5, 0.4 * shared_above))


def test_a_difference_of_errors_that_are_not_kept_apart_has_both():
    left = Estimate(1000, 995, 1005).minus(Estimate(990, 990, 990))
    assert (left.low, left.value, left.high) == (5, 10, 15)
    assert (left.own_low, left.own_high) == (None, None)
    below_nothing = Estimate(10, 9, 11).minus(Estimate(14, 13, 16))
    assert below_nothing.low == pytest.approx(-4 - math.hypot(1, 2))
    assert below_nothing.high == pytest.approx(-4 + math.hypot(1, 1))
    assert Estimate(0, 0, 1).minus(Estimate(0, 0, 0)).high == 1


def test_own_errors_of_a_sum_are_those_of_its_parts():
    apart, whole = Estimate(100, 80, 130, own_low=97, own_high=104), Estimate(10, 6, 13)
    total = add_independent([apart, whole])
    assert (total.own_low, total.own_high) == (110 - math.hypot(3, 4), 110 + math.hypot(4, 3))
    assert add_independent([whole, whole]).own_low is None


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
        (parse_duration, {"year": 31_557_600, "yr": 31_557_600, "y": 31_557_600}),
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


def test_a_difference_to_nothing_has_no_shared_error():
    # The value is 0: all error of the difference is that of the other.
    left = Estimate(0, -4, 4, own_low=0, own_high=0).minus(Estimate(2, 1, 4))
    assert (left.low, left.value, left.high) == (-4, -2, -1)


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
