"""The physical model on architectures and GPUs that it was not fitted on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from harness import log
from joulecast.forecasting.conformal import grouped_half_width
from joulecast.forecasting.physical.constants import Constants
from joulecast.forecasting.physical.novelty import of_host
from physical_fit import Fit, Row, fit_rows, launch_share

# The same architecture by another name, or in another job.
SAME = {"imagenet": "resnet50", "squad": "bert", "sentiment140": "bert"}
# Relatives among timm's models, by the start of their name: left out along with it.
RELATIVES = {"resnet50": "resnet50", "vgg": "vgg16", "legacy_xception": "xception"}
RELATIVES |= {"mobilenetv2": "mobilenet_v2", "nasnet": "nasnet_mobile"}
# By judgement: a generation of the same vendor a little; another vendor more (NeuSight's AMD
# operators lie 30 to 50 % off constants of NVIDIA's, its NVIDIA ones 10 to 20 %); a CPU, of
# which no run was fitted, most. Measured: steps that wait for launches are off by 1.7 times as much
# as others on GPUs left out.
WIDEN = {"architecture": 0.25, "vendor": 0.5, "cpu": 0.8, "kind": 0.3, "host": 0.7}
# Data sets whose architectures are all alike: another one says little of a new kind.
ALIKE = ("EC-NAS", "diffusion", "decoding")
# Thousands of cells are left out a fifth at a time.
CELL_FOLDS = 5


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The forecast for a row by a fit without rows of its architecture or GPU."""

    row: Row
    fold: str
    seconds: float
    watts: float
    # How much wider its interval is than others'.
    wider: float = 1.0

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
    everything = fit_rows(rows)
    for left in _folds(rows, label):
        log(f"  without {', '.join(sorted(left))}")
        scored = label is gpu
        test = [r for r in rows if label(r) in left and (scored or r.energy_j is not None)]
        fitted = fit_rows([r for r in rows if label(r) not in left], everything)
        seen += forecasts(fitted, test, label, True)
        unseen += forecasts(fitted, test, label, False)
    return seen, unseen


def forecasts(
    fitted: Fit, rows: Sequence[Row], label: Callable[[Row], str], jobs: bool
) -> list[HeldOut]:
    """Of each row, by a fit; with the factors that jobs have in it, or without."""
    seconds, watts = fitted.forecast(rows, jobs)
    triples = zip(rows, seconds.tolist(), watts.tolist(), strict=True)
    if label is not gpu:
        return [HeldOut(r, label(r), s, w) for r, s, w in triples]
    # Of an unknown host, as in the forecasts for a GPU of the catalog.
    constants = Constants.of(fitted.values)
    return [
        HeldOut(r, label(r), s, w, 1 + of_host(launch_share(r, constants), WIDEN["host"]))
        for r, s, w in triples
    ]


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
    pictures = sorted({label(r) for r in rows if r.data == "diffusion"})
    for pair in zip_longest(networks, cells, pictures):
        yield {name for name in pair if name is not None}


@dataclass(frozen=True, slots=True)
class Score:
    """Relative errors of forecasts, and the coverage of intervals from the other folds' errors."""

    rows: int
    bias: float  # measured over forecast, median
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
    bias = float(np.exp(np.median(errors)))
    inside = [abs(e) <= widths[h.fold] * h.wider for h, e in zip(of, errors, strict=True)]
    return Score(
        rows=len(of),
        bias=bias,
        mape=float(relative.mean()),
        median=float(np.median(relative)),
        p90=float(np.quantile(relative, 0.9)),
        coverage=float(np.mean(inside)),
        width=float(np.mean([math.exp(2 * widths[h.fold] * h.wider) for h in of])),
    )


def half_width(of: Sequence[HeldOut], error: str, but: str | None = None) -> float:
    """Half width of the 90 % interval, from the errors of all folds except `but`.

    Each fold of a data set has the same weight; architectures that are all alike are one.
    """
    groups: dict[tuple[str, str], list[float]] = {}
    for h in of:
        value = getattr(h, error)
        if h.fold != but and not math.isnan(value) and not h.row.misread:
            alike = h.row.data in ALIKE and h.fold != gpu(h.row)
            key = h.row.data, "" if alike else h.fold
            groups.setdefault(key, []).append(value / h.wider)
    return grouped_half_width(list(groups.values()))
