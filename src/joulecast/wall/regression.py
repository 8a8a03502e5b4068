"""Fits power at the wall to what was metered at the same time, or explains why that is impossible.

The fit is Huber's (P. J. Huber, "Robust Estimation of a Location Parameter", 1964), by iteratively
reweighted least squares, on means over bins; its standard errors allow for the autocorrelation of
neighboring bins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInputError
from ..hardware.environment import machine_of
from ..recording.model import Array
from ..units import format_duration
from .join import Joined, Metered, Readings, bin_width, join, metered_of, where_counted
from .wall_energy import Covariance, WallFit

if TYPE_CHECKING:
    from ..ledger import Ledger

MIN_BINS = 12
# The longest difference of clocks that is searched for, s.
MAX_LAG_S = 60.0
# Huber's constant: 95 % of the efficiency of least squares where errors are normal.
_HUBER = 1.345
# Variation of the metered power, relative, without which slope and offset are not separable.
_MIN_SWING = 0.05
_MIN_R = 0.5
# Standard error of the slope, relative.
_MAX_SLOPE_ERROR = 0.25
# A shifted clock must explain so much more of the variance.
_CLEARER = 0.05
# Plugs report what they measured some seconds earlier.
_TOLERATED_LAG_S = 3.0
_LONGER = "record the wall for some minutes, idle and under load"


class WallFitError(BadInputError):
    """Readings that cannot be fitted to what was metered; the text explains why and what to do."""


def fit_wall(readings: Readings, runs: Sequence[Metered]) -> WallFit:
    """The fit of power at the wall on what was metered in `runs`, all of one scope and domains.

    Raises:
        WallFitError: no overlap, too few readings, no variation, or clocks that differ.
    """
    readings = _usable(readings, runs)
    bin_s = bin_width(readings, runs)
    joined = join(readings, runs, bin_s)
    if not len(joined.wall_w):
        raise _no_overlap(readings)
    if len(joined.wall_w) < MIN_BINS:
        raise WallFitError(
            f"{readings.origin}: readings and runs share {len(joined.wall_w)} segments of "
            f"{format_duration(bin_s)}, and {MIN_BINS} are needed: {_LONGER}"
        )
    _check_swing(joined, readings)
    lag_s = _checked_lag(readings, runs, bin_s)
    if lag_s:
        joined = join(readings.shifted(-lag_s), runs, bin_s)
    slope, offset_w, covariance, residuals = robust_line(joined.metered_w, joined.wall_w)
    slope_error, offset_error_w = (math.sqrt(max(0.0, covariance[i][i])) for i in (0, 1))
    ranks = _correlation(joined)
    if slope <= 0 or ranks < _MIN_R or slope_error > _MAX_SLOPE_ERROR * slope:
        raise WallFitError(
            f"{readings.origin}: power at the wall does not follow the meters (rank correlation "
            f"{ranks:.2f}): check that it is this machine's alone, and {_LONGER}"
        )
    low_w, high_w = np.percentile(joined.metered_w, [1, 99])
    return WallFit(
        slope=slope,
        offset_w=offset_w,
        slope_error=slope_error,
        offset_error_w=offset_error_w,
        covariance=covariance,
        r=float(np.corrcoef(joined.metered_w, joined.wall_w)[0, 1]),
        rmse_w=float(np.sqrt(np.mean(residuals**2))),
        bins=len(joined.wall_w),
        bin_s=bin_s,
        metered_w=(float(low_w), float(high_w)),
        lag_s=lag_s,
        scope=runs[0].scope,
        domains=runs[0].domains,
        origin=readings.origin,
    )


def _usable(readings: Readings, runs: Sequence[Metered]) -> Readings:
    """The readings that resolve what they count. Raises `WallFitError` where they are too few."""
    number = len(readings.t_s)
    if number < 3:
        raise WallFitError(f"{readings.origin}: {number} readings are too few: {_LONGER}")
    first, last = readings.t_s[0], readings.t_s[-1]
    if not any(run.t_s[0] <= last and run.t_s[-1] >= first for run in runs):
        raise _no_overlap(readings)
    counted = where_counted(readings)
    if len(counted.t_s) < 3:
        raise WallFitError(
            f"{readings.origin}: its counter changed {len(counted.t_s) - 1} times in {number} "
            f"readings, which is too few: {_LONGER}"
        )
    return counted


def _no_overlap(readings: Readings) -> WallFitError:
    return WallFitError(
        f"{readings.origin}: no reading falls into a recorded run of this machine: check the times "
        "and their zone, or record runs while the wall is metered"
    )


def _check_swing(joined: Joined, readings: Readings) -> None:
    low, middle, high = np.percentile(joined.metered_w, [5, 50, 95])
    if high - low < _MIN_SWING * abs(middle):
        raise WallFitError(
            f"{readings.origin}: the metered power hardly varies ({low:.1f} to {high:.1f} W): "
            "record the machine both idle and under load"
        )
    if float(np.ptp(joined.wall_w)) <= 1e-9 * float(np.max(joined.wall_w)):
        raise WallFitError(
            f"{readings.origin}: power at the wall is always {joined.wall_w[0]:.1f} W while the "
            "metered power varies: check that it is this machine's"
        )


def _checked_lag(readings: Readings, runs: Sequence[Metered], bin_s: float) -> float:
    """By how many seconds the readings come late; 0 where no shift explains clearly more.

    Raises `WallFitError` where it is more than a plug's delay.
    """
    finest_s = max(1.0, readings.period_s, 2 * max(run.period_s for run in runs))
    narrow_s = min(bin_s, 2 * finest_s)
    step_s = finest_s / 2
    count = int(MAX_LAG_S / step_s)
    lags = step_s * np.arange(-count, count + 1)
    r = np.array([_correlation(join(readings.shifted(-lag), runs, narrow_s)) for lag in lags])
    best = int(np.argmax(r))
    before, after, lag_s = float(r[count]), float(r[best]), float(lags[best])
    if max(0.0, after) ** 2 - max(0.0, before) ** 2 <= _CLEARER:
        return 0.0
    if abs(lag_s) > max(_TOLERATED_LAG_S, 2 * readings.period_s):
        side = "ahead of" if lag_s > 0 else "behind"
        cure = f"correct it, or add --shift {-lag_s:.0f}s" if readings.other_clock else _LONGER
        raise WallFitError(
            f"{readings.origin}: its clock seems {abs(lag_s):.0f} s {side} this machine's "
            f"(rank correlation {after:.2f} instead of {before:.2f}): {cure}"
        )
    return lag_s


def _correlation(joined: Joined) -> float:
    """Of ranks (Spearman), so that another appliance on the plug for a while does not matter."""
    if len(joined.wall_w) < MIN_BINS:
        return 0.0
    if not np.ptp(joined.wall_w) or not np.ptp(joined.metered_w):
        return 0.0
    return float(np.corrcoef(_ranks(joined.metered_w), _ranks(joined.wall_w))[0, 1])


def _ranks(values: Array) -> Array:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def robust_line(x: Array, y: Array) -> tuple[float, float, Covariance, Array]:
    """Slope and offset by Huber's regression, their covariance, and the residuals."""
    design = np.stack([x, np.ones_like(x)], axis=1)
    weights = np.ones_like(x)
    answer = np.zeros(2)
    for _ in range(50):
        root = np.sqrt(weights)
        new = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
        residuals = y - design @ new
        scale = 1.4826 * float(np.median(np.abs(residuals)))
        done = bool(np.allclose(new, answer, rtol=1e-9, atol=1e-12))
        answer = new
        if done or scale <= 1e-12 * float(np.max(np.abs(y))):
            break
        weights = np.minimum(1.0, _HUBER * scale / np.maximum(np.abs(residuals), 1e-300))
    residuals = y - design @ answer
    variance = float(np.sum(weights * residuals**2)) / max(1e-9, float(np.sum(weights)) - 2)
    inverse = np.linalg.pinv(design.T @ (design * weights[:, None]))
    # Neighbors err alike: fewer of them are independent (first-order autocorrelation).
    spread = float(np.sum(residuals**2))
    rho = float(np.sum(residuals[1:] * residuals[:-1])) / spread if spread > 0 else 0.0
    rho = min(0.95, max(0.0, rho))
    (a, b), (c, d) = (inverse * variance * (1 + rho) / (1 - rho)).tolist()
    return float(answer[0]), float(answer[1]), ((a, b), (c, d)), residuals


