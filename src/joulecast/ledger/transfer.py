"""Whole recordings to JSON and back: `joulecast/export/1`, lossless, checked when read."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..errors import BadInputError
from ..meters.base import GaugeSource, ReadingKind, Source, Uncertainty
from ..recording.model import Footer, Gap, Header, Metric, Recording, Samples, Span, Status
from ..recording.summary import SCHEMA as FIGURES
from ..units import Estimate, Provenance
from .checked import Value
from .header_json import footer_to_json, header_to_json

SCHEMA = "joulecast/export/1"

RUN_ID = r"[A-Za-z0-9_.-]{1,64}"
DOMAIN = r"[A-Za-z][A-Za-z0-9_.:-]{0,63}"
GAUGE = r"[A-Za-z][A-Za-z0-9_.:/-]{0,63}"
_COLUMNS = ("t_s", "value", "low", "high", "held_s")
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")  # what JSON cannot write as a number


def export_json(recording: Recording) -> dict[str, Any]:
    """All of a recording in JSON types; samples as columns. Inverse of `import_json`."""
    columns = {
        domain: {name: getattr(samples, name).tolist() for name in _COLUMNS}
        for domain, samples in recording.samples.items()
    }
    return _without_samples(recording) | {"samples": columns}


def export_text(recording: Recording) -> Iterator[str]:
    """The text of `export_json`, piece by piece: a day of samples need not fit memory twice."""
    yield json.dumps(_without_samples(recording), allow_nan=False)[:-1] + ', "samples": {'
    for i, (domain, samples) in enumerate(recording.samples.items()):
        yield f"{', ' if i else ''}{json.dumps(domain)}: {{"
        for j, name in enumerate(_COLUMNS):
            yield f"{', ' if j else ''}{json.dumps(name)}: "
            yield json.dumps(getattr(samples, name).tolist(), allow_nan=False)
        yield "}"
    yield "}}\n"


def _without_samples(recording: Recording) -> dict[str, Any]:
    footer = recording.footer
    document = {
        "schema": SCHEMA,
        "status": str(recording.status),
        "header": header_to_json(recording.header),
        "footer": None if footer is None else footer_to_json(footer),
        "spans": [asdict(span) for span in recording.spans],
        "metrics": [
            asdict(metric) | {"value": _finite_or_text(metric.value)}
            for metric in recording.metrics
        ],
        "gaps": [asdict(gap) for gap in recording.gaps],
    }
    finite: dict[str, Any] = _finite(document)
    return finite


def _finite_or_text(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def _finite(value: Any) -> Any:
    """What JSON cannot write, in what describes a machine, is unknown."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# Exports of version 0.1 spell it the British way; the migration 0004 does the same to ledgers.
_RENAMED_GAUGE = (b'/utilisation_pct"', b'/utilization_pct"')


