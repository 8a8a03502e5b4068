"""The samples of a recording as a CSV table and back, and power traces that others recorded.

The table has a row for each reading: `domain,t_s,energy_j,power_w,low,high,held_s,provenance`. A
counter fills `energy_j` (joules since the meter was opened), a power meter `power_w`; `low` and
`high` bound whichever it is. Only `domain`, `t_s` and one of the two figures are needed to read it.
What the table does not keep: gauges, spans, metrics, the environment, tags, and reasons of gaps. A
long silence of a power meter is a gap again when it is read.
"""

import math
import re
import secrets
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..csv_table import LARGEST, CsvTable, Row, RowError, amount, instant, open_table, shown
from ..errors import BadInputError, UsageError
from ..estimate import Provenance
from ..meters.base import ReadingKind, Source, Uncertainty
from ..meters.replay import LEAVE_OUT, read_trace
from ..recording.model import Array, Footer, Gap, Header, Recording, Samples, Status
from ..recording.sampler import max_gap_s
from ..recording.summary import summarize
from .recording_json import DOMAIN, check_samples

HEADER = ("domain", "t_s", "energy_j", "power_w", "low", "high", "held_s", "provenance")

# A trace seldom states its uncertainty. NVIDIA states 5 % for the power reading of its boards, the
# most common source (NVML API reference, nvmlDeviceGetPowerUsage: "accurate to within +/- 5%").
DEFAULT_UNCERTAINTY = 0.05

# Written at once.
_ROWS = 10_000
# Times beyond it (2001) are seconds since 1970.
_CALENDAR = 1e9


@dataclass(frozen=True, slots=True)
class Assumed:
    """What a table leaves open and the person who imports it may know.

    Attributes:
        name: of the run.
        now: seconds since 1970; the start of a run whose table has no date.
        domain: of a trace that names none.
        uncertainty: of its figures, as a fraction; `DEFAULT_UNCERTAINTY` by default.
    """

    name: str
    now: float
    domain: str = "gpu:0"
    uncertainty: float | None = None


def export_csv(recording: Recording) -> Iterator[str]:
    """The table of a recording's samples from its start to its end, some rows at a time."""
    yield ",".join(HEADER) + "\n"
    sources = {source.domain: source for source in recording.header.sources}
    gauges = {gauge.domain for gauge in recording.header.gauges}
    for domain, samples in recording.samples.items():
        if domain not in gauges:
            yield from _domain_rows(domain, sources.get(domain), samples, recording)


def _domain_rows(
    domain: str, source: Source | None, samples: Samples, recording: Recording
) -> Iterator[str]:
    counts = source is None or source.kind is ReadingKind.COUNTER
    provenance = str(source.provenance) if source else ""
    gaps = [] if counts else [gap for gap in recording.gaps if gap.domain == domain]
    within = _within_run(samples, recording.duration_s, gaps)
    # A counter fills the column energy_j, a power meter the column power_w after it.
    before, after = ("", ",") if counts else (",", "")
    for start in range(0, len(within), _ROWS):
        at = slice(start, start + _ROWS)
        columns = (column[at].tolist() for column in _columns(within))
        yield "".join(
            f"{domain},{t!r},{before}{value!r}{after},{low!r},{high!r},{held_s!r},{provenance}\n"
            for t, value, low, high, held_s in zip(*columns, strict=True)
        )


def _within_run(samples: Samples, end_s: float, gaps: Sequence[Gap]) -> Samples:
    """The samples from 0 to `end_s`, with interpolated ones at these edges.

    The first and last readings of a run lie a little outside of it, and a table has no other place
    for where it begins and ends. An edge that falls into one of `gaps` gets no sample.
    """
    t_s = samples.t_s
    if not len(t_s) or (t_s[0] >= 0 and t_s[-1] <= end_s):
        return samples
    inside = slice(np.searchsorted(t_s, 0.0), np.searchsorted(t_s, end_s, side="right"))
    kept = Samples(*(column[inside] for column in _columns(samples)))
    return Samples.concat([_at(samples, 0.0, gaps), kept, _at(samples, end_s, gaps)])


