"""The energy of models over their service life: training plus inference, and where they break even.

Inputs are medians of repetitions, or given energies with a margin. Results with an interval are
computed for many draws within the intervals of the inputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations
from typing import ClassVar

import numpy as np

from ...errors import UsageError
from ...estimate import Z90, Estimate
from ...result import Result
from ...units import format_quantity, one_line
from ..statistics.medians import MIN_FOR_INTERVAL
from ..statistics.wording import some
from ..table.columns import Array
from .demand import Demand
from .pairs import MAX_PAIRED

_DRAWS, _SEED = 4000, 0
# Percentiles of the draws that bound a 90 % interval.
_PERCENTILES = (5.0, 95.0)


@dataclass(frozen=True, slots=True)
class EnergyRange:
    """An energy, J, with its 90 % interval, or the `reason` why there is none.

    `from_meters`: the interval is that of the meters, because repetitions are too few. `own_low`
    and `own_high` are then without the error that all of these energies share, by one machine.
    """

    value: float
    low: float | None = None
    high: float | None = None
    from_meters: bool = False
    reason: str | None = None
    own_low: float | None = None
    own_high: float | None = None

    def scaled(self, factor: float) -> EnergyRange:
        """The energy of `factor` times as many inferences."""
        bounds = (self.low, self.high, self.own_low, self.own_high)
        low, high, own_low, own_high = (None if x is None else x * factor for x in bounds)
        value = self.value * factor
        return replace(self, value=value, low=low, high=high, own_low=own_low, own_high=own_high)


@dataclass(frozen=True, slots=True)
class ModelEnergy:
    """The energy of training a model, and of one inference."""

    name: str
    training: EnergyRange
    per_inference: EnergyRange


@dataclass(frozen=True, slots=True)
class ModelLifetime(ModelEnergy):
    """The energy of one model over its service life.

    Attributes:
        inference: of all inferences.
        total: training and inference.
        training_share: training / total, 0 to 1.
        per_request_j: total / requests; None without requests.
    """

    inference: EnergyRange
    total: EnergyRange
    training_share: float
    per_request_j: float | None


class Verdict(StrEnum):
    """How a model compares with one that needs less energy to train.

    `breaks_even`: it needs less energy in total from a number of requests on. `never`: it needs no
    less energy per inference either. `at_once`: both need the same energy to train, so that one
    needs less in total from the first inference on. `same`: both need the same.
    """

    BREAKS_EVEN = "breaks_even"
    NEVER = "never"
    AT_ONCE = "at_once"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class BreakEven:
    """From how many requests on a model needs less energy in total than another.

    Attributes:
        lower_training: name of the model that needs less energy to train (for `at_once`: the one
            that needs more per inference).
        higher_training: name of the other.
        verdict: whether they break even.
        requests: where they break even; None unless the verdict is `breaks_even`.
        low: of the 90 % interval; None where the intervals of the inputs are unknown.
        high: of the 90 % interval; None also where they may never break even.
        never_share: fraction of the draws in which they never break even.
        after_s: the time after which they break even, at the rate of the demand.
        sentence: the same in words.
    """

    lower_training: str
    higher_training: str
    verdict: Verdict
    requests: float | None
    low: float | None
    high: float | None
    never_share: float | None
    after_s: float | None
    sentence: str


@dataclass(frozen=True, slots=True, repr=False)
class LifetimeEnergy(Result):
    """Models under one demand, and where they break even.

    Attributes:
        models: that of lowest total energy first.
        break_even: each model with each; with the first only where there are more than 40.
        rows: of the table; None where only given models are compared.
        left_out: rows that are not used, by reason.
        notes: what limits these figures.
    """

    SCHEMA: ClassVar[str] = "joulecast/lifetime-energy/1"

    title: str
    demand: Demand
    models: list[ModelLifetime]
    break_even: list[BreakEven]
    rows: int | None
    left_out: dict[str, int]
    notes: list[str]


def lifetime_energy(
    models: Sequence[ModelEnergy],
    demand: Demand,
    *,
    title: str = "Training and inference",
    rows: int | None = None,
    left_out: dict[str, int] | None = None,
    notes: Sequence[str] = (),
) -> LifetimeEnergy:
    """The energy of models under a demand, and where each two break even.

    Args:
        models: at least one, with different names.
        demand: the requests in total.
        title: name of the table.
        rows: number of rows of the table.
        left_out: number of rows that were not used, by reason.
        notes: of the table.

    Raises `UsageError` for no model, or two of one name.
    """
    _check_names([m.name for m in models])
    rng = np.random.default_rng(_SEED)
    scale = np.random.default_rng(_SEED + 1).standard_normal(_DRAWS)
    drawn = [
        _Drawn(m, *(_draws(energy, rng, scale) for energy in (m.training, m.per_inference)))
        for m in models
    ]
    lifetimes = {d.model.name: _lifetime(d, demand) for d in drawn}
    drawn.sort(key=lambda d: (lifetimes[d.model.name].total.value, d.model.name))
    few = len(models) <= MAX_PAIRED
    pairs = list(combinations(drawn, 2)) if few else [(drawn[0], d) for d in drawn[1:]]
    return LifetimeEnergy(
        title=title,
        demand=demand,
        models=[lifetimes[d.model.name] for d in drawn],
        break_even=[_break_even(a, b, demand) for a, b in pairs],
        rows=rows,
        left_out=left_out or {},
        notes=[*notes, *_notes(models)],
    )


def _check_names(names: Sequence[str]) -> None:
    twice = [n for i, n in enumerate(names) if n in names[:i]]
    if not names or twice:
        raise UsageError(f"two models have the name {twice[0]}" if twice else "no model was given")


def _notes(models: Sequence[ModelEnergy]) -> list[str]:
    notes = []
    if len(models) > MAX_PAIRED:
        notes.append(
            f"{len(models):,} models: each is compared with that of lowest total energy only"
        )
    unknown = [m.name for m in models if m.training.low is None or m.per_inference.low is None]
    if unknown:
        notes.append(f"no interval where that of an input is unknown: {some(unknown)}")
    metered = [m.name for m in models if m.training.from_meters or m.per_inference.from_meters]
    if metered:
        notes.append(
            f"fewer than {MIN_FOR_INTERVAL} repetitions: the intervals are those of the meters, "
            f"without the variation from run to run: {some(metered)}"
        )
    return notes


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A model, and draws within its intervals; None where an interval is unknown."""

    model: ModelEnergy
    training: Array | None
    per_inference: Array | None


