"""Wall power from the meters: `wall = slope x metered + offset`, two constants of a machine.

What a machine draws at the wall is more than its sensors see: the power supply's loss grows with
the load (the slope); mainboard, fans and disks always draw power (the offset). The relation is
close to affine (one published machine: 1.11 x sensors + 50 W, r = 0.99). A fit holds for recordings
of the scope and the domains it was made with; `regression` makes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import serialize
from ..errors import BadInputError, LedgerError
from ..estimate import Z90, Estimate, Provenance
from ..hardware.environment import machine_of
from ..recording.integrate import is_resolved
from ..recording.model import Recording
from ..recording.summary import Summary, summarize

if TYPE_CHECKING:
    from ..ledger import Ledger
    from ..ledger.calibrations import Stored

Covariance = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class WallFit:
    """`wall = slope x metered + offset_w`, and how well it holds.

    Attributes:
        slope: watts at the wall for each metered watt.
        offset_w: watts at the wall where nothing is metered.
        slope_error: standard error of the slope.
        offset_error_w: standard error of the offset, W.
        covariance: of slope and offset.
        r: correlation of power at the wall with metered power.
        rmse_w: root mean square of the residuals, W.
        bins: how many means it was fitted on.
        bin_s: length of each, s.
        metered_w: range of metered power it was fitted on, W.
        lag_s: by which the wall's readings came later; corrected.
        scope: of the recordings that it holds for.
        domains: of the recordings that it holds for.
        origin: file or plug that the readings come from.
    """

    slope: float
    offset_w: float
    slope_error: float
    offset_error_w: float
    covariance: Covariance
    r: float
    rmse_w: float
    bins: int
    bin_s: float
    metered_w: tuple[float, float]
    lag_s: float
    scope: str
    domains: tuple[str, ...]
    origin: str
    made_at: float | None = None


def wall_energy(
    total: Estimate, duration_s: float, fit: WallFit, *, resolved: bool = True
) -> Estimate:
    """Energy at the wall, J, of a run with this metered total; always modelled.

    All runs of a machine share the error of the fit: its standard errors at the run's power. The
    residual is a run's own, and is assumed constant during it. The fit includes the meters'
    systematic error, but not what a meter could not resolve of this run (`resolved` False), which
    is added.

    Raises `ValueError` for a duration that is not above 0.
    """
    if not duration_s > 0:
        raise ValueError(f"a run of {duration_s} s has no power")
    at = np.array([total.value / duration_s, 1.0])
    watts = float(at @ (fit.slope, fit.offset_w))
    variance = float(at @ np.array(fit.covariance) @ at)
    of_fit = Z90 * math.sqrt(max(0.0, variance)) * duration_s
    below = above = Z90 * fit.rmse_w * duration_s
    if not resolved:
        below = math.hypot(below, fit.slope * (total.value - total.low))
        above = math.hypot(above, fit.slope * (total.high - total.value))
    value = max(0.0, watts * duration_s)
    energy = Estimate.of_errors(
        value,
        (min(below, value), above),
        {"wall": (-of_fit, of_fit)},
        provenance=Provenance.MODELLED,
    )
    return energy.changed(low=max(0.0, energy.low))


def wall_of(summary: Summary, fit: WallFit | None) -> Estimate | None:
    """The wall energy of a run; None without a fit for its scope and domains."""
    if fit is None or summary.total is None or summary.duration_s <= 0:
        return None
    domains = tuple(sorted(d.source.domain for d in summary.domains))
    if fit.domains != domains or fit.scope != summary.recording.header.scope:
        return None
    all_resolved = all(is_resolved(summary.duration_s, d.source) for d in summary.domains)
    resolved = all_resolved and not summary.recording.gaps
    energy = wall_energy(summary.total, summary.duration_s, fit, resolved=resolved)
    return energy.by_meter(f"wall of {machine_of(summary.recording.header.environment)}")


def summary_of(recording: Recording, ledger: Ledger | None) -> Summary:
    """The figures of a run, with what the ledger adds: its energy at the wall, where there is a fit
    for it, and how often forecasts held, where it has any.

    A fit that cannot be read is a warning in the summary.
    """
    summary = summarize(recording)
    if ledger is None or summary.total is None:
        return summary
    header = recording.header
    try:
        if recording.footer is not None and recording.footer.forecasts:
            summary = replace(summary, forecast_record=ledger.forecast_record())
        fit = wall_fit(ledger, header.environment, header.scope)
    except LedgerError as error:
        return replace(summary, warnings=[*summary.warnings, f"no energy at the wall: {error}"])
    return replace(summary, wall=wall_of(summary, fit))


def wall_fit(ledger: Ledger, environment: Mapping[str, Any], scope: str) -> WallFit | None:
    """The latest fit of this machine, for recordings of a scope; None without one.

    Raises `LedgerError`.
    """
    # Imported here: it loads the database library.
    from ..ledger import calibrations

    stored = calibrations.load(ledger, environment, f"{calibrations.WALL}:{scope}")
    return None if stored is None else read_fit(stored)


def read_fit(stored: Stored) -> WallFit:
    """A stored fit. Raises `LedgerError` where it is damaged."""
    try:
        return serialize.read({**stored.document, "made_at": stored.made_at}, WallFit)
    except BadInputError as error:
        raise LedgerError(
            f"the stored fit of wall power is damaged ({error}): "
            "joulecast calibrate --forget drops it"
        ) from error


def save_fit(ledger: Ledger, environment: Mapping[str, Any], fit: WallFit, made_at: float) -> None:
    """Keep a fit for this machine and its scope. Raises `LedgerError`."""
    from ..ledger import calibrations

    device = f"{calibrations.WALL}:{fit.scope}"
    calibrations.save(ledger, environment, device, serialize.to_builtins(fit), made_at)