def fit_recordings(readings: Readings, ledger: Ledger, environment: Mapping[str, Any]) -> WallFit:
    """The fit on the recordings of this machine that ran while the wall was metered.

    Runs of one scope with the same domains are fitted together; of several such groups, the one
    that the readings cover longest. Runs at the same time as others are left out, except those of
    the whole machine.

    Raises:
        WallFitError: no such recordings, or they cannot be fitted.
        LedgerError: the ledger cannot be read.
    """
    if len(readings.t_s) < 3:
        return fit_wall(readings, [])
    runs = _metered_runs(readings, ledger, environment)
    groups: dict[tuple[str, tuple[str, ...]], list[Metered]] = {}
    for run in runs:
        if not _overlaps(run, runs):
            groups.setdefault((run.scope, run.domains), []).append(run)
    longest = max(groups.values(), key=lambda group: _covered_s(group, readings), default=[])
    return fit_wall(readings, longest)


def _metered_runs(
    readings: Readings, ledger: Ledger, environment: Mapping[str, Any]
) -> list[Metered]:
    """What was metered in the runs of this machine at the time of the readings."""
    first, last = float(readings.t_s[0]), float(readings.t_s[-1])
    machine = machine_of(environment)
    runs = []
    for row in ledger.runs(until=last + MAX_LAG_S):
        if machine is None or row.started_at + row.duration_s < first - MAX_LAG_S:
            continue
        recording = ledger.load(row.run_id)
        if machine_of(recording.header.environment) == machine:
            run = metered_of(recording)
            runs += [] if run is None else [run]
    return runs


def _overlaps(run: Metered, others: Sequence[Metered]) -> bool:
    """Whether another run was there at the same time; for the whole machine it does not matter."""
    return run.scope != "machine" and any(
        other is not run and other.t_s[0] < run.t_s[-1] and other.t_s[-1] > run.t_s[0]
        for other in others
    )


def _covered_s(runs: Sequence[Metered], readings: Readings) -> float:
    first, last = float(readings.t_s[0]), float(readings.t_s[-1])
    lengths = (min(last, float(r.t_s[-1])) - max(first, float(r.t_s[0])) for r in runs)
    return sum(max(0.0, length) for length in lengths)
