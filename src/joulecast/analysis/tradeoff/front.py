"""What correctness costs: configurations weighed by their cost against their quality."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import BadInputError, UsageError
from ...units import one_line
from ..statistics.medians import Median, median
from ..statistics.resampling import draws_for, medians_drawn
from ..table.column_units import Unit, quantities, sane, unit_of, where
from ..table.columns import Array, Table
from ..table.configurations import grouped
from .labels import label, label_bounds, why_no_labels
from .pairs import MOST_PAIRED, ConfigurationPair, QualityScale, pair_of
from .pareto import on_front

Paired = Callable[[int, int], ConfigurationPair]
"""Two configurations by their places, the cheaper first, against each other."""

_LEAST_COST = 1e-18  # as good as zero
_MOST_KEPT = 4_000_000  # medians that were drawn, kept for the intervals of pairs


@dataclass(frozen=True, slots=True)
class Configuration:
    """The runs that share all factors, as one.

    Attributes:
        name: of its factors' values, for people.
        factors: value by factor.
        cost: over its repetitions, in the unit of the trade-off.
        quality: over the same.
        on_front: whether none beats it, by the medians.
        front_share: how often it is on the front when repetitions are drawn anew, 0 to 1; None
            where no configuration has two repetitions.
        per_unit: quality per unit of cost (joule); None where less quality is better.
        label: A to G; None where there is no range.
    """

    name: str
    factors: dict[str, str]
    cost: Median
    quality: Median
    on_front: bool
    front_share: float | None
    per_unit: float | None
    label: str | None

    @property
    def n(self) -> int:
        """Its repetitions."""
        return self.cost.n


@dataclass(frozen=True, slots=True)
class FrontStep:
    """From one member of the front to the next dearer one: what more quality costs.

    `gain` is positive: better by so much, in the quality's own unit.
    """

    start: str
    end: str
    extra_cost: float
    gain: float
    # Gain per cost over that of the first step: 1, and less as returns diminish. None where that of
    # the first is next to nothing, so that no number says how many times as much this is.
    relative: float | None

    @property
    def gain_per_unit(self) -> float:
        """Marginal quality per unit of cost (joule)."""
        return self.gain / self.extra_cost


@dataclass(frozen=True, slots=True)
class Pick:
    """The cheapest configuration whose quality is within a tolerance of the best."""

    tolerance: float
    best: str
    threshold: float
    name: str
    pair: ConfigurationPair | None  # against the best; None where it is the best itself


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """Configurations, cheapest first, and what is to be had between them."""

    title: str
    cost: str
    quality: str
    by: tuple[str, ...]
    maximize: bool
    unit: Unit
    scale: QualityScale
    rows: int
    left_out: dict[str, int]  # rows by reason
    configurations: list[Configuration]
    draws: int | None  # of the bootstrap
    reference: str
    pairs: list[ConfigurationPair]
    steps: list[FrontStep]
    pick: Pick
    bounds: list[float] | None  # of the labels
    notes: list[str]

    @property
    def front(self) -> list[Configuration]:
        """Its members, cheapest first."""
        return [c for c in self.configurations if c.on_front]

    def to_json(self) -> dict[str, Any]:
        """The document `joulecast/tradeoff/1`."""
        from .document import document

        return document(self)


def tradeoff(
    table: Table,
    cost: str = "energy_j",
    quality: str = "accuracy",
    by: Sequence[str] = ("architecture",),
    maximize: bool = True,
    tolerance: float = 0.02,
    reference: str | None = None,
    seed: int = 0,
) -> Tradeoff:
    """Weigh configurations by the medians of their repetitions.

    Rows without a cost, a quality or a factor are left out and counted, as are those whose
    `status` says that the run did not finish.

    Args:
        table: a row for each run.
        cost: the column to keep small; its unit is read off its name (`energy_j`, `energy (MJ)`).
        quality: the column of correctness.
        by: the columns whose values together make a configuration.
        maximize: whether more quality is better; else less (a loss).
        tolerance: of the best quality, that the pick may lack: 0.02 for 2 %.
        reference: the configuration every other is compared with. Default: the best one.
        seed: of the bootstrap.

    Raises:
        BadInputError: a column is missing, a cell is no number, a cost is not positive (with its
            row), or no row is left.
        UsageError: no configuration has the name of the reference, or a tolerance makes no sense.
    """
    if not 0 <= tolerance < 1:
        raise UsageError(f"a tolerance of {tolerance:g}: it is a fraction, 0.02 for 2 %")
    costs, unit = quantities(table, cost)
    _positive(table, cost, costs)
    qualities = sane(table, quality, table.numbers(quality))
    groups, left_out = grouped(table, by, {cost: costs, quality: qualities})
    if not groups:
        why = ", ".join(f"{reason} ({n:,})" for reason, n in left_out.items())
        raise BadInputError(f"{table.name}: no row is left to weigh: {why or 'it has none'}")

    members = [g.rows for g in groups]
    cost_medians = [median(costs[rows]) for rows in members]
    quality_medians = [median(qualities[rows]) for rows in members]
    order = sorted(range(len(groups)), key=lambda i: (cost_medians[i].value, groups[i].name))
    groups = [groups[i] for i in order]
    members = [members[i] for i in order]
    cost_medians = [cost_medians[i] for i in order]
    quality_medians = [quality_medians[i] for i in order]
    c = np.array([m.value for m in cost_medians])
    q = np.array([m.value for m in quality_medians])

    front = on_front(c, q, maximize)
    resampled = _resample(costs, qualities, members, maximize, seed)
    bounds = label_bounds(c.tolist())
    configurations = [
        Configuration(
            name=group.name,
            factors=group.factors,
            cost=cost_medians[i],
            quality=quality_medians[i],
            on_front=bool(front[i]),
            front_share=None if resampled is None else float(resampled.shares[i]),
            per_unit=float(q[i] / c[i]) if maximize else None,
            label=None if bounds is None else label(float(c[i]), bounds),
        )
        for i, group in enumerate(groups)
    ]
    names = [x.name for x in configurations]
    worth = q if maximize else -q
    best = int(np.flatnonzero(worth == worth.max())[0])  # the cheapest of the best
    against = _index(names, reference) if reference is not None else best
    scale = QualityScale.of(one_line(quality), unit_of(quality), q, maximize)
    drawn = None if resampled is None else resampled.medians

    def pair(a: int, b: int) -> ConfigurationPair:
        return pair_of(
            (names[a], cost_medians[a], quality_medians[a], a),
            (names[b], cost_medians[b], quality_medians[b], b),
            scale,
            drawn,
        )

    pairs, notes = _pairs(len(names), against, pair)
    notes += _remarks(cost_medians, resampled is None, why_no_labels(c.tolist()), maximize, q)
    return Tradeoff(
        title=table.name,
        cost=cost,
        quality=quality,
        by=tuple(by),
        maximize=maximize,
        unit=unit,
        scale=scale,
        rows=len(table),
        left_out=left_out,
        configurations=configurations,
        draws=None if resampled is None else resampled.draws,
        reference=names[against],
        pairs=pairs,
        steps=_steps(names, c, worth, front),
        pick=_pick(names, q, maximize, tolerance, best, pair),
        bounds=bounds,
        notes=notes,
    )


def _positive(table: Table, column: str, costs: Array) -> None:
    bad = np.flatnonzero(costs < _LEAST_COST)
    if len(bad):
        row = int(bad[0])
        raise BadInputError(
            f"{where(table, row)}: {column} is {table.cells(column)[row]}: a cost must be more "
            "than zero; mend it, or leave it empty where it is not known"
        )


@dataclass(frozen=True, slots=True)
class _Resampled:
    draws: int
    shares: Array
    medians: tuple[Array, Array] | None  # of cost and quality, shape (draws, configurations)


def _resample(
    costs: Array,
    qualities: Array,
    members: Sequence[npt.NDArray[np.intp]],
    maximize: bool,
    seed: int,
) -> _Resampled | None:
    if max(len(rows) for rows in members) < 2:
        return None
    draws = draws_for(sum(len(rows) for rows in members))
    keep = draws * len(members) <= _MOST_KEPT
    counts = np.zeros(len(members))
    kept: list[tuple[Array, Array]] = []
    for block in medians_drawn(costs, qualities, members, draws, seed):
        for c, q in zip(*block, strict=True):
            counts += on_front(c, q, maximize)
        if keep:
            kept.append(block)
    medians = None
    if keep:
        medians = (np.concatenate([c for c, _ in kept]), np.concatenate([q for _, q in kept]))
    return _Resampled(draws, counts / draws, medians)


def _index(names: Sequence[str], name: str) -> int:
    from difflib import get_close_matches

    if name in names:
        return names.index(name)
    near = get_close_matches(name, names, n=3, cutoff=0.4) or list(names[:5])
    raise UsageError(f"no configuration {name}: there are {'; '.join(near)}")


def _pairs(count: int, against: int, pair: Paired) -> tuple[list[ConfigurationPair], list[str]]:
    """Each with each, or with the reference alone where these would be too many."""
    if count <= MOST_PAIRED:
        return [pair(a, b) for b in range(count) for a in range(b)], []
    found = [pair(min(a, against), max(a, against)) for a in range(count) if a != against]
    return found, [
        f"{count:,} configurations: pairs are with the reference alone (all up to {MOST_PAIRED})"
    ]


def _steps(
    names: Sequence[str], cost: Array, worth: Array, front: npt.NDArray[np.bool_]
) -> list[FrontStep]:
    at: list[int] = []
    for i in np.flatnonzero(front).tolist():  # cheapest first; of those alike in both, one
        if not at or cost[i] > cost[at[-1]]:
            at.append(i)
    steps: list[FrontStep] = []
    for a, b in pairwise(at):
        step = FrontStep(
            names[a], names[b], float(cost[b] - cost[a]), float(worth[b] - worth[a]), 1.0
        )
        if steps:
            first = steps[0].gain_per_unit
            ratio = step.gain_per_unit / first if first > 0 else math.inf
            step = replace(step, relative=ratio if math.isfinite(ratio) else None)
        steps.append(step)
    return steps


def _pick(
    names: Sequence[str],
    quality: Array,
    maximize: bool,
    tolerance: float,
    best: int,
    pair: Paired,
) -> Pick:
    top = float(quality[best])
    slack = tolerance * abs(top)
    threshold = top - slack if maximize else top + slack
    good = quality >= threshold if maximize else quality <= threshold
    picked = int(np.flatnonzero(good)[0])  # cheapest first
    versus = None if picked == best else pair(min(picked, best), max(picked, best))
    return Pick(tolerance, names[best], threshold, names[picked], versus)


def _remarks(
    costs: Sequence[Median],
    not_resampled: bool,
    no_labels: str | None,
    maximize: bool,
    quality: Array,
) -> list[str]:
    found = []
    single = sum(m.n == 1 for m in costs)
    few = Counter(m.reason for m in costs if m.reason)
    if not_resampled:
        found.append("one repetition each: neither intervals nor how sure the front is can be said")
    elif single:
        found.append(
            f"{single} of {len(costs)} configurations have one repetition: they stand still when "
            "repetitions are drawn anew, so that the front looks surer than it is"
        )
    elif few:
        count = sum(few.values())
        found.append(
            f"{count} of {len(costs)} configurations have fewer than 5 repetitions: no interval"
        )
    if no_labels:
        found.append(f"no labels: {no_labels}")
    if not maximize:
        found.append("no quality per joule: of a loss, less is better")
    if float(np.ptp(quality)) == 0 and len(quality) > 1:
        found.append("all configurations are equally good: the cheapest is the front")
    return found
