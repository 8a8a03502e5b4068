"""Parts of every HTML page: templates, script, style, security policy."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import MissingExtraError
from ...serialize import encodable

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"

_CONTROL = frozenset({*range(0x20), *range(0x7F, 0xA0)} - set(map(ord, "\t\n\r")))
# Characters that change the direction of text.
_DIRECTION = frozenset({*range(0x202A, 0x202F), *range(0x2066, 0x206A)})
_PLAIN = dict.fromkeys(_CONTROL | _DIRECTION, "\ufffd")
# Of JSON; a backslash takes its letter along.
_ESCAPED = re.compile(r"\\(?:\\|[bf]|u[0-9a-f]{4})")


def plain(value: Any) -> Any:
    """A text of users without control characters; other values unchanged."""
    safe = not isinstance(value, str) or hasattr(value, "__html__")
    return value if safe else encodable(value).translate(_PLAIN)


def templates() -> Environment:
    """Where pages are rendered: every text is plain and escaped, an unknown name is an error.

    Raises `MissingExtraError` where jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError:
        raise MissingExtraError("the HTML report", "report") from None
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=plain,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def scripts(figures: Mapping[str, Any]) -> dict[str, str]:
    """The scripts of a page; the one that draws is left out where there is nothing to draw."""
    packed = Path(__file__).parent / "vendor" / "plotly-basic-4.1.1.min.js.gz"
    plotly = gzip.decompress(packed.read_bytes()).decode() if figures else ""
    return {"plotly": plotly, "page": read("report.js")}


@cache
def read(name: str) -> str:
    """The text of a file in the folder of templates."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def json_in_html(data: Mapping[str, Any]) -> str:
    """JSON that cannot end the script element around it, its texts without control characters."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    text = _ESCAPED.sub(lambda found: _plain_escape(found[0]), text)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plain_escape(escape: str) -> str:
    if escape == "\\\\":
        return escape
    hidden = len(escape) == 2 or int(escape[2:], 16) in _PLAIN
    return "\\ufffd" if hidden else escape


def policy(scripts: Mapping[str, str]) -> str:
    """A content security policy that allows only the page's own scripts, and no requests."""
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
