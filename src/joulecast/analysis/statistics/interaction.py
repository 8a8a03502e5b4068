"""Whether the effect of one factor depends on another, such as architecture and environment."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ...column_units import plain_name
from ...errors import BadInputError, UsageError
from ...result import Result
from ...units import format_number, one_line
from ..table.columns import Array, Table, sort_levels
from ..table.configurations import Members, grouped
from ..table.machines import scale_notes
from ..table.quantities import quantities
from .aligned_ranks import aligned_ranks
from .assumptions import EqualSpread, Normality, levene, shapiro
from .groups import Group
from .medians import Median, median
from .scipy_stats import scipy_stats
from .two_way import Cells, Sums, cells_of, sums_of_squares
from .wording import p_text

MAX_LEVELS = 100

# Sums of squares below this share of the values' own are rounding.
_ROUNDING = 1e-20


@dataclass(frozen=True, slots=True)
class FactorEffect:
    """One line of the analysis. What is None could not be computed, for `reason`."""

    name: str
    df: int
    df_error: int
    f: float | None
    p: float | None
    partial_eta_squared: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of levels that was run."""

    a: str
    b: str
    mean: float
    median: Median


@dataclass(frozen=True, slots=True, repr=False)
class Interaction(Result):
    """Two factors, their effects on a value, and how the effect of one depends on the other.

    Attributes:
        table: its name.
        value: the column explained.
        unit: SI unit of its figures; None where the column's name has none.
        a: the column of one factor.
        b: the column of the other.
        rows: of the table.
        left_out: how many of them are not analyzed, by reason.
        levels_a: in order.
        levels_b: in order.
        method: `anova` or `art`, the aligned rank transform.
        sums: type of the sums of squares, `III` or `II`.
        why: why this method was chosen.
        alpha: level of all tests.
        normality: Shapiro-Wilk of the residuals.
        spread: Levene's test of the cells.
        effects: of a, of b, and of their interaction.
        cells: the combinations that were run.
        missing: the combinations that were not.
        lowest: for each level of b, the level of a with the lowest median.
        finding: the answer, in a sentence.
        notes: what limits the conclusions, and runs that were left out.
    """

    SCHEMA: ClassVar[str] = "joulecast/interaction/1"
    table: str
    value: str
    unit: str | None
    a: str
    b: str
    rows: int
    left_out: Mapping[str, int]
    levels_a: tuple[str, ...]
    levels_b: tuple[str, ...]
    method: str
    sums: str
    why: str
    alpha: float
    normality: Normality
    spread: EqualSpread
    effects: tuple[FactorEffect, ...]
    cells: tuple[Cell, ...]
    missing: tuple[tuple[str, str], ...]
    lowest: Mapping[str, str]
    finding: str
    notes: tuple[str, ...]


def interaction(
    table: Table,
    value: str,
    a: str,
    b: str,
    *,
    method: str = "auto",
    alpha: float = 0.05,
    blocks: Sequence[str] = (),
) -> Interaction:
    """Whether the effect of `a` on a value depends on `b`.

    What rows that have all `blocks` in common differ by from others is taken from the values that
    are tested, so that it does not count as variation of repetitions; medians are as measured.

    A two-way analysis of variance where its assumptions hold (Shapiro-Wilk on the residuals and
    Levene over the cells, both at `alpha`), else the aligned rank transform. Arguments and errors
    are those of `compare`.
    """
    values, unit = quantities(table, value)
    groups, left_out = grouped(table, (a, b), {value: values})
    levels_a, levels_b = _levels(table, groups, a), _levels(table, groups, b)
    at = [(levels_a.index(g.factors[a]), levels_b.index(g.factors[b])) for g in groups]
    order = sorted(range(len(groups)), key=at.__getitem__)
    groups = [groups[k] for k in order]
    sizes = [len(g.rows) for g in groups]
    i, j = np.repeat([at[k] for k in order], sizes, axis=0).T
    rows = np.concatenate([g.rows for g in groups])
    values = values[rows]
    scaled = values / (float(np.abs(values).max()) or 1.0)
    scaled, removed = _without_blocks(scaled, table, blocks, rows)
    measured, by_cell = (
        [
            Group(f"{g.factors[a]}, {g.factors[b]}", part)
            for g, part in zip(groups, np.split(of_rows, np.cumsum(sizes)[:-1]), strict=True)
        ]
        for of_rows in (values, scaled)
    )
    counted = cells_of(scaled, i, j, removed)
    normality = shapiro(Group("residuals", scaled - counted.means[i, j]), alpha)
    spread = levene(by_cell, alpha)
    chosen, why, warnings = _choose(method, counted, normality, spread)
    effects, kind = _effects(chosen, scaled, i, j, counted, (a, b))
    missing = [(levels_a[x], levels_b[y]) for x, y in np.argwhere(counted.counts == 0).tolist()]
    cells = tuple(
        Cell(g.factors[a], g.factors[b], float(c.values.mean()), median(c.values))
        for g, c in zip(groups, measured, strict=True)
    )
    return Interaction(
        table=table.name,
        value=value,
        unit=unit.name,
        a=a,
        b=b,
        rows=len(table),
        left_out=left_out,
        levels_a=levels_a,
        levels_b=levels_b,
        method=chosen,
        sums=kind,
        why=why,
        alpha=alpha,
        normality=normality,
        spread=spread,
        effects=effects,
        cells=cells,
        missing=tuple(missing),
        lowest={level: _lowest(cells, level) for level in levels_b},
        finding=_finding(effects[2], value, a, b, alpha),
        notes=(
            *(*table.notes, *warnings, *_remarks(counted, missing, kind)),
            *scale_notes(table, value, a, b),
        ),
    )