def read_json(path: Path) -> Recording:
    """The recording in a file written by `joulecast export`. Raises `BadInputError`."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            text = file.read().replace(*_RENAMED_GAUGE)
            document = json.loads(text, parse_constant=_refuse_constant)
        return import_json(document)
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError) as error:
        raise BadInputError(f"{path}: this is not JSON: {error}") from error
    except RecursionError as error:
        raise BadInputError(f"{path}: its values are nested too deep") from error
    except BadInputError as error:
        raise BadInputError(f"{path}: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which is no number")


def import_json(document: Any) -> Recording:
    """The recording in a document of `export_json`.

    Raises `BadInputError` naming the path to what is wrong: another schema, a key that is missing,
    a wrong type, a figure that is not finite, columns of unequal length, bounds that do not hold
    their value.
    """
    root = Value(document)
    schema = root["schema"].text()
    if schema == FIGURES:
        raise BadInputError(
            "these are the figures of a run, not its recording: "
            "import what `joulecast export RUN` wrote"
        )
    if schema != SCHEMA:
        root["schema"].refuse(f"{schema!r} is not {SCHEMA}, which this joulecast reads")
    header = _header(root["header"])
    given = root.get("footer")
    footer = None if given is None else _footer(given)
    status = Status(root["status"].choice(*Status))
    if (footer.status if footer else status) is not status or (
        footer is None and status not in (Status.RUNNING, Status.INTERRUPTED)
    ):
        root["status"].refuse("it does not agree with the footer")
    domains = {source.domain for source in header.sources}
    domains |= {gauge.domain for gauge in header.gauges}
    return Recording(
        header=header,
        spans=_spans(root["spans"]),
        metrics=[_metric(metric) for metric in root["metrics"].elements()],
        gaps=[_gap(gap) for gap in root["gaps"].elements()],
        samples={
            domain: _samples(columns, domain, domains)
            for domain, columns in root["samples"].items()
        },
        footer=footer,
        status=status,
    )


def _header(value: Value) -> Header:
    epochs, idle, group = value.get("planned_epochs"), value.get("idle_power_w"), value.get("group")
    sources = [_source(source) for source in value["sources"].elements()]
    if len({source.domain for source in sources}) != len(sources):
        value["sources"].refuse("a domain comes twice")
    listed = value.get("gauges")  # what was exported before there were gauges has none
    gauges = [] if listed is None else [_gauge(gauge) for gauge in listed.elements()]
    names = [*(source.domain for source in sources), *(gauge.domain for gauge in gauges)]
    if listed is not None and len(set(names)) != len(names):
        listed.refuse("a name comes twice, or is that of a domain")
    return Header(
        run_id=value["run_id"].text(RUN_ID),
        name=value["name"].text(),
        started_at=value["started_at"].number(),
        command=value["command"].texts(),
        scope=value["scope"].text(),
        interval_s=value["interval_s"].number(0),
        environment=value["environment"].document(),
        sources=sources,
        group=None if group is None else group.text(),
        tags={key: tag.text() for key, tag in value["tags"].items()},
        planned_epochs=None if epochs is None else epochs.integer(),
        idle_power_w=None if idle is None else {key: w.number(0) for key, w in idle.items()},
        warnings=value["warnings"].texts(),
        gauges=gauges,
    )


def _gauge(value: Value) -> GaugeSource:
    return GaugeSource(
        domain=value["domain"].text(GAUGE),
        source=value["source"].text(),
        unit=value["unit"].text(),
        kind=ReadingKind(value["kind"].choice(ReadingKind.GAUGE, ReadingKind.COUNTER)),
        provenance=Provenance(value["provenance"].choice(*Provenance)),
        update_period_s=value["update_period_s"].number(0),
        device=value["device"].text(),
        reason=value["reason"].text(),
    )


def _source(value: Value) -> Source:
    uncertainty = value["uncertainty"]
    return Source(
        domain=value["domain"].text(DOMAIN),
        source=value["source"].text(),
        kind=ReadingKind(value["kind"].choice(ReadingKind.COUNTER, ReadingKind.POWER)),
        provenance=Provenance(value["provenance"].choice(*Provenance)),
        update_period_s=value["update_period_s"].number(0),
        uncertainty=Uncertainty(
            uncertainty["low"].number(0),
            uncertainty["high"].number(0),
            uncertainty["origin"].text(),
        ),
        device=value["device"].text(),
    )


def _footer(value: Value) -> Footer:
    exit_code, total = value.get("exit_code"), value.get("total")
    return Footer(
        status=Status(value["status"].choice(*(s for s in Status if s is not Status.RUNNING))),
        duration_s=value["duration_s"].number(0),
        exit_code=None if exit_code is None else exit_code.integer(),
        warnings=value["warnings"].texts(),
        total=None if total is None else _estimate(total),
    )


def _estimate(value: Value) -> Estimate:
    middle, low, high = (value[key].number() for key in ("value", "low", "high"))
    if not low <= middle <= high:
        value.refuse(f"the value {middle} is not within {low} and {high}")
    provenance = Provenance(value["provenance"].choice(*Provenance))
    return Estimate(middle, low, high, value["unit"].text(), provenance)


def _spans(value: Value) -> list[Span]:
    spans: dict[int, Span] = {}
    for item in value.elements():
        span = Span(
            id=item["id"].integer(),
            parent=None if (parent := item.get("parent")) is None else parent.integer(),
            kind=item["kind"].text(),
            name=item["name"].text(),
            start_s=item["start_s"].number(),
            end_s=None if (end := item.get("end_s")) is None else end.number(),
            index=None if (index := item.get("index")) is None else index.integer(),
            origin=item["origin"].integer(),
        )
        if span.id in spans:
            item["id"].refuse(f"span {span.id} comes twice")
        spans[span.id] = span
    for span in spans.values():  # nothing that follows parents upwards may go in a circle
        above, seen = span.parent, {span.id}
        while above is not None:
            if above in seen or above not in spans:
                value.refuse(f"span {span.id} has no parent {span.parent} that leads to the run")
            seen.add(above)
            above = spans[above].parent
    return list(spans.values())


def _metric(value: Value) -> Metric:
    number = value["value"]
    written = value.mapping()["value"]
    return Metric(
        t_s=value["t_s"].number(),
        name=value["name"].text(),
        value=float(written) if written in _NOT_FINITE else number.number(),
        span=None if (span := value.get("span")) is None else span.integer(),
    )


def _gap(value: Value) -> Gap:
    return Gap(
        domain=value["domain"].text(GAUGE),
        start_s=value["start_s"].number(),
        end_s=None if (end := value.get("end_s")) is None else end.number(),
        reason=value["reason"].text(),
    )


def _samples(value: Value, domain: str, domains: set[str]) -> Samples:
    if domain not in domains:
        value.refuse("header.sources does not name this domain, nor header.gauges")
    samples = Samples(*(value[name].numbers() for name in _COLUMNS))
    for name in _COLUMNS:
        if len(getattr(samples, name)) != len(samples):
            value[name].refuse(f"{len(getattr(samples, name))} figures for {len(samples)} times")
    check_samples(samples, value.place)
    return samples


def check_samples(samples: Samples, place: str) -> None:
    """Raises `BadInputError` if times run backwards or bounds do not hold their value."""
    if (at := _first(np.diff(samples.t_s) < 0)) is not None:
        raise BadInputError(f"{place}.t_s[{at + 1}]: it is earlier than the one before")
    outside = (samples.low > samples.value) | (samples.high < samples.value)
    if (at := _first(outside)) is not None:
        raise BadInputError(f"{place}.value[{at}]: it is not within its bounds low and high")


def _first(wrong: Any) -> int | None:
    return int(np.argmax(wrong)) if len(wrong) and wrong.any() else None
