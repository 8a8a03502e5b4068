"""Options that several verbs share, and how their text is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ..errors import UsageError

ledger = click.option(
    "--ledger",
    metavar="FILE|URL",
    help="Ledger file or PostgreSQL URL. [default: $JOULECAST_LEDGER, or the user's data folder]",
)
tags = click.option(
    "--tag",
    "tags",
    multiple=True,
    metavar="K=V",
    help="Words to find the run by; may be given many times.",
)


def parse_tags(texts: tuple[str, ...]) -> dict[str, str]:
    """`("k=v", ...)` as a dictionary. Raises `UsageError`."""
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--tag {text}: write it as key=value")
        found[key] = value
    return found


def parsed(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A click callback that reads text by one of the parsers of `joulecast.units`."""
    return lambda _context, _parameter, text: None if text is None else parse(text)
