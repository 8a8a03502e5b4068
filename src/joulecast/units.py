"""Quantities: SI units inside the program; text with other units when read and written.

Energies are joules, powers watts, durations seconds, everywhere. Energies and durations leave the
program only as an `Estimate`: a value, a 90 % interval and a provenance.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from .errors import UsageError
from .serialize import encodable

Z90 = 1.6448536269514722
"""Half-width of a 90 % interval, in standard deviations of a normal distribution."""


class Provenance(StrEnum):
    """Where a figure comes from, strongest first.

    Attributes:
        MEASURED: a sensor or counter.
        MODELLED: computed from load, FLOPs, a fitted curve, a share.
        ASSUMED: a constant.
    """

    MEASURED = "measured"
    MODELLED = "modelled"
    ASSUMED = "assumed"

    @property
    def rank(self) -> int:
        """0 for the strongest; larger is weaker."""
        return list(Provenance).index(self)


def weakest(provenances: Iterable[Provenance]) -> Provenance:
    """The weakest of several provenances, which is that of their product."""
    return max(provenances, key=lambda p: p.rank)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with a 90 % interval `[low, high]`, a unit and a provenance.

    Attributes:
        value: in `unit`, as are all bounds.
        low: lower bound of the 90 % interval.
        high: its upper bound.
        unit: `J`, `W`, `s`, `g`, ...
        provenance: where the value, or most of it, comes from.
        mix: of a sum, the share of each provenance, 0 to 1; empty where there is only one.
        own_low: lower bound without the error shared by all readings of the meter; None where
            the two errors are not kept apart.
        own_high: upper bound likewise.
        reason: what limits the value, None where nothing does.

    Examples:
        >>> print(joulecast.Estimate(12_300, 11_900, 12_700))
        12.3 kJ (11.9 to 12.7)
    """

    value: float
    low: float
    high: float
    unit: str = "J"
    provenance: Provenance = Provenance.MEASURED
    mix: Mapping[str, float] = field(default_factory=dict, hash=False)
    own_low: float | None = None
    own_high: float | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"not low <= value <= high: {self.low}, {self.value}, {self.high}")

    def scaled(
        self, factor: float, unit: str | None = None, provenance: Provenance = Provenance.MEASURED
    ) -> Estimate:
        """The estimate times a non-negative constant; its relative error stays the same.

        Args:
            factor: the constant.
            unit: of the product; None: the estimate's own.
            provenance: of the constant. Each part of the product has the weaker provenance of both.
        """
        shares: dict[str, float] = {}
        for kind, share in self.mix.items():
            weaker = str(weakest([Provenance(kind), provenance]))
            shares[weaker] = shares.get(weaker, 0.0) + share
        return replace(
            self,
            value=self.value * factor,
            low=self.low * factor,
            high=self.high * factor,
            unit=self.unit if unit is None else unit,
            provenance=weakest([self.provenance, provenance]),
            mix=shares if len(shares) > 1 else {},
            own_low=None if self.own_low is None else self.own_low * factor,
            own_high=None if self.own_high is None else self.own_high * factor,
        )

    def minus(self, other: Estimate) -> Estimate:
        """The difference to an estimate by the same meters, in the same unit; it may be negative.

        The error that all readings of a meter share applies to the difference. Their own errors are
        independent and add in quadrature; where the two are not kept apart, all error is own.
        """
        value = self.value - other.value
        below, above = self._own_sides
        less_below, less_above = other._own_sides
        # The lower bound of a difference has the upper bound of what is taken away.
        own_below, own_above = math.hypot(below, less_above), math.hypot(above, less_below)
        ratio = abs(value / self.value) if self.value else 0.0
        shared_below = math.sqrt(max(0.0, (self.value - self.low) ** 2 - below**2)) * ratio
        shared_above = math.sqrt(max(0.0, (self.high - self.value) ** 2 - above**2)) * ratio
        return replace(
            self,
            value=value,
            low=value - math.hypot(own_below, shared_below),
            high=value + math.hypot(own_above, shared_above),
            own_low=None if self.own_low is None else value - own_below,
            own_high=None if self.own_high is None else value + own_above,
        )

    @property
    def _own_sides(self) -> tuple[float, float]:
        """Half-widths below and above of its own error; of all of it where it is not kept apart."""
        low = self.low if self.own_low is None else self.own_low
        high = self.high if self.own_high is None else self.own_high
        return self.value - low, high - self.value

    def to_json(self) -> dict[str, Any]:
        """The form every JSON document of joulecast uses for an estimate."""
        return asdict(self) | {"provenance": str(self.provenance), "mix": dict(self.mix)}

    def __str__(self) -> str:
        return format_estimate(self)


