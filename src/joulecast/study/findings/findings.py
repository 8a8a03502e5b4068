"""The findings of a study, or of a table of runs: all of them as plain data, made by `analysis`.

No statistics of its own: medians, tests and fronts come from `analysis`, figures from recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from ...analysis.carbon.footprint import Site as Grid
from ...analysis.statistics.correlation import Correlations, correlate
from ...analysis.statistics.group_comparison import Comparison, compare_groups
from ...analysis.statistics.interaction import Interaction, interaction
from ...analysis.table.column_units import quantities
from ...analysis.table.columns import Array, Table
from ...analysis.table.configurations import grouped
from ...analysis.tradeoff.weigh import Tradeoff, weigh
from ...errors import BadInputError, UsageError
from ...ledger.study_model import Study
from ...result import Result
from ...units import Estimate
from ..results import StudyResults
from .grouping import (
    ConfigurationGroup,
    FailedTrial,
    choose_factors,
    counts_of,
    failures_of,
    finished_rows,
    groups_of,
    levels_of,
    total,
    total_energy,
    with_energy,
)
from .inspected_runs import InspectedRuns, Load, inspect_runs
from .measures import ENERGY, Measure, measure, measures
from .study_footprint import StudyFootprint, StudySite, footprint

MAX_FACTORS = 4
"""Factors of which each pair is tested for an interaction."""
MAX_WITHIN = 6
"""Combinations of the other factors within each of which the first factor is compared as well."""
QUALITIES = ("accuracy", "f1", "val_accuracy")
"""Metrics of correctness, the first of which is used where none is named."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FactorTest:
    """A factor compared, among the runs of some levels of the others or (empty) among all."""

    comparison: Comparison
    within: Mapping[str, str]


@dataclass(frozen=True, slots=True, repr=False)
class Findings(Result):
    """Everything that a report of a study shows.

    Attributes:
        name: of the study, or of the table.
        plan: None of a table.
        factors: that vary, with their levels in order.
        constants: factors of one level.
        quality: the metric of correctness; None, with a reason in `missing`, where there is none.
        maximize: whether more of it is better.
        counts: of trials (rows) by status, and `planned`: all of them.
        energy: of all runs together, those that failed too, J; None where it is unknown.
        energy_runs: number of runs in it: those whose energy is known.
        why_no_provenance: the reason where the provenance of these energies is unknown; `energy`
            then counts as assumed.
        duration_s: of all runs together.
        measures: the figures reported; energy first, quality second where there is one.
        configurations: in the order of their levels.
        failures: the trials that did not finish.
        tradeoff: None, with a reason in `missing`, where there is none.
        tests: of every factor, by energy and by quality.
        interactions: of each pair of factors, likewise.
        power_against_utilization: over all runs; None where fewer than three have both.
        recordings: what one recording of each configuration shows.
        carbon: emissions and cost.
        missing: what is not here, and why.
        runs: the rows that finished; `energy_j` is in joules.
    """

    SCHEMA: ClassVar[str] = "joulecast/study/1"

    name: str
    plan: Study | None
    factors: Mapping[str, tuple[str, ...]]
    constants: Mapping[str, str]
    quality: Measure | None
    maximize: bool
    counts: Mapping[str, int]
    energy: Estimate | None
    energy_runs: int
    why_no_provenance: str | None
    duration_s: float | None
    measures: tuple[Measure, ...]
    configurations: tuple[ConfigurationGroup, ...]
    failures: tuple[FailedTrial, ...]
    tradeoff: Tradeoff | None
    tests: tuple[FactorTest, ...]
    interactions: tuple[Interaction, ...]
    power_against_utilization: Correlations | None
    recordings: InspectedRuns
    carbon: StudyFootprint
    missing: tuple[str, ...]
    runs: Table

    @property
    def energy_measure(self) -> Measure:
        """The measure of energy."""
        return self.measures[0]

    @property
    def main_measures(self) -> list[Measure]:
        """Energy, and quality where there is one."""
        return [self.measures[0], *([self.quality] if self.quality else [])]

    def values(self, column: str) -> Array:
        """A column of `runs` in SI units, shape (rows,); NaN where unknown."""
        return quantities(self.runs, column)[0]

    def by_energy(self) -> list[ConfigurationGroup]:
        """The configurations, those that use the least energy first; without a run last."""

        def energy_j(group: ConfigurationGroup) -> float:
            median = group.medians.get(ENERGY)
            return float("inf") if median is None else median.value

        return sorted(self.configurations, key=energy_j)


