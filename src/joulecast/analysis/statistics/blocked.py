"""Groups of runs compared within blocks: runs that have all other factors in common.

Pooled over the other factors, their variation hides an effect that every pair of runs shows. Here
each run is ranked among those of its block only (Benard and van Elteren 1953, A generalization of
the method of m rankings; for two groups van Elteren 1960, On the combination of independent two
sample tests of Wilcoxon). With one run of each group in each block it is Friedman's test.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from ..table.columns import Array, Table
from ..table.configurations import grouped
from ..table.quantities import quantities
from .assumptions import EqualSpread
from .effect_sizes import CLIFF, EffectSize, eta_squared, word
from .group_comparison import Comparison, GroupPair, pair_of
from .groups import Group, split, summarize_group
from .omnibus import Omnibus
from .posthoc import PairPs, holm
from .scipy_stats import scipy_stats
from .wording import some

VAN_ELTEREN = "van-elteren"

# Runs times degrees of freedom up to which p is that of shuffled runs. Chi-squared is the limit for
# many runs in a block, and finds too much in blocks of a few.
_MAX_SHUFFLED = 1_000
_SHUFFLES = 9_999
# Of the shuffles, so that the same table gives the same p.
_SEED = 0


Block = Sequence[Array]
"""The values of each group in one block, some of them empty."""


def compare_within_blocks(
    table: Table, value: str, by: str, others: Sequence[str], *, alpha: float = 0.05
) -> Comparison | None:
    """Compare a column between the groups of `by`, among rows that have all `others` in common.

    Pairs have the share of wins less losses within blocks (Cliff's delta), the geometric mean over
    the blocks of the ratio of medians, and the mean of the differences of medians.

    Returns:
        None where no block has two groups, so that nothing can be compared at equal `others`.

    Raises:
        BadInputError: a column is missing, a value is not a number, or `by` has too many labels.
    """
    values, unit = quantities(table, value)
    groups, unlabeled = split(table, values, by)
    groups = [g for g in groups if g.n]
    labels = np.array(table.levels(by), dtype=object)
    members, _ = grouped(table, others, {value: values})
    blocks = _comparable(
        [[values[m.rows[labels[m.rows] == g.name]] for g in groups] for m in members]
    )
    if not blocks:
        return None
    equal = f"at equal {some(others)}"
    return Comparison(
        table=table.name,
        value=value,
        unit=unit.name,
        by=by,
        alpha=alpha,
        baseline=None,
        groups=tuple(map(summarize_group, groups)),
        unlabeled=unlabeled,
        normality=(),
        spread=EqualSpread(None, None, None, f"ranks {equal} are compared"),
        requested="auto",
        why=f"runs are ranked among those {equal}, so that these do not hide or feign a difference",
        test=_test(blocks, len(groups)),
        posthoc="van-elteren-holm",
        pairs=tuple(_pairs(blocks, groups, alpha)),
        notes=(),
        blocks=tuple(others),
    )


def _comparable(blocks: Sequence[Block]) -> list[Block]:
    """The blocks that have two groups or more."""
    return [block for block in blocks if sum(len(values) > 0 for values in block) > 1]


def _pairs(blocks: Sequence[Block], groups: Sequence[Group], alpha: float) -> list[GroupPair]:
    """Every pair of groups that a block has both of."""
    both = {
        (i, j): of_pair
        for i, j in combinations(range(len(groups)), 2)
        if (of_pair := _comparable([(block[i], block[j]) for block in blocks]))
    }
    p_values: PairPs = {pair: _test(of_pair, 2).p for pair, of_pair in both.items()}
    adjusted = holm(p_values)
    return [
        pair_of(
            (groups[i].name, groups[j].name),
            np.array([[np.median(values) for values in block] for block in of_pair]),
            _delta(of_pair),
            (p_values[i, j], adjusted[i, j]),
            alpha,
        )
        for (i, j), of_pair in both.items()
    ]


def _delta(blocks: Sequence[Block]) -> EffectSize:
    """Wins less losses of the second group, as a share of all pairs of values in one block."""
    signs = [np.sign(second[:, None] - first[None, :]) for first, second in blocks]
    delta = float(sum(s.sum() for s in signs)) / sum(s.size for s in signs)
    return EffectSize("cliffs-delta", delta, word(abs(delta), CLIFF))


def _test(blocks: Sequence[Block], groups: int) -> Omnibus:
    """Whether values of some groups tend to be larger than others of their block.

    Effect: eta squared of the ranks within blocks, 0 where its correction makes it negative.
    """
    stats = scipy_stats()
    scores: list[Array] = []
    members: list[Array] = []
    totals, variance = np.zeros(groups), np.zeros((groups, groups))
    for block in blocks:
        counts = np.array([len(values) for values in block])
        n = int(counts.sum())
        # Weighted by 1 / (n + 1), so that a block counts by its number of runs.
        score = (stats.rankdata(np.concatenate(block)) - (n + 1) / 2) / (n + 1)
        member = np.repeat(np.eye(groups), counts, axis=0)
        totals += score @ member
        spread = float((score**2).sum()) / (n - 1)
        variance += spread * (np.diag(counts) - np.outer(counts, counts) / n)
        scores.append(score)
        members.append(member)
    df = int(np.linalg.matrix_rank(variance))
    if df == 0:
        return Omnibus(VAN_ELTEREN, reason="all values of each combination are the same")
    inverse = np.asarray(np.linalg.pinv(variance, hermitian=True), np.float64)
    statistic = float(totals @ inverse @ totals)
    n = sum(map(len, scores))
    if n * df <= _MAX_SHUFFLED:
        p = _shuffled(scores, members, inverse, statistic)
    else:
        p = float(stats.chi2.sf(statistic, df))
    effect = eta_squared(statistic, df + 1, n - len(blocks) + 1)
    return Omnibus(VAN_ELTEREN, statistic, (float(df),), p, effect)


def _shuffled(
    scores: Sequence[Array], members: Sequence[Array], inverse: Array, statistic: float
) -> float:
    """The share of shuffles of the runs of each block that have as large a statistic."""
    rng = np.random.default_rng(_SEED)
    totals = sum(
        rng.permuted(np.tile(score, (_SHUFFLES, 1)), axis=1) @ member
        for score, member in zip(scores, members, strict=True)
    )
    drawn = np.einsum("mi,ij,mj->m", totals, inverse, totals)
    # A shuffle that is as large but for rounding counts; so does what was observed.
    return (1 + int(np.sum(drawn >= statistic * (1 - 1e-9)))) / (1 + _SHUFFLES)
