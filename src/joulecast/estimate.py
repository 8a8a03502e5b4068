"""Figures with a 90 % interval: what they are computed to, and how that interval is made.

Energies and durations leave the program only as an `Estimate`: a value, a 90 % interval and a
provenance.

The error of an estimate has two parts. Its *own* (noise, edges of a window, a forecast) is
independent of that of any other estimate. The *shared* error is the scale of a meter, which is
wrong by the same fraction in all its readings; it is kept by meter, as the change of the value
where the scale is at either end of its interval. All that is computed from estimates follows three
rules: own errors add in quadrature (ISO/IEC Guide 98-3, 5.1.2); the changes by one meter are
computed together, with their signs, so that they cancel in a difference or ratio and add up in a
sum (the same, 5.2.2: correlated input quantities); those by different meters, and the own error,
combine in quadrature.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from .units import format_duration, format_quantity, prefix_of, three_digits

Z90 = 1.6448536269514722
"""Half-width of a 90 % interval, in standard deviations of a normal distribution."""

SHOWN_APART = 0.1
"""Part of the value by which a shared error must widen an interval to be shown by itself: with
less, as of a measured GPU, one interval is as useful and easier to read."""


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


Sides = tuple[float, float]
"""Distances of the lower and the upper bound of an interval from its value, both at least 0."""

Changes = Mapping[str, tuple[float, float]]
"""By meter: the change of a value where the meter's scale is at the low and at the high end."""

_UNNAMED = ""


class _OfMeters:
    """What an estimate knows of its meters; JSON does not have it."""

    __slots__ = ("_changes",)


