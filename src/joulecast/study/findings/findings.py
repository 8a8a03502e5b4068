"""The findings of a study, or of a table of runs: all of them as plain data, made by `analysis`.

No statistics of its own: medians, tests and fronts come from `analysis`, figures from recordings.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, product
from typing import ClassVar, TypeVar

import numpy as np

from ...analysis.carbon.footprint import Site as Grid
from ...analysis.statistics.blocked import compare_within_blocks
from ...analysis.statistics.correlation import Correlations, correlate
from ...analysis.statistics.group_comparison import Comparison, compare_groups
from ...analysis.statistics.interaction import Interaction, interaction
from ...analysis.statistics.wording import some
from ...analysis.table.columns import Array, Table
from ...analysis.table.configurations import grouped
from ...analysis.table.quantities import quantities
from ...analysis.tradeoff.weigh import Tradeoff, weigh
from ...errors import BadInputError, UsageError
from ...estimate import Estimate
from ...ledger.study_model import Study
from ...result import Result
from ...units import counted
from ..results import StudyResults
from .grouping import (
    ConfigurationGroup,
    FailedTrial,
    choose_factors,
    counts_of,
    failures_of,
    finished_rows,
    groups_of,
    known_count,
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
    """A factor compared, among the runs of some levels of the others or (empty) among all.

    Among all, runs are compared at equal levels of the others (`comparison.blocks`), except where
    no two levels were run at equal others.
    """

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
    metric = _quality(runs, quality, plan, missing)
    better = plan.maximize if plan and maximize is None else maximize is not False
    analyses = _Analyses(runs, factors, metric, missing)
    weighed = analyses.tradeoff(names, better, tolerance)
    tests, interactions = analyses.tests(), analyses.interactions()
    shown = measures(runs, by, ENERGY, metric, recorded=plan is not None)
    groups = groups_of(runs, whole, names, shown, analyses.columns, factors)
    missing += _left_out(runs, groups, by, plan)
    inspected = inspect_runs(runs, groups, metric, load)
    energies = [run.energy for run in inspected.runs if run.energy is not None]
    total_j, why_no_provenance = total_energy(whole, energies)
    return Findings(
        name=plan.name if plan else whole.name,
        plan=plan,
        factors=factors,
        constants={f: ls[0] for f, ls in levels.items() if len(ls) == 1},
        quality=measure(metric) if metric else None,
        maximize=better,
        counts=counts_of(whole, data),
        energy=total_j,
        energy_runs=known_count(whole, ENERGY),
        why_no_provenance=why_no_provenance,
        duration_s=total(whole, "duration_s"),
        measures=shown,
        configurations=groups,
        failures=failures_of(whole, names, data),
        tradeoff=weighed,
        tests=tests,
        interactions=interactions,
        power_against_utilization=_utilization(runs),
        recordings=inspected,
        carbon=footprint(total_j, groups, site or StudySite(Grid.of())),
        missing=tuple(dict.fromkeys([*missing, *inspected.missing])),
        runs=runs,
    )


def _quality(runs: Table, asked: str | None, plan: Study | None, missing: list[str]) -> str | None:
    """The metric of correctness if the runs have it; else the reason is added to `missing`.

    Raises `BadInputError` where one that is `asked` for, and not only planned, is no column.
    """
    planned = plan.quality if plan else None
    metric = asked or planned or next((q for q in QUALITIES if q in runs.columns), None)
    if metric == ENERGY:
        raise UsageError(f"{ENERGY} is the cost: name a metric of correctness with --quality")
    if metric is None:
        missing.append("No trade-off: no metric of correctness is known (name it with --quality).")
    elif not len(runs):
        missing.append("No trade-off: no run has finished.")
    elif known_count(runs, metric):
        return metric
    else:
        if asked and metric not in runs.columns:
            # Raises, with the nearest names.
            runs.cells(metric)
        missing.append(
            f"No trade-off: no run that finished has {metric} (name another with --quality)."
        )
    return None


def _left_out(
    runs: Table, groups: Sequence[ConfigurationGroup], by: Sequence[str], plan: Study | None
) -> list[str]:
    """Runs that are in no configuration, and factors that are not distinguished."""
    notes = []
    lost = len(runs) - sum(len(g.rows) for g in groups)
    if lost:
        notes.append(f"Left out: {counted(lost, 'run')} without a factor.")
    planned = plan.factors if plan else {}
    pooled = [f for f, levels in planned.items() if f not in by and len(levels) > 1]
    if pooled:
        notes.append(f"Pooled: runs of one configuration differ in {', '.join(pooled)}.")
    return notes


class _Analyses:
    """Analyses of energy and quality; the reason where one is impossible is added to `missing`."""

    def __init__(
        self,
        runs: Table,
        factors: Mapping[str, tuple[str, ...]],
        metric: str | None,
        missing: list[str],
    ) -> None:
        self._runs, self._metric, self._missing = runs, metric, missing
        self._factors = factors if len(runs) else {}
        self.columns = [ENERGY, *([metric] if metric else [])]

    def tradeoff(self, by: Sequence[str], maximize: bool, tolerance: float) -> Tradeoff | None:
        """None without a metric, and where the data do not allow it."""
        if self._metric is None:
            return None
        columns = (ENERGY, self._metric, by)
        work = partial(weigh, self._runs, *columns, maximize=maximize, tolerance=tolerance)
        return self._attempt(work, "No trade-off")

    def tests(self) -> tuple[FactorTest, ...]:
        """Every factor over all runs; the first also within each combination of the others."""
        jobs: list[tuple[Table, str, Mapping[str, str]]]
        jobs = [(self._runs, factor, {}) for factor in self._factors]
        if len(self._factors) > 1:
            jobs += self._within(*self._factors)
        tests = []
        for column in self.columns:
            for rows, factor, within in jobs:
                work = partial(self._compared, rows, column, factor, within)
                comparison = self._attempt(work, f"{factor} is not compared")
                if comparison is not None:
                    tests.append(FactorTest(comparison, within))
        return tuple(tests)

    def _compared(
        self, rows: Table, column: str, factor: str, within: Mapping[str, str]
    ) -> Comparison:
        """At equal other factors where runs have them in common; pairs of single runs left out."""
        compared = None if within else self._at_equal_others(rows, column, factor)
        compared = compared or compare_groups(rows, column, factor)
        repeated = {group.name for group in compared.groups if group.n > 1}
        pairs = tuple(pair for pair in compared.pairs if {pair.a, pair.b} <= repeated)
        return replace(compared, pairs=pairs)

    def _at_equal_others(self, rows: Table, column: str, factor: str) -> Comparison | None:
        """None where there are no other factors, or no two levels were run at equal others."""
        others = [f for f in self._factors if f != factor]
        compared = compare_within_blocks(rows, column, factor, others) if others else None
        if others and compared is None:
            equal = f"no two of its levels were run at equal {some(others)}"
            self._missing.append(f"{factor} is compared over all runs: {equal}.")
        return compared

    def _within(self, first: str, *others: str) -> list[tuple[Table, str, Mapping[str, str]]]:
        groups = grouped(self._runs, others, {})[0]
        groups.sort(key=lambda g: [self._factors[f].index(g.factors[f]) for f in others])
        if not 1 < len(groups) <= MAX_WITHIN:
            return []
        rows = np.arange(len(self._runs))
        return [(self._runs.rows(np.isin(rows, g.rows)), first, g.factors) for g in groups]

    def interactions(self) -> tuple[Interaction, ...]:
        """Every pair of the first factors."""
        pairs = list(combinations(list(self._factors)[:MAX_FACTORS], 2))
        results = []
        for column, (a, b) in product(self.columns, pairs):
            others = [f for f in self._factors if f not in (a, b)]
            work = partial(interaction, self._runs, column, a, b, blocks=others)
            results.append(self._attempt(work, f"No interaction of {a} and {b}"))
        return tuple(result for result in results if result is not None)

    def _attempt(self, work: Callable[[], T], what: str) -> T | None:
        try:
            return work()
        except BadInputError as error:
            self._missing.append(f"{what}: {error}.")
            return None


def _utilization(runs: Table) -> Correlations | None:
    """Power against utilization, where both are known of three runs or more."""
    for column in ("gpu_utilization_pct", "cpu_utilization_pct"):
        if known_count(runs, column, "power_w") >= 3:
            return correlate(runs, column, "power_w")
    return None