def _at(samples: Samples, edge_s: float, gaps: Sequence[Gap]) -> Samples:
    """One sample at an edge that lies between two, or none."""
    t_s = samples.t_s
    # The first that is not earlier than the edge.
    after = int(np.searchsorted(t_s, edge_s))
    if after in (0, len(t_s)) or t_s[after] == edge_s:
        return Samples.empty()
    for gap in gaps:
        if t_s[after] > gap.start_s and (gap.end_s is None or t_s[after - 1] < gap.end_s):
            return Samples.empty()
    return Samples(*(np.interp([edge_s], t_s, column) for column in _columns(samples)))


def _columns(samples: Samples) -> tuple[Array, ...]:
    return (samples.t_s, samples.value, samples.low, samples.high, samples.held_s)


def import_csv(
    path: Path, assumed: Assumed, progress: Callable[[int], object] = lambda _: None
) -> Recording:
    """The recording in a table, or in a power trace with the columns `t_s,power_w`.

    The file may be packed with gzip (`.gz`). `progress` is called now and then with the number of
    bytes read since the last call. Raises `BadInputError` naming the line.
    """
    fraction = DEFAULT_UNCERTAINTY if assumed.uncertainty is None else assumed.uncertainty
    if not 0 <= fraction < 1:
        raise UsageError(f"an uncertainty of {fraction:g}: write a fraction below 1 (0.05 is 5 %)")
    with open_table(path, progress) as table:
        if table.has("domain"):
            return _recording(path, _series(table), fraction, assumed, False)
    t_s, power_w = read_trace(path)
    series = _Series(ReadingKind.POWER)
    for column, figures in zip(series.columns, (t_s, power_w), strict=False):
        column.frombytes(figures.tobytes())
    return _recording(path, {assumed.domain: series}, fraction, assumed, True)


class _Series:
    """The rows of one domain while they are read; what a row leaves empty is not-a-number."""

    def __init__(self, kind: ReadingKind, provenance: Provenance = Provenance.MEASURED) -> None:
        self.kind = kind
        self.provenance = provenance
        # The columns t_s, value, low, high, held_s.
        self.columns = [array("d") for _ in range(5)]

    def arrays(self) -> list[Array]:
        length = len(self.columns[0])
        return [
            np.frombuffer(column, np.float64) if column else np.full(length, math.nan)
            for column in self.columns
        ]


def _series(table: CsvTable) -> dict[str, _Series]:
    if not (table.has("energy_j") or table.has("power_w")):
        raise RowError(
            f"the header needs domain, t_s, and energy_j or power_w, not {','.join(table.header)}"
        )
    series: dict[str, _Series] = {}
    for row in table.rows(("domain", "t_s"), HEADER):
        _add_row(series, row)
    return series


def _add_row(found: dict[str, _Series], row: Row) -> None:
    domain, energy, power = row["domain"], row.get("energy_j", ""), row.get("power_w", "")
    if bool(energy) == bool(power):
        remedy = ", and not both" if energy else f": {LEAVE_OUT}"
        raise RowError(f"one of energy_j and power_w is expected{remedy}")
    kind = ReadingKind.COUNTER if energy else ReadingKind.POWER
    series = found.get(domain)
    if series is None:
        series = found[domain] = _Series(kind, _provenance(row.get("provenance") or "measured"))
    if kind is not series.kind:
        raise RowError(f"{domain} has energy_j in some rows and power_w in others")
    numbers = [
        instant(row["t_s"]),
        amount(energy or power, "energy_j" if energy else "power_w", 0.0, LEAVE_OUT),
        *(_optional(row, column) for column in ("low", "high", "held_s")),
    ]
    if energy and series.columns[1] and numbers[1] < series.columns[1][-1]:
        raise RowError(
            f"energy_j of {domain} falls to {shown(energy)}, and a counter only rises: sort the "
            "rows by time, or import the rows from here on as another run"
        )
    for values, value in zip(series.columns, numbers, strict=True):
        values.append(value)


def _optional(row: Row, column: str) -> float:
    text = row.get(column)
    return amount(text, column, -LARGEST, LEAVE_OUT) if text else math.nan


def _provenance(text: str) -> Provenance:
    try:
        return Provenance(text)
    except ValueError:
        names = ", ".join(Provenance)
        raise RowError(f"provenance is {shown(text)}: use one of {names}") from None


