"""A run's share of what making its hardware emitted.

`M = embodied x time x share / (lifetime x utilization)`: the Software Carbon Intensity
specification's TE x TS x RS (ISO/IEC 21031:2024), with the lifetime counted in the hours that the
hardware works, so that the hours it idles are on those that use it (Luccioni et al. 2022,
arXiv:2211.02001, section 4.1).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...errors import UsageError
from ...hardware.catalog.embodied import find_made, usual_lifetime
from ...units import Estimate, Provenance, parse_duration

YEAR_S = 365.25 * 86400  # a Julian year
_YEARS = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*(?:y|yr|yrs|year|years|a)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Embodied:
    """Hardware that a run holds: what making it emitted, and how long it serves.

    Attributes:
        carbon_g: of making all of it, grams of CO2 equivalent.
        lifetime_s: from its first day of use to its last, s.
        utilization: the part of its lifetime in which it works, above 0 to 1.
        share: the part of it that the run holds, above 0 to 1.
        source: of `carbon_g`.
        written_off_by: the source of lifetime and utilization.
    """

    carbon_g: float
    lifetime_s: float
    utilization: float = 1.0
    share: float = 1.0
    source: str = "as given"
    written_off_by: str = "as given"

    def __post_init__(self) -> None:
        _above_zero("--embodied", self.carbon_g, "mass of CO2 such as 150kg")
        _above_zero("--lifetime", self.lifetime_s, "duration such as 5y")
        for name in ("utilization", "share"):
            part = getattr(self, name)
            if not (math.isfinite(part) and 0 < part <= 1):
                raise UsageError(f"--{name} {part:g}: it is a part, above 0 and up to 1")

    def of(self, duration_s: float) -> Estimate:
        """The share of a run of `duration_s` seconds, g CO2e; its figures are constants.

        Its bounds are those of the constants, which state none.
        """
        grams = self.carbon_g * self.share * duration_s / (self.lifetime_s * self.utilization)
        return Estimate(grams, grams, grams, "g CO2e", Provenance.ASSUMED)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def _above_zero(option: str, value: float, what: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"{option} {value:g}: give a {what}, above zero")


def parse_lifetime(text: str) -> float:
    """Seconds from `5y`, `4.5 years`, or any duration. Raises `UsageError`."""
    match = _YEARS.fullmatch(text)
    seconds = float(match[1]) * YEAR_S if match else parse_duration(text)
    _above_zero("--lifetime", seconds, "duration such as 5y")
    return seconds


def embodied(
    carbon_g: float,
    lifetime_s: float | None = None,
    utilization: float | None = None,
    share: float = 1.0,
    source: str = "as given",
) -> Embodied:
    """Hardware whose making emitted `carbon_g` grams, written off as usual where not told how.

    Raises `UsageError` for what is not above zero.
    """
    usual = usual_lifetime()
    taken = [
        name for name, x in (("lifetime", lifetime_s), ("utilization", utilization)) if x is None
    ]
    return Embodied(
        carbon_g,
        usual.years * YEAR_S if lifetime_s is None else lifetime_s,
        usual.utilization if utilization is None else utilization,
        share,
        source,
        f"{' and '.join(taken)} as usual: {usual.source}" if taken else "as given",
    )


def embodied_of_gpus(
    names: Sequence[str],
    lifetime_s: float | None = None,
    utilization: float | None = None,
    share: float = 1.0,
) -> tuple[Embodied | None, str]:
    """The embodied carbon of GPUs by name, from the catalog; or None and the reason.

    The reason is a note on what was left out where there is a figure: the rest of the server.
    """
    if not names:
        return None, "nothing of this hardware is in the catalog: give --embodied 150kg"
    found = [find_made(name) for name in names]
    lacking = sorted({name for name, row in zip(names, found, strict=True) if row is None})
    if lacking:
        return None, f"no source for {', '.join(lacking)} in the catalog: give --embodied 150kg"
    rows = [row for row in found if row is not None]
    grams = 1000 * sum(row.kg for row in rows)
    source = "; ".join(dict.fromkeys(f"{row.source}: {row.per}" for row in rows))
    note = "embodied carbon is that of the GPUs alone: --embodied counts the server too"
    return embodied(grams, lifetime_s, utilization, share, source), note
