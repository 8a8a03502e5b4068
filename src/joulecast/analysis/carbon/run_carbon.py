"""The carbon and cost of a recorded run, or of an energy that somebody names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ...recording.model import Status
from ...recording.summary import Summary
from ...units import Estimate
from .cost import Tariff
from .embodied import Embodied, embodied_of_gpus
from .footprint import Carbon, Site, carbon
from .intensity import IntensitySeries, Weighted, energy_of, steady, weighted

_UP_TO_THE_LAST = {
    Status.RUNNING: "the run has not ended: figures go up to its last reading",
    Status.INTERRUPTED: "the recorder died before the run ended: figures go up to its last reading",
}
MARGINAL = (
    "marginal emissions: what one more kWh caused at that time, to compare moments with; "
    "not the run's share of the grid's emissions, and not to be added to such shares"
)


@dataclass(frozen=True, slots=True)
class RunCarbon:
    """A run or an energy, and what it emitted and cost."""

    name: str
    carbon: Carbon
    energy_basis: str  # "metered", "at the wall", "as given"
    run_id: str | None = None
    status: str | None = None
    started_at: float | None = None  # seconds since 1970
    duration_s: float | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, without the schema."""
        return {
            "run_id": self.run_id,
            "name": self.name,
            "status": self.status,
            "started_at": self.started_at,
            "duration_s": self.duration_s,
            "energy_basis": self.energy_basis,
            **self.carbon.to_json(),
            "notes": list(self.notes),
        }


def year_of(summary: Summary) -> int | None:
    """The year (UTC) in which a run started, whose intensity it is counted with.

    None where its start is no time of a calendar (an imported trace may say anything).
    """
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
    """The carbon and cost of a recorded run.

    Args:
        summary: of the run; its energy at the wall is taken where it is known, else the metered.
        site: grid and PUE; counts for the hours that `series` does not know, or for all.
        series: the grid's intensity over the run's hours; power times it is integrated.
        hardware: what the run held; the GPUs it used, from the catalog, by default.
        written_off: lifetime (s), utilization and share of those of the catalog; None: as usual.
        tariff: the price of electricity.
    """
    header = summary.recording.header
    notes = list(site.notes)
    if note := _UP_TO_THE_LAST.get(summary.recording.status):
        notes.append(note)
    energy = summary.total if summary.wall is None else summary.wall
    why = "nothing of this hardware is in the catalog: give --embodied 150kg"
    if hardware is None:
        hardware, why = embodied_of_gpus(gpus_of(summary), *written_off)
        notes += [why] if hardware is not None else []
    if series is not None:
        mean = _over_time(summary, series, site)
        if mean is None:
            notes.append(f"{series.provider} knows no hour of this run: counted at {site.basis}")
        else:
            notes = [note for note in notes if note not in site.notes or mean.coverage < 1]
            site = site.during(series, mean)
            notes += [MARGINAL] if series.marginal else []
    figures = carbon(
        energy,
        replace(site, notes=()),
        duration_s=summary.duration_s,
        hardware=hardware,
        tariff=tariff,
        why_no_energy=_why_no_energy(summary),
        why_no_hardware=why,
    )
    return RunCarbon(
        header.name,
        figures,
        "metered" if summary.wall is None else "at the wall",
        header.run_id,
        str(summary.recording.status),
        header.started_at if math.isfinite(header.started_at) else None,
        summary.duration_s,
        tuple(notes),
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
    """The carbon and cost of an energy (J) as named; with `series`, at its newest intensity."""
    notes = list(site.notes)
    if series is not None and series.intervals:
        now = series.intervals[-1]
        at = datetime.fromtimestamp(now.start_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
        grams = now.carbon_g_per_kwh
        mean = Weighted(grams, 1.0, grams, grams, float(now.estimated))
        site = site.during(series, mean, at)
        notes = [MARGINAL] if series.marginal else []
    figures = carbon(
        energy,
        replace(site, notes=()),
        duration_s=duration_s,
        hardware=hardware,
        tariff=tariff,
        why_no_hardware="no hardware is named: give --embodied 150kg and --duration 12h",
    )
    return RunCarbon(name, figures, "as given", duration_s=duration_s, notes=tuple(notes))


def gpus_of(summary: Summary) -> list[str]:
    """The names of the GPUs whose energy is in a run's total; "gpu:3" where it gave no name."""
    used = [d.source.domain for d in summary.domains if d.source.domain.startswith("gpu:")]
    known: dict[str, str] = {}
    for gpu in summary.recording.header.environment.get("gpus") or ():
        if isinstance(gpu, Mapping) and gpu.get("name"):
            known[f"gpu:{gpu.get('index')}"] = str(gpu["name"])
    return [known.get(domain, domain) for domain in used]


def _over_time(summary: Summary, series: IntensitySeries, site: Site) -> Weighted | None:
    start = summary.recording.header.started_at
    end = start + summary.duration_s
    total = summary.total.value if summary.total is not None else 0.0
    at = energy_of(summary.recording) or steady(start, end, total)
    return weighted(at, start, end, series, site.carbon_g_per_kwh)


def _why_no_energy(summary: Summary) -> str:
    """The summary's own words, where it has any."""
    told = [text for text in summary.warnings if text.startswith("energy unknown: ")]
    return told[0].removeprefix("energy unknown: ") if told else "no energy was recorded"
