"""Wall power from the meters: `wall = slope x metered + offset`, two constants of a machine.

What a machine draws at the wall is more than its sensors see: the power supply's loss grows with
the load (the slope), mainboard, fans and disks draw always (the offset). The two are close to
affine (one published machine: 1.11 x sensors + 50 W, r = 0.99). A fit holds for recordings of the
scope and the domains it was made with; `wall_regression` makes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import LedgerError
from ..recording.integrate import is_resolved
from ..recording.summary import Summary
from ..units import Estimate, Provenance

if TYPE_CHECKING:
    from ..ledger import Ledger

Covariance = tuple[tuple[float, float], tuple[float, float]]
_Z90 = 1.645


@dataclass(frozen=True, slots=True)
class WallFit:
    """`wall = slope x metered + offset_w`, and how well it holds."""

    slope: float
    offset_w: float
    covariance: Covariance  # of slope and offset
    r: float  # correlation of wall with metered power
    rmse_w: float
    bins: int
    bin_s: float
    metered_w: tuple[float, float]  # range of metered power it was fitted on
    lag_s: float  # by which the wall's readings came later, taken off
    scope: str
    domains: tuple[str, ...]
    origin: str

    @property
    def slope_error(self) -> float:
        """Standard error of the slope."""
        return math.sqrt(max(0.0, self.covariance[0][0]))

    @property
    def offset_error_w(self) -> float:
        """Standard error of the offset, W."""
        return math.sqrt(max(0.0, self.covariance[1][1]))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; inverse of `from_json`."""
        return {
            "slope": self.slope,
            "offset_w": self.offset_w,
            "slope_error": self.slope_error,
            "offset_error_w": self.offset_error_w,
            "covariance": [list(row) for row in self.covariance],
            "r": self.r,
            "rmse_w": self.rmse_w,
            "bins": self.bins,
            "bin_s": self.bin_s,
            "metered_w": list(self.metered_w),
            "lag_s": self.lag_s,
            "scope": self.scope,
            "domains": list(self.domains),
            "origin": self.origin,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> WallFit:
        """Inverse of `to_json`. Raises `KeyError`, `TypeError` or `ValueError`."""
        (a, b), (c, d) = data["covariance"]
        low, high = data["metered_w"]
        return cls(
            slope=float(data["slope"]),
            offset_w=float(data["offset_w"]),
            covariance=((float(a), float(b)), (float(c), float(d))),
            r=float(data["r"]),
            rmse_w=float(data["rmse_w"]),
            bins=int(data["bins"]),
            bin_s=float(data["bin_s"]),
            metered_w=(float(low), float(high)),
            lag_s=float(data["lag_s"]),
            scope=str(data["scope"]),
            domains=tuple(str(domain) for domain in data["domains"]),
            origin=str(data["origin"]),
        )


# --- using a fit ---------------------------------------------------------------------------------


def wall_energy(
    total: Estimate, duration_s: float, fit: WallFit, *, resolved: bool = True
) -> Estimate:
    """Energy at the wall, J, of a run with this metered total; always modelled.

    The interval is the fit's: its standard errors at the run's power, and its residual, which is
    taken to stay the same throughout a run. The meters' systematic error is in the fit already;
    what a meter could not see of this run (`resolved` False) is not, and is added.

    Raises `ValueError` for a duration that is not above 0.
    """
    if not duration_s > 0:
        raise ValueError(f"a run of {duration_s} s has no power")
    at = np.array([total.value / duration_s, 1.0])
    watts = float(at @ (fit.slope, fit.offset_w))
    variance = float(at @ np.array(fit.covariance) @ at) + fit.rmse_w**2
    below = above = _Z90 * math.sqrt(max(0.0, variance)) * duration_s
    if not resolved:
        below = math.hypot(below, fit.slope * (total.value - total.low))
        above = math.hypot(above, fit.slope * (total.high - total.value))
    value = max(0.0, watts * duration_s)
    return Estimate(value, max(0.0, value - below), value + above, "J", Provenance.MODELLED)


def wall_of(summary: Summary, fit: WallFit | None) -> Estimate | None:
    """The wall energy of a run; None where there is no fit, or one that is not for such a run."""
    if fit is None or summary.total is None or summary.duration_s <= 0:
        return None
    domains = tuple(sorted(d.source.domain for d in summary.domains))
    if fit.domains != domains or fit.scope != summary.recording.header.scope:
        return None
    seen = all(is_resolved(summary.duration_s, d.source) for d in summary.domains)
    resolved = seen and not summary.recording.gaps
    return wall_energy(summary.total, summary.duration_s, fit, resolved=resolved)


def with_wall(summary: Summary, ledger: Ledger | None) -> Summary:
    """The figures of a run with its energy at the wall, where the ledger has a fit for it.

    A fit that cannot be read is a warning.
    """
    if ledger is None or summary.total is None:
        return summary
    header = summary.recording.header
    try:
        fit = wall_fit(ledger, header.environment, header.scope)
    except LedgerError as error:
        return replace(summary, warnings=[*summary.warnings, f"no energy at the wall: {error}"])
    return replace(summary, wall=wall_of(summary, fit))


def wall_fit(ledger: Ledger, environment: Mapping[str, Any], scope: str) -> WallFit | None:
    """The newest fit of this machine, for recordings of a scope; None without one.

    Raises `LedgerError`.
    """
    from ..ledger import calibrations  # late: loads the database library

    stored = calibrations.load(ledger, environment, f"{calibrations.WALL}:{scope}")
    if stored is None:
        return None
    try:
        return WallFit.from_json(stored.document)
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(
            f"ledger {ledger.location}: the fit of wall power is damaged: "
            "joulecast calibrate --forget drops it"
        ) from error


def save_fit(ledger: Ledger, environment: Mapping[str, Any], fit: WallFit, made_at: float) -> None:
    """Keep a fit for this machine and its scope. Raises `LedgerError`."""
    from ..ledger import calibrations

    device = f"{calibrations.WALL}:{fit.scope}"
    calibrations.save(ledger, environment, device, fit.to_json(), made_at)
