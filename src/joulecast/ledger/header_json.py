"""Headers and footers to plain JSON types and back. The reader trusts the data; see `transfer`."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from ..meters.base import GaugeSource, Source
from ..recording.model import Footer, Header, Status
from ..units import Estimate


def header_to_json(header: Header) -> dict[str, Any]:
    """All of a header; inverse of `header_from_json`."""
    plain = {f.name: getattr(header, f.name) for f in fields(Header)}
    return plain | {
        "sources": [source.to_json() for source in header.sources],
        "gauges": [gauge.to_json() for gauge in header.gauges],
    }


def header_from_json(data: dict[str, Any]) -> Header:
    """Inverse of `header_to_json`. Raises `KeyError`, `TypeError` or `ValueError`."""
    gauges = data.get("gauges", [])  # recordings made before there were gauges have none
    return Header(
        **data
        | {
            "sources": [Source.from_json(source) for source in data["sources"]],
            "gauges": [GaugeSource.from_json(gauge) for gauge in gauges],
        }
    )


def footer_to_json(footer: Footer) -> dict[str, Any]:
    """All of a footer; inverse of `footer_from_json`."""
    plain = {f.name: getattr(footer, f.name) for f in fields(Footer)}
    total = None if footer.total is None else footer.total.to_json()
    return plain | {"status": str(footer.status), "total": total}


def footer_from_json(data: dict[str, Any]) -> Footer:
    """Inverse of `footer_to_json`. Raises `KeyError`, `TypeError` or `ValueError`."""
    total = data.get("total")
    return Footer(
        **data
        | {
            "status": Status(data["status"]),
            "total": None if total is None else Estimate.from_json(total),
        }
    )


def dumps(document: Any) -> str:
    """JSON text in ASCII: whatever bytes a command line held, both databases take it."""
    return json.dumps(document, separators=(",", ":"))


def plain_text(text: str) -> str:
    """Text that both databases take: without NUL, and without bytes that were no UTF-8."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")
