"""Fits wall power on what was metered at the same time, or says why that cannot be done.

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
from ..ledger import calibrations
from ..recording.model import Array
from ..units import format_duration
from .join import Joined, Metered, Readings, bin_width, join, metered_of, risen
from .wall_energy import Covariance, WallFit

if TYPE_CHECKING:
    from ..ledger import Ledger

LEAST_BINS = 12
LONGEST_LAG_S = 60.0  # that is looked for
_HUBER = 1.345  # 95 % as good as least squares where errors are normal
_LEAST_SWING = 0.05  # of the metered power, to tell a slope from an offset
_LEAST_R = 0.5
_WORST_SLOPE = 0.25  # standard error of the slope, relative
_CLEARER = 0.05  # of the variance, that a shifted clock must explain more
_LONGER = "too few: record the wall for some minutes, idle and under load"
_TOLERATED_S = 3.0  # plugs answer with what they measured a little before


class WallFitError(BadInputError):
    """Readings that cannot be fitted to what was metered; the text says why and what to do."""


def fit_wall(readings: Readings, runs: Sequence[Metered]) -> WallFit:
    """The fit of wall power on what was metered in `runs`, which are of one scope and domains.

    Raises `WallFitError`: no overlap, too few readings, no variation, clocks that differ.
    """
    told = len(readings.t_s)
    if told < 3:
        raise WallFitError(f"{readings.origin}: {told} readings are {_LONGER}")
    if not _meet(readings, runs):
        raise _apart(readings)
    readings = risen(readings)
    if len(readings.t_s) < 3:
        raise WallFitError(
            f"{readings.origin}: its counter moved {len(readings.t_s) - 1} times in {told} "
            f"readings, {_LONGER}"
        )
    width = bin_width(readings, runs)
    both = join(readings, runs, width)
    if not len(both.wall_w):
        raise _apart(readings)
    if len(both.wall_w) < LEAST_BINS:
        raise WallFitError(
            f"{readings.origin}: readings and runs share {len(both.wall_w)} stretches of "
            f"{format_duration(width)}, {LEAST_BINS} are needed: record for longer"
        )
    _check_swing(both, readings)
    lag_s, before, after = find_lag(readings, runs, width)
    if abs(lag_s) > max(_TOLERATED_S, 2 * readings.period_s):
        side = "ahead of" if lag_s > 0 else "behind"
        raise WallFitError(
            f"{readings.origin}: its clock seems {abs(lag_s):.0f} s {side} this machine's "
            f"(rank correlation {after:.2f} instead of {before:.2f}): correct it, or add "
            f"--shift {-lag_s:.0f}s"
        )
    if lag_s:
        both = join(readings.shifted(-lag_s), runs, width)
    slope, offset, covariance, residuals = robust_line(both.metered_w, both.wall_w)
    ranks = _correlation(both)
    error = math.sqrt(max(0.0, covariance[0][0]))
    if slope <= 0 or ranks < _LEAST_R or error > _WORST_SLOPE * slope:
        raise WallFitError(
            f"{readings.origin}: wall power does not follow the meters (rank correlation "
            f"{ranks:.2f}): is it this machine's, alone? Record idle and load, for longer"
        )
    low, high = np.percentile(both.metered_w, [1, 99])
    return WallFit(
        slope=slope,
        offset_w=offset,
        slope_error=error,
        offset_error_w=math.sqrt(max(0.0, covariance[1][1])),
        covariance=covariance,
        r=float(np.corrcoef(both.metered_w, both.wall_w)[0, 1]),
        rmse_w=float(np.sqrt(np.mean(residuals**2))),
        bins=len(both.wall_w),
        bin_s=width,
        metered_w=(float(low), float(high)),
        lag_s=lag_s,
        scope=runs[0].scope,
        domains=runs[0].domains,
        origin=readings.origin,
    )


def _meet(readings: Readings, runs: Sequence[Metered]) -> bool:
    """Whether any of the runs was there while the wall was read."""
    first, last = readings.t_s[0], readings.t_s[-1]
    return any(run.t_s[0] <= last and run.t_s[-1] >= first for run in runs)


def _apart(readings: Readings) -> WallFitError:
    return WallFitError(
        f"{readings.origin}: none of its readings falls into a recorded run of this machine: "
        "check their times and zone, or record runs while the wall is metered"
    )


def _check_swing(both: Joined, readings: Readings) -> None:
    low, middle, high = np.percentile(both.metered_w, [5, 50, 95])
    if high - low < _LEAST_SWING * abs(middle):
        raise WallFitError(
            f"{readings.origin}: the metered power hardly varies ({low:.1f} to {high:.1f} W): "
            "record the machine both idle and under load"
        )
    if float(np.ptp(both.wall_w)) <= 1e-9 * float(np.max(both.wall_w)):
        raise WallFitError(
            f"{readings.origin}: the wall power is always {both.wall_w[0]:.1f} W while the metered "
            "power varies: is it this machine's?"
        )


def find_lag(
    readings: Readings, runs: Sequence[Metered], bin_s: float
) -> tuple[float, float, float]:
    """By how many seconds the readings come too late, and the correlations without and with it.

    0 where no shift within a minute explains clearly more.
    """
    finest = max(1.0, readings.period_s, 2 * max(run.period_s for run in runs))
    narrow = min(bin_s, 2 * finest)
    step = finest / 2
    count = int(LONGEST_LAG_S / step)
    lags = step * np.arange(-count, count + 1)
    r = np.array([_correlation(join(readings.shifted(-lag), runs, narrow)) for lag in lags])
    best = int(np.argmax(r))
    before, after = float(r[count]), float(r[best])
    clearer = max(0.0, after) ** 2 - max(0.0, before) ** 2
    return (float(lags[best]) if clearer > _CLEARER else 0.0), before, after


def _correlation(both: Joined) -> float:
    """Of ranks (Spearman): something else on the plug for a while does not drown it."""
    if len(both.wall_w) < LEAST_BINS or not np.ptp(both.wall_w) or not np.ptp(both.metered_w):
        return 0.0
    return float(np.corrcoef(_ranks(both.metered_w), _ranks(both.wall_w))[0, 1])


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


# --- from the ledger -----------------------------------------------------------------------------


def fit_recordings(readings: Readings, ledger: Ledger, environment: Mapping[str, Any]) -> WallFit:
    """The fit on the recordings of this machine that ran while the wall was metered.

    Runs of one scope with the same domains are fitted together: of several such groups that which
    the readings cover longest. Runs at the same time as others are left out, except where they are
    of the whole machine. Raises `WallFitError` and `LedgerError`.
    """
    if len(readings.t_s) < 3:
        return fit_wall(readings, [])  # says so
    first, last = float(readings.t_s[0]), float(readings.t_s[-1])
    rows = [
        row
        for row in ledger.runs(until=last + LONGEST_LAG_S)
        if row.started_at + row.duration_s >= first - LONGEST_LAG_S
    ]
    own = calibrations.machine_of(environment)
    groups: dict[tuple[str, tuple[str, ...]], list[Metered]] = {}
    for row in rows:
        recording = ledger.load(row.run_id)
        if own is None or calibrations.machine_of(recording.header.environment) != own:
            continue
        found = metered_of(recording)
        if found is not None:
            groups.setdefault((found.scope, found.domains), []).append(found)
    everything = [run for runs in groups.values() for run in runs]
    groups = {
        key: kept
        for key, runs in groups.items()
        if (kept := [run for run in runs if not _beside(run, everything)])
    }
    if not groups:
        return fit_wall(readings, [])
    best = max(groups.values(), key=lambda runs: _covered(runs, first, last))
    return fit_wall(readings, best)


def _beside(run: Metered, others: Sequence[Metered]) -> bool:
    """Whether another run was there at the same time; of the whole machine it does not matter."""
    return run.scope != "machine" and any(
        other is not run and other.t_s[0] < run.t_s[-1] and other.t_s[-1] > run.t_s[0]
        for other in others
    )


def _covered(runs: Sequence[Metered], first: float, last: float) -> float:
    lengths = (min(last, float(r.t_s[-1])) - max(first, float(r.t_s[0])) for r in runs)
    return sum(max(0.0, length) for length in lengths)
