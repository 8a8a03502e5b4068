"""Quantities: SI units inside the program; text with other units when read and written.

Energies are joules, powers watts, durations seconds, everywhere.
"""

from __future__ import annotations

import math
import re

from .errors import UsageError
from .serialize import encodable

# --- reading what people write -------------------------------------------------------------------

# A Julian year.
YEAR_S = 365.25 * 86400

_SCALES: dict[str, dict[str, float]] = {
    "energy": {"J": 1, "mJ": 1e-3, "kJ": 1e3, "MJ": 1e6, "GJ": 1e9}
    | {"Wh": 3600, "mWh": 3.6, "kWh": 3.6e6, "MWh": 3.6e9, "GWh": 3.6e12},
    "power": {"W": 1, "mW": 1e-3, "kW": 1e3, "MW": 1e6},
    "duration": {"s": 1, "min": 60, "h": 3600, "d": 86400, "ms": 1e-3, "us": 1e-6, "m": 60}
    | {"minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400, "month": YEAR_S / 12}
    | {"year": YEAR_S, "yr": YEAR_S, "y": YEAR_S},
    "mass of CO2": {"g": 1, "mg": 1e-3, "kg": 1e3, "t": 1e6},
}
_BASE = {"energy": "J", "power": "W", "duration": "s", "mass of CO2": "g"}
_EXAMPLES = {"energy": "50kJ", "power": "250W", "duration": "90min", "mass of CO2": "30g"}
_QUANTITY = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([a-zA-Zµ]*)\s*")


def _parse(text: str, kind: str) -> float:
    match = _QUANTITY.fullmatch(text)
    units = ", ".join(_SCALES[kind])
    if not match:
        raise UsageError(
            f"{text!r} is not {_an(kind)}: write a number and a unit, such as {_EXAMPLES[kind]}"
        )
    scale = _scale(match[2].replace("µ", "u") or _BASE[kind], kind)
    if scale is None:
        raise UsageError(f"{match[2]!r} in {text!r} is not a unit of {kind}: use one of {units}")
    value = float(match[1]) * scale
    if value < 0 or not math.isfinite(value):
        raise UsageError(f"{text!r} is not {_an(kind)}: write a finite number of at least 0")
    return value


def _scale(unit: str, kind: str) -> float | None:
    scales = _SCALES[kind]
    if unit in scales or kind == "duration":
        # Names of durations have plurals: hours, mins.
        return scales.get(unit, scales.get(unit.removesuffix("s")) if len(unit) > 2 else None)
    # Other case is accepted where it is unambiguous: kwh, KWH, w; never mW for MW.
    nearby = {scale for name, scale in scales.items() if name.lower() == unit.lower()}
    return nearby.pop() if len(nearby) == 1 else None


def _an(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def parse_energy(text: str) -> float:
    """Joules from `50 kJ`, `0.3 kWh`, `1200` (J). Raises `UsageError`."""
    return _parse(text, "energy")


def parse_power(text: str) -> float:
    """Watts from `250 W`, `1.2kW`, `40` (W). Raises `UsageError`."""
    return _parse(text, "power")


def parse_duration(text: str) -> float:
    """Seconds from `1.5 h`, `200ms`, `30` (s), `365d`, `2 years`. Raises `UsageError`."""
    return _parse(text, "duration")


_CO2 = re.compile(r"\s*CO[2₂](?:-?eq?)?\s*$", re.IGNORECASE)


def parse_carbon(text: str) -> float:
    """Grams from `30 gCO2`, `1.2 kg CO2e`, `0.5 t`, `30` (g). Raises `UsageError`."""
    return _parse(_CO2.sub("", text), "mass of CO2")


_SYMBOLS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW"}
# ISO 4217, the currencies of countries and their unions (2025).
_CURRENCIES = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN
    BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS
    GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW
    KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD
    NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD
    SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES
    VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWL
"""
_MONEY = re.compile(r"\s*([A-Za-z]{3}|[^\w\s.+-])?\s*([\d.]+)\s*([A-Za-z]{3}|[^\w\s.+-])?\s*")


def parse_money(text: str) -> tuple[float, str]:
    """Amount and ISO 4217 code from `5 EUR`, `€5`, `$0.50` (USD). Raises `UsageError`."""
    match = _MONEY.fullmatch(text)
    if match and bool(match[1]) != bool(match[3]):
        unit = match[1] or match[3]
        code = _SYMBOLS.get(unit, unit.upper())
        if code in _CURRENCIES.split() and _QUANTITY.fullmatch(match[2]):
            return float(match[2]), code
    raise UsageError(f"{text!r} is not an amount of money: write 5EUR, $0.50 or another currency")


# --- writing what people read --------------------------------------------------------------------

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"))


def prefix_of(value: float) -> tuple[float, str]:
    """The scale and the name of the prefix that a value is written with."""
    size = abs(value)
    if size == 0 or not math.isfinite(size):
        return 1.0, ""
    for scale, prefix in _PREFIXES:
        if size >= scale * 0.9995:
            return scale, prefix
    return _PREFIXES[-1]


def three_digits(value: float) -> str:
    """Three significant digits, never in exponent form."""
    size = abs(value)
    decimals = 0 if size >= 99.95 else 1 if size >= 9.995 else 2
    return f"{value:.{decimals}f}"


def format_number(value: float, digits: int = 3, sign: str = "") -> str:
    """A bare number: `0.0123`, `12.3`, `1,234,567`; with `sign` "+" a plus is written, too."""
    value += 0.0  # no -0
    if 10**digits - 0.5 <= abs(value) < 1e9:
        return f"{value:{sign},.0f}"
    return f"{value:{sign}.{digits}g}"


def counted(n: int, noun: str) -> str:
    """`1 epoch`, `3 epochs`, `1,200 epochs`."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def format_quantity(value: float, unit: str) -> str:
    """A quantity as text: `12.3 kJ`, `250 W`, `1 h 20 min`."""
    if unit == "s":
        return format_duration(value)
    scale, prefix = prefix_of(value)
    return f"{three_digits(value / scale)} {prefix}{unit}"


def format_duration(seconds: float) -> str:
    """A duration as text: `850 ms`, `12.3 s`, `4 min 05 s`, `1 h 20 min`, `2 d 3 h`."""
    if seconds < 1:
        scale, prefix = prefix_of(seconds)
        return f"{three_digits(seconds / scale)} {prefix}s"
    if seconds < 99.95:
        return f"{three_digits(seconds)} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    hours = whole % 86400 // 3600
    return f"{whole // 86400} d {hours} h" if hours else f"{whole // 86400} d"


def printable(text: str) -> str:
    """Text without control characters, which would act on a terminal; line breaks stay.

    All that is written on a terminal passes through here: names, tags, columns and files are
    written by others.
    """
    if text.isprintable():
        return text
    text = encodable(text)
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def one_line(text: str, longest: int = 60) -> str:
    """A name that is safe on a terminal: without line breaks and control characters, shortened."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in encodable(text)).split())
    return clean if len(clean) <= longest else f"{clean[: longest - 1]}\u2026"
