"""Whether the effect of one factor depends on another: architecture and environment, say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import BadInputError, UsageError
from ...units import format_number, one_line
from ..table.column_units import Unit, plain_name, quantities
from ..table.columns import Array, Table, by_size
from ..table.configurations import grouped
from .aligned_ranks import aligned_ranks
from .assumptions import EqualSpread, Normality, levene, shapiro
from .groups import Group
from .medians import Median, median
from .scipy_stats import scipy_stats
from .two_way import Cells, Sums, cells_of, sums_of_squares

SCHEMA = "joulecast/interaction/1"
METHODS = ("auto", "anova", "art")
MOST_LEVELS = 100

_NOTHING = 1e-20  # sums of squares below this share of the values' own are rounding


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

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of levels that was run."""

    a: str
    b: str
    mean: float
    median: Median

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {"a": self.a, "b": self.b, "mean": self.mean} | self.median.to_json()


@dataclass(frozen=True, slots=True)
class Interaction:
    """Two factors, their effects on a value, and the effect of one on that of the other."""

    title: str
    value: str
    a: str
    b: str
    unit: Unit
    rows: int
    left_out: dict[str, int]
    levels_a: list[str]
    levels_b: list[str]
    method: str  # "anova" or "art"
    sums: str  # type of the sums of squares: "III" or "II"
    why: str
    alpha: float
    normality: Normality
    spread: EqualSpread
    effects: list[FactorEffect]  # of a, of b, of both
    cells: list[Cell]
    missing: list[tuple[str, str]]
    finding: str
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        """The document `joulecast/interaction/1`."""
        return {
            "schema": SCHEMA,
            "title": self.title,
            "value": {"column": self.value, "unit": self.unit.name},
            "a": {"column": self.a, "levels": self.levels_a},
            "b": {"column": self.b, "levels": self.levels_b},
            "rows": self.rows,
            "left_out": [{"reason": r, "rows": n} for r, n in self.left_out.items()],
            "method": {"name": self.method, "sums_of_squares": self.sums, "why": self.why},
            "alpha": self.alpha,
            "assumptions": {
                "residuals_normal": self.normality.to_json(),
                "equal_spread": self.spread.to_json(),
            },
            "effects": [e.to_json() for e in self.effects],
            "cells": [c.to_json() for c in self.cells],
            "missing_cells": [{"a": a, "b": b} for a, b in self.missing],
            "least": [{"b": b, "a": a} for b, a in self.least.items()],
            "finding": self.finding,
            "notes": self.notes,
        }

    @property
    def least(self) -> dict[str, str]:
        """For each level of b that level of a whose median is least."""
        found = {}
        for level in self.levels_b:
            here = [c for c in self.cells if c.b == level]
            found[level] = min(here, key=lambda c: c.median.value).a
        return found


def interaction(
    table: Table, value: str, a: str, b: str, *, method: str = "auto", alpha: float = 0.05
) -> Interaction:
    """Whether the effect of `a` on a value depends on `b`.

    A two-way analysis of variance where its assumptions hold (Shapiro-Wilk on the residuals and
    Levene over the cells, both at `alpha`), else the aligned rank transform.

    Args:
        table: a row for each run.
        value: the column explained; its unit is read off its name.
        a: the factor whose effect may depend on the other.
        b: the other.
        method: `auto`, `anova` or `art`.
        alpha: of all tests.

    Raises:
        BadInputError: a column is missing or holds what is no number, a factor has fewer than two
            levels or more than 100, or no row is left.
        MissingExtraError: scipy is not installed.
        UsageError: the method is unknown, or both factors are one.
    """
    if method not in METHODS:
        raise UsageError(f"no method {method}: use one of {', '.join(METHODS)}")
    values, unit = quantities(table, value)
    groups, left_out = grouped(table, (a, b), {value: values})
    levels = [
        _ordered({g.factors[f] for g in groups}, table.is_numeric(f), f, table) for f in (a, b)
    ]
    index = [{name: k for k, name in enumerate(names)} for names in levels]
    rows = np.concatenate([g.rows for g in groups])
    i = np.concatenate([np.full(len(g.rows), index[0][g.factors[a]]) for g in groups])
    j = np.concatenate([np.full(len(g.rows), index[1][g.factors[b]]) for g in groups])
    values = values[rows]
    scale = float(np.abs(values).max()) or 1.0
    scaled = values / scale
    cells = cells_of(scaled, i, j)

    residuals = Group("residuals", scaled - cells.means[i, j])
    normality = shapiro(residuals, alpha)
    names = [f"{g.factors[a]}, {g.factors[b]}" for g in groups]
    at = np.cumsum([0, *(len(g.rows) for g in groups)])
    by_cell = [Group(n, values[at[k] : at[k + 1]]) for k, n in enumerate(names)]
    spread = levene(by_cell, alpha)
    chosen, why, notes = _choose(method, cells, normality, spread)
    effects, kind = _effects(chosen, scaled, i, j, cells, (a, b))
    ordered = sorted(range(len(groups)), key=lambda k: (i[at[k]], j[at[k]]))
    found_cells = [
        Cell(
            groups[k].factors[a],
            groups[k].factors[b],
            float(by_cell[k].values.mean()),
            median(by_cell[k].values),
        )
        for k in ordered
    ]
    missing = [(levels[0][x], levels[1][y]) for x, y in np.argwhere(cells.counts == 0).tolist()]
    notes += _remarks(cells, missing, kind)
    return Interaction(
        title=table.name,
        value=value,
        a=a,
        b=b,
        unit=unit,
        rows=len(table),
        left_out=left_out,
        levels_a=levels[0],
        levels_b=levels[1],
        method=chosen,
        sums=kind,
        why=why,
        alpha=alpha,
        normality=normality,
        spread=spread,
        effects=effects,
        cells=found_cells,
        missing=missing,
        finding=_finding(effects[2], value, a, b, alpha),
        notes=notes,
    )