def derive_findings(
    data: StudyResults | Table,
    by: Sequence[str] = (),
    quality: str | None = None,
    *,
    maximize: bool | None = None,
    tolerance: float = 0.02,
    energy: str | None = None,
    site: StudySite | None = None,
    load: Load | None = None,
) -> Findings:
    """The findings of results or of a table; see `joulecast.findings` for what it takes.

    Args:
        load: returns the recording of a run by its id; None: no recordings are read.
    """
    plan = data.plan if isinstance(data, StudyResults) else None
    whole = data.table if isinstance(data, StudyResults) else data
    by = choose_factors(whole, by, plan)
    whole = with_energy(whole, energy)
    runs = whole.rows(finished_rows(whole))
    levels = levels_of(whole, by, plan)
    factors = {f: ls for f, ls in levels.items() if len(ls) > 1}
    names = tuple(factors) or by[:1]
    missing: list[str] = []
    chosen = quality or (plan.quality if plan else None)
    metric = _quality(runs, chosen, bool(quality), missing)
    better = plan.maximize if plan and maximize is None else maximize is not False
    shown = measures(runs, by, ENERGY, metric, recorded=plan is not None)
    columns = [ENERGY, *([metric] if metric else [])]
    weighed = None
    if metric and len(runs):
        weighed = _attempt(
            lambda: weigh(runs, ENERGY, metric, names, maximize=better, tolerance=tolerance),
            missing,
            "No trade-off",
        )
    tests = _tests(runs, factors, columns, missing) if len(runs) else []
    interactions = _interactions(runs, factors, columns, missing) if len(runs) else []
    groups = groups_of(runs, whole, names, shown, columns, factors) if len(whole) else ()
    missing += _left_out(runs, groups, by, plan)
    medians = {g.name: g.medians[ENERGY] for g in groups if ENERGY in g.medians}
    inspected = InspectedRuns()
    if medians:
        rows = {g.name: (g.rows, medians[g.name]) for g in groups if g.name in medians}
        inspected = inspect_runs(runs, rows, runs.numbers(ENERGY), metric, load)
    energy_of_all, why_no_provenance = total_energy(whole, inspected)
    return Findings(
        name=plan.name if plan else whole.name,
        plan=plan,
        factors=factors,
        constants={f: ls[0] for f, ls in levels.items() if len(ls) == 1},
        quality=measure(metric) if metric else None,
        maximize=better,
        counts=counts_of(whole, data),
        energy=energy_of_all,
        energy_runs=int(np.sum(~np.isnan(whole.numbers(ENERGY)))) if len(whole) else 0,
        why_no_provenance=why_no_provenance,
        duration_s=total(whole, "duration_s"),
        measures=shown,
        configurations=groups,
        failures=failures_of(whole, names, data) if len(whole) else (),
        tradeoff=weighed,
        tests=tuple(tests),
        interactions=tuple(interactions),
        power_against_utilization=_utilization(runs),
        recordings=inspected,
        carbon=footprint(energy_of_all, medians, site or StudySite(Grid.of())),
        missing=tuple(dict.fromkeys([*missing, *inspected.missing])),
        runs=runs,
    )


