"""What a study emitted and cost, and each of its configurations; sources with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...analysis.carbon.cost import Tariff
from ...analysis.carbon.footprint import Carbon, carbon_of
from ...analysis.carbon.footprint import Site as Grid
from ...analysis.statistics.medians import Median
from ...serialize import to_builtins
from ...units import Estimate, Provenance


@dataclass(frozen=True, slots=True)
class StudySite:
    """Where a study ran: its grid with the PUE, and the price of electricity, None if not given."""

    grid: Grid
    tariff: Tariff | None = None


@dataclass(frozen=True, slots=True)
class Footprint:
    """All runs together, and the median run of each configuration (by its name)."""

    whole: Carbon
    groups: Mapping[str, Carbon]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "whole": to_builtins(self.whole),
            "configurations": {name: to_builtins(c) for name, c in self.groups.items()},
        }


def footprint(energy: Estimate | None, medians: Mapping[str, Median], site: StudySite) -> Footprint:
    """Emissions and cost of all runs, and of a run of each configuration at its median energy.

    Args:
        energy: of all runs, J; None: unknown.
        medians: energy of a run by configuration, J; without an interval it stands alone.
        site: what energy is priced with.
    """

    def priced(of: Estimate | None) -> Carbon:
        return carbon_of(of, site.grid, tariff=site.tariff)

    groups = {
        name: priced(
            Estimate(
                m.value,
                m.value if m.low is None else m.low,
                m.value if m.high is None else m.high,
                "J",
                energy.provenance if energy else Provenance.ASSUMED,
            )
        )
        for name, m in medians.items()
    }
    return Footprint(priced(energy), groups)
