"""A table of trials prepared for a report: its energy, factors, configurations, failures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ...analysis.statistics.medians import Median, median
from ...analysis.table.columns import Array, Table, by_size
from ...analysis.table.configurations import Members, grouped
from ...analysis.table.machines import energies_by_machine
from ...analysis.table.quantities import find_column, quantities
from ...errors import BadInputError, UsageError
from ...estimate import Estimate, Provenance, add_up, provenance_of_sum
from ...ledger.study_model import Study, TrialStatus, level_text
from ...units import one_line
from ..results import StudyResults
from .measures import ENERGY, Measure

PROVENANCE = "provenance"
"""The column with the provenance of the energy of a row."""


@dataclass(frozen=True, slots=True)
class Box:
    """Five figures of a box plot; whiskers end at the last value within 1.5 boxes (Tukey 1977)."""

    low: float
    quartile_1: float
    median: float
    quartile_3: float
    high: float


@dataclass(frozen=True, slots=True)
class FailedTrial:
    """A trial that did not finish, whose figures are not compared."""

    configuration: str
    repetition: str | None
    status: str
    error: str | None


@dataclass(frozen=True, slots=True)
class ConfigurationGroup:
    """The runs that share all factors.

    Attributes:
        name: of its levels, for people.
        factors: its levels, by factor.
        rows: indexes of the runs that finished, in the table of those.
        failed: number of runs that did not finish.
        medians: by column, in SI units; only of columns that have values here.
        boxes: likewise, of energy and quality.
    """

    name: str
    factors: Mapping[str, str]
    rows: list[int]
    failed: int
    medians: Mapping[str, Median]
    boxes: Mapping[str, Box]


def choose_factors(table: Table, by: Sequence[str], plan: Study | None) -> tuple[str, ...]:
    """The factors asked for, else those of the plan.

    Raises `BadInputError` for one that is no column, `UsageError` where a table has none.
    """
    chosen = tuple(dict.fromkeys(by or (plan.factors if plan else ())))
    if chosen:
        for factor in chosen if len(table) else ():
            # Raises, with the nearest names.
            table.cells(factor)
        return chosen
    likely = [
        c
        for c in table.columns
        if 1 < len(set(table.labels(c)) - {None}) <= 20 and not table.is_numeric(c)
    ]
    hint = f"--by {','.join(likely[:2])}" if likely else "--by COLUMN,COLUMN"
    raise UsageError(f"{table.name}: no factors: name the columns that are factors, as in {hint}")


def with_energy(table: Table, column: str | None) -> Table:
    """The table with its energy as `energy_j`, in joules, and first.

    Raises `BadInputError` where no column is one of energy.
    """
    if not len(table):
        return table
    column = find_column(table, column or ENERGY)
    if column not in table.columns:
        raise BadInputError(
            f"{table.name}: no column {column}: name the column of energy with --cost, with its "
            "unit in the name (energy_kwh, 'energy (MJ)')"
        )
    values, _ = quantities(table, column)
    others = {c: v for c, v in table.columns.items() if c != ENERGY}
    return Table(table.name, {ENERGY: values.tolist(), **others}, table.lines)


def finished_rows(table: Table) -> npt.NDArray[np.bool_]:
    """Whether each row is of a run that finished, shape (rows,): all where there is no `status`."""
    if "status" not in table.columns:
        return np.ones(len(table), dtype=np.bool_)
    return np.array([s in (None, TrialStatus.FINISHED) for s in table.labels("status")], np.bool_)


def levels_of(
    table: Table, factors: Sequence[str], plan: Study | None
) -> dict[str, tuple[str, ...]]:
    """Levels by factor: as planned, any others after them; unplanned numbers by size."""
    levels = {}
    for factor in factors:
        planned = [level_text(x) for x in plan.factors.get(factor, ())] if plan else []
        there = [x for x in table.levels(factor) if x is not None] if len(table) else []
        if there and table.is_numeric(factor):
            there.sort(key=by_size)
        levels[factor] = tuple(dict.fromkeys([*planned, *there]))
    return levels


def groups_of(
    table: Table,
    whole: Table,
    by: Sequence[str],
    shown: Sequence[Measure],
    boxed: Sequence[str],
    levels: Mapping[str, tuple[str, ...]],
) -> tuple[ConfigurationGroup, ...]:
    """Every configuration, in the order of the levels, also those of which no run finished.

    Args:
        table: the runs that finished.
        whole: all runs.
        by: the factors.
        shown: the measures; the first is energy, those in `boxed` have boxes.
        boxed: columns.
        levels: of the factors, in order.
    """
    values = {m.column: quantities(table, m.column)[0] for m in shown} if len(table) else {}
    ran = {g.name: g.rows.tolist() for g in _grouped(table, by)}
    groups = []
    for group in _grouped(whole, by):
        rows: list[int] = ran.get(group.name, [])
        finite = {c: x[rows][~np.isnan(x[rows])] for c, x in values.items()}
        groups.append(
            ConfigurationGroup(
                name=group.name,
                factors=group.factors,
                rows=rows,
                failed=len(group.rows) - len(rows),
                medians={c: median(x) for c, x in finite.items() if len(x)},
                boxes={c: box(x) for c, x in finite.items() if len(x) and c in boxed},
            )
        )
    places = {f: {level: i for i, level in enumerate(ls)} for f, ls in levels.items()}
    groups.sort(key=lambda g: [places[f].get(g.factors[f], 0) for f in by if f in places])
    return tuple(groups)


def box(values: Array) -> Box:
    """The box of values, shape (n,), at least one, all finite."""
    q1, middle, q3 = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
    reach = 1.5 * (q3 - q1)
    inside = values[(values >= q1 - reach) & (values <= q3 + reach)]
    return Box(min(q1, float(inside.min())), q1, middle, q3, max(q3, float(inside.max())))


def _grouped(table: Table, by: Sequence[str]) -> list[Members]:
    """The rows of each configuration, of any status."""
    columns = {c: v for c, v in table.columns.items() if c != "status"}
    return grouped(Table(table.name, columns, table.lines), by, {})[0] if len(table) else []


def failures_of(
    whole: Table, by: Sequence[str], data: StudyResults | Table
) -> tuple[FailedTrial, ...]:
    """The trials that did not finish, in the order of the table."""
    finished = finished_rows(whole)
    if np.all(finished):
        return ()
    names = {row: g.name for g in _grouped(whole, by) for row in g.rows.tolist()}

    def texts(column: str) -> list[str | None]:
        return whole.labels(column) if column in whole.columns else [None] * len(whole)

    status, repeated, errors, trials = map(texts, ("status", "repetition", "error", "trial"))
    stored: dict[str | None, str | None] = {}
    if isinstance(data, StudyResults):
        stored = {t.trial_id: t.error for t in data.trials}
    return tuple(
        FailedTrial(
            names.get(i, "unknown"),
            repeated[i],
            status[i] or "unknown",
            errors[i] or stored.get(trials[i]),
        )
        for i in np.flatnonzero(~finished).tolist()
    )


def counts_of(whole: Table, data: StudyResults | Table) -> dict[str, int]:
    """Trials (rows) by status, and `planned`: all of them."""
    if isinstance(data, StudyResults):
        counts = Counter(str(t.status) for t in data.trials)
        return {str(s): counts[str(s)] for s in TrialStatus} | {"planned": len(data.trials)}
    statuses = whole.labels("status") if "status" in whole.columns else []
    by_status = Counter(s or "unknown" for s in statuses)
    by_status[str(TrialStatus.FINISHED)] = int(finished_rows(whole).sum())
    return dict(by_status) | {"planned": len(whole)}


def total_energy(whole: Table, inspected: Sequence[Estimate]) -> tuple[Estimate | None, str | None]:
    """Energy of all rows, J, and why its provenance is unknown, None where it is known.

    The runs of a machine share the error of its meters. A label names the provenance
    of most of a run: its mix is that of the `inspected` runs with this label. Without a column of
    provenances, that of the inspected runs is used; without these the energy counts as assumed.
    """
    by_machine = energies_by_machine(whole, ENERGY)
    if not by_machine:
        return None, "nothing has run"
    parts, reason = _provenances(whole)
    if reason is not None:
        parts, reason = list(inspected), None if inspected else reason
    else:
        parts = _with_mixes(parts, inspected)
    kind, mix = provenance_of_sum(parts) if parts else (Provenance.ASSUMED, {})
    return add_up(by_machine).changed(provenance=kind, mix=mix, reason=reason), reason


def _with_mixes(parts: Sequence[Estimate], inspected: Sequence[Estimate]) -> list[Estimate]:
    labels = {run.provenance for run in inspected}
    mixes = {
        label: provenance_of_sum(run for run in inspected if run.provenance is label)[1]
        for label in labels
    }
    return [replace(part, mix=mixes.get(part.provenance, {})) for part in parts]


def _provenances(table: Table) -> tuple[list[Estimate], str | None]:
    """The energies of a table, J, with their provenances; or the reason why these are unknown."""
    if PROVENANCE not in table.columns:
        return [], f"{table.name} has no column {PROVENANCE}"
    energies = quantities(table, ENERGY)[0]
    labels = [label and label.lower() for label in table.labels(PROVENANCE)]
    labeled = [(e, label) for e, label in zip(energies, labels, strict=True) if not np.isnan(e)]
    empty = sum(label is None for _, label in labeled)
    if empty or not labeled:
        return [], f"column {PROVENANCE} is empty in {empty:,} of {len(labeled):,} runs"
    unknown = sorted({str(label) for _, label in labeled} - set(Provenance))
    if unknown:
        return [], (
            f"column {PROVENANCE} contains {one_line(unknown[0])}: {', '.join(Provenance)} "
            "are allowed"
        )
    return [Estimate(e, e, e, "J", Provenance(str(label))) for e, label in labeled], None


def known_count(table: Table, *columns: str) -> int:
    """The number of rows that have a figure in each of these columns."""
    if not set(columns) <= set(table.columns):
        return 0
    return int(np.sum(~np.isnan([table.numbers(column) for column in columns]).any(axis=0)))


def total(table: Table, column: str) -> float | None:
    """The sum of a column in SI units; None where it has no value."""
    if column not in table.columns:
        return None
    values = quantities(table, column)[0]
    finite = values[~np.isnan(values)]
    return float(finite.sum()) if len(finite) else None