def _without_blocks(
    values: Array, table: Table, blocks: Sequence[str], rows: npt.NDArray[np.intp]
) -> tuple[Array, int]:
    """Values less the mean of their block, plus that of all; and the degrees of freedom it takes.

    Args:
        values: of some rows of the table, shape (n,).
        table: the whole.
        blocks: its columns; rows without a value of one are a block of their own.
        rows: their places in the table, shape (n,).
    """
    if not blocks:
        return values, 0
    of_row = np.zeros(len(table), dtype=np.intp)
    for k, members in enumerate(grouped(table, blocks, {})[0], 1):
        of_row[members.rows] = k
    _, at, counts = np.unique(of_row[rows], return_inverse=True, return_counts=True)
    means = np.bincount(at, values) / counts
    return values - means[at] + values.mean(), len(counts) - 1


def _levels(table: Table, groups: list[Members], column: str) -> tuple[str, ...]:
    """The levels of a factor, in order."""
    levels = {g.factors[column] for g in groups}
    if not levels:
        raise BadInputError(f"{table.name}: no row has a value and both factors")
    if len(levels) < 2:
        raise BadInputError(
            f"{table.name}: {column} is {next(iter(levels))} in all rows: a factor needs two levels"
        )
    if len(levels) > MAX_LEVELS:
        raise BadInputError(
            f"{table.name}: {column} has {len(levels):,} levels (at most {MAX_LEVELS}): choose "
            "another column, or some of the rows"
        )
    return tuple(sort_levels(levels, table.is_numeric(column)))


def _lowest(cells: tuple[Cell, ...], level: str) -> str:
    return min((c for c in cells if c.b == level), key=lambda c: c.median.value).a


def _choose(
    method: str, cells: Cells, normality: Normality, spread: EqualSpread
) -> tuple[str, str, list[str]]:
    """The method, why, and warnings."""
    can_align = cells.complete and cells.df_within > 0
    if method == "art" and not can_align:
        raise UsageError(
            "the aligned rank transform needs every combination, and one of them twice: "
            "use auto or anova"
        )
    if method == "art":
        return "art", "as requested", []
    broken = " and ".join(_broken_assumptions(normality, spread))
    if method == "anova":
        warning = f"{broken}: p of the analysis of variance is approximate"
        return "anova", "as requested", [warning] if broken else []
    untested = normality.reason or spread.reason
    if not broken and untested is None:
        return "anova", "residuals pass as normal, and cells have equal variances", []
    if not broken:
        return "anova", f"no assumption fails, but not all could be tested: {untested}", []
    if can_align:
        return "art", broken, []
    warning = f"{broken}, but ranks cannot be aligned with combinations missing: p is approximate"
    return "anova", "combinations are missing", [warning]