def _recording(
    path: Path,
    by_domain: Mapping[str, _Series],
    fraction: float,
    assumed: Assumed,
    from_anywhere: bool,
) -> Recording:
    """A table counts from the start of its run; a trace may count from anywhere."""
    first = min(series.columns[0][0] for series in by_domain.values())
    dated = first > _CALENDAR
    shift = first if dated or from_anywhere else 0.0
    sources, samples = [], {}
    for domain, series in by_domain.items():
        if not re.fullmatch(DOMAIN, domain):
            raise BadInputError(f"{path}, domain {domain[:80]!r}: expected the form {DOMAIN}")
        samples[domain], is_stated = _samples(series, shift, fraction)
        check_samples(samples[domain], f"{path}: {domain}")
        uncertainty = _stated(samples[domain]) if is_stated else _unstated(fraction, assumed)
        sources.append(_source(path, domain, series, samples[domain].t_s, uncertainty))
    end_s = max(float(s.t_s[-1]) for s in samples.values())
    recording = Recording(
        header=Header(
            run_id=secrets.token_hex(8),
            name=assumed.name,
            started_at=first if dated else assumed.now,
            command=[],
            scope="unknown",
            interval_s=max(source.update_period_s for source in sources),
            environment={},
            sources=sources,
            warnings=[] if dated else [f"{path.name} has no date: its start is that of the import"],
        ),
        gaps=[gap for s in sources for gap in _gaps(s, samples[s.domain].t_s, end_s)],
        samples=samples,
        footer=Footer(Status.FINISHED, end_s),
        status=Status.FINISHED,
    )
    return _totalled(recording)


def _samples(series: _Series, shift: float, fraction: float) -> tuple[Samples, bool]:
    """The samples of a domain, and whether the table has all of their bounds."""
    t_s, value, low, high, held_s = series.arrays()
    t_s = t_s - shift
    margin = np.abs(value) * fraction
    is_stated = bool(np.isfinite(low).all() and np.isfinite(high).all())
    samples = Samples(
        t_s,
        value,
        low=np.where(np.isfinite(low), low, value - margin),
        high=np.where(np.isfinite(high), high, value + margin),
        held_s=np.where(np.isfinite(held_s), held_s, t_s),
    )
    return samples, is_stated


def _source(
    path: Path, domain: str, series: _Series, t_s: Array, uncertainty: Uncertainty
) -> Source:
    return Source(
        domain=domain,
        source=f"imported trace {path.name}",
        kind=series.kind,
        provenance=series.provenance,
        update_period_s=float(np.median(np.diff(t_s))) if len(t_s) > 1 else 0.0,
        uncertainty=uncertainty,
    )


def _gaps(source: Source, t_s: Array, end_s: float) -> list[Gap]:
    """Where a power meter was silent for so long that a recording would mark it, too."""
    if source.kind is not ReadingKind.POWER:
        return []
    times = np.concatenate([[0.0], t_s, [end_s]])
    silent = np.flatnonzero(np.diff(times) > max_gap_s(source, source.update_period_s))
    reason = f"{source.source} has no rows there"
    return [Gap(source.domain, float(times[i]), float(times[i + 1]), reason) for i in silent]


def _stated(samples: Samples) -> Uncertainty:
    value = np.abs(samples.value)
    positive = value > 0
    below = (samples.value - samples.low)[positive] / value[positive]
    above = (samples.high - samples.value)[positive] / value[positive]
    low, high = (max(0.0, float(np.median(x))) if len(x) else 0.0 for x in (below, above))
    return Uncertainty(low, high, "the bounds in the imported table")


def _unstated(fraction: float, assumed: Assumed) -> Uncertainty:
    if assumed.uncertainty is not None:
        return Uncertainty(fraction, fraction, "given at import")
    origin = (
        f"assumed ±{fraction:.0%}, as NVIDIA states for its power readings: the imported trace "
        "states none (joulecast import --uncertainty sets it)"
    )
    return Uncertainty(fraction, fraction, origin)


def _totalled(recording: Recording) -> Recording:
    assert recording.footer is not None
    footer = replace(recording.footer, total=summarize(recording).total)
    return replace(recording, footer=footer)
