"""Training and inference together: what a model costs over its use, and when one overtakes another.

Inputs are medians of repetitions, or figures with a stated tolerance; what follows from them is
worked out for many draws within their intervals, so that it has an interval too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Any

import numpy as np

from ...errors import BadInputError, UsageError
from ...units import Z90, format_quantity, one_line
from ..statistics.groups import some
from ..statistics.medians import MIN_FOR_INTERVAL, median
from ..table.column_units import bounds_of, quantities, where
from ..table.columns import Array, Table
from ..table.configurations import Members, grouped

SCHEMA = "joulecast/cycle/1"
MOST_PAIRED = 40

_DRAWS = 4000
_PERCENTILES = (5.0, 95.0)


@dataclass(frozen=True, slots=True)
class Figure:
    """An energy, J, with its 90 % interval; without one, `why` says so.

    `metered`: the interval is that of the meters, for want of repetitions.
    """

    value: float
    low: float | None = None
    high: float | None = None
    why: str | None = None
    metered: bool = False

    @property
    def sure(self) -> bool:
        """Whether its interval is known."""
        return self.low is not None and self.high is not None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        known = {"value": self.value, "low": self.low, "high": self.high, "unit": "J"}
        known |= {"interval_of": "meters"} if self.metered else {}
        return known | ({} if self.why is None else {"why_no_interval": self.why})


@dataclass(frozen=True, slots=True)
class Model:
    """What it takes to train once, and to infer once."""

    name: str
    training: Figure
    inference: Figure


@dataclass(frozen=True, slots=True)
class InferenceDemand:
    """How many inferences are served in all; at which rate, where that was said."""

    requests: float
    per_s: float | None = None
    duration_s: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "requests": self.requests,
            "requests_per_day": None if self.per_s is None else self.per_s * 86400,
            "duration_s": self.duration_s,
        }


@dataclass(frozen=True, slots=True)
class Cycle:
    """One model under the usage."""

    model: Model
    inference: Figure  # all of it
    total: Figure
    training_share: float
    per_request: float  # training included, J

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "name": self.model.name,
            "training": self.model.training.to_json(),
            "per_inference": self.model.inference.to_json(),
            "inference": self.inference.to_json(),
            "total": self.total.to_json(),
            "training_share": self.training_share,
            "per_request_j": None if math.isnan(self.per_request) else self.per_request,
        }


class Verdict(StrEnum):
    """How one model stands to another that costs more to train."""

    BREAKS_EVEN = "breaks_even"  # it is cheaper from some number of inferences on
    NEVER = "never"  # it costs no less per inference either
    AT_ONCE = "at_once"  # both cost the same to train: one is cheaper from the first inference
    SAME = "same"


@dataclass(frozen=True, slots=True)
class BreakEven:
    """From how many inferences on the dearer to train of two is the cheaper in all.

    Attributes:
        early: cheaper to train (of `AT_ONCE`: dearer per inference).
        late: dearer to train.
        inferences: None unless `late` breaks even.
        low: of the 90 % interval; None where nothing is known of the scatter.
        high: likewise; None too where it may never break even (`never_share` of the draws).
        after_s: the same as a time at the rate of the usage.
    """

    early: str
    late: str
    verdict: Verdict
    inferences: float | None
    low: float | None
    high: float | None
    never_share: float | None
    after_s: float | None
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "cheaper_to_train": self.early,
            "dearer_to_train": self.late,
            "verdict": str(self.verdict),
            "inferences": self.inferences,
            "low": self.low,
            "high": self.high,
            "never_share": self.never_share,
            "after_s": self.after_s,
            "sentence": self.sentence,
        }


@dataclass(frozen=True, slots=True)
class FullCycle:
    """Models under one usage, cheapest first, and where they overtake each other."""

    usage: InferenceDemand
    cycles: list[Cycle]
    pairs: list[BreakEven]
    rows: int | None  # of the table they came from
    left_out: dict[str, int]
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        """The document `joulecast/cycle/1`."""
        return {
            "schema": SCHEMA,
            "usage": self.usage.to_json(),
            "models": [c.to_json() for c in self.cycles],
            "break_even": [p.to_json() for p in self.pairs],
            "rows": self.rows,
            "left_out": [{"reason": r, "rows": n} for r, n in self.left_out.items()],
            "notes": self.notes,
        }


def models_of(
    table: Table, by: Sequence[str], training: str, inference: str
) -> tuple[list[Model], dict[str, int]]:
    """The models of a table, medians over their rows, and the rows left out by reason.

    A row need not have both figures: trainings and inferences may be measured in runs of their own.
    A model that lacks one of them is left out. Of too few repetitions for an interval of the
    median, it reaches from the least to the greatest bound of the rows, where the table has them
    (`bounds_of`).

    Raises:
        BadInputError: a column is missing, a cell is no energy or negative (with its row), or no
            model has both figures.
    """
    columns: dict[str, Array] = {}
    bounds: dict[str, tuple[Array, Array]] = {}
    for column in (training, inference):
        values, unit = quantities(table, column)
        if unit.name not in ("J", None):
            raise BadInputError(f"{table.name}: {column} is no energy: its unit is {unit.name}")
        bad = np.flatnonzero(values < 0)
        if len(bad):
            row = int(bad[0])
            raise BadInputError(
                f"{where(table, row)}: {column} is {table.cells(column)[row]}: an energy is not "
                "negative; mend it, or leave it empty where it is not known"
            )
        columns[column] = values
        low, high = bounds_of(column)
        if {low, high} <= set(table.columns):
            bounds[column] = (quantities(table, low)[0], quantities(table, high)[0])
    either = np.where(np.isnan(columns[training]), columns[inference], columns[training])
    groups, left_out = grouped(table, by, {f"{training} and {inference}": either})
    if not groups:
        raise BadInputError(f"{table.name}: no row has a model and an energy")
    found = []
    lacking: dict[str, list[Members]] = {}
    for group in groups:
        figures = []
        for column, what in ((training, "training"), (inference, "inference")):
            rows = group.rows[~np.isnan(columns[column][group.rows])]
            if not len(rows):
                lacking.setdefault(f"no energy of {what} ({column})", []).append(group)
                break
            figures.append(
                _figure(columns[column][rows], [b[rows] for b in bounds.get(column, ())])
            )
        else:
            found.append(Model(group.name, *figures))
    for reason, ones in lacking.items():
        left_out[f"{reason} of {some([g.name for g in ones])}"] = sum(len(g.rows) for g in ones)
    if not found:
        raise BadInputError(f"{table.name}: no model has both energies: {'; '.join(left_out)}")
    return found, left_out


def _figure(values: Array, bounds: Sequence[Array]) -> Figure:
    """The median with its interval; of few, all that the bounds of the meters and they span."""
    m = median(values)
    known = np.concatenate(bounds) if bounds else np.empty(0)
    known = known[~np.isnan(known)]
    if m.low is not None or not len(known):
        return Figure(m.value, m.low, m.high, m.reason)
    span = np.concatenate([values, known])
    return Figure(m.value, float(span.min()), float(span.max()), metered=True)


def full_cycle(
    models: Sequence[Model],
    usage: InferenceDemand,
    rows: int | None = None,
    left_out: dict[str, int] | None = None,
    seed: int = 0,
) -> FullCycle:
    """What each model costs under a usage, and where each two break even.

    Args:
        models: at least one, of different names.
        usage: inferences in all.
        rows: of the table they came from, to be told.
        left_out: of these rows, likewise.
        seed: of the draws within the intervals.

    Raises `UsageError` for no model, or two of one name.
    """
    names = [m.name for m in models]
    twice = [n for i, n in enumerate(names) if n in names[:i]]
    if not models or twice:
        raise UsageError(f"the model {twice[0]} is there twice" if twice else "no model is given")
    rng = np.random.default_rng(seed)
    draws = [(_draws(m.training, rng), _draws(m.inference, rng)) for m in models]
    cycles = [_cycle(m, usage, d) for m, d in zip(models, draws, strict=True)]
    order = sorted(range(len(models)), key=lambda i: (cycles[i].total.value, names[i]))
    notes = []
    if len(models) <= MOST_PAIRED:
        chosen = list(combinations(order, 2))
    else:
        chosen = [(order[0], i) for i in order[1:]]
        notes.append(
            f"{len(models):,} models: the cheapest is set against each, not each with each"
        )
    pairs = [_break_even((models[i], draws[i]), (models[j], draws[j]), usage) for i, j in chosen]
    unsure = [m.name for m in models if not (m.training.sure and m.inference.sure)]
    if unsure:
        notes.append(f"no interval where the scatter of an input is unknown: {some(unsure)}")
    metered = [m.name for m in models if m.training.metered or m.inference.metered]
    if metered:
        notes.append(
            f"fewer than {MIN_FOR_INTERVAL} repetitions: the intervals are those of the runs' "
            f"meters, and how far other runs would scatter is not in them: {some(metered)}"
        )
    return FullCycle(usage, [cycles[i] for i in order], pairs, rows, left_out or {}, notes)


def _draws(figure: Figure, rng: np.random.Generator) -> Array | None:
    """A normal of another width on each side, so that 90 % lie in the interval; not negative."""
    if figure.low is None or figure.high is None:
        return None
    z = rng.standard_normal(_DRAWS)
    below, above = figure.value - figure.low, figure.high - figure.value
    drawn: Array = np.maximum(figure.value + z / Z90 * np.where(z < 0, below, above), 0.0)
    return drawn


Drawn = tuple[Array | None, Array | None]


def _cycle(model: Model, usage: InferenceDemand, draws: Drawn) -> Cycle:
    n = usage.requests
    inference = Figure(
        model.inference.value * n,
        None if model.inference.low is None else model.inference.low * n,
        None if model.inference.high is None else model.inference.high * n,
        model.inference.why,
    )
    value = model.training.value + inference.value
    training, each = draws
    if training is not None and each is not None:
        low, high = np.percentile(training + n * each, _PERCENTILES)
        total = Figure(value, min(float(low), value), max(float(high), value))
    else:
        total = Figure(value, why=model.training.why or model.inference.why or "none was given")
    share = model.training.value / value if value > 0 else 0.0
    return Cycle(model, inference, total, share, value / n if n > 0 else math.nan)


def _break_even(
    a: tuple[Model, Drawn], b: tuple[Model, Drawn], usage: InferenceDemand
) -> BreakEven:
    key = (a[0].training.value, -a[0].inference.value)
    if key > (b[0].training.value, -b[0].inference.value):
        a, b = b, a
    (early, early_draws), (late, late_draws) = a, b
    extra = late.training.value - early.training.value
    saved = early.inference.value - late.inference.value
    inferences: float | None = None
    if extra == 0:
        verdict = Verdict.SAME if saved == 0 else Verdict.AT_ONCE
    elif saved > 0:
        verdict, inferences = Verdict.BREAKS_EVEN, extra / saved
    else:
        verdict = Verdict.NEVER
    low, high, never = _interval(early_draws, late_draws)
    if verdict is not Verdict.BREAKS_EVEN:
        low = high = None
    after = None
    if inferences is not None and usage.per_s:
        after = inferences / usage.per_s
    sentence = _sentence(one_line(early.name), one_line(late.name), verdict, inferences, usage)
    return BreakEven(early.name, late.name, verdict, inferences, low, high, never, after, sentence)


def _interval(early: Drawn, late: Drawn) -> tuple[float | None, float | None, float | None]:
    """Of the break-even number, and the share of draws in which there is none."""
    if early[0] is None or early[1] is None or late[0] is None or late[1] is None:
        return None, None, None
    extra, saved = late[0] - early[0], early[1] - late[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        number: Array = np.where(saved > 0, np.maximum(extra, 0.0) / saved, math.inf)
    low, high = np.percentile(number, _PERCENTILES, method="inverted_cdf")
    never = float(np.isinf(number).mean())
    return (
        None if math.isinf(low) else float(low),
        None if math.isinf(high) else float(high),
        never,
    )


def _sentence(
    early: str, late: str, verdict: Verdict, inferences: float | None, usage: InferenceDemand
) -> str:
    if verdict is Verdict.SAME:
        return f"{early} and {late} cost the same"
    if verdict is Verdict.AT_ONCE:
        return f"{late} is cheaper than {early} at once: both cost the same to train"
    if inferences is None:
        return f"{early} is cheaper than {late} from the start, and {late} never overtakes it"
    text = f"{late} is cheaper than {early} from {counted(inferences)} inferences on"
    if usage.per_s:
        return f"{text}, after {format_quantity(inferences / usage.per_s, 's')}"
    return text


def counted(number: float) -> str:
    """A number of inferences as people read it: `940`, `12,300`, `1.25 million`."""
    for scale, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if number >= scale * 0.9995:
            return f"{number / scale:.3g} {word}" if number < 1e15 else f"{number:.3g}"
    whole = math.ceil(number)
    return f"{whole:,}" if whole < 10_000 else f"{round(whole, 2 - int(math.log10(whole))):,}"
