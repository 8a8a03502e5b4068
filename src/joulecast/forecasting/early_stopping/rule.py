"""When a run under early stopping will end, and how much energy it will have used by then.

The rule is applied to many continuations of the learning curve so far; how often each epoch is the
last one is the distribution of the stopping epoch.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ...column_units import falls
from ...errors import UsageError
from ...estimate import Estimate, Provenance, format_estimate
from ...recording.model import Array
from ..base import Forecast, Prediction, Work
from .learning_curve import MIN_POINTS, continuations

DRAWS = 256
# Epochs ahead on which the rule is applied; later ones come from the prior.
FURTHEST = 2000
# Minimum weight of "as long again as so far" in addition to the curves, because rates are cut and
# data change. With few values it is one over their number.
SURPRISE = 0.07
# Above it a metric has diverged, and its shape means nothing.
_LARGEST = 1e100
_GROUPS = 500
_LEVELS = 21
# Of the draws, so that the same curve gives the same distribution.
_SEED = 0
_NORMAL = np.array([NormalDist().inv_cdf((i + 0.5) / _LEVELS) for i in range(_LEVELS)])
# Relative to the half-width of a 90 % interval.
_NORMAL /= NormalDist().inv_cdf(0.95)

_RISING = frozenset(
    {"acc", "accuracy", "auc", "auroc", "auprc", "ap", "map", "f", "fmeasure", "fbeta", "precision"}
    | {"recall", "sensitivity", "specificity", "iou", "miou", "dice", "jaccard", "bleu", "rouge"}
    | {"meteor", "r", "score", "reward", "return", "psnr", "ssim", "ndcg", "mrr", "hit", "hits"}
    | {"top", "kappa", "mcc", "correlation", "spearman", "pearson"}
)


@dataclass(frozen=True, slots=True)
class EarlyStopping:
    """The rule of Keras' and Lightning's callbacks of this name.

    A run ends after `patience` epochs in a row whose `metric` is not better than the best so far
    by more than `min_delta`.

    Attributes:
        metric: name of the metric, such as `val_loss`.
        patience: epochs without improvement.
        mode: `min`, `max`, or `auto`: by the name of the metric.
        min_delta: smallest improvement that counts.

    Raises:
        UsageError: an attribute is out of range.
    """

    metric: str = "val_loss"
    patience: int = 5
    mode: str = "auto"
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        if not self.metric:
            raise UsageError("early stopping: no metric: name one, such as val_loss")
        if self.patience < 0:
            raise UsageError(f"early stopping: patience={self.patience} cannot be negative")
        if self.mode not in ("auto", "min", "max"):
            raise UsageError(f"early stopping: mode={self.mode}: use min, max or auto")
        if not (math.isfinite(self.min_delta) and self.min_delta >= 0):
            raise UsageError(
                f"early stopping: min_delta={self.min_delta:g} must be finite and not negative"
            )

    @property
    def rising(self) -> bool:
        """Whether a larger metric is better; `auto` knows the names that Keras does, and more."""
        if self.mode != "auto":
            return self.mode == "max"
        words = set(re.findall(r"[a-z]+", self.metric.lower()))
        return bool(words & _RISING) and not falls(self.metric)

    def __str__(self) -> str:
        return f"{self.metric}, patience {self.patience}"


def parse(text: str) -> EarlyStopping:
    """A rule from `val_loss`, `val_loss:patience=5`, `val_acc:patience=3,min_delta=0.001,mode=max`.

    Raises `UsageError`.
    """
    metric, _, rest = text.partition(":")
    options = dict.fromkeys(("patience", "mode", "min_delta"), "")
    for part in filter(None, (p.strip() for p in rest.split(","))):
        key, equals, value = (x.strip() for x in part.partition("="))
        if key not in options or not equals:
            raise UsageError(
                f"early stopping {text!r}: {part!r} is unknown: write METRIC:patience=5, and "
                "after a comma min_delta=0.001 or mode=max"
            )
        options[key] = value
    try:
        patience = int(options["patience"] or 5)
        min_delta = float(options["min_delta"] or 0)
    except ValueError as error:
        raise UsageError(
            f"early stopping {text!r}: patience is a whole number of epochs, min_delta a number"
        ) from error
    return EarlyStopping(metric.strip(), patience, options["mode"] or "auto", min_delta)


class EarlyStop:
    """A rule applied value by value: the best value so far, and for how many it was not improved.

    As Keras' callback: the training ends after `patience` epochs in a row that are not better than
    the best by more than `min_delta`. Not-a-number is no improvement.
    """

    def __init__(self, rule: EarlyStopping) -> None:
        self.rule = rule
        self.best, self.wait = math.inf, 0

    def ends_after(self, value: float) -> bool:
        """Whether the training ends after an epoch with this value of the metric."""
        cost = -value if self.rule.rising else value
        if cost < self.best - self.rule.min_delta:
            self.best, self.wait = cost, 0
            return False
        self.wait += 1
        return self.wait >= self.rule.patience


@dataclass(frozen=True, slots=True)
class Stopping:
    """The probability of each epoch to be the last one of the run.

    Attributes:
        rule: that ends the run.
        finished: finished epochs.
        planned: epochs if the rule does not end the run.
        p: probability of epoch `finished + i`, up to `planned`; the last one includes runs that the
            rule does not end.
        note: for the reader.
    """

    rule: EarlyStopping
    finished: int
    planned: int
    p: Array
    note: str = ""

    @property
    def epochs(self) -> Array:
        """The epochs that `p` belongs to, from `finished` to `planned`."""
        return np.arange(self.finished, self.finished + len(self.p), dtype=np.float64)

    @property
    def expected(self) -> float:
        """Mean of the stopping epoch."""
        # Rounding may move the mean of a single epoch off that epoch.
        mean = float(self.p @ self.epochs)
        return min(max(mean, float(self.epochs[0])), float(self.epochs[-1]))

    @property
    def interval(self) -> tuple[int, int]:
        """The 5 % and 95 % quantiles of the stopping epoch."""
        total = np.cumsum(self.p)
        low, high = (int(np.searchsorted(total, q - 1e-9)) for q in (0.05, 0.95))
        return self.finished + low, self.finished + min(high, len(self.p) - 1)


def stopping(curve: Sequence[float | None], rule: EarlyStopping, planned: int) -> Stopping:
    """The distribution of the stopping epoch after the epochs of `curve`.

    With fewer than three values it is that of "as long again as so far", the widest there is.

    Args:
        curve: the metric of each finished epoch; None where it was not logged, which the rule
            ignores. NaN was logged, and is no improvement.
        rule: that may end the run.
        planned: epochs of the run if the rule does not end it.
    """
    finished = len(curve)
    planned = max(planned, finished)
    at = np.array([i for i, v in enumerate(curve, 1) if v is not None], dtype=np.float64)
    sign = -1.0 if rule.rising else 1.0
    logged = [v for v in curve if v is not None]
    values = sign * np.array(logged, dtype=np.float64)
    state = EarlyStop(rule)
    met = next((i for i, value in enumerate(logged) if state.ends_after(value)), None)
    p = np.zeros(planned - finished + 1)
    if met is not None and at[met] == finished:
        p[0] = 1.0
        return Stopping(rule, finished, planned, p, "it has been met")
    if met is not None or finished == planned:
        p[-1] = 1.0
        late = "" if met is None else f"it was met at epoch {at[met]:g}, and the run went on"
        return Stopping(rule, finished, planned, p, late)
    checks, stride = _checks(at, finished, planned)
    missing = max(rule.patience, 1) - state.wait
    earliest = min(planned, int(checks[0]) + stride * (missing - 1)) if len(checks) else planned
    p[1:] = _as_long_again(finished, earliest, planned)
    # False for NaN.
    good = np.abs(values) < _LARGEST
    if np.count_nonzero(good) < MIN_POINTS or not len(checks):
        return Stopping(rule, finished, planned, p, "too few values yet: as long again as so far")
    paths = continuations(at[good], values[good], checks, DRAWS, np.random.default_rng(_SEED))
    ends = _ends(_as_fine(paths, values[good]), state.best, state.wait, rule)
    shares = np.bincount(ends, minlength=len(checks) + 1) / DRAWS
    prior = max(SURPRISE, 1 / np.count_nonzero(good))
    p *= prior
    np.add.at(p, checks.astype(int) - finished, (1 - prior) * shares[:-1])
    furthest = int(checks[-1])
    beyond = (1 - prior) * shares[-1]
    if planned - furthest < stride:
        p[-1] += beyond
    else:
        p[furthest - finished + 1 :] += beyond * _as_long_again(furthest, furthest + 1, planned)
    return Stopping(rule, finished, planned, p)


def _checks(at: Array, finished: int, planned: int) -> tuple[Array, int]:
    """The epochs at which the metric is to be logged again, and the epochs between two of them."""
    stride = round(float(np.median(np.diff(at)))) if len(at) > 1 else 1
    last = int(at[-1]) if len(at) else finished
    checks = np.arange(last + stride, min(planned, last + FURTHEST) + 1, stride, dtype=np.float64)
    # A value that is overdue will not come.
    return checks[checks > finished], stride


def expected_energy(stopping: Stopping, whole: Forecast, so_far: Work) -> Forecast:
    """Energy and duration of the run with its stopping epoch uncertain.

    A run that stops at epoch e uses the energy so far, and of the energy to come the part
    (e - done) / (planned - done). The value is the mean; the interval is from the 5 % to the 95 %
    quantile of both uncertainties together. The interval of the forecast of the whole is treated
    as half a normal distribution on each side of its value.

    Args:
        stopping: of the run.
        whole: the forecast of the run if the rule does not end it.
        so_far: the finished epochs (`progress`), their duration and energy.
    """
    remaining = max(stopping.planned - so_far.progress, 0.0)
    further = np.clip(stopping.epochs - so_far.progress, 0.0, remaining)
    part = further / remaining if remaining else np.zeros_like(further)
    part, p = _fewer(part, stopping.p)
    return Forecast(
        _mixed(whole.energy, so_far.energy_j, part, p),
        _mixed(whole.duration, so_far.duration_s, part, p),
        (stopping.note,) if stopping.note else (),
    )


def describe(stopping: Stopping, energy: Prediction) -> str:
    """For people: `early stopping (val_loss, patience 5): expected at epoch 23 (14 to 40), 12.3 kJ
    (8.00 to 20.1)`.
    """
    low, high = stopping.interval
    joules = Estimate(
        energy.value,
        energy.value if energy.low is None else energy.low,
        energy.value if energy.high is None else energy.high,
        provenance=Provenance.MODELLED,
    )
    text = (
        f"early stopping ({stopping.rule}): expected at epoch {stopping.expected:.0f} "
        f"({low} to {high}), {format_estimate(joules)}"
    )
    return f"{text}; {stopping.note}" if stopping.note else text


def _as_fine(paths: Array, values: Array) -> Array:
    """Paths rounded to the steps of the metric, because an equal value is not better.

    An accuracy over a hundred samples has steps of 0.01. The step is the smallest difference
    between values of a metric that repeats values.
    """
    gaps = np.diff(np.sort(values))
    # Smaller gaps are rounding.
    apart = gaps[gaps > 1e-6 * np.ptp(values)]
    if not 0 < len(apart) < len(gaps):
        return paths
    step = float(apart.min())
    fine: Array = values[0] + step * np.round((paths - values[0]) / step)
    return fine


def _ends(paths: Array, best: float, wait: int, rule: EarlyStopping) -> np.typing.NDArray[np.intp]:
    """The position at which the rule ends each path, or its length where it never does."""
    many, length = paths.shape
    bests, waits = np.full(many, best), np.full(many, wait)
    ends = np.full(many, length, dtype=np.intp)
    for i in range(length):
        better = paths[:, i] < bests - rule.min_delta
        bests = np.where(better, paths[:, i], bests)
        waits = np.where(better, 0, waits + 1)
        ends[(ends == length) & (waits >= max(rule.patience, 1))] = i
        if (ends < length).all():
            break
    return ends


def _as_long_again(finished: int, earliest: int, planned: int) -> Array:
    """Probabilities of the epochs after `finished`: a third of what lasted t epochs lasts 2t more.

    The survival is earliest / t, which has no scale of its own (Gott, Nature 363:315, 1993), up to
    the end of the plan.
    """
    t = np.arange(finished, planned + 1, dtype=np.float64)
    beyond = np.minimum(1.0, earliest / (t + 1))
    beyond[t < earliest] = 1.0
    beyond[-1] = 0.0
    return -np.diff(beyond)


def _fewer(part: Array, p: Array) -> tuple[Array, Array]:
    """At most `_GROUPS` parts with the same mean, finer at the start; the last one stays alone."""
    if len(p) <= _GROUPS:
        return part, p
    starts = np.unique(np.geomspace(1, len(p), _GROUPS).astype(int)) - 1
    together = np.add.reduceat(p, starts)
    mean = np.add.reduceat(p * part, starts) / np.where(together > 0, together, 1.0)
    return mean, together


def _mixed(whole: Prediction, so_far: float, part: Array, p: Array) -> Prediction:
    """The mixture of `so_far + part * (whole - so_far)` over the probabilities of the parts."""
    value = so_far + max(whole.value - so_far, 0.0) * float(p @ part)
    low = whole.value if whole.low is None else whole.low
    high = whole.value if whole.high is None else whole.high
    side = np.where(_NORMAL < 0, whole.value - low, high - whole.value)
    # No total is below the energy so far.
    levels = np.maximum(whole.value + _NORMAL * side, so_far)
    totals = (so_far + part[:, None] * (levels - so_far)).ravel()
    order = np.argsort(totals)
    share = np.cumsum(np.repeat(p / len(levels), len(levels))[order])
    at = np.searchsorted(share, (0.05 - 1e-9, 0.95 - 1e-9))
    bounds = totals[order][np.minimum(at, len(totals) - 1)]
    return Prediction(value, min(value, float(bounds[0])), max(value, float(bounds[1])))
