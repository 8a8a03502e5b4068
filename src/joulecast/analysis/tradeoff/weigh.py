"""Configurations weighed by cost and quality: the Pareto front and what follows from it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ...column_units import Unit, falls
from ...errors import BadInputError, UsageError
from ...result import Result
from ..carbon.cost import KWH_J
from ..statistics.medians import Median, median
from ..statistics.resampling import draws_for, medians_drawn
from ..table.columns import Array, Table
from ..table.configurations import Members, grouped
from ..table.quantities import in_range, quantities
from .labels import LabelRange, label, label_ranges, why_no_labels
from .pairs import MAX_PAIRED, ConfigurationPair, QualityColumn, Side, pair_of
from .pareto import on_front

Compare = Callable[[int, int], ConfigurationPair]
"""Two configurations by their positions compared, that of lower cost first."""

# A smaller cost counts as zero.
_MIN_COST = 1e-18
# More bootstrapped medians are not kept, so that pairs have no intervals.
_MAX_KEPT = 4_000_000


@dataclass(frozen=True, slots=True)
class CostColumn:
    """The measure of cost; `unit` is the SI unit of all costs, None where it is unknown."""

    column: str
    unit: str | None

    @property
    def is_energy(self) -> bool:
        """Whether costs are joules."""
        return self.unit == "J"

    @property
    def noun(self) -> str:
        """What the unit measures: `energy`."""
        return Unit(self.unit).noun

    def text(self, cost: float) -> str:
        """A cost for people: `339 kJ`."""
        return Unit(self.unit).text(cost)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Runs that have all factors in common; `cost` and `quality` are medians of `n` repetitions.

    Attributes:
        on_front: whether no other configuration is better in both, by the medians.
        front_share: fraction of the bootstrap draws in which it is on the front; None where no
            configuration has two repetitions.
        label: A to G; None where there are no labels.
        quality_per_cost: None where less quality is better.
        quality_per_kwh: None also where cost is not an energy.
    """

    name: str
    factors: dict[str, str]
    n: int
    cost: Median
    quality: Median
    on_front: bool
    front_share: float | None
    label: str | None
    quality_per_cost: float | None
    quality_per_kwh: float | None


@dataclass(frozen=True, slots=True)
class FrontStep:
    """From one configuration on the front to the next: the cost of more quality.

    Attributes:
        gain: of quality, positive, in its own unit.
        gain_per_kwh: None where cost is not an energy.
        relative_to_first: gain per cost / that of the first step: 1, and less as returns diminish.
            None where the first is too small to divide by.
    """

    start: str
    end: str
    extra_cost: float
    gain: float
    gain_per_cost: float
    gain_per_kwh: float | None
    relative_to_first: float | None


@dataclass(frozen=True, slots=True)
class Pick:
    """`name`, the configuration of lowest cost whose quality is within a tolerance of the best.

    Its quality reaches `threshold`; `pair` compares it with the best, None where it is the best.
    """

    tolerance: float
    best: str
    threshold: float
    name: str
    pair: ConfigurationPair | None


@dataclass(frozen=True, slots=True, repr=False)
class Tradeoff(Result):
    """Configurations weighed by cost and quality.

    Attributes:
        group: the value of the column that splits the table; None where it is not split.
        by: the columns that make a configuration.
        left_out: rows that are not used, by reason.
        configurations: that of lowest cost first.
        draws: of the bootstrap; None where there was none.
        baseline: name of the configuration that the others are compared with.
        pairs: each with each; with the baseline only where there are more than 40 configurations.
        steps: along the front.
        labels: the costs of each label; None where there are no labels.
        notes: what limits these figures.
    """

    SCHEMA: ClassVar[str] = "joulecast/tradeoff/1"

    title: str
    group: str | None
    cost: CostColumn
    quality: QualityColumn
    by: tuple[str, ...]
    rows: int
    left_out: dict[str, int]
    configurations: list[Configuration]
    draws: int | None
    baseline: str
    pairs: list[ConfigurationPair]
    steps: list[FrontStep]
    pick: Pick
    labels: list[LabelRange] | None
    notes: list[str]

    @property
    def front(self) -> list[Configuration]:
        """The configurations on the front, that of lowest cost first."""
        return [c for c in self.configurations if c.on_front]


