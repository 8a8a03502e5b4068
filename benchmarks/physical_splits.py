"""The physical model on architectures and GPUs that it was not fitted on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from harness import say
from joulecast.forecasting.conformal import grouped_half_width
from physical_fit import Fit, Row, fit_rows

# The same architecture by another name, or in another job.
SAME = {"imagenet": "resnet50", "squad": "bert", "sentiment140": "bert"}
# Relatives among timm's models, by the start of their name: left out along with it.
RELATIVES = {"resnet50": "resnet50", "vgg": "vgg16", "legacy_xception": "xception"}
RELATIVES |= {"mobilenetv2": "mobilenet_v2", "nasnet": "nasnet_mobile"}
CELL_FOLDS = 5  # thousands of cells are left out a fifth at a time


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What was said of a row by a fit that had not seen its like."""

    row: Row
    fold: str
    seconds: float
    watts: float

    @property
    def time_error(self) -> float:
        """Logarithm of measured over said."""
        return math.log(self.row.duration_s / self.seconds)

    @property
    def energy_error(self) -> float:
        """The same; not a number where no energy was measured."""
        if self.row.energy_j is None:
            return math.nan
        return math.log(self.row.energy_j / (self.seconds * self.watts))

    @property
    def power_error(self) -> float:
        """The same, of the mean power."""
        return self.energy_error - self.time_error


def architecture(row: Row) -> str:
    """What is left out together where architectures are."""
    if row.data == "EC-NAS":
        return f"cells {int(row.architecture[:8], 16) % CELL_FOLDS}"
    if row.data == "timm":
        starts = (name for start, name in RELATIVES.items() if row.architecture.startswith(start))
        return next(starts, row.architecture)
    return SAME.get(row.architecture, row.architecture)


def gpu(row: Row) -> str:
    """What is left out together where GPUs are."""
    return row.device.name


def held_out(
    rows: Sequence[Row], label: Callable[[Row], str]
) -> tuple[list[HeldOut], list[HeldOut]]:
    """Every row forecast by a fit without its like.

    First where a job that was seen on other machines keeps what was learnt of it there; then as if
    no job had been seen before, the model's description alone.
    """
    seen, unseen = [], []
    for left in _folds(rows, label):
        say(f"  without {', '.join(sorted(left))}")
        scored = label is gpu
        test = [r for r in rows if label(r) in left and (scored or r.energy_j is not None)]
        fitted = fit_rows([r for r in rows if label(r) not in left])
        seen += _said(fitted, test, label, True)
        unseen += _said(fitted, test, label, False)
    return seen, unseen


def _said(
    fitted: Fit, rows: Sequence[Row], label: Callable[[Row], str], jobs: bool
) -> list[HeldOut]:
    seconds, watts = fitted.forecast(rows, jobs)
    triples = zip(rows, seconds.tolist(), watts.tolist(), strict=True)
    return [HeldOut(r, label(r), s, w) for r, s, w in triples]


def _folds(rows: Sequence[Row], label: Callable[[Row], str]) -> Iterator[set[str]]:
    """Labels to leave out: each GPU by itself; each architecture too, beside a part of the cells.

    (The cells are on a machine of their own, and no relatives of any other network.)
    """
    if label is gpu:
        yield from ({name} for name in sorted({gpu(r) for r in rows}))
        return
    networks = sorted({label(r) for r in rows if r.data in ("Zeus", "SEAA")})
    cells = sorted({label(r) for r in rows if r.data == "EC-NAS"})
    for pair in zip_longest(networks, cells):
        yield {name for name in pair if name is not None}


@dataclass(frozen=True, slots=True)
class Score:
    """Errors of forecasts, relative, and how often intervals from the other folds' errors held."""

    rows: int
    mape: float
    median: float
    p90: float
    coverage: float
    width: float  # upper over lower bound, mean


def score(of: Sequence[HeldOut], all_of: Sequence[HeldOut], error: str = "energy_error") -> Score:
    """How near; intervals are as wide as the errors of all other folds (of `all_of`) ask for."""
    errors = np.array([getattr(h, error) for h in of])
    relative = np.abs(np.exp(-errors) - 1)
    widths = {fold: half_width(all_of, error, but=fold) for fold in {h.fold for h in of}}
    inside = [abs(e) <= widths[h.fold] for h, e in zip(of, errors, strict=True)]
    return Score(
        rows=len(of),
        mape=float(relative.mean()),
        median=float(np.median(relative)),
        p90=float(np.quantile(relative, 0.9)),
        coverage=float(np.mean(inside)),
        width=float(np.mean([math.exp(2 * widths[h.fold]) for h in of])),
    )


def half_width(of: Sequence[HeldOut], error: str, but: str | None = None) -> float:
    """Of the 90 % interval, by the errors of all folds but one; each fold of a set weighs alike."""
    groups: dict[tuple[str, str], list[float]] = {}
    for h in of:
        value = getattr(h, error)
        if h.fold != but and not math.isnan(value):
            groups.setdefault((h.row.data, h.fold), []).append(value)
    return grouped_half_width(list(groups.values()))
