"""Whole recordings to JSON and back: `joulecast/export/1`, lossless, checked when read."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np

from .. import serialize
from ..csv_table import LARGEST, LATEST_S, open_bytes
from ..errors import BadInputError
from ..meters.base import ReadingKind
from ..recording.model import Footer, Gap, Header, Metric, Recording, Samples, Span, Status
from ..recording.run_document import SCHEMA as FIGURES

SCHEMA = "joulecast/export/1"

RUN_ID = r"[A-Za-z0-9_.-]{1,64}"
DOMAIN = r"[A-Za-z][A-Za-z0-9_.:-]{0,63}"
GAUGE = r"[A-Za-z][A-Za-z0-9_.:/-]{0,63}"
_COLUMNS = ("t_s", "value", "low", "high", "held_s")

# Exports of version 0.1 spell it the British way; the migration 0004 does the same to ledgers.
_RENAMED_GAUGE = (b'/utilisation_pct"', b'/utilization_pct"')


@dataclass(frozen=True, slots=True)
class _Columns:
    """`Samples` as JSON has them."""

    t_s: list[float]
    value: list[float]
    low: list[float]
    high: list[float]
    held_s: list[float]


@dataclass(frozen=True, slots=True)
class _WrittenMetric:
    """`Metric` as JSON has it: not every float is a number there."""

    t_s: float
    name: str
    value: float | Literal["NaN", "Infinity", "-Infinity"]
    span: int | None = None


@dataclass(frozen=True, slots=True)
class _Export:
    """The document, without its schema. The samples come last: they are written in pieces."""

    status: Status
    header: Header
    footer: Footer | None
    spans: list[Span]
    metrics: list[_WrittenMetric]
    gaps: list[Gap]
    samples: dict[str, _Columns]


def export_text(recording: Recording) -> Iterator[str]:
    """The JSON text of a recording in pieces: a day of samples need not fit memory twice."""
    metrics = [
        _WrittenMetric(m.t_s, m.name, _number_or_text(m.value), m.span) for m in recording.metrics
    ]
    r = recording
    export = _Export(r.status, r.header, r.footer, r.spans, metrics, r.gaps, {})
    plain = serialize.document(SCHEMA, export)
    del plain["samples"]
    yield json.dumps(plain)[:-1] + ', "samples": {'
    for i, (domain, samples) in enumerate(recording.samples.items()):
        yield f"{', ' if i else ''}{json.dumps(domain)}: {{"
        for j, name in enumerate(_COLUMNS):
            yield f"{', ' if j else ''}{json.dumps(name)}: "
            yield json.dumps(getattr(samples, name).tolist(), allow_nan=False)
        yield "}"
    yield "}}\n"


def _number_or_text(value: float) -> Any:
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def read_json(path: Path) -> Recording:
    """The recording in a file written by `joulecast export`. Raises `BadInputError`."""
    with open_bytes(path) as file:
        text = file.read().replace(*_RENAMED_GAUGE)
    try:
        return import_json(json.loads(text, parse_constant=_refuse_constant))
    except ValueError as error:
        raise BadInputError(f"{path}: this is not JSON: {error}") from error
    except RecursionError as error:
        raise BadInputError(f"{path}: its values are nested too deep") from error
    except BadInputError as error:
        raise BadInputError(f"{path}: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it has {name}, which is not a number")


def import_json(document: Any) -> Recording:
    """The recording in a document that `export_text` wrote, parsed.

    Raises `BadInputError` naming the path to what is wrong: another schema, a key that is missing,
    a wrong type, a number that is not finite, columns of unequal length, a value outside its
    bounds, energy or power below 0, energy that falls.
    """
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema == FIGURES:
        raise BadInputError(
            "this file has the figures of a run, not its recording: "
            "import what `joulecast export RUN` wrote"
        )
    if schema != SCHEMA:
        raise BadInputError(f"document.schema: expected {SCHEMA!r}, got {str(schema)[:60]!r}")
    export = serialize.read({"footer": None, **document}, _Export)
    for place, problem in _problems(export):
        raise BadInputError(f"document.{place}: {problem}")
    kinds = {source.domain: source.kind for source in export.header.sources}
    return Recording(
        header=export.header,
        spans=export.spans,
        metrics=[Metric(m.t_s, m.name, float(m.value), m.span) for m in export.metrics],
        gaps=export.gaps,
        samples={
            domain: _samples(columns, kinds.get(domain), f"document.samples.{domain}")
            for domain, columns in export.samples.items()
        },
        footer=export.footer,
        status=export.status,
    )


def _problems(export: _Export) -> Iterator[serialize.Problem]:
    """What the types alone do not exclude: places and what is wrong there."""
    yield from _header_problems(export.header)
    yield from _end_problems(export.status, export.footer)
    yield from _span_problems(export.spans)
    for i, gap in enumerate(export.gaps):
        yield from _form(f"gaps[{i}].domain", gap.domain, GAUGE)
    domains = {source.domain for source in export.header.sources}
    domains |= {gauge.domain for gauge in export.header.gauges}
    for domain in export.samples.keys() - domains:
        yield f"samples.{domain}", "neither header.sources nor header.gauges names this domain"


def _end_problems(status: Status, footer: Footer | None) -> Iterator[serialize.Problem]:
    if footer is None:
        if status not in (Status.RUNNING, Status.INTERRUPTED):
            yield "status", "it does not agree with the footer, which is null"
        return
    if footer.status is Status.RUNNING:
        yield "footer.status", "a run that has ended cannot be running"
    if status is not footer.status:
        yield "status", "it does not agree with the footer"
    yield from _amount("footer.duration_s", footer.duration_s)


def _header_problems(header: Header) -> Iterator[serialize.Problem]:
    yield from _form("header.run_id", header.run_id, RUN_ID)
    yield from _amount("header.interval_s", header.interval_s)
    yield from _amount("header.started_at", header.started_at)
    for domain, watts in (header.idle_power_w or {}).items():
        yield from _amount(f"header.idle_power_w.{domain}", watts)
    for i, source in enumerate(header.sources):
        place = f"header.sources[{i}]"
        yield from _form(f"{place}.domain", source.domain, DOMAIN)
        yield from _amount(f"{place}.update_period_s", source.update_period_s)
        yield from _amount(f"{place}.uncertainty.low", source.uncertainty.low)
        yield from _amount(f"{place}.uncertainty.high", source.uncertainty.high)
        if source.kind is ReadingKind.GAUGE:
            yield f"{place}.kind", "counter or power is expected"
    for i, gauge in enumerate(header.gauges):
        place = f"header.gauges[{i}]"
        yield from _form(f"{place}.domain", gauge.domain, GAUGE)
        yield from _amount(f"{place}.update_period_s", gauge.update_period_s)
        if gauge.kind is ReadingKind.POWER:
            yield f"{place}.kind", "gauge or counter is expected"
    yield from _name_problems(header)


def _name_problems(header: Header) -> Iterator[serialize.Problem]:
    domains = [source.domain for source in header.sources]
    names = [gauge.domain for gauge in header.gauges]
    if len(set(domains)) != len(domains):
        yield "header.sources", "a domain comes twice"
    if len({*names, *domains}) != len(names) + len(domains):
        yield "header.gauges", "a name comes twice, or is that of a domain"


def _form(place: str, text: str, form: str) -> Iterator[serialize.Problem]:
    if not re.fullmatch(form, text):
        yield place, f"a text of the form {form} is expected"


def _amount(place: str, value: float) -> Iterator[serialize.Problem]:
    if not 0 <= value <= LATEST_S:
        yield place, f"a number from 0 to {LATEST_S:g} is expected"


def _span_problems(spans: list[Span]) -> Iterator[serialize.Problem]:
    """Whatever follows parents upwards must arrive at the run, never go in a circle."""
    by_id: dict[int, Span] = {}
    for i, span in enumerate(spans):
        if span.id in by_id:
            yield f"spans[{i}].id", f"span {span.id} comes twice"
        by_id[span.id] = span
    rooted: set[int | None] = {None}
    for span in spans:
        path: set[int] = set()
        above: int | None = span.id
        while above not in rooted:
            if above in path or above not in by_id:
                yield "spans", f"span {span.id} has no parent {span.parent} that leads to the run"
                return
            path.add(above)
            above = by_id[above].parent
        rooted |= path


def _samples(columns: _Columns, kind: ReadingKind | None, place: str) -> Samples:
    """The samples of a source of energy, or of a gauge, which has no kind here."""
    samples = Samples(*(np.array(getattr(columns, name), np.float64) for name in _COLUMNS))
    for name in _COLUMNS:
        count = len(getattr(columns, name))
        if count != len(samples):
            raise BadInputError(f"{place}.{name}: {count} numbers for {len(samples)} times")
    check_samples(samples, place)
    below = samples.value < 0
    if kind is not None and (at := _first(below)) is not None:
        raise BadInputError(f"{place}.value[{at}]: {samples.value[at]:g} is below 0")
    falls = np.diff(samples.value) < 0
    if kind is ReadingKind.COUNTER and (at := _first(falls)) is not None:
        raise BadInputError(f"{place}.value[{at + 1}]: the energy falls, and a counter only rises")
    return samples


def check_samples(samples: Samples, place: str) -> None:
    """Raises `BadInputError` if times run backwards or a value is outside its bounds."""
    for name in _COLUMNS:
        if (at := _first(np.abs(getattr(samples, name)) > LARGEST)) is not None:
            raise BadInputError(f"{place}.{name}[{at}]: it is above {LARGEST:g}")
    if (at := _first(np.diff(samples.t_s) < 0)) is not None:
        raise BadInputError(f"{place}.t_s[{at + 1}]: it is earlier than the one before")
    outside = (samples.low > samples.value) | (samples.high < samples.value)
    if (at := _first(outside)) is not None:
        raise BadInputError(f"{place}.value[{at}]: it is not within its bounds low and high")


def _first(wrong: Any) -> int | None:
    return int(np.argmax(wrong)) if len(wrong) and wrong.any() else None
