"""Texts that several reports share: start, end, provenance, intervals, what is missing."""

import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo

from ...estimate import Estimate, Provenance, estimate_texts, format_estimate
from ...meters.base import ReadingKind, Source
from ...recording.model import Status
from ...recording.summary import DomainEnergy, Summary
from ...units import counted, format_duration, format_quantity

INTERVAL = "90 % interval"

PROVENANCE = {
    Provenance.MEASURED: "from a sensor or counter",
    Provenance.MODELLED: "computed from load or a fitted model, not from a sensor",
    Provenance.ASSUMED: "a constant, not observed on this machine",
}
"""What each provenance means, in a few words."""

_STATUS = {
    Status.RUNNING: "still running",
    Status.FINISHED: "finished",
    Status.FAILED: "failed",
    Status.CANCELED: "canceled",
    Status.STOPPED: "stopped at its budget",
    Status.INTERRUPTED: "interrupted",
}


def when(started_at: float, zone: tzinfo | None = None) -> str:
    """The start as a date and time in `zone`, the local one by default."""
    return datetime.fromtimestamp(started_at).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def status_text(summary: Summary) -> str:
    """The state of a run in words: `finished`, `failed (exit code 7)`."""
    recording = summary.recording
    text = _STATUS[recording.status]
    code = recording.footer.exit_code if recording.footer else None
    if recording.status in (Status.FAILED, Status.CANCELED) and code is not None:
        text += f" (signal {-code})" if code < 0 else f" (exit code {code})"
    return text


def command_text(summary: Summary) -> str:
    """The command as it is typed; empty where there was none."""
    return shlex.join(summary.recording.header.command)


def watt_hours(estimate: Estimate) -> str:
    """The same energy in watt-hours: `3.42 Wh`."""
    return format_quantity(estimate.value / 3600, "Wh")


def mean_power(summary: Summary) -> Estimate | None:
    """Power of all domains, each averaged over the time it was measured, W; None where unknown."""
    if summary.total is None or summary.total.value <= 0:
        return None
    watts = sum(domain.mean_power_w for domain in summary.domains)
    return summary.total.scaled(watts / summary.total.value, "W")


def share(domain: DomainEnergy, summary: Summary) -> float:
    """The domain's part of the total, 0 to 1."""
    if summary.total is None or summary.total.value <= 0:
        return 0.0
    return domain.energy.value / summary.total.value


def mix_text(estimate: Estimate) -> str:
    """The shares of provenances in a sum, and what it lacks: `62 % measured, 38 % modelled`.

    Empty for one provenance.
    """
    shares = [f"{percent(share)} {kind}" for kind, share in estimate.mix.items()]
    return ", ".join([*shares, *filter(None, [estimate.reason])])


def provenance_text(estimate: Estimate) -> str:
    """A sum's provenance with its mix: `measured (93 % measured, 7 % assumed)`."""
    mix = mix_text(estimate)
    return f"{estimate.provenance} ({mix})" if mix else str(estimate.provenance)


def lead(estimate: Estimate) -> str:
    """The value alone, with its unit."""
    return estimate_texts(estimate)[0]


def bounds_text(estimate: Estimate) -> str:
    """Only the bounds in all, in the value's own unit, or each in its own: `11.9 to 12.7 kJ`."""
    _, bounds, unit = estimate_texts(estimate)
    return f"{bounds} {unit}".rstrip()


def range_text(estimate: Estimate) -> str:
    """The same; both intervals where the estimate shares much of its error with others."""
    if not estimate.is_apart:
        return bounds_text(estimate)
    return f"{bounds_text(estimate.as_metered)} as metered; {bounds_text(estimate)} in all"


def are_apart(estimates: Iterable[Estimate | None]) -> bool:
    """Whether a table of estimates shows the own error of each, and that which they share once."""
    return any(estimate is not None and estimate.is_apart for estimate in estimates)


def shared_text(total: Estimate | None) -> str:
    """What all parts of a run share, once for a table of them; empty without a total."""
    if total is None or total.value <= 0:
        return ""
    shared = Estimate.of_errors(total.value, (0.0, 0.0), total.shared)
    below, above = percent(1 - shared.low / total.value), percent(shared.high / total.value - 1)
    return (
        "Intervals are as metered, to compare the rows. The scale of the meters, which all of them "
        f"share, adds -{below} to +{above} to the whole."
    )


def domains_text(domains: Sequence[str]) -> str:
    """Several domains of one family in short: `gpu:0 to gpu:7`."""
    family = domains[0].partition(":")[0]
    row = [f"{family}:{i}" for i in range(len(domains))]
    return f"{row[0]} to {row[-1]}" if len(row) > 2 and list(domains) == row else ", ".join(domains)


