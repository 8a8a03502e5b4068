"""The Python interface: `joulecast.compare`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import UsageError
from ..table.load import Source, Where, by_columns, load_table
from .group_comparison import Comparison, compare_groups
from .interaction import Interaction, interaction

# Tests for one factor, and for two.
_TESTS = {1: ("auto", "welch", "kruskal"), 2: ("auto", "anova", "art")}


def compare(
    source: Source,
    value: str = "energy_j",
    by: str | Sequence[str] = (),
    *,
    test: str = "auto",
    alpha: float = 0.05,
    baseline: str | None = None,
    tags: Mapping[str, str] | None = None,
    where: Where | None = None,
    ledger: str | Path | None = None,
) -> Comparison | Interaction:
    """Whether groups of runs differ, and by how much; of two factors, how they work together.

    One factor: a test of all groups (Welch's ANOVA or Kruskal-Wallis), each pair (Games-Howell, or
    Dunn with Holm's adjustment), effect sizes. Two factors: a two-way analysis of variance or an
    aligned rank transform, with the effect of each factor and of their interaction.

    Args:
        source: a CSV file, columns by name (a dictionary, a pandas data frame), or recorded runs
            by id, name or pattern, as `load_table` takes them.
        value: the column to compare. A unit in its name (`energy (kWh)`) or in its cells (`50 kJ`)
            is converted to SI.
        by: one or two columns whose labels make the groups; default: `architecture`, `model`,
            `method`, `configuration` or `name`, the first that makes several.
        test: `auto` chooses by normality and spread; `welch` or `kruskal` for one factor, `anova`
            or `art` for two.
        alpha: level of every test, between 0 and 1.
        baseline: with one factor, the group that the others are compared with.
        tags: tags that recorded runs must have.
        where: only rows with these values, by column.
        ledger: where the recorded runs are; default: that of the user.

    Returns:
        A `Comparison` of one factor, an `Interaction` of two; figures in SI units.

    Raises:
        BadInputError: a column or the baseline is missing, a value is not a number, a factor has
            too many levels (of two factors: or only one), or no row remains.
        MissingExtraError: scipy is not installed.
        RunNotFoundError: no recorded run matches.
        UsageError: the options do not fit together.

    Examples:
        >>> runs = {"model": ["a"] * 3 + ["b"] * 3, "energy_j": [9.0, 9.2, 9.1, 7.0, 7.1, 7.3]}
        >>> round(joulecast.compare(runs).pairs[0].median_change_pct)
        -22
    """
    if not 0 < alpha < 1:
        raise UsageError(f"alpha {alpha:g}: it must lie between 0 and 1")
    table = load_table(source, tags=tags, where=where, ledger=ledger)
    columns = by_columns(by, table)
    if len(columns) not in _TESTS:
        raise UsageError(f"--by {','.join(columns)}: name one column or two")
    if test not in _TESTS[len(columns)]:
        allowed = ", ".join(_TESTS[len(columns)])
        raise UsageError(f"test {test}: with --by {','.join(columns)} use one of {allowed}")
    if len(columns) == 1:
        return compare_groups(table, value, columns[0], test=test, alpha=alpha, baseline=baseline)
    if baseline is not None:
        raise UsageError("a baseline needs one factor: name one column to group by")
    return interaction(table, value, columns[0], columns[1], method=test, alpha=alpha)
