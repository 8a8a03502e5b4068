"""The unit of a column, as in its name: `energy_j`, `training (kWh)`, `energy [MJ]`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import UsageError
from .units import format_quantity, parse_carbon, parse_duration, parse_energy, parse_power

_BRACKETS = re.compile(r"[(\[]\s*([^()\[\]]+?)\s*[)\]]\s*$")
_SUFFIX = re.compile(r"_([a-z]+)$", re.IGNORECASE)
# `_min` is a minimum elsewhere: `val_loss_min`.
_DURATION = re.compile("time|duration|elapsed|latency", re.IGNORECASE)
# In lower case, and therefore without mJ and MJ, which would be the same.
_SUFFIXES = {
    "j": ("J", 1.0),
    "kj": ("J", 1e3),
    "wh": ("J", 3600.0),
    "kwh": ("J", 3.6e6),
    "s": ("s", 1.0),
    "min": ("s", 60.0),
    "h": ("s", 3600.0),
    "g": ("g", 1.0),
    "kg": ("g", 1e3),
    "w": ("W", 1.0),
    "kw": ("W", 1e3),
    "pct": ("%", 1.0),
}
_FALLING = frozenset({"loss", "error", "err", "mse", "mae", "rmse", "perplexity", "ppl", "nll"})
_PARSERS = ((parse_energy, "J"), (parse_duration, "s"), (parse_power, "W"), (parse_carbon, "g"))


@dataclass(frozen=True, slots=True)
class Unit:
    """The SI unit of a column and the factor that converts its figures; name None: unknown."""

    name: str | None
    factor: float = 1.0

    @property
    def noun(self) -> str:
        """The quantity that has this unit."""
        nouns = {"J": "energy", "s": "duration", "W": "power", "g": "carbon"}
        return nouns.get(self.name or "", "cost")

    def text(self, value: float) -> str:
        """A figure in this SI unit as people read it: `12.3 kJ`."""
        if self.name is None:
            return f"{value:.4g}"
        if self.name == "%":
            return f"{value:.4g} %"
        return format_quantity(value, self.name)


def unit_of(column: str) -> Unit:
    """The unit at the end of a column's name, such as `(MJ)`, `[kWh]`, `(h)` or `_j`."""
    bracketed = _BRACKETS.search(column)
    if bracketed:
        text = bracketed[1]
        if text == "%":
            return Unit("%")
        for parse, unit in _PARSERS:
            try:
                return Unit(unit, parse(f"1 {text}"))
            except UsageError:
                continue
        return Unit(None)
    suffix = _SUFFIX.search(column.lower())
    ending = suffix[1] if suffix else ""
    if ending == "min" and not _DURATION.search(column):
        return Unit(None)
    name, factor = _SUFFIXES.get(ending, (None, 1.0))
    return Unit(name, factor)


def plain_name(column: str) -> str:
    """A column's name without its unit: `energy` of `energy_j`."""
    if unit_of(column).name is None:
        return column
    ending = _BRACKETS if _BRACKETS.search(column) else _SUFFIX
    return ending.sub("", column).strip() or column


def matching_columns(columns: Iterable[str], wanted: str) -> list[str]:
    """The columns that a name means: of that name, in any case of letters, else in another unit.

    `energy_j` also means `Energy (MJ)`; without one, the only other energy, such as `total energy
    [kWh]`. A name that is there twice is returned twice.
    """
    columns = list(columns)
    unit, name = unit_of(wanted).name, plain_name(wanted).lower()
    same = [c for c in columns if c == wanted] or [
        c for c in columns if c.lower() == wanted.lower()
    ]
    if same or unit is None:
        return same
    alike = [c for c in columns if unit_of(c).name == unit]
    energies = [c for c in alike if "energy" in c.lower()] if name == "energy" else []
    only = energies if len(energies) == 1 else []
    return [c for c in alike if plain_name(c).lower() == name] or only


def falls(metric: str) -> bool:
    """Whether a lower value of a metric is better, by the words of its name: `val_loss`."""
    return not _FALLING.isdisjoint(re.findall(r"[a-z]+", metric.lower()))
