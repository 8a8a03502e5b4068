"""What every HTML page is made of: its templates, its script and style, its security policy."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


def templates() -> Environment:
    """Where pages are rendered: every text is escaped, an unknown name is an error.

    Raises `MissingExtraError` where jinja2 or plotly, which every page needs too, is not installed.
    """
    try:
        import jinja2
        import plotly  # noqa: F401  (so that nothing is worked out for a page that cannot be)
    except ImportError:
        raise MissingExtraError("the HTML report", "report") from None
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def scripts(figures: Mapping[str, Any]) -> dict[str, str]:
    """The scripts of a page; the one that draws is left out where there is nothing to draw."""
    from plotly.offline import get_plotlyjs

    return {"plotly": get_plotlyjs() if figures else "", "page": read("report.js")}


@cache
def read(name: str) -> str:
    """A file beside the templates."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def json_in_html(data: Mapping[str, Any]) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def policy(scripts: Mapping[str, str]) -> str:
    """A content security policy that lets run only the page's own scripts, and fetch nothing."""
    hashes = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in scripts.values()
        if text
    )
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
