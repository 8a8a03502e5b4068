import math
import re

import pytest
from hypothesis import strategies as st

from joulecast.errors import UsageError
from joulecast.units import (
    counted,
    format_duration,
    format_number,
    format_quantity,
    one_line,
    parse_carbon,
    parse_duration,
    parse_energy,
    parse_money,
    parse_power,
    printable,
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


finite = st.floats(0, 1e12)


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


def test_text_for_a_terminal():
    assert printable("a\x1b[31mb\nc") == "a\N{REPLACEMENT CHARACTER}[31mb\nc"
    assert one_line("a\x1b\n  b") == "a b"
    assert one_line("caf\udce9") == "caf\\xe9"
    assert one_line("x" * 60) == "x" * 60
    assert one_line("x" * 61) == "x" * 59 + "\u2026"
    assert one_line("abcdef", 4) == "abc\u2026"
