"""What a study, or a table of runs, has to say: all of it as plain data, composed from analysis.

No statistics of its own: medians, tests and fronts come from `analysis`, figures from recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any, TypeVar

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
from ...units import Estimate, Provenance
from ..model import Study, StudyResults
from .evidence import Evidence, Load, evidence
from .grouping import (
    ConfigurationGroup,
    Failure,
    choose_factors,
    counts_of,
    failures_of,
    finished_rows,
    groups_of,
    levels_of,
    provenance_of,
    total,
    total_energy,
    with_energy,
)
from .measures import ENERGY, Measure, measure, measures
from .study_footprint import Footprint, StudySite, footprint

SCHEMA = "joulecast/study/1"
MOST_FACTORS = 4
"""Factors of which each pair is looked at for an interaction."""
MOST_WITHIN = 6
"""Combinations of the other factors within each of which the first factor is compared as well."""
QUALITIES = ("accuracy", "f1", "val_accuracy")
"""Metrics of correctness, the first of which is taken where none is named."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Test:
    """A factor compared, among the runs of some levels of the others or (empty) among all."""

    comparison: Comparison
    within: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything a report of a study says.

    Attributes:
        name: of the study, or of the table.
        plan: None of a table.
        factors: that vary, with their levels in order.
        held: factors of one level.
        table: the rows that finished; `energy_j` is in joules.
        measures: the figures reported; energy first, quality second where there is one.
        quality: the metric of correctness; None, with a reason in `missing`, where there is none.
        maximize: whether more of it is better.
        counts: of trials (rows) by status, and `planned`: all of them.
        total: energy of all runs together, those that failed too, J; None where none is known.
        total_runs: how many runs are in it: those whose energy is known.
        provenance: the weakest of their energies; None where that is not known, and
            `why_no_provenance` says why. (`total` then counts as assumed.)
        duration_s: likewise.
        groups: the configurations.
        tests: of every factor, by energy and by quality.
        missing: what is not here, and why.
    """

    name: str
    plan: Study | None
    factors: Mapping[str, tuple[str, ...]]
    held: Mapping[str, str]
    table: Table
    measures: tuple[Measure, ...]
    quality: Measure | None
    maximize: bool
    counts: Mapping[str, int]
    total: Estimate | None
    total_runs: int
    provenance: Provenance | None
    why_no_provenance: str | None
    duration_s: float | None
    failures: tuple[Failure, ...]
    groups: tuple[ConfigurationGroup, ...]
    tradeoff: Tradeoff | None
    tests: tuple[Test, ...]
    interactions: tuple[Interaction, ...]
    utilization: Correlations | None
    evidence: Evidence
    footprint: Footprint
    missing: tuple[str, ...]

    @property
    def energy(self) -> Measure:
        """The measure of energy."""
        return self.measures[0]

    def values(self, column: str) -> Array:
        """A column of the table in SI units, shape (rows,); NaN where unknown."""
        return quantities(self.table, column)[0]

    def to_json(self) -> dict[str, Any]:
        """The document `joulecast/study/1`."""
        from .document import document

        return document(self)


def findings(
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
    """Everything there is to say of a study or a table.

    Args:
        data: a study as the ledger has it, or a table with a row for each run.
        by: factors; default: those of the plan. A table needs them.
        quality: the metric of correctness; default: that of the plan, else the first of
            `QUALITIES` that is there.
        maximize: whether more of it is better; default: as the plan says, else True.
        tolerance: of the best quality, that the cheapest may lack.
        energy: the column of energy; default `energy_j`, or the one called energy with a unit.
        site: the grid and the tariff that energy is priced with; default: the world's average.
        load: gives the recording of a run by its id; None: no recordings are looked at.

    Raises:
        BadInputError: a column is missing or holds nonsense.
        MissingExtraError: scipy is not installed.
        UsageError: a table without factors, or an option makes no sense.
    """
    plan = data.study if isinstance(data, StudyResults) else None
    whole = data.table if isinstance(data, StudyResults) else data
    by = choose_factors(whole, by, plan)
    whole = with_energy(whole, energy)
    table = whole.rows(finished_rows(whole))
    levels = levels_of(whole, by, plan)
    factors = {f: ls for f, ls in levels.items() if len(ls) > 1}
    names = tuple(factors) or by[:1]
    missing: list[str] = []
    chosen = quality or (plan.quality if plan else None)
    known = _quality(table, chosen, bool(quality), missing)
    better = plan.maximize if plan and maximize is None else maximize is not False
    shown = measures(table, by, ENERGY, known, recorded=plan is not None)
    columns = [ENERGY, *([known] if known else [])]
    weighed, tests, interactions = None, [], []
    if len(table):
        if known:
            weighed = _attempt(
                lambda: weigh(table, ENERGY, known, names, maximize=better, tolerance=tolerance),
                missing,
                "No trade-off",
            )
        tests = _tests(table, factors, columns, missing)
        interactions = _interactions(table, factors, columns, missing)
    groups = groups_of(table, whole, names, shown, factors) if len(whole) else ()
    missing += _left_out(table, groups, by, plan)
    looked_at = {g.name: (g.rows, g.medians[ENERGY]) for g in groups if ENERGY in g.medians}
    seen = Evidence()
    if looked_at:
        seen = evidence(table, looked_at, table.numbers(ENERGY), known, load)
    provenance, why_not = provenance_of(whole) if len(whole) else (None, "nothing has run")
    if provenance is None and seen.provenance is not None:
        provenance, why_not = seen.provenance, None
    spent = total_energy(whole, provenance or Provenance.ASSUMED)
    medians = {name: m for name, (_, m) in looked_at.items()}
    return Findings(
        name=plan.name if plan else whole.name,
        plan=plan,
        factors=factors,
        held={f: ls[0] for f, ls in levels.items() if len(ls) == 1},
        table=table,
        measures=shown,
        quality=measure(known) if known else None,
        maximize=better,
        counts=counts_of(whole, data),
        total=spent,
        total_runs=int(np.sum(~np.isnan(whole.numbers(ENERGY)))) if len(whole) else 0,
        provenance=provenance,
        why_no_provenance=why_not,
        duration_s=total(whole, "duration_s"),
        failures=failures_of(whole, names, data) if len(whole) else (),
        groups=groups,
        tradeoff=weighed,
        tests=tuple(tests),
        interactions=tuple(interactions),
        utilization=_utilization(table),
        evidence=seen,
        footprint=footprint(spent, medians, site or StudySite(Grid.of())),
        missing=tuple(dict.fromkeys([*missing, *seen.missing])),
    )


def _quality(table: Table, named: str | None, asked: bool, missing: list[str]) -> str | None:
    """The metric of correctness if it is there; else why it is not, in `missing`.

    Raises `BadInputError` where one that is `asked` for, and not just planned, is no column.
    """
    chosen = named or next((q for q in QUALITIES if q in table.columns), None)
    if chosen == ENERGY:
        raise UsageError(f"{ENERGY} is what is weighed: name a metric of correctness (--quality)")
    if chosen is None:
        missing.append("No trade-off: no metric of correctness is named (--quality).")
        return None
    if len(table) and (chosen not in table.columns or np.all(np.isnan(table.numbers(chosen)))):
        if asked and chosen not in table.columns:
            table.cells(chosen)  # raises, with the nearest names
        missing.append(
            f"No trade-off: no run that finished has {chosen} (--quality names another)."
        )
        return None
    if not len(table):
        missing.append("No trade-off: no run has finished.")
        return None
    return chosen


def _left_out(
    table: Table, groups: Sequence[ConfigurationGroup], by: Sequence[str], plan: Study | None
) -> list[str]:
    """Runs that are in no configuration, and factors that are not told apart."""
    notes = []
    lost = len(table) - sum(len(g.rows) for g in groups)
    if lost:
        notes.append(f"Left out: {lost:,} run{'s' if lost > 1 else ''} without a factor.")
    planned = plan.factors if plan else {}
    pooled = [f for f, levels in planned.items() if f not in by and len(levels) > 1]
    if pooled:
        notes.append(f"Not told apart: runs of one configuration differ in {', '.join(pooled)}.")
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
) -> list[Test]:
    """Every factor over all runs; the first within each combination of the others too."""
    found: list[Test] = []
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
                found.append(Test(comparison, within))
    return found


def _within(
    table: Table, others: Sequence[str]
) -> list[tuple[Mapping[str, str], npt.NDArray[np.bool_]]]:
    groups = grouped(table, others, {})[0]
    if not 1 < len(groups) <= MOST_WITHIN:
        return []
    return [(g.factors, np.isin(np.arange(len(table)), g.rows)) for g in groups]


def _interactions(
    table: Table,
    factors: Mapping[str, tuple[str, ...]],
    columns: Sequence[str],
    missing: list[str],
) -> list[Interaction]:
    found = []
    for column in columns:
        for a, b in combinations(list(factors)[:MOST_FACTORS], 2):
            result = _attempt(
                partial(interaction, table, column, a, b),
                missing,
                f"No interaction of {a} and {b}",
            )
            if result is not None:
                found.append(result)
    return found


def _utilization(table: Table) -> Correlations | None:
    """Power against how busy the device is, where both are known of three runs or more."""
    for column in ("gpu_utilization_pct", "cpu_utilization_pct"):
        if len(table) and {column, "power_w"} <= set(table.columns):
            known = ~np.isnan(table.numbers(column)) & ~np.isnan(table.numbers("power_w"))
            if known.sum() >= 3:
                return correlate(table, column, "power_w")
    return None