def uncertainty_text(source: Source) -> str:
    """The meter's own 90 % interval as percentages: `±5 %`, `-20 % to +35 %`."""
    low, high = source.uncertainty.low, source.uncertainty.high
    if abs(low - high) < 5e-4:
        return f"±{percent(low)}"
    return f"-{percent(low)} to +{percent(high)}"


def percent(fraction: float) -> str:
    """A fraction as people read it: `5 %`, `0.3 %`."""
    value = fraction * 100
    # One decimal where a whole number would read as nothing or all.
    fine = 0 < abs(value) < 9.95 or 99 < abs(value) < 100
    return f"{value:.1f} %" if fine and round(value, 1) != round(value) else f"{value:.0f} %"


def of_the_first(relative: float | None) -> str:
    """The returns of a step along the front, against the first: `40 %`, `>999 %`."""
    return ">999 %" if relative is None or relative >= 9.995 else percent(relative)


def kind_text(source: Source) -> str:
    """The kind of readings of a meter, in words."""
    return "energy counter" if source.kind is ReadingKind.COUNTER else "power readings, integrated"


def metric_text(value: float) -> str:
    """A metric as people read it, four significant digits."""
    return f"{value:.4g}"


MIN_OUTSIDE = 0.01
"""Parts of what lies outside the epochs that are smaller are not listed."""


def epoch_count(summary: Summary) -> str:
    """The number of complete epochs: `3 of 6 epochs`."""
    count, planned = len(summary.complete_epochs), summary.recording.header.planned_epochs
    of = f"{count:,} of " if planned and count <= planned else ""
    return of + counted(planned if of and planned else count, "epoch")


def epoch_estimate(summary: Summary) -> str:
    """Of the complete epochs, and the one that has no end: `152 J on average (min .., max ..)`."""
    texts = []
    if values := [e.energy.value for e in summary.complete_epochs if e.energy]:
        texts = [format_quantity(sum(values) / len(values), "J")]
    if len(values) > 1:
        low, high = (format_quantity(x, "J") for x in (min(values), max(values)))
        texts[0] += f" on average (min {low}, max {high})"
    for epoch in summary.epochs:
        if epoch.span.end_s is None and epoch.energy:
            number = "?" if epoch.span.index is None else epoch.span.index + 1
            texts.append(f"epoch {number} unfinished, {format_quantity(epoch.energy.value, 'J')}")
    return "; ".join(texts)


def outside_text(summary: Summary) -> str:
    """What lies outside the epochs: `34 J (30 to 38) in 5.2 s: before 30 J, after 4 J`."""
    outside = summary.outside_epochs
    if outside is None or outside.energy is None:
        return ""
    places = {"before": outside.before, "between": outside.between, "after": outside.after}
    least = MIN_OUTSIDE * outside.energy.value
    shown, named = (
        ", ".join(
            f"{name} {format_quantity(part.energy.value, 'J')}"
            for name, part in parts.items()
            if part.energy is not None and part.energy.value >= least
        )
        for parts in (places, outside.phases)
    )
    which = f" (of it {named})" if named else ""
    duration = format_duration(outside.duration_s)
    return f"{format_estimate(outside.energy, short=True)} in {duration}: {shown}{which}"


def missing(summary: Summary) -> list[str]:
    """What is missing in the report of a run, and why."""
    notes = []
    recording = summary.recording
    if recording.status is Status.RUNNING:
        notes.append("The run has not ended: all figures end with its last reading.")
    if recording.status is Status.INTERRUPTED:
        notes.append(
            "The recorder died before the run ended: all figures go up to its last reading, "
            f"{format_duration(summary.duration_s)} after the start; what followed is unknown."
        )
    if summary.total is None:
        notes.append(_why_no_energy(summary))
    elif summary.above_idle is None and recording.header.idle_power_w is None:
        notes.append(
            "Energy above idle is unknown: no idle baseline was measured or given for this run."
        )
    if summary.total is not None and summary.total.reason:
        notes.append(
            f"The total is {summary.total.reason}, which could not be read: it is not measured."
        )
    if not summary.epochs:
        notes.append("No epochs were marked, so there is no energy by epoch.")
    return notes


def _why_no_energy(summary: Summary) -> str:
    recording = summary.recording
    if not recording.header.sources:
        why = "no meter was found on this machine (see `joulecast doctor`)"
    else:
        domains = {source.domain for source in recording.header.sources}
        readings = max((len(s) for d, s in recording.samples.items() if d in domains), default=0)
        were = {0: "no reading was", 1: "only one reading was"}.get(readings, "too few were")
        why = f"{were} taken in {format_duration(summary.duration_s)}, and energy needs two"
    return f"The energy of this run is unknown, not zero: {why}."
