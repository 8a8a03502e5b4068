"""The physical model on architectures and GPUs that it was not fitted on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from harness import log
from joulecast.forecasting.conformal import grouped_half_width
from physical_fit import Fit, Row, fit_rows

# The same architecture by another name, or in another job.
SAME = {"imagenet": "resnet50", "squad": "bert", "sentiment140": "bert"}
# Relatives among timm's models, by the start of their name: left out along with it.
RELATIVES = {"resnet50": "resnet50", "vgg": "vgg16", "legacy_xception": "xception"}
RELATIVES |= {"mobilenetv2": "mobilenet_v2", "nasnet": "nasnet_mobile"}
# Thousands of cells are left out a fifth at a time.
CELL_FOLDS = 5


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The forecast for a row by a fit without rows of its architecture or GPU."""

    row: Row
    fold: str
    seconds: float
    watts: float

    @property
    def time_error(self) -> float:
        """Logarithm of measured over forecast time."""
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
    """The GPU of a row: rows of the same GPU are left out together."""
    return row.device.name


def held_out(
    rows: Sequence[Row], label: Callable[[Row], str]
) -> tuple[list[HeldOut], list[HeldOut]]:
    """Forecasts of every row by fits without rows of the same label.

    Returns:
        Two lists. In the first, jobs in the fit keep the factors they have on other machines; in
        the second, no job has factors, as if the fit had none of them.
    """
    seen, unseen = [], []
    for left in _folds(rows, label):
        log(f"  without {', '.join(sorted(left))}")
        scored = label is gpu
        test = [r for r in rows if label(r) in left and (scored or r.energy_j is not None)]
        fitted = fit_rows([r for r in rows if label(r) not in left])
        seen += _forecasts(fitted, test, label, True)
        unseen += _forecasts(fitted, test, label, False)
    return seen, unseen


def _forecasts(
    fitted: Fit, rows: Sequence[Row], label: Callable[[Row], str], jobs: bool
) -> list[HeldOut]:
    seconds, watts = fitted.forecast(rows, jobs)
    triples = zip(rows, seconds.tolist(), watts.tolist(), strict=True)
    return [HeldOut(r, label(r), s, w) for r, s, w in triples]


def _folds(rows: Sequence[Row], label: Callable[[Row], str]) -> Iterator[set[str]]:
    """Labels to leave out: each GPU alone, or each architecture together with one fold of cells.

    The cells ran on another machine than the networks and are not related to them, so one fit
    serves both.
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
    """Relative errors of forecasts, and the coverage of intervals from the other folds' errors."""

    rows: int
    mape: float
    median: float
    p90: float
    coverage: float
    width: float  # upper over lower bound, mean


def score(of: Sequence[HeldOut], all_of: Sequence[HeldOut], error: str = "energy_error") -> Score:
    """The errors of `of`, with intervals as wide as the errors of all other folds of `all_of`."""
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
    """Half width of the 90 % interval, from the errors of all folds except `but`.

    Each fold of a data set has the same weight.
    """
    groups: dict[tuple[str, str], list[float]] = {}
    for h in of:
        value = getattr(h, error)
        if h.fold != but and not math.isnan(value):
            groups.setdefault((h.row.data, h.fold), []).append(value)
    return grouped_half_width(list(groups.values()))
