"""A run's share of the emissions of making its hardware.

`M = embodied x time x share / (lifetime x utilization)`: TE x TS x RS of the Software Carbon
Intensity specification (ISO/IEC 21031:2024), where the lifetime counts only the hours in use, so
that idle hours are attributed to the runs as well (Luccioni et al. 2022, arXiv:2211.02001, section
4.1).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import UsageError
from ...estimate import Estimate, Provenance
from ...hardware.catalog.embodied import embodied_carbon_of, usual_lifetime
from ...units import YEAR_S

NOT_IN_CATALOG = "the hardware is not in the catalog: give --embodied 150kg"


@dataclass(frozen=True, slots=True)
class Embodied:
    """The hardware of a run: the emissions of making it, and its lifetime.

    Attributes:
        carbon_g: emissions of making all of it, g CO2e.
        lifetime_s: from its first day of use to its last, s.
        utilization: fraction of its lifetime in which it is in use, above 0 to 1.
        share: fraction of the hardware that the run occupies, above 0 to 1.
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
                raise UsageError(f"--{name} {part:g}: give a fraction above 0, up to 1")

    def of(self, duration_s: float) -> Estimate:
        """The share of a run of `duration_s` seconds, g CO2e, from constants without bounds."""
        grams = self.carbon_g * self.share * duration_s / (self.lifetime_s * self.utilization)
        return Estimate(grams, grams, grams, "g CO2e", Provenance.ASSUMED)


def _above_zero(option: str, value: float, what: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"{option} {value:g}: give a {what}, above zero")


def embodied(
    carbon_g: float,
    lifetime_s: float | None = None,
    utilization: float | None = None,
    share: float = 1.0,
    source: str = "as given",
) -> Embodied:
    """Hardware with embodied emissions of `carbon_g` grams; None: the catalog's usual lifetime.

    Raises `UsageError` for values that are not above zero.
    """
    usual = usual_lifetime()
    defaults = [
        name for name, x in (("lifetime", lifetime_s), ("utilization", utilization)) if x is None
    ]
    return Embodied(
        carbon_g,
        usual.years * YEAR_S if lifetime_s is None else lifetime_s,
        usual.utilization if utilization is None else utilization,
        share,
        source,
        f"usual {' and '.join(defaults)}: {usual.source}" if defaults else "as given",
    )


def embodied_of_gpus(
    names: Sequence[str],
    lifetime_s: float | None = None,
    utilization: float | None = None,
    share: float = 1.0,
) -> tuple[Embodied | None, str]:
    """The embodied carbon of GPUs from the catalog, with a note; or None with the reason."""
    if not names:
        return None, NOT_IN_CATALOG
    by_name = {name: embodied_carbon_of(name) for name in names}
    missing = sorted(name for name, row in by_name.items() if row is None)
    if missing:
        return None, f"{', '.join(missing)}: not in the catalog: give --embodied 150kg"
    rows = [row for name in names if (row := by_name[name]) is not None]
    grams = 1000 * sum(row.kg for row in rows)
    source = "; ".join(dict.fromkeys(f"{row.source}: {row.per}" for row in rows))
    note = "embodied carbon counts the GPUs only: use --embodied to count the server"
    return embodied(grams, lifetime_s, utilization, share, source), note