def _quality(table: Table, named: str | None, asked: bool, missing: list[str]) -> str | None:
    """The metric of correctness if the runs have it; else the reason is added to `missing`.

    Raises `BadInputError` where one that is `asked` for, and not only planned, is no column.
    """
    chosen = named or next((q for q in QUALITIES if q in table.columns), None)
    if chosen == ENERGY:
        raise UsageError(f"{ENERGY} is the cost: name a metric of correctness with --quality")
    if chosen is None:
        missing.append("No trade-off: no metric of correctness is known (name it with --quality).")
        return None
    if len(table) and (chosen not in table.columns or np.all(np.isnan(table.numbers(chosen)))):
        if asked and chosen not in table.columns:
            table.cells(chosen)  # raises, with the nearest names
        missing.append(
            f"No trade-off: no run that finished has {chosen} (name another with --quality)."
        )
        return None
    if not len(table):
        missing.append("No trade-off: no run has finished.")
        return None
    return chosen


def _left_out(
    table: Table, groups: Sequence[ConfigurationGroup], by: Sequence[str], plan: Study | None
) -> list[str]:
    """Runs that are in no configuration, and factors that are not distinguished."""
    notes = []
    lost = len(table) - sum(len(g.rows) for g in groups)
    if lost:
        notes.append(f"Left out: {lost:,} run{'s' if lost > 1 else ''} without a factor.")
    planned = plan.factors if plan else {}
    pooled = [f for f, levels in planned.items() if f not in by and len(levels) > 1]
    if pooled:
        notes.append(f"Pooled: runs of one configuration differ in {', '.join(pooled)}.")
    return notes


def _attempt(work: Callable[[], T], missing: list[str], what: str) -> T | None:
    """The result, or None and the reason in `missing` where the data do not allow it."""
    try:
        return work()
    except BadInputError as error:
        missing.append(f"{what}: {error}.")
        return None


def _tests(
    table: Table,
    factors: Mapping[str, tuple[str, ...]],
    columns: Sequence[str],
    missing: list[str],
) -> list[FactorTest]:
    """Every factor over all runs; the first also within each combination of the others."""
    tests: list[FactorTest] = []
    jobs: list[tuple[Table, str, Mapping[str, str]]] = [(table, f, {}) for f in factors]
    if len(factors) > 1:
        first, *others = factors
        jobs += [(table.rows(keep), first, levels) for levels, keep in _within(table, others)]
    for column in columns:
        for rows, factor, within in jobs:
            comparison = _attempt(
                partial(compare_groups, rows, column, factor), missing, f"{factor} is not compared"
            )
            if comparison is not None:
                tests.append(FactorTest(comparison, within))
    return tests


def _within(
    table: Table, others: Sequence[str]
) -> list[tuple[Mapping[str, str], npt.NDArray[np.bool_]]]:
    groups = grouped(table, others, {})[0]
    if not 1 < len(groups) <= MAX_WITHIN:
        return []
    return [(g.factors, np.isin(np.arange(len(table)), g.rows)) for g in groups]


def _interactions(
    table: Table,
    factors: Mapping[str, tuple[str, ...]],
    columns: Sequence[str],
    missing: list[str],
) -> list[Interaction]:
    interactions = []
    for column in columns:
        for a, b in combinations(list(factors)[:MAX_FACTORS], 2):
            result = _attempt(
                partial(interaction, table, column, a, b),
                missing,
                f"No interaction of {a} and {b}",
            )
            if result is not None:
                interactions.append(result)
    return interactions


def _utilization(table: Table) -> Correlations | None:
    """Power against utilization, where both are known of three runs or more."""
    for column in ("gpu_utilization_pct", "cpu_utilization_pct"):
        if len(table) and {column, "power_w"} <= set(table.columns):
            known = ~np.isnan(table.numbers(column)) & ~np.isnan(table.numbers("power_w"))
            if known.sum() >= 3:
                return correlate(table, column, "power_w")
    return None