def _draws(energy: EnergyRange, rng: np.random.Generator, scale: Array) -> Array | None:
    """From a normal with a width for each side, so that 90 % lie in the interval; none below 0.

    `scale` are draws of what all energies share, so that it cancels where they are compared.
    """
    if energy.low is None or energy.high is None:
        return None
    e = Estimate(
        *(energy.value, energy.low, energy.high), own_low=energy.own_low, own_high=energy.own_high
    )
    below, above = e.own_sides
    z = rng.standard_normal(_DRAWS)
    drawn = e.value + z / Z90 * np.where(z < 0, below, above)
    for low, high in e.shared.values():
        drawn += scale / Z90 * np.where(scale < 0, -low, high)
    return np.maximum(drawn, 0.0)


def _lifetime(drawn: _Drawn, demand: Demand) -> ModelLifetime:
    model, n = drawn.model, demand.requests
    inference = model.per_inference.scaled(n)
    value = model.training.value + inference.value
    if drawn.training is not None and drawn.per_inference is not None:
        low, high = np.percentile(drawn.training + n * drawn.per_inference, _PERCENTILES)
        total = EnergyRange(value, min(float(low), value), max(float(high), value))
    else:
        reasons = (model.training.reason, model.per_inference.reason)
        why = next(filter(None, reasons), "no interval was given")
        total = EnergyRange(value, reason=why)
    return ModelLifetime(
        name=model.name,
        training=model.training,
        per_inference=model.per_inference,
        inference=inference,
        total=total,
        training_share=model.training.value / value if value > 0 else 0.0,
        per_request_j=value / n if n > 0 else None,
    )


def _break_even(a: _Drawn, b: _Drawn, demand: Demand) -> BreakEven:
    first, second = sorted(
        (a, b), key=lambda d: (d.model.training.value, -d.model.per_inference.value)
    )
    extra_j = second.model.training.value - first.model.training.value
    saved_j = first.model.per_inference.value - second.model.per_inference.value
    verdict, requests = _verdict(extra_j, saved_j)
    low, high, never_share = _interval(first, second)
    after_s = None
    if requests is None:
        low = high = None
    elif demand.requests_per_s:
        after_s = requests / demand.requests_per_s
    names = first.model.name, second.model.name
    sentence = _sentence(one_line(names[0]), one_line(names[1]), verdict, requests, after_s)
    return BreakEven(*names, verdict, requests, low, high, never_share, after_s, sentence)


def _verdict(extra_j: float, saved_j: float) -> tuple[Verdict, float | None]:
    """Of the second model; and the requests from which on it needs less energy in total."""
    if extra_j == 0:
        return (Verdict.SAME if saved_j == 0 else Verdict.AT_ONCE), None
    if saved_j > 0:
        return Verdict.BREAKS_EVEN, extra_j / saved_j
    return Verdict.NEVER, None


def _interval(first: _Drawn, second: _Drawn) -> tuple[float | None, float | None, float | None]:
    """Of the break-even number, and the fraction of draws that have none."""
    if first.training is None or first.per_inference is None:
        return None, None, None
    if second.training is None or second.per_inference is None:
        return None, None, None
    extra_j = second.training - first.training
    saved_j = first.per_inference - second.per_inference
    with np.errstate(divide="ignore", invalid="ignore"):
        number: Array = np.where(saved_j > 0, np.maximum(extra_j, 0.0) / saved_j, math.inf)
    low, high = (float(x) for x in np.percentile(number, _PERCENTILES, method="inverted_cdf"))
    never_share = float(np.isinf(number).mean())
    return (None if math.isinf(low) else low), (None if math.isinf(high) else high), never_share


def _sentence(
    first: str, second: str, verdict: Verdict, requests: float | None, after_s: float | None
) -> str:
    if verdict is Verdict.SAME:
        return f"{first} and {second} need the same energy"
    if verdict is Verdict.AT_ONCE:
        return f"{second} needs less energy than {first} from the first request on"
    if requests is None:
        return f"{first} needs less energy than {second} for any number of requests"
    text = f"{second} needs less energy than {first} from {count_text(requests)} requests on"
    return text if after_s is None else f"{text}, after {format_quantity(after_s, 's')}"


def count_text(number: float) -> str:
    """A number of requests for people: `940`, `12,300`, `1.25 million`."""
    for scale, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if number >= scale * 0.9995:
            return f"{number / scale:.3g} {word}" if number < 1e15 else f"{number:.3g}"
    whole = math.ceil(number)
    return f"{whole:,}" if whole < 10_000 else f"{round(whole, 2 - int(math.log10(whole))):,}"
