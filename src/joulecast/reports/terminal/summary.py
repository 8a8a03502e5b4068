"""The short summary that `joulecast run` prints when the command has ended. Imports no rich."""

import shlex
from collections import defaultdict
from collections.abc import Collection

from ...estimate import add_independent
from ...recording.summary import DomainEnergy, Summary
from ...units import format_duration, format_quantity, one_line
from ..words.common import epoch_count, epoch_estimate, outside_text, provenance_text, status_text
from ..words.gauges import throttled_text

MAX_DOMAINS = 3


def summary_lines(
    summary: Summary,
    *,
    messages: Collection[str] = (),
    ledger: str | None = None,
    epochs_from: str | None = None,
) -> list[str]:
    """Two to twelve plain lines: total, domains, epochs, forecasts, throttling, a warning.

    Args:
        summary: of the run.
        messages: warnings that the user has read already; they are left out.
        ledger: where the run is stored, if it is not the default place.
        epochs_from: where the epochs come from, if not from the training itself.
    """
    header = summary.recording.header
    name = one_line(header.name) or header.run_id
    lead = f"joulecast: {name} {status_text(summary)} after {format_duration(summary.duration_s)}"
    if summary.total is None:
        lines = [f"{lead}, energy unknown"]
    else:
        lines = [f"{lead}, {summary.total} {provenance_text(summary.total)}"]
    lines += _domains(summary)
    each = epoch_estimate(summary)
    if each:
        source = f", read from {epochs_from}" if epochs_from else ""
        lines.append(f"  {epoch_count(summary)}: {each}{source}")
    outside = outside_text(summary)
    if outside:
        lines.append(f"  outside the epochs: {outside}")
    if summary.above_idle is not None:
        lines.append(f"  above idle: {summary.above_idle}")
    if summary.wall is not None:
        lines.append(f"  at the wall: {summary.wall} {summary.wall.provenance}")
    if summary.forecast_record is not None and summary.forecast_record.is_shown:
        lines.append(f"  forecasts: {summary.forecast_record}")
    if throttled := throttled_text(summary.gauges):
        lines.append(f"  throttled: {throttled}")
    warnings = [warning for warning in summary.warnings if warning not in messages]
    if warnings:
        more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
        lines.append(f"  warning: {warnings[0]}{more}")
    where = f" --ledger {shlex.quote(ledger)}" if ledger else ""
    lines.append(f"  more: joulecast show {header.run_id[:8]}{where}")
    return lines


def _domains(summary: Summary) -> list[str]:
    """A line for each domain; for each family of them where there are many."""
    if len(summary.domains) <= MAX_DOMAINS:
        groups = {d.source.domain: [d] for d in summary.domains}
    else:
        families: dict[str, list[DomainEnergy]] = defaultdict(list)
        for d in summary.domains:
            families[d.source.domain.partition(":")[0]].append(d)
        groups = {
            members[0].source.domain if len(members) == 1 else f"{family} x{len(members)}": members
            for family, members in families.items()
        }
    largest = sorted(groups.items(), key=lambda g: -sum(d.energy.value for d in g[1]))
    rows = []
    for label, members in largest[:MAX_DOMAINS]:
        energy = add_independent(d.energy for d in members)
        power = format_quantity(sum(d.mean_power_w for d in members), "W")
        source = members[0].source
        provenance = provenance_text(energy) if energy else ""
        about = ", ".join(filter(None, (provenance, source.device[:40])))
        rows.append((label, str(energy), power, about))
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
    lines = [
        f"  {label:<{widths[0]}}  {energy:<{widths[1]}}  {power:>{widths[2]}}  {about}"
        for label, energy, power, about in rows
    ]
    if len(largest) > MAX_DOMAINS and lines:
        lines[-1] += f" (and {len(largest) - MAX_DOMAINS} more)"
    return lines