def _ordered(found: set[str], numeric: bool, column: str, table: Table) -> list[str]:
    if not found:
        raise BadInputError(f"{table.name}: no row is left: a value or a factor is missing in all")
    if len(found) < 2:
        raise BadInputError(
            f"{table.name}: {column} is {next(iter(found))} in all rows: a factor needs two levels"
        )
    if len(found) > MOST_LEVELS:
        raise BadInputError(
            f"{table.name}: {column} has {len(found):,} levels (at most {MOST_LEVELS}): choose "
            "another column, or some of the rows"
        )
    if numeric:
        return sorted(found, key=by_size)
    return sorted(found, key=lambda x: (x.casefold(), x))


def _choose(
    method: str, cells: Cells, normality: Normality, spread: EqualSpread
) -> tuple[str, str, list[str]]:
    broken = []
    if normality.normal is False:
        broken.append("the residuals are not normal")
    if spread.equal is False:
        broken.append("cells are not spread alike")
    told = " and ".join(broken)
    if method == "anova":
        warning = [f"{told}: p of the analysis of variance is approximate"] if broken else []
        return "anova", "as asked", warning
    possible = cells.complete and cells.df_within > 0
    if method == "art" and not possible:
        raise UsageError(
            "the aligned rank transform needs every combination, and one of them twice: "
            "use auto or anova"
        )
    if method == "art":
        return "art", "as asked", []
    if not broken:
        untested = normality.reason or spread.reason
        if untested is None:
            return "anova", "the residuals look normal, and cells are spread alike", []
        return "anova", f"no assumption fails, but not all could be tested: {untested}", []
    if possible:
        return "art", told, []
    note = f"{told}, but ranks cannot be aligned with combinations missing: p is approximate"
    return "anova", "combinations are missing", [note]


def _effects(
    method: str,
    values: Array,
    i: npt.NDArray[np.intp],
    j: npt.NDArray[np.intp],
    cells: Cells,
    names: tuple[str, str],
) -> tuple[list[FactorEffect], str]:
    labels = (*names, f"{names[0]} x {names[1]}")
    tiny = _NOTHING * float((values**2).sum())
    if method == "anova":
        sums = sums_of_squares(cells)
        parts: Sequence[tuple[Sums, Cells, float]] = [(sums, cells, tiny)] * 3
    else:
        ranked = [cells_of(r, i, j) for r in aligned_ranks(values, i, j, cells)]
        constant = float(np.ptp(values)) == 0
        parts = [(sums_of_squares(c), c, math.inf if constant else 0.0) for c in ranked]
    found = []
    for k, (name, (sums, within, least)) in enumerate(zip(labels, parts, strict=True)):
        ss, df = (sums.a, sums.b, sums.ab)[k]
        error, df_error = within.within, within.df_within
        if df_error == 0 and k < 2:  # nothing repeated: what does not add up stands for scatter
            error, df_error = sums.ab
        found.append(_effect(name, ss, df, error, df_error, least))
    return found, parts[0][0].kind


def _effect(
    name: str, ss: float, df: int, error: float, df_error: int, tiny: float
) -> FactorEffect:
    reason = None
    if df <= 0:
        reason = "too few combinations were run to tell it apart"
    elif df_error <= 0:
        reason = "no combination was repeated: an interaction cannot be told from scatter"
    elif ss <= tiny and error <= tiny:
        reason = "all values are the same"
    elif error <= tiny:
        reason = "repetitions do not differ at all: there is no scatter to test against"
    if reason is not None:
        return FactorEffect(name, max(df, 0), max(df_error, 0), None, None, None, reason)
    f = (ss / df) / (error / df_error)
    p = float(scipy_stats().f.sf(f, df, df_error))
    return FactorEffect(name, df, df_error, f, p, ss / (ss + error))


def _remarks(cells: Cells, missing: list[tuple[str, str]], kind: str) -> list[str]:
    found = []
    if missing:
        some = "; ".join(f"{one_line(x)}, {one_line(y)}" for x, y in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        found.append(
            f"not run: {some}{more}. Main effects are type II (each beyond the other, as if they "
            "added up); the interaction is that of the combinations that were run"
        )
        without = _completing(cells, missing)
        if without is not None:
            found.append(f"without {one_line(without)} every combination was run (--where)")
    elif kind == "III" and float(np.ptp(cells.counts)) > 0:
        found.append(
            f"cells have {int(cells.counts.min()):,} to {int(cells.counts.max()):,} runs: main "
            "effects are type III, each level's mean over the other factor unweighted"
        )
    if cells.df_within == 0:
        found.append("one run per combination: main effects are tested as if they added up")
    return found


def _completing(cells: Cells, missing: list[tuple[str, str]]) -> str | None:
    """The one level without which nothing is missing, if two of its factor are left."""
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
    p = "p < 0.001" if effect.p < 0.001 else f"p = {effect.p:.3f}"
    told = (
        f"F({effect.df}, {effect.df_error}) = {format_number(effect.f)}, {p}, "
        f"partial eta squared {effect.partial_eta_squared:.2f}"
    )
    return f"T{of[1:]}: {told}" if effect.p < alpha else f"No sign that {of}: {told}"
