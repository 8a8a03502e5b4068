"""The carbon and cost of a recorded run, or of a given energy."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from ...estimate import Estimate
from ...recording.model import Status
from ...recording.summary import Summary
from .cost import Tariff
from .embodied import NOT_IN_CATALOG, Embodied, embodied_of_gpus
from .footprint import Carbon, Site, carbon_of
from .intensity import IntensitySeries, MeanIntensity, energy_of, mean_intensity, steady

_UP_TO_LAST_READING = {
    Status.RUNNING: "the run has not ended: figures go up to its last reading",
    Status.INTERRUPTED: "the recorder died before the run ended: figures go up to its last reading",
}
MARGINAL = (
    "marginal emissions: those that one more kWh causes at that time; use them to compare times, "
    "not as the run's share of the grid's emissions, and do not add them to such shares"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCarbon(Carbon):
    """The emissions and cost of a run, or of an energy, which has no id, status and start.

    Attributes:
        energy_basis: "metered", "at the wall" or "as given".
        started_at: seconds since 1970.
        duration_s: of the run; for an energy, how long the hardware was occupied.
        notes: assumptions made.
    """

    name: str
    energy_basis: str
    run_id: str | None = None
    status: str | None = None
    started_at: float | None = None
    duration_s: float | None = None
    notes: tuple[str, ...] = ()


def year_of(summary: Summary) -> int | None:
    """The year (UTC) in which a run started; None where its start is not a calendar time."""
    try:
        return datetime.fromtimestamp(summary.recording.header.started_at, UTC).year
    except (ValueError, OverflowError, OSError):
        return None


def carbon_of_run(
    summary: Summary,
    site: Site,
    *,
    series: IntensitySeries | None = None,
    hardware: Embodied | None = None,
    written_off: tuple[float | None, float | None, float] = (None, None, 1.0),
    tariff: Tariff | None = None,
) -> RunCarbon:
    """The emissions and cost of a recorded run.

    Args:
        summary: of the run; its energy at the wall is used where it is known, else the metered.
        site: grid and PUE; used for the hours that `series` does not cover.
        series: the grid's intensity during the run; it is integrated with the power.
        hardware: of the run; by default its GPUs, from the catalog.
        written_off: lifetime (s), utilization and share of those GPUs; None: the usual ones.
        tariff: the price of electricity.
    """
    header = summary.recording.header
    note = _UP_TO_LAST_READING.get(summary.recording.status)
    notes = [] if note is None else [note]
    why_no_hardware = NOT_IN_CATALOG
    if hardware is None:
        hardware, why_no_hardware = embodied_of_gpus(gpus_of(summary), *written_off)
        notes += [why_no_hardware] if hardware is not None else []
    if series is not None:
        mean = _mean_intensity(summary, series, site)
        if mean is None:
            notes.append(
                f"{series.provider} has no figure for the hours of this run: {site.basis} is used"
            )
        else:
            site = site.during(series, mean)
            notes += [MARGINAL] if series.marginal else []
    carbon = carbon_of(
        summary.total if summary.wall is None else summary.wall,
        site,
        duration_s=summary.duration_s,
        hardware=hardware,
        tariff=tariff,
        why_no_energy=_why_no_energy(summary),
        why_no_hardware=why_no_hardware,
    )
    return RunCarbon(
        **_fields(carbon),
        name=header.name,
        energy_basis="metered" if summary.wall is None else "at the wall",
        run_id=header.run_id,
        status=str(summary.recording.status),
        started_at=header.started_at if math.isfinite(header.started_at) else None,
        duration_s=summary.duration_s,
        notes=(*site.notes, *notes),
    )


def carbon_of_energy(
    name: str,
    energy: Estimate,
    site: Site,
    *,
    series: IntensitySeries | None = None,
    duration_s: float | None = None,
    hardware: Embodied | None = None,
    tariff: Tariff | None = None,
) -> RunCarbon:
    """The emissions and cost of a given energy (J); with `series`, at its latest intensity."""
    notes = []
    if series is not None and series.intervals:
        latest = series.intervals[-1]
        at = datetime.fromtimestamp(latest.start_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
        grams = latest.carbon_g_per_kwh
        site = site.during(series, MeanIntensity(grams, 1.0, grams, grams, latest.estimated), at)
        notes += [MARGINAL] if series.marginal else []
    carbon = carbon_of(
        energy,
        site,
        duration_s=duration_s,
        hardware=hardware,
        tariff=tariff,
        why_no_hardware="no hardware was given: give --embodied 150kg and --held-for 12h",
    )
    return RunCarbon(
        **_fields(carbon),
        name=name,
        energy_basis="as given",
        duration_s=duration_s,
        notes=(*site.notes, *notes),
    )


def _fields(carbon: Carbon) -> dict[str, Any]:
    return {f.name: getattr(carbon, f.name) for f in fields(carbon)}


def gpus_of(summary: Summary) -> list[str]:
    """The names of the GPUs in a run's total energy; "gpu:3" where a GPU has no name."""
    # The module of a superchip holds a GPU of its number.
    all_domains = [d.source.domain.replace("module:", "gpu:") for d in summary.domains]
    domains = [domain for domain in all_domains if domain.startswith("gpu:")]
    names: dict[str, str] = {}
    for gpu in summary.recording.header.environment.get("gpus") or ():
        if isinstance(gpu, Mapping) and gpu.get("name"):
            names[f"gpu:{gpu.get('index')}"] = str(gpu["name"])
    return [names.get(domain, domain) for domain in domains]


def _mean_intensity(summary: Summary, series: IntensitySeries, site: Site) -> MeanIntensity | None:
    start_s = summary.recording.header.started_at
    end_s = start_s + summary.duration_s
    total_j = summary.total.value if summary.total is not None else 0.0
    energy_at = energy_of(summary.recording) or steady(start_s, end_s, total_j)
    return mean_intensity(energy_at, start_s, end_s, series, site.carbon_g_per_kwh)


def _why_no_energy(summary: Summary) -> str:
    """The reason that the summary gives."""
    start = "energy unknown: "
    reasons = [text.removeprefix(start) for text in summary.warnings if text.startswith(start)]
    return reasons[0] if reasons else "no energy was recorded"