def weigh(
    table: Table,
    cost: str,
    quality: str,
    by: Sequence[str],
    *,
    maximize: bool = True,
    tolerance: float = 0.02,
    baseline: str | None = None,
    group: str | None = None,
) -> Tradeoff:
    """Weigh configurations by the medians of their repetitions.

    Rows without a cost, a quality or a factor are left out and counted, as are those whose
    `status` is not that of a finished run. Arguments and errors are those of `joulecast.tradeoff`;
    `group` is the value of the column that splits the table.
    """
    if not 0 <= tolerance < 1:
        raise UsageError(f"tolerance {tolerance:g}: give a fraction, 0.02 for 2 %")
    runs = _read(table, cost, quality, by, maximize)
    names = runs.names
    # Of several best ones, that of lowest cost.
    best = int(np.argmax(runs.worth))
    base = best if baseline is None else _index(names, baseline)
    bootstrap = _bootstrap(runs)
    front = on_front(runs.median_costs, runs.worth)
    labels = label_ranges(runs.median_costs.tolist())

    def compare(a: int, b: int) -> ConfigurationPair:
        first, second = (Side(names[i], runs.cost[i], runs.quality[i], i) for i in (a, b))
        medians = bootstrap.medians if bootstrap else None
        return pair_of(first, second, runs.quality_column, medians)

    pairs, notes = _pairs(len(names), base, compare)
    return Tradeoff(
        title=table.name,
        group=group,
        cost=runs.cost_column,
        quality=runs.quality_column,
        by=tuple(by),
        rows=len(table),
        left_out=runs.left_out,
        configurations=[
            _configuration(runs, i, bool(on), bootstrap, labels) for i, on in enumerate(front)
        ],
        draws=bootstrap.draws if bootstrap else None,
        baseline=names[base],
        pairs=pairs,
        steps=_steps(runs, front),
        pick=_pick(runs, tolerance, best, compare),
        labels=labels,
        notes=[*table.notes, *notes, *_notes(runs, bootstrap is None)],
    )


# --- the configurations --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Runs:
    """Rows of a table by configuration, that of lowest cost first.

    `worth` is the median quality, negative where less is better: shape (configurations,).
    """

    costs: Array
    qualities: Array
    groups: list[Members]
    left_out: dict[str, int]
    cost: list[Median]
    quality: list[Median]
    median_costs: Array
    worth: Array
    cost_column: CostColumn
    quality_column: QualityColumn

    @property
    def names(self) -> list[str]:
        return [g.name for g in self.groups]


def _read(table: Table, cost: str, quality: str, by: Sequence[str], maximize: bool) -> _Runs:
    costs, unit = quantities(table, cost)
    # A cost of zero would be divided by.
    in_range(table, cost, costs, _MIN_COST)
    qualities = in_range(table, quality, table.numbers(quality))
    groups, left_out = grouped(table, by, {cost: costs, quality: qualities})
    if not groups:
        why = ", ".join(f"{reason} ({n:,})" for reason, n in left_out.items())
        raise BadInputError(f"{table.name}: no row remains: {why or 'the table is empty'}")
    groups = sorted(groups, key=lambda g: (float(np.median(costs[g.rows])), g.name))
    cost_medians = [median(costs[g.rows]) for g in groups]
    quality_medians = [median(qualities[g.rows]) for g in groups]
    values = np.array([m.value for m in quality_medians])
    return _Runs(
        costs,
        qualities,
        groups,
        left_out,
        cost_medians,
        quality_medians,
        np.array([m.value for m in cost_medians]),
        values if maximize else -values,
        CostColumn(cost, unit.name),
        QualityColumn.of(quality, values, maximize),
    )


@dataclass(frozen=True, slots=True)
class _Bootstrap:
    """Front shares; and the medians of cost and quality, shape (draws, configurations)."""

    draws: int
    shares: Array
    medians: tuple[Array, Array] | None


def _bootstrap(runs: _Runs) -> _Bootstrap | None:
    """None where no configuration has two repetitions."""
    members = [g.rows for g in runs.groups]
    if max(map(len, members)) < 2:
        return None
    draws = draws_for(sum(map(len, members)))
    keep = draws * len(members) <= _MAX_KEPT
    counts = np.zeros(len(members))
    kept: list[tuple[Array, Array]] = []
    for block in medians_drawn(runs.costs, runs.qualities, members, draws):
        for c, q in zip(*block, strict=True):
            counts += on_front(c, q, runs.quality_column.maximize)
        if keep:
            kept.append(block)
    costs, qualities = zip(*kept, strict=True) if keep else ((), ())
    medians = (np.concatenate(costs), np.concatenate(qualities)) if keep else None
    return _Bootstrap(draws, counts / draws, medians)