@dataclass(frozen=True, slots=True)
class Estimate(_OfMeters):
    """A value with a 90 % interval `[low, high]`, a unit and a provenance.

    Attributes:
        value: in `unit`, as are all bounds.
        low: lower bound of the 90 % interval.
        high: its upper bound.
        unit: `J`, `W`, `s`, `g`, ...
        provenance: where the value, or most of it, comes from.
        mix: of a sum, the share of each provenance, 0 to 1; empty where there is only one.
        own_low: lower bound without the error shared by all readings of the meter; where nothing is
            known to be shared, all of the error is its own.
        own_high: upper bound likewise.
        reason: what limits the value, None where nothing does.

    Examples:
        >>> print(joulecast.Estimate(12_300, 11_900, 12_700))
        12.3 kJ (11.9 to 12.7)
        >>> print(joulecast.Estimate(397, 217, 736, own_low=389, own_high=406))
        397 J (389 to 406 as metered; 217 to 736 in all)
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
        if self.own_low is None or self.own_high is None:
            object.__setattr__(self, "own_low", self.low)
            object.__setattr__(self, "own_high", self.high)
        if not (self.low <= self.value <= self.high and min(self.own_sides) >= 0):
            bounds = f"{self.low}, {self.value}, {self.high} (own {self.own_low}, {self.own_high})"
            raise ValueError(f"not low <= value <= high: {bounds}")

    @classmethod
    def of_errors(cls, value: float, own: Sides, shared: Changes, **fields: Any) -> Estimate:
        """An estimate with its own error and those of its meters; `fields` are its other fields."""
        swings = [(max(0.0, -min(change)), max(0.0, *change)) for change in shared.values()]
        below, above = (math.hypot(*sides) for sides in zip(own, *swings, strict=True))
        fields |= {"own_low": value - own[0], "own_high": value + own[1]}
        return cls(value, value - below, value + above, **fields)._by(shared)

    @property
    def own_sides(self) -> Sides:
        """Its own error: distances of `own_low` and `own_high` from the value."""
        low, high = self._own_bounds
        return self.value - low, high - self.value

    @property
    def _own_bounds(self) -> tuple[float, float]:
        # They are set where they were not given.
        assert self.own_low is not None and self.own_high is not None
        return self.own_low, self.own_high

    @property
    def shared(self) -> Changes:
        """The errors of its meters; of one without a name where it was read from JSON."""
        changes: Changes | None = getattr(self, "_changes", None)
        if changes is not None:
            return changes
        sides = (self.value - self.low, self.high - self.value)
        below, above = (
            math.sqrt(max(0.0, whole**2 - own**2))
            for whole, own in zip(sides, self.own_sides, strict=True)
        )
        return {_UNNAMED: (-below, above)} if below or above else {}

    @property
    def is_apart(self) -> bool:
        """Whether the shared error is so large that both intervals are shown."""
        below, above = self.own_sides
        added = max(self.value - self.low - below, self.high - self.value - above)
        return added > SHOWN_APART * abs(self.value)

    @property
    def as_metered(self) -> Estimate:
        """The same with its own error alone: as it compares with others by the same meters."""
        return Estimate.of_errors(self.value, self.own_sides, {}, **self._others)

    def by_meter(self, meter: str) -> Estimate:
        """The same, with the name of the meter that all of its shared error is of."""
        lows, highs = zip(*self.shared.values(), strict=True) if self.shared else ((), ())
        return replace(self)._by({meter: (math.fsum(lows), math.fsum(highs))})

    def changed(self, **fields: Any) -> Estimate:
        """A copy with other fields, by the same meters."""
        return replace(self, **fields)._by(self.shared)

    def _by(self, changes: Changes) -> Estimate:
        object.__setattr__(self, "_changes", changes)
        return self

    @property
    def _others(self) -> dict[str, Any]:
        names = ("unit", "provenance", "mix", "reason")
        return {name: getattr(self, name) for name in names}

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
        bounds = ("value", "low", "high", "own_low", "own_high")
        product = replace(
            self,
            unit=self.unit if unit is None else unit,
            provenance=weakest([self.provenance, provenance]),
            mix=shares if len(shares) > 1 else {},
            **{name: getattr(self, name) * factor for name in bounds},
        )
        return product._by({m: (x * factor, y * factor) for m, (x, y) in self.shared.items()})

    def minus(self, other: Estimate) -> Estimate:
        """The difference to an estimate in the same unit; it may be negative.

        What both share by one meter cancels as far as it is the same. Estimates that were read from
        JSON are treated as of one meter.
        """
        below, above = self.own_sides
        less_below, less_above = other.own_sides
        # The lower bound of a difference has the upper bound of what is taken away.
        own = (math.hypot(below, less_above), math.hypot(above, less_below))
        shared = _changed(self, other, lambda here, there: here - there)
        return Estimate.of_errors(self.value - other.value, own, shared, **self._others)

    def ratio(self, other: Estimate) -> Estimate:
        """How many times the other this is, without a unit; of one meter the scale cancels.

        Raises `ValueError` where the interval of the other reaches zero.

        Examples:
            >>> before = joulecast.Estimate(100, 55, 185, own_low=98, own_high=102)
            >>> after = joulecast.Estimate(80, 44, 148, own_low=78.4, own_high=81.6)
            >>> print(after.ratio(before))
            0.80 (0.78 to 0.82)
        """
        if other.low <= 0:
            raise ValueError(f"no ratio to {other}: its interval reaches zero")
        value = self.value / other.value
        below, above = (side / other.value for side in self.own_sides)
        lowest, highest = (self.value / (other.value + x) - value for x in _ends(other.own_sides))
        own = (math.hypot(below, highest), math.hypot(above, lowest))
        shared = _changed(
            self,
            other,
            lambda here, there: (self.value + here) / (other.value + there) - value,
        )
        provenance = weakest([self.provenance, other.provenance])
        return Estimate.of_errors(value, own, shared, unit="", provenance=provenance)

    def metered_by(self, measured: Estimate) -> Estimate:
        """A forecast, made from what was measured, with the relative errors of that."""
        errors = measured.scaled(self.value / measured.value)
        own = [math.hypot(*sides) for sides in zip(self.own_sides, errors.own_sides, strict=True)]
        return Estimate.of_errors(self.value, (own[0], own[1]), errors.shared, **self._others)

    def at_least(self, part: Estimate) -> Estimate:
        """The same, but no lower bound is below that of a part of it."""
        own_low = max(self._own_bounds[0], part._own_bounds[0])
        low = max(self.low, part.low)
        return self.changed(low=min(low, self.value), own_low=min(own_low, self.value))

    def to_json(self) -> dict[str, Any]:
        """The form every JSON document of joulecast uses for an estimate."""
        return asdict(self) | {"provenance": str(self.provenance), "mix": dict(self.mix)}

    def __str__(self) -> str:
        return format_estimate(self)


def _ends(sides: Sides) -> Sides:
    return -sides[0], sides[1]


def _changed(
    one: Estimate, other: Estimate, change: Callable[[float, float], float]
) -> dict[str, tuple[float, float]]:
    """By meter: the change of what is computed of two estimates where both change with it."""
    none = (0.0, 0.0)
    changes = {}
    for meter in {**one.shared, **other.shared}:
        here, there = one.shared.get(meter, none), other.shared.get(meter, none)
        low, high = (change(*ends) for ends in zip(here, there, strict=True))
        changes[meter] = (low, high)
    return changes


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
    """Sum of estimates by different meters; None without parts.

    Half-widths add in quadrature, each side by itself. Where two parts name the same meter, their
    shared errors add up.
    """
    parts = [
        part.by_meter(f"{_UNNAMED}{i}") if _UNNAMED in part.shared else part
        for i, part in enumerate(parts)
    ]
    return _sum(parts, lambda sides: math.hypot(*sides)) if parts else None


def add_up(parts: Sequence[Estimate]) -> Estimate:
    """Sum of estimates by the same meters at different times, such as runs; at least one.

    Their own errors add up, too: part of them may depend on the kind of load, and so be alike in
    all of them.
    """
    return _sum(parts, math.fsum)


def _sum(parts: Sequence[Estimate], add: Callable[[Sequence[float]], float]) -> Estimate:
    units = {p.unit for p in parts}
    if len(units) != 1:
        raise ValueError(f"cannot add different units: {sorted(units)}")
    shared: dict[str, tuple[float, float]] = {}
    for part in parts:
        for meter, (low, high) in part.shared.items():
            before = shared.get(meter, (0.0, 0.0))
            shared[meter] = (before[0] + low, before[1] + high)
    below, above = (add(sides) for sides in zip(*(p.own_sides for p in parts), strict=True))
    provenance, mix = provenance_of_sum(parts)
    value = math.fsum(p.value for p in parts)
    return Estimate.of_errors(
        *(value, (below, above), shared), unit=units.pop(), provenance=provenance, mix=mix
    )


# --- writing what people read --------------------------------------------------------------------

# A bound with more digits before the point gets a unit of its own.
_MAX_IN_UNIT = 10_000


def format_estimate(estimate: Estimate, *, short: bool = False) -> str:
    """An estimate as text: `12.3 kJ (11.9 to 12.7)`, the bounds in the value's unit.

    Where the error that it shares with others is large, its own interval comes first:
    `397 J (389 to 406 as metered; 217 to 736 in all)`, alone where the text is to be `short`.
    Bounds that are too large for the unit have their own: `95.9 µJ (4.70 µJ to 137 mJ)`.
    """
    value, bounds, _ = estimate_texts(estimate)
    if estimate.is_apart:
        metered = f"{estimate_texts(estimate.as_metered)[1]} as metered"
        bounds = metered if short else f"{metered}; {bounds} in all"
    return f"{value} ({bounds})"


def estimate_texts(estimate: Estimate) -> tuple[str, str, str]:
    """The value with its unit, its bounds in all, and the unit of these where they lack one."""
    e = estimate
    if e.unit == "s":
        bounds = f"{format_duration(e.low)} to {format_duration(e.high)}"
        return format_duration(e.value), bounds, ""
    scale, prefix = prefix_of(e.value or e.high) if e.unit else (1.0, "")
    if e.high / scale >= _MAX_IN_UNIT:
        value, low, high = (format_quantity(x, e.unit) for x in (e.value, e.low, e.high))
        return value, f"{low} to {high}", ""
    value, low, high = (three_digits(x / scale) for x in (e.value, e.low, e.high))
    unit = prefix + e.unit
    return f"{value} {unit}".rstrip(), f"{low} to {high}", unit