def _broken_assumptions(normality: Normality, spread: EqualSpread) -> list[str]:
    problems = []
    if normality.normal is False:
        problems.append("the residuals are not normal")
    if spread.equal is False:
        problems.append("cells have unequal variances")
    return problems


def _effects(
    method: str,
    values: Array,
    i: npt.NDArray[np.intp],
    j: npt.NDArray[np.intp],
    cells: Cells,
    names: tuple[str, str],
) -> tuple[tuple[FactorEffect, ...], str]:
    """The effects of both factors and of their interaction, and the type of sums of squares."""
    labels = (*names, f"{names[0]} x {names[1]}")
    if method == "anova":
        sums = sums_of_squares(cells)
        parts: list[tuple[Sums, Cells]] = [(sums, cells)] * 3
        tiny = _ROUNDING * float((values**2).sum())
    else:
        ranked = [
            cells_of(ranks, i, j, cells.df_removed) for ranks in aligned_ranks(values, i, j, cells)
        ]
        parts = [(sums_of_squares(c), c) for c in ranked]
        tiny = math.inf if float(np.ptp(values)) == 0 else 0.0
    effects = []
    for k, (name, (sums, counted)) in enumerate(zip(labels, parts, strict=True)):
        ss, df = (sums.a, sums.b, sums.ab)[k]
        error, df_error = counted.within, counted.df_within
        if df_error == 0 and k < 2:
            # Nothing was repeated: what does not add up stands for the variation of repetitions.
            error, df_error = sums.ab
        effects.append(_effect(name, ss, df, error, df_error, tiny))
    return tuple(effects), parts[0][0].kind


def _effect(
    name: str, ss: float, df: int, error: float, df_error: int, tiny: float
) -> FactorEffect:
    reason = None
    if df <= 0:
        reason = "too few combinations were run to separate it"
    elif df_error <= 0:
        reason = "no combination was repeated: an interaction cannot be separated from variation"
    elif ss <= tiny and error <= tiny:
        reason = "all values are the same"
    elif error <= tiny:
        reason = "repetitions do not differ at all: there is no variation to test against"
    if reason is not None:
        return FactorEffect(name, max(df, 0), max(df_error, 0), None, None, None, reason)
    f = (ss / df) / (error / df_error)
    p = float(scipy_stats().f.sf(f, df, df_error))
    return FactorEffect(name, df, df_error, f, p, ss / (ss + error))


def _remarks(cells: Cells, missing: list[tuple[str, str]], kind: str) -> list[str]:
    remarks = []
    if missing:
        shown = "; ".join(f"{one_line(x)}, {one_line(y)}" for x, y in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        remarks.append(
            f"not run: {shown}{more}. Main effects are type II (each beyond the other, as if they "
            "added up); the interaction is that of the combinations that were run"
        )
        excluded = _completing(cells, missing)
        if excluded is not None:
            remarks.append(f"without {one_line(excluded)} every combination was run (--where)")
    elif kind == "III" and float(np.ptp(cells.counts)) > 0:
        remarks.append(
            f"cells have {int(cells.counts.min()):,} to {int(cells.counts.max()):,} runs: main "
            "effects are type III, each level's mean over the other factor unweighted"
        )
    if cells.df_within == 0:
        remarks.append("one run per combination: main effects are tested as if they added up")
    return remarks


def _completing(cells: Cells, missing: list[tuple[str, str]]) -> str | None:
    """The one level without which nothing is missing, if two of its factor remain."""
    for side in (1, 0):
        levels = {pair[side] for pair in missing}
        if len(levels) == 1 and cells.counts.shape[side] > 2:
            return levels.pop()
    return None


def _finding(effect: FactorEffect, value: str, a: str, b: str, alpha: float) -> str:
    what = one_line(plain_name(value))
    of = f"the effect of {one_line(a)} on {what} depends on {one_line(b)}"
    if effect.p is None or effect.f is None or effect.partial_eta_squared is None:
        return f"Whether {of} is unknown: {effect.reason}"
    figures = (
        f"F({effect.df}, {effect.df_error}) = {format_number(effect.f)}, {p_text(effect.p)}, "
        f"partial eta squared {effect.partial_eta_squared:.2f}"
    )
    return f"T{of[1:]}: {figures}" if effect.p < alpha else f"No sign that {of}: {figures}"