def provenance_of_sum(parts: Iterable[Estimate]) -> tuple[Provenance, dict[str, float]]:
    """The provenance of most of a sum, and the share of each; no shares where there is only one.

    Raises `ValueError` where there are no parts.
    """
    parts = list(parts)
    shares: dict[Provenance, float] = {}
    for part in parts:
        for kind, share in (part.mix or {part.provenance: 1.0}).items():
            shares[Provenance(kind)] = shares.get(Provenance(kind), 0.0) + abs(part.value) * share
    total = math.fsum(shares.values())
    if total == 0 or not math.isfinite(total):
        return weakest(p.provenance for p in parts), {}
    present = {kind: x / total for kind, x in shares.items() if x > 0}
    # Where two are equally large, the sum has the weaker provenance.
    most = max(present, key=lambda kind: (round(present[kind], 9), kind.rank))
    ordered = sorted(present.items(), key=lambda item: item[0].rank)
    return most, {str(kind): x for kind, x in ordered} if len(present) > 1 else {}


def add_independent(parts: Iterable[Estimate]) -> Estimate | None:
    """Sum of estimates whose errors are independent (different sensors); None without parts.

    Half-widths add in quadrature, each side by itself (ISO/IEC Guide 98-3, section 5.1.2).
    """
    parts = list(parts)
    if not parts:
        return None
    units = {p.unit for p in parts}
    if len(units) != 1:
        raise ValueError(f"cannot add different units: {sorted(units)}")
    value = math.fsum(p.value for p in parts)
    below = math.hypot(*(p.value - p.low for p in parts))
    above = math.hypot(*(p.high - p.value for p in parts))
    own: dict[str, float] = {}
    if any(p.own_low is not None for p in parts):
        own_below, own_above = zip(*(p._own_sides for p in parts), strict=True)
        own["own_low"] = value - math.hypot(*own_below)
        own["own_high"] = value + math.hypot(*own_above)
    provenance, mix = provenance_of_sum(parts)
    return Estimate(
        value, value - below, value + above, units.pop(), provenance, mix, **own, reason=None
    )


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


def _prefix(value: float) -> tuple[float, str]:
    size = abs(value)
    if size == 0 or not math.isfinite(size):
        return 1.0, ""
    for scale, prefix in _PREFIXES:
        if size >= scale * 0.9995:
            return scale, prefix
    return _PREFIXES[-1]


def _digits(value: float) -> str:
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
    scale, prefix = _prefix(value)
    return f"{_digits(value / scale)} {prefix}{unit}"


def format_duration(seconds: float) -> str:
    """A duration as text: `850 ms`, `12.3 s`, `4 min 05 s`, `1 h 20 min`, `2 d 3 h`."""
    if seconds < 1:
        scale, prefix = _prefix(seconds)
        return f"{_digits(seconds / scale)} {prefix}s"
    if seconds < 99.95:
        return f"{_digits(seconds)} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    hours = whole % 86400 // 3600
    return f"{whole // 86400} d {hours} h" if hours else f"{whole // 86400} d"


# A bound with more digits before the point gets a unit of its own.
_MAX_IN_UNIT = 10_000


def format_estimate(estimate: Estimate) -> str:
    """An estimate as text: `12.3 kJ (11.9 to 12.7)`, the bounds in the value's unit.

    Where they are too large for it, each has its own unit: `95.9 µJ (4.70 µJ to 137 mJ)`.
    """
    e = estimate
    if e.unit == "s":
        bounds = f"{format_duration(e.low)} to {format_duration(e.high)}"
        return f"{format_duration(e.value)} ({bounds})"
    scale, prefix = _prefix(e.value or e.high)
    if e.high / scale >= _MAX_IN_UNIT:
        value, low, high = (format_quantity(x, e.unit) for x in (e.value, e.low, e.high))
        return f"{value} ({low} to {high})"
    figures = [_digits(x / scale) for x in (e.value, e.low, e.high)]
    return f"{figures[0]} {prefix}{e.unit} ({figures[1]} to {figures[2]})"


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
