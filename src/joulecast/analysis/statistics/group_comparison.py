"""Groups of runs compared: assumptions, the test they allow, and every pair."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
from typing import ClassVar

import numpy as np

from ...errors import BadInputError, UsageError
from ...result import Result
from ..table.columns import Array, Table
from ..table.machines import scale_notes
from ..table.quantities import quantities
from .assumptions import EqualSpread, Normality, levene, shapiro
from .effect_sizes import EffectSize, cliffs_delta
from .groups import Group, GroupSummary, split, summarize_group
from .omnibus import KRUSKAL, WELCH, Omnibus, kruskal_wallis, welch_anova
from .posthoc import PairPs, dunn, games_howell, holm
from .scipy_stats import finite, quiet
from .wording import some

# Below so many values of a group the chi-squared and normal approximations are rough.
_FEW = 5


@dataclass(frozen=True, slots=True)
class GroupPair:
    """Two groups. All signs are of `b` against `a`: negative where `b` is less.

    Attributes:
        p: of this pair alone; None of Games-Howell, which has only the adjusted one.
        p_adjusted: for the number of pairs; None where it is undefined.
        significant: at the level of the comparison; None where p is.
        effect: Cliff's delta.
        median_change_pct: `100 (median of b / median of a - 1)`; None, with a `reason`, where the
            median of `a` is not above 0 or that of `b` is below it.
        median_difference: median of b less that of a, in the unit of the comparison.
    """

    a: str
    b: str
    p: float | None
    p_adjusted: float | None
    significant: bool | None
    effect: EffectSize
    median_change_pct: float | None
    median_difference: float
    reason: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Comparison(Result):
    """One column of a table, compared between the groups that another makes of its rows.

    Attributes:
        table: its name.
        value: the column compared.
        unit: SI unit of all figures; None where the column's name has none.
        by: the column whose labels are the groups.
        alpha: level of every test.
        baseline: the group that all others are compared with; None where there is none.
        groups: in the order of their labels (the baseline first), those without values too.
        unlabeled: rows that have no label, and are in no group.
        normality: Shapiro-Wilk of each group that has values.
        spread: Levene's test of all of them.
        requested: `auto`, `welch` or `kruskal`.
        why: why this test was chosen.
        test: of all groups together; without p, and with a reason, where it is undefined.
        posthoc: the name of the test of the pairs.
        pairs: each group that has values with each that comes after it.
        notes: what limits the conclusions, and runs that were left out.
        blocks: the columns that compared runs have in common; empty: all runs are compared.
    """

    SCHEMA: ClassVar[str] = "joulecast/compare/1"
    table: str
    value: str
    unit: str | None
    by: str
    alpha: float
    baseline: str | None
    groups: tuple[GroupSummary, ...]
    unlabeled: int
    normality: tuple[Normality, ...]
    spread: EqualSpread
    requested: str
    why: str
    test: Omnibus
    posthoc: str
    pairs: tuple[GroupPair, ...]
    notes: tuple[str, ...]
    blocks: tuple[str, ...] = ()


def compare_groups(
    table: Table,
    value: str,
    by: str,
    *,
    test: str = "auto",
    alpha: float = 0.05,
    baseline: str | None = None,
) -> Comparison:
    """Compare a column between groups of rows.

    Welch's ANOVA and Games-Howell where no group fails Shapiro-Wilk, else Kruskal-Wallis and Dunn
    with Holm's adjustment, as del Rey et al. 2023 (arXiv 2307.05520); `test` forces one of them.
    Rows without a value or a label are left out and counted. Arguments and errors are those of
    `compare`.
    """
    if value == by:
        raise UsageError(f"{value} by itself: name a column to compare, and one to group by")
    values, unit = quantities(table, value)
    groups, unlabeled = split(table, values, by)
    if baseline is not None:
        groups = _baseline_first(groups, baseline, f"{table.name}: no {by}")
    with_values = [g for g in groups if g.n]
    normality = tuple(shapiro(g, alpha) for g in with_values)
    name, why = _choose(test, normality)
    omnibus = (welch_anova if name == WELCH else kruskal_wallis)(with_values)
    spread = levene(with_values, alpha)
    return Comparison(
        table=table.name,
        value=value,
        unit=unit.name,
        by=by,
        alpha=alpha,
        baseline=baseline,
        groups=tuple(map(summarize_group, groups)),
        unlabeled=unlabeled,
        normality=normality,
        spread=spread,
        requested=test,
        why=why,
        test=omnibus,
        posthoc="games-howell" if name == WELCH else "dunn-holm",
        pairs=tuple(_pairs(with_values, name, alpha)),
        notes=(
            *(*table.notes, *_notes(groups, omnibus, spread, alpha)),
            *scale_notes(table, value, by),
        ),
    )


def _baseline_first(groups: list[Group], baseline: str, problem: str) -> list[Group]:
    names = [g.name for g in groups]
    if baseline in names:
        return sorted(groups, key=lambda g: g.name != baseline)
    near = get_close_matches(baseline, names, n=1)
    shown = some(near or names) or "nothing at all"
    raise BadInputError(
        f"{problem} is {baseline}: {'the nearest is' if near else 'there is'} {shown}"
    )


def _choose(test: str, normality: Sequence[Normality]) -> tuple[str, str]:
    """The name of the test, and why."""
    if test == "welch":
        return WELCH, "Welch's ANOVA with Games-Howell was requested"
    if test == "kruskal":
        return KRUSKAL, "Kruskal-Wallis with Dunn and Holm was requested"
    if len(normality) < 2:
        present = "one group has values" if normality else "no group has a value"
        return KRUSKAL, f"none, because there is nothing to test: {present}"
    doubt = _doubt(normality)
    if doubt is not None:
        return KRUSKAL, f"{doubt}, so ranks are compared: Kruskal-Wallis with Dunn and Holm"
    return WELCH, (
        "no group fails Shapiro-Wilk, so means are compared: Welch's ANOVA with Games-Howell, "
        "which need no equal variances"
    )


def _doubt(normality: Sequence[Normality]) -> str | None:
    """Why groups may not be normal; None where none fails and all were tested."""
    failed = [n.group for n in normality if n.normal is False]
    if failed:
        return f"{some(failed)} {'is' if len(failed) == 1 else 'are'} not normal"
    untested = [n for n in normality if n.normal is None]
    if untested:
        groups = some([n.group for n in untested])
        return f"the normality of {groups} is unknown ({untested[0].reason})"
    return None


def _pairs(groups: Sequence[Group], name: str, alpha: float) -> list[GroupPair]:
    unadjusted: PairPs = {}
    adjusted: PairPs = {}
    if len(groups) > 1 and name == WELCH:
        adjusted = games_howell(groups)
    elif len(groups) > 1 and any(g.n > 1 for g in groups):
        unadjusted = dunn(groups)
        adjusted = holm(unadjusted)
    medians = [float(np.median(g.values)) for g in groups]
    return [
        pair_of(
            (groups[i].name, groups[j].name),
            np.array([[medians[i], medians[j]]]),
            cliffs_delta(groups[i].values, groups[j].values),
            (unadjusted.get((i, j)), adjusted.get((i, j))),
            alpha,
        )
        for i, j in combinations(range(len(groups)), 2)
    ]


def pair_of(
    names: tuple[str, str],
    medians: Array,
    effect: EffectSize,
    p_values: tuple[float | None, float | None],
    alpha: float,
) -> GroupPair:
    """Two groups by their medians in one block or more, shape (blocks, 2).

    Over blocks, the change is the geometric mean of ratios, the difference the mean of differences.
    `p_values` are those before and after adjustment.
    """
    p, adjusted = p_values
    positive = bool((medians[:, 0] > 0).all() and (medians[:, 1] >= 0).all())
    with quiet():
        ratio = np.exp(np.log(medians[:, 1] / medians[:, 0]).mean()) if positive else 0.0
    return GroupPair(
        a=names[0],
        b=names[1],
        p=p,
        p_adjusted=adjusted,
        significant=None if adjusted is None else adjusted < alpha,
        effect=effect,
        median_change_pct=finite(100 * (ratio - 1)) if positive else None,
        median_difference=float((medians[:, 1] - medians[:, 0]).mean()),
        reason=None if positive else "a median is not above 0, so there is no change in per cent",
    )


def _notes(
    groups: Sequence[Group], omnibus: Omnibus, spread: EqualSpread, alpha: float
) -> list[str]:
    empty = [g.name for g in groups if not g.n]
    notes = [f"{some(empty)}: no value, so in no test"] if empty else []
    if omnibus.p is None:
        return notes
    few = [g.name for g in groups if 0 < g.n < _FEW]
    if few:
        ranks = omnibus.name == KRUSKAL
        problem = "so p is rough" if ranks else "too few to show that they are not normal"
        notes.append(f"{some(few)}: fewer than {_FEW} values, {problem}")
    return notes + _doubts(omnibus, omnibus.p < alpha, spread, len(groups))


def _doubts(omnibus: Omnibus, differ: bool, spread: EqualSpread, groups: int) -> list[str]:
    """What the result of the test does not show."""
    doubts = []
    if omnibus.name == KRUSKAL and spread.equal is False:
        doubts.append(
            "the groups have unequal variances: Kruskal-Wallis then shows that values of some tend "
            "to be larger, not that their medians differ"
        )
    if not differ and groups > 2:
        doubts.append("the groups as a whole do not differ: differences of single pairs are weak")
    return doubts
