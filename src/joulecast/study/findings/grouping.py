"""A table of trials made ready to be reported: its energy, factors, configurations, failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...analysis.statistics.medians import Median, median
from ...analysis.table.column_units import quantities
from ...analysis.table.columns import Table, by_size
from ...analysis.table.configurations import Members, grouped
from ...errors import BadInputError, UsageError
from ...units import Estimate, Provenance, one_line, weakest
from ..model import Study, StudyResults, TrialStatus, level_text
from .measures import ENERGY, Measure, find_energy

PROVENANCE = "provenance"
"""The column that says where the energy of a row comes from."""
_PROVENANCES = ", ".join(Provenance)


@dataclass(frozen=True, slots=True)
class Failure:
    """A trial that gave no figures to compare."""

    configuration: str
    repetition: str | None
    status: str
    error: str | None


@dataclass(frozen=True, slots=True)
class ConfigurationGroup:
    """The runs that share all factors.

    Attributes:
        name: of its levels, for people.
        levels: by factor.
        rows: of the runs that finished, in the table of those.
        failed: how many did not.
        medians: by column, in SI; only of columns that have values here.
    """

    name: str
    levels: Mapping[str, str]
    rows: npt.NDArray[np.intp]
    failed: int
    medians: Mapping[str, Median]


def choose_factors(table: Table, by: Sequence[str], plan: Study | None) -> tuple[str, ...]:
    """The factors asked for, else those of the plan.

    Raises `BadInputError` for one that is no column, `UsageError` where a table is given none.
    """
    chosen = tuple(dict.fromkeys(by or (plan.factors if plan else ())))
    if chosen:
        for factor in chosen if len(table) else ():
            table.cells(factor)  # raises, with the nearest names
        return chosen
    likely = [
        c
        for c in table.columns
        if 1 < len(set(table.labels(c)) - {None}) <= 20 and not table.is_numeric(c)
    ]
    hint = f"--by {','.join(likely[:2])}" if likely else "--by COLUMN,COLUMN"
    raise UsageError(f"{table.name}: say which of its columns are factors, as in {hint}")


def with_energy(table: Table, column: str | None) -> Table:
    """The table with its energy as `energy_j`, in joules, and first.

    Raises `BadInputError` where no column is one of energy.
    """
    if not len(table):
        return table
    column = column or find_energy(table)
    if column is None:
        raise BadInputError(
            f"{table.name}: no column {ENERGY}: name the column of energy with --cost; its unit "
            "is read off its name (energy_kwh, 'energy (MJ)')"
        )
    values, _ = quantities(table, column)
    others = {c: v for c, v in table.columns.items() if c != ENERGY}
    return Table(table.name, {ENERGY: values.tolist(), **others}, table.lines)


def finished_rows(table: Table) -> npt.NDArray[np.bool_]:
    """Which rows are of runs that finished, shape (rows,): all where no `status` says."""
    if "status" not in table.columns:
        return np.ones(len(table), dtype=np.bool_)
    return np.array([s in (None, TrialStatus.FINISHED) for s in table.labels("status")], np.bool_)


def levels_of(
    table: Table, factors: Sequence[str], plan: Study | None
) -> dict[str, tuple[str, ...]]:
    """Levels by factor: as planned, any others after them; unplanned numbers by size."""
    found = {}
    for factor in factors:
        planned = [level_text(x) for x in plan.factors.get(factor, ())] if plan else []
        there = [x for x in table.levels(factor) if x is not None] if len(table) else []
        if there and table.is_numeric(factor):
            there.sort(key=by_size)
        found[factor] = tuple(dict.fromkeys([*planned, *there]))
    return found


def groups_of(
    table: Table,
    whole: Table,
    by: Sequence[str],
    shown: Sequence[Measure],
    levels: Mapping[str, tuple[str, ...]],
) -> tuple[ConfigurationGroup, ...]:
    """Every configuration, those of which no run finished too, in the order of the levels.

    Args:
        table: the runs that finished.
        whole: all runs.
        by: the factors.
        shown: the measures that medians are taken of.
        levels: of the factors, in order.
    """
    values = {m.column: quantities(table, m.column)[0] for m in shown} if len(table) else {}
    ran = {g.name: g.rows for g in grouped(table, by, {})[0]} if len(table) else {}
    found = []
    for group in _however_they_ended(whole, by):
        rows = ran.get(group.name, np.empty(0, dtype=np.intp))
        medians = {}
        for column, known in values.items():
            there = known[rows]
            there = there[~np.isnan(there)]
            if len(there):
                medians[column] = median(there)
        failed = len(group.rows) - len(rows)
        found.append(ConfigurationGroup(group.name, group.factors, rows, failed, medians))
    places = {f: {level: i for i, level in enumerate(ls)} for f, ls in levels.items()}
    found.sort(key=lambda g: [places[f].get(g.levels[f], 0) for f in by if f in places])
    return tuple(found)


def _however_they_ended(whole: Table, by: Sequence[str]) -> list[Members]:
    columns = {c: v for c, v in whole.columns.items() if c != "status"}
    return grouped(Table(whole.name, columns, whole.lines), by, {})[0]


def failures_of(whole: Table, by: Sequence[str], data: StudyResults | Table) -> tuple[Failure, ...]:
    """The trials that did not finish, in the order of the table."""
    finished = finished_rows(whole)
    if np.all(finished):
        return ()
    names = {row: g.name for g in _however_they_ended(whole, by) for row in g.rows.tolist()}

    def texts(column: str) -> list[str | None]:
        return whole.labels(column) if column in whole.columns else [None] * len(whole)

    status, repeated, errors, trials = map(texts, ("status", "repetition", "error", "trial"))
    told: dict[str | None, str | None] = {}
    if isinstance(data, StudyResults):
        told = {t.trial_id: t.error for t in data.trials}
    return tuple(
        Failure(
            names.get(i, "unknown"),
            repeated[i],
            status[i] or "unknown",
            errors[i] or told.get(trials[i]),
        )
        for i in np.flatnonzero(~finished).tolist()
    )


def counts_of(whole: Table, data: StudyResults | Table) -> dict[str, int]:
    """Trials (rows) by status, and `planned`: all of them."""
    if isinstance(data, StudyResults):
        counts = Counter(str(t.status) for t in data.trials)
        return {str(s): counts[str(s)] for s in TrialStatus} | {"planned": len(data.trials)}
    statuses = whole.labels("status") if "status" in whole.columns else []
    found = Counter(s or "unknown" for s in statuses)
    found[str(TrialStatus.FINISHED)] = int(finished_rows(whole).sum())
    return dict(found) | {"planned": len(whole)}


def provenance_of(table: Table) -> tuple[Provenance | None, str | None]:
    """Where all energies of a table come from: the weakest that its `provenance` says.

    None, with the reason, where it does not say so of each.
    """
    if PROVENANCE not in table.columns:
        return None, f"{table.name} has no column {PROVENANCE}"
    known = ~np.isnan(table.numbers(ENERGY))
    said = [x for x, there in zip(table.labels(PROVENANCE), known, strict=True) if there]
    unsaid = sum(x is None for x in said)
    if unsaid or not said:
        return None, f"column {PROVENANCE} is empty in {unsaid:,} of {len(said):,} runs"
    found = {str(x).lower() for x in said}
    strange = sorted(found - set(Provenance))
    if strange:
        return None, f"column {PROVENANCE} says {one_line(strange[0])}: {_PROVENANCES} is known"
    return weakest(map(Provenance, found)), None


def total_energy(table: Table, provenance: Provenance) -> Estimate | None:
    """Energy of all rows; errors of runs share their causes, so bounds add as they are."""
    value = total(table, ENERGY)
    if value is None:
        return None
    low, high = (total(table, f"energy_{bound}_j") for bound in ("low", "high"))
    least = value if low is None else min(low, value)
    most = value if high is None else max(high, value)
    return Estimate(value, least, most, "J", provenance)


def total(table: Table, column: str) -> float | None:
    """The sum of a column in SI, None where nothing of it is known."""
    if column not in table.columns:
        return None
    values = quantities(table, column)[0]
    known = values[~np.isnan(values)]
    return float(known.sum()) if len(known) else None
