"""Groups of runs compared: assumptions, the test they allow, every pair, in figures and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
from typing import Any, Literal

from ...errors import BadInputError, UsageError
from ..table.columns import Table
from .assumptions import EqualSpread, Normality, levene, shapiro
from .effect_sizes import EffectSize, cliffs_delta
from .groups import Group, some, split
from .omnibus import KRUSKAL, WELCH, Omnibus, kruskal_wallis, welch_anova
from .posthoc import Pairs, dunn, games_howell, holm
from .scipy_stats import finite

SCHEMA = "joulecast/compare/1"
TESTS = ("auto", "welch", "kruskal")
Test = Literal["auto", "welch", "kruskal"]
FEW = 5
"""Values of a group below which the chi-squared and normal approximations are rough."""


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
        median_difference: median of b less that of a, in the unit of the column.
    """

    a: str
    b: str
    p: float | None
    p_adjusted: float | None
    significant: bool | None
    effect: EffectSize
    median_change_pct: float | None
    median_difference: float | None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "a": self.a,
            "b": self.b,
            "p": self.p,
            "p_adjusted": self.p_adjusted,
            "significant": self.significant,
            "effect": self.effect.to_json(),
            "median_change_pct": self.median_change_pct,
            "median_difference": self.median_difference,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """One column of a table, compared between the groups that another makes of its rows.

    Attributes:
        table: its name.
        value: the column compared.
        by: the column whose labels are the groups.
        alpha: level of every test.
        groups: in the order of their labels, those without values too.
        unlabeled: rows that have no label, and are in no group.
        normality: Shapiro-Wilk of each group that has values.
        spread: Levene's test of all of them.
        asked: `auto`, `welch` or `kruskal`.
        why: how the test was chosen, in words.
        test: of all groups together.
        posthoc: the name of the test of the pairs.
        pairs: each group that has values with each that comes after it.
        notes: what to know before believing it.
    """

    table: str
    value: str
    by: str
    alpha: float
    groups: tuple[Group, ...]
    unlabeled: int
    normality: tuple[Normality, ...]
    spread: EqualSpread
    asked: str
    why: str
    test: Omnibus
    posthoc: str
    pairs: tuple[GroupPair, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The document `joulecast/compare/1`; `test` is null, with `reason`, if undefined."""
        return {
            "schema": SCHEMA,
            "table": self.table,
            "value": self.value,
            "by": self.by,
            "alpha": self.alpha,
            "groups": [_group_json(g) for g in self.groups],
            "unlabeled": self.unlabeled,
            "assumptions": {
                "shapiro": [n.to_json() for n in self.normality],
                "levene": self.spread.to_json(),
            },
            "decision": {"asked": self.asked, "test": self._chosen(), "why": self.why},
            "test": self.test.to_json(),
            "reason": self.test.reason,
            "posthoc": self.posthoc,
            "direction": "b against a",
            "pairs": [pair.to_json() for pair in self.pairs],
            "notes": list(self.notes),
        }

    def _chosen(self) -> str | None:
        """The test that was chosen; None where none was, for want of groups."""
        return None if self.asked == "auto" and len(self.normality) < 2 else self.test.name


def compare(
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
    Rows without a value or a label are left out and counted.

    Args:
        table: a row for each run.
        value: the column to compare.
        by: the column whose labels are the groups.
        test: `auto`, `welch` or `kruskal`.
        alpha: level of every test.
        baseline: the group that comes first, so that all others are compared with it.

    Raises:
        BadInputError: a column or the baseline is missing, `value` holds what is no number, or
            `by` has too many labels.
        MissingExtraError: scipy is not installed.
        UsageError: `test` or `alpha` is none, or `value` and `by` are one.
    """
    if test not in TESTS:
        raise UsageError(f"test {test}: use one of {', '.join(TESTS)}")
    if not 0 < alpha < 1:
        raise UsageError(f"alpha {alpha:g}: it must lie between 0 and 1")
    if value == by:
        raise UsageError(f"{value} by itself: name a column to compare, and one to group by")
    groups, unlabeled = split(table, value, by)
    groups = _first(groups, baseline, f"{table.name}: no {by}")
    there = [g for g in groups if g.n]
    normality = tuple(shapiro(g, alpha) for g in there)
    name, why = _choose(test, normality)
    omnibus = (welch_anova if name == WELCH else kruskal_wallis)(there)
    spread = levene(there, alpha)
    return Comparison(
        table=table.name,
        value=value,
        by=by,
        alpha=alpha,
        groups=tuple(groups),
        unlabeled=unlabeled,
        normality=normality,
        spread=spread,
        asked=test,
        why=why,
        test=omnibus,
        posthoc="games-howell" if name == WELCH else "dunn-holm",
        pairs=tuple(_pairs(there, name, alpha)),
        notes=tuple(_notes(groups, omnibus, spread, alpha)),
    )


def _first(groups: list[Group], baseline: str | None, without: str) -> list[Group]:
    if baseline is None:
        return groups
    if all(g.name != baseline for g in groups):
        names = [g.name for g in groups]
        near = get_close_matches(baseline, names, n=1)
        shown = some(near or names) or "nothing at all"
        raise BadInputError(
            f"{without} is {baseline}: {'the nearest' if near else 'it'} is {shown}"
        )
    return sorted(groups, key=lambda g: g.name != baseline)


def _choose(test: str, normality: Sequence[Normality]) -> tuple[str, str]:
    """The name of the test, and why."""
    if test == "welch":
        return WELCH, "Welch's ANOVA with Games-Howell was asked for"
    if test == "kruskal":
        return KRUSKAL, "Kruskal-Wallis with Dunn and Holm was asked for"
    if len(normality) < 2:
        there = "one group has values" if normality else "no group has a value"
        return KRUSKAL, f"none, for there is nothing to test: {there}"
    failed = [n for n in normality if n.normal is False]
    untested = [n for n in normality if n.normal is None]
    rank = "so ranks are compared: Kruskal-Wallis with Dunn and Holm"
    if failed:
        which = some([n.group for n in failed])
        verb = "is" if len(failed) == 1 else "are"
        return KRUSKAL, f"{which} {verb} not normal by Shapiro-Wilk, {rank}"
    if untested:
        which = some([n.group for n in untested])
        return KRUSKAL, f"nothing shows that {which} is normal ({untested[0].reason}), {rank}"
    means = "so means are compared: Welch's ANOVA with Games-Howell, which need no equal variances"
    return WELCH, f"no group fails Shapiro-Wilk, {means}"


def _pairs(groups: Sequence[Group], name: str, alpha: float) -> list[GroupPair]:
    if len(groups) < 2:
        return []
    alone: Pairs = {}
    adjusted: Pairs = {}
    if name == WELCH:
        adjusted = games_howell(groups)
    elif any(g.n > 1 for g in groups):
        alone = dunn(groups)
        adjusted = holm(alone)
    return [
        _pair(groups[i], groups[j], alone.get((i, j)), adjusted.get((i, j)), alpha)
        for i, j in combinations(range(len(groups)), 2)
    ]


def _pair(a: Group, b: Group, p: float | None, adjusted: float | None, alpha: float) -> GroupPair:
    change, reason = None, None
    ma, mb = a.median, b.median
    if ma is not None and mb is not None and ma > 0 and mb >= 0:
        change = finite(100 * (mb / ma - 1))
    else:
        reason = "a median is not above 0, so there is no change in per cent"
    difference = None if ma is None or mb is None else finite(mb - ma)
    significant = None if adjusted is None else adjusted < alpha
    effect = cliffs_delta(a.values, b.values)
    return GroupPair(a.name, b.name, p, adjusted, significant, effect, change, difference, reason)


def _notes(
    groups: Sequence[Group], omnibus: Omnibus, spread: EqualSpread, alpha: float
) -> list[str]:
    found = []
    empty = [g.name for g in groups if not g.n]
    if empty:
        found.append(f"{some(empty)}: no value, so in no test")
    if omnibus.p is None:
        return found
    ranks = omnibus.name == KRUSKAL
    few = [g.name for g in groups if 0 < g.n < FEW]
    if few:
        what = "of which p is rough" if ranks else "too few to show that they are not normal"
        found.append(f"{some(few)}: fewer than {FEW} values, {what}")
    if spread.equal is False and ranks:
        found.append(
            "the groups are not spread alike: Kruskal-Wallis then tells that values of some tend "
            "to be larger, not that their medians differ"
        )
    if omnibus.p >= alpha and len(groups) > 2:
        found.append("the groups as a whole do not differ: do not read much into single pairs")
    return found


def _group_json(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "n": group.n,
        "missing": group.missing,
        "median": group.median,
        "mean": group.mean,
        "std": group.std,
    }
