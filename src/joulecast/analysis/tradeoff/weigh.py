"""Configurations weighed by cost and quality: the Pareto front and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ...errors import BadInputError, UsageError
from ...result import Result
from ..statistics.medians import Median, median
from ..statistics.resampling import draws_for, medians_drawn
from ..table.column_units import Unit, quantities, sane, where
from ..table.columns import Array, Table
from ..table.configurations import Members, grouped
from .labels import LabelRange, label, label_ranges, why_no_labels
from .pairs import MAX_PAIRED, ConfigurationPair, QualityColumn, Side, pair_of
from .pareto import on_front

Compare = Callable[[int, int], ConfigurationPair]
"""Two configurations by their positions compared, that of lower cost first."""

J_PER_KWH = 3.6e6

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
    """Runs that have all factors in common.

    Attributes:
        name: the values of its factors.
        factors: value by factor.
        n: repetitions.
        cost: median over the repetitions, in the unit of the trade-off.
        quality: median over the repetitions.
        on_front: whether no other configuration is better in both, by the medians.
        front_share: fraction of the bootstrap draws in which it is on the front; None where no
            configuration has two repetitions.
        label: A to G; None where there are no labels.
        quality_per_cost: quality per unit of cost; None where less quality is better.
        quality_per_kwh: the same per kWh; None where cost is not an energy.
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
        start: name of the configuration of lower cost.
        end: name of the next one.
        extra_cost: in the unit of the trade-off.
        gain: of quality, positive, in its own unit.
        gain_per_cost: gain per unit of cost.
        gain_per_kwh: the same per kWh; None where cost is not an energy.
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
    """The configuration of lowest cost whose quality is within a tolerance of the best.

    Attributes:
        tolerance: fraction of the best quality.
        best: name of the configuration of best quality.
        threshold: the quality that is required.
        name: of the pick.
        pair: the pick compared with the best; None where it is the best.
    """

    tolerance: float
    best: str
    threshold: float
    name: str
    pair: ConfigurationPair | None


