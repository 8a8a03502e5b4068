"""Emissions and cost of a study, and of each of its configurations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...analysis.carbon.cost import Tariff
from ...analysis.carbon.footprint import Carbon, carbon_of
from ...analysis.carbon.footprint import Site as Grid
from ...estimate import Estimate, Provenance
from .grouping import ConfigurationGroup
from .measures import ENERGY


@dataclass(frozen=True, slots=True)
class StudySite:
    """Where a study ran: its grid with the PUE, and the price of electricity if that is known."""

    grid: Grid
    tariff: Tariff | None = None


@dataclass(frozen=True, slots=True)
class StudyFootprint:
    """Emissions and cost of all runs together, and of the median run of each configuration."""

    whole: Carbon
    configurations: Mapping[str, Carbon]


def footprint(
    energy: Estimate | None, groups: Sequence[ConfigurationGroup], site: StudySite
) -> StudyFootprint:
    """Emissions and cost of all runs, and of a run of each configuration at its median energy.

    Args:
        energy: of all runs, J; None: unknown.
        groups: the configurations; a median without an interval is its own bounds.
        site: grid and tariff.
    """
    medians = {g.name: g.medians[ENERGY] for g in groups if ENERGY in g.medians}
    configurations = {
        name: Estimate(
            m.value,
            m.value if m.low is None else m.low,
            m.value if m.high is None else m.high,
            "J",
            energy.provenance if energy else Provenance.ASSUMED,
            energy.mix if energy else {},
            reason=energy.reason if energy else None,
        )
        for name, m in medians.items()
    }
    return StudyFootprint(
        carbon_of(energy, site.grid, tariff=site.tariff),
        {name: carbon_of(e, site.grid, tariff=site.tariff) for name, e in configurations.items()},
    )