def _configuration(
    runs: _Runs,
    i: int,
    on_the_front: bool,
    bootstrap: _Bootstrap | None,
    labels: list[LabelRange] | None,
) -> Configuration:
    cost, quality = runs.cost[i], runs.quality[i]
    per_cost = quality.value / cost.value if runs.quality_column.maximize else None
    return Configuration(
        name=runs.groups[i].name,
        factors=runs.groups[i].factors,
        n=cost.n,
        cost=cost,
        quality=quality,
        on_front=on_the_front,
        front_share=float(bootstrap.shares[i]) if bootstrap else None,
        label=label(cost.value, labels) if labels else None,
        quality_per_cost=per_cost,
        quality_per_kwh=_per_kwh(per_cost, runs.cost_column),
    )


def _per_kwh(per_cost: float | None, cost: CostColumn) -> float | None:
    return None if per_cost is None or not cost.is_energy else per_cost * KWH_J


def _index(names: Sequence[str], name: str) -> int:
    from difflib import get_close_matches

    if name in names:
        return names.index(name)
    nearest = get_close_matches(name, names, n=3, cutoff=0.4) or list(names[:5])
    raise UsageError(f"--baseline {name}: no such configuration; there are {'; '.join(nearest)}")


# --- what follows from them ----------------------------------------------------------------------


def _pairs(count: int, base: int, compare: Compare) -> tuple[list[ConfigurationPair], list[str]]:
    """Each with each, or with the baseline only where these would be too many."""
    if count <= MAX_PAIRED:
        return [compare(a, b) for b in range(count) for a in range(b)], []
    pairs = [compare(min(a, base), max(a, base)) for a in range(count) if a != base]
    note = f"{count:,} configurations, more than {MAX_PAIRED}: each is compared with the baseline"
    return pairs, [f"{note} only"]


def _steps(runs: _Runs, front: npt.NDArray[np.bool_]) -> list[FrontStep]:
    cost, worth = runs.median_costs, runs.worth
    at: list[int] = []
    for i in np.flatnonzero(front).tolist():
        # Of configurations that are alike in both, one is enough.
        if not at or cost[i] > cost[at[-1]]:
            at.append(i)
    steps: list[FrontStep] = []
    for a, b in pairwise(at):
        extra_cost, gain = float(cost[b] - cost[a]), float(worth[b] - worth[a])
        rate = gain / extra_cost
        relative = _ratio(rate, steps[0].gain_per_cost) if steps else 1.0
        per_kwh = _per_kwh(rate, runs.cost_column)
        start, end = runs.groups[a].name, runs.groups[b].name
        steps.append(FrontStep(start, end, extra_cost, gain, rate, per_kwh, relative))
    return steps


def _ratio(rate: float, first: float) -> float | None:
    ratio = rate / first if first > 0 else math.inf
    return ratio if math.isfinite(ratio) else None


def _pick(runs: _Runs, tolerance: float, best: int, compare: Compare) -> Pick:
    top = float(runs.worth[best])
    required = top - tolerance * abs(top)
    # The configurations are in order of their cost, so that the best is at or after the pick.
    picked = int(np.argmax(runs.worth >= required))
    pair = None if picked == best else compare(picked, best)
    threshold = required if runs.quality_column.maximize else -required
    return Pick(tolerance, runs.names[best], threshold, runs.names[picked], pair)


def _notes(runs: _Runs, no_bootstrap: bool) -> list[str]:
    count = len(runs.groups)
    single = sum(m.n == 1 for m in runs.cost)
    few = sum(m.low is None for m in runs.cost)
    no_labels = why_no_labels(runs.median_costs.tolist())
    notes = []
    if no_bootstrap:
        notes.append("one repetition each: neither intervals nor front shares can be computed")
    elif single:
        notes.append(
            f"{single} of {count} configurations have one repetition, which the bootstrap cannot "
            "vary: their front shares are too certain"
        )
    elif few:
        notes.append(f"{few} of {count} configurations have fewer than 5 repetitions: no interval")
    if no_labels:
        notes.append(f"no labels: {no_labels}")
    quality = runs.quality_column
    if quality.maximize and falls(quality.column):
        notes.append(f"a higher {quality.column} is treated as better: pass --minimize otherwise")
    if not runs.quality_column.maximize:
        notes.append("no quality per energy, because less quality is better")
    if count > 1 and float(np.ptp(runs.worth)) == 0:
        notes.append("all configurations have the same quality: the front is the cheapest")
    return notes