@dataclass(frozen=True, slots=True, repr=False)
class Tradeoff(Result):
    """Configurations, that of lowest cost first, weighed by cost and quality.

    Attributes:
        title: name of the table.
        group: the value of the column that splits the table; None where it is not split.
        cost: the measure of cost.
        quality: the measure of quality.
        by: the columns that make a configuration.
        rows: of the table.
        left_out: rows that are not used, by reason.
        configurations: by cost.
        draws: of the bootstrap; None where there was none.
        baseline: name of the configuration that the others are compared with.
        pairs: each with each; with the baseline only where there are more than 40 configurations.
        steps: along the front.
        pick: the configuration of lowest cost within a tolerance of the best.
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
    seed: int = 0,
) -> Tradeoff:
    """Weigh configurations by the medians of their repetitions.

    Rows without a cost, a quality or a factor are left out and counted, as are those whose
    `status` is not that of a finished run.

    Args:
        table: a row for each run.
        cost: the column to minimize; its unit is read from its name (`energy_j`, `energy (MJ)`).
        quality: the column of quality.
        by: the columns whose values make a configuration.
        maximize: whether more quality is better; False for a loss.
        tolerance: fraction of the best quality that the pick may lack: 0.02 for 2 %.
        baseline: the configuration that every other is compared with. Default: the best one.
        group: the value of the column that splits the table.
        seed: of the bootstrap.

    Raises:
        BadInputError: a column is missing, a cell is not a number, a cost is not positive (with
            its row), or no row remains.
        UsageError: `baseline` is no configuration, or the tolerance is not a fraction.
    """
    if not 0 <= tolerance < 1:
        raise UsageError(f"tolerance {tolerance:g}: give a fraction, 0.02 for 2 %")
    runs = _read(table, cost, quality, by)
    names = [members.name for members in runs.groups]
    c, q = runs.median_costs, runs.median_qualities
    worth = q if maximize else -q
    # Of several best ones, that of lowest cost.
    best = int(np.argmax(worth))
    base = best if baseline is None else _index(names, baseline)
    quality_column = QualityColumn.of(quality, q, maximize)
    bootstrap = _bootstrap(runs, maximize, seed)
    medians = None if bootstrap is None else bootstrap.medians
    medians_of = zip(names, runs.cost, runs.quality, strict=True)
    sides = [Side(name, cost_, quality_, i) for i, (name, cost_, quality_) in enumerate(medians_of)]

    def compare(a: int, b: int) -> ConfigurationPair:
        return pair_of(sides[a], sides[b], quality_column, medians)

    labels = label_ranges(c.tolist())
    cost_column = CostColumn(cost, runs.unit.name)
    front = on_front(c, q, maximize)
    pairs, notes = _pairs(len(names), base, compare)
    return Tradeoff(
        title=table.name,
        group=group,
        cost=cost_column,
        quality=quality_column,
        by=tuple(by),
        rows=len(table),
        left_out=runs.left_out,
        configurations=_configurations(runs, front, bootstrap, labels, maximize),
        draws=None if bootstrap is None else bootstrap.draws,
        baseline=names[base],
        pairs=pairs,
        steps=_steps(names, c, worth, front, cost_column),
        pick=_pick(names, q, maximize, tolerance, best, compare),
        labels=labels,
        notes=[*table.notes, *notes, *_notes(runs, bootstrap is None, maximize)],
    )


# --- the configurations --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Runs:
    """Rows of a table by configuration, that of lowest cost first."""

    costs: Array
    qualities: Array
    unit: Unit
    groups: list[Members]
    left_out: dict[str, int]
    cost: list[Median]
    quality: list[Median]

    @property
    def median_costs(self) -> Array:
        return np.array([m.value for m in self.cost])

    @property
    def median_qualities(self) -> Array:
        return np.array([m.value for m in self.quality])


def _read(table: Table, cost: str, quality: str, by: Sequence[str]) -> _Runs:
    costs, unit = quantities(table, cost)
    too_small = np.flatnonzero(costs < _MIN_COST)
    if len(too_small):
        row = int(too_small[0])
        raise BadInputError(
            f"{where(table, row)}: {cost} is {table.cells(cost)[row]}: a cost must be more than "
            "zero; correct it, or leave it empty where it is unknown"
        )
    qualities = sane(table, quality, table.numbers(quality))
    groups, left_out = grouped(table, by, {cost: costs, quality: qualities})
    if not groups:
        why = ", ".join(f"{reason} ({n:,})" for reason, n in left_out.items())
        raise BadInputError(f"{table.name}: no row remains: {why or 'the table is empty'}")
    groups = sorted(groups, key=lambda g: (float(np.median(costs[g.rows])), g.name))
    return _Runs(
        costs,
        qualities,
        unit,
        groups,
        left_out,
        [median(costs[g.rows]) for g in groups],
        [median(qualities[g.rows]) for g in groups],
    )


@dataclass(frozen=True, slots=True)
class _Bootstrap:
    """Front shares; and the medians of cost and quality, shape (draws, configurations)."""

    draws: int
    shares: Array
    medians: tuple[Array, Array] | None


def _bootstrap(runs: _Runs, maximize: bool, seed: int) -> _Bootstrap | None:
    """None where no configuration has two repetitions."""
    members = [g.rows for g in runs.groups]
    if max(len(rows) for rows in members) < 2:
        return None
    draws = draws_for(sum(len(rows) for rows in members))
    keep = draws * len(members) <= _MAX_KEPT
    counts = np.zeros(len(members))
    kept: list[tuple[Array, Array]] = []
    for block in medians_drawn(runs.costs, runs.qualities, members, draws, seed):
        for c, q in zip(*block, strict=True):
            counts += on_front(c, q, maximize)
        if keep:
            kept.append(block)
    medians = None
    if keep:
        medians = (np.concatenate([c for c, _ in kept]), np.concatenate([q for _, q in kept]))
    return _Bootstrap(draws, counts / draws, medians)


def _configurations(
    runs: _Runs,
    front: npt.NDArray[np.bool_],
    bootstrap: _Bootstrap | None,
    labels: list[LabelRange] | None,
    maximize: bool,
) -> list[Configuration]:
    configurations = []
    for i, members in enumerate(runs.groups):
        cost, quality = runs.cost[i], runs.quality[i]
        per_cost = quality.value / cost.value if maximize else None
        configurations.append(
            Configuration(
                name=members.name,
                factors=members.factors,
                n=cost.n,
                cost=cost,
                quality=quality,
                on_front=bool(front[i]),
                front_share=None if bootstrap is None else float(bootstrap.shares[i]),
                label=None if labels is None else label(cost.value, labels),
                quality_per_cost=per_cost,
                quality_per_kwh=_per_kwh(per_cost, runs.unit.name),
            )
        )
    return configurations


def _per_kwh(per_cost: float | None, unit: str | None) -> float | None:
    return None if per_cost is None or unit != "J" else per_cost * J_PER_KWH


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


def _steps(
    names: Sequence[str],
    cost: Array,
    worth: Array,
    front: npt.NDArray[np.bool_],
    column: CostColumn,
) -> list[FrontStep]:
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
        per_kwh = _per_kwh(rate, column.unit)
        steps.append(FrontStep(names[a], names[b], extra_cost, gain, rate, per_kwh, relative))
    return steps


def _ratio(rate: float, first: float) -> float | None:
    ratio = rate / first if first > 0 else math.inf
    return ratio if math.isfinite(ratio) else None


def _pick(
    names: Sequence[str],
    quality: Array,
    maximize: bool,
    tolerance: float,
    best: int,
    compare: Compare,
) -> Pick:
    top = float(quality[best])
    slack = tolerance * abs(top)
    threshold = top - slack if maximize else top + slack
    good = quality >= threshold if maximize else quality <= threshold
    # The configurations are in order of their cost.
    picked = int(np.argmax(good))
    pair = None if picked == best else compare(min(picked, best), max(picked, best))
    return Pick(tolerance, names[best], threshold, names[picked], pair)


def _notes(runs: _Runs, no_bootstrap: bool, maximize: bool) -> list[str]:
    count = len(runs.groups)
    single = sum(m.n == 1 for m in runs.cost)
    few = sum(m.low is None for m in runs.cost)
    no_labels = why_no_labels(runs.median_costs.tolist())
    equal = count > 1 and float(np.ptp(runs.median_qualities)) == 0
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
    notes += [f"no labels: {no_labels}"] if no_labels else []
    notes += [] if maximize else ["no quality per energy, because less quality is better"]
    notes += (
        ["all configurations have the same quality: the front is the cheapest"] if equal else []
    )
    return notes
