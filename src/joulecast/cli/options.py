"""Options that several verbs share, and how their text is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

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

_TARIFF = click.option(
    "--tariff", metavar="PRICE", help="Of electricity: 0.32 (per kWh), 0.32EUR/kWh."
)
_GRID = (
    click.option("--region", metavar="COUNTRY", help="Whose grid it is. [default: the world's]"),
    click.option(
        "--carbon-intensity", type=float, metavar="G", help="Or its g CO2e per kWh, where known."
    ),
    click.option(
        "--pue",
        type=float,
        default=1.0,
        show_default=True,
        help="What the site takes over what the machine takes.",
    ),
)


def grid(command: F) -> F:
    """What turns energy into CO2: `--region` or `--carbon-intensity`, and `--pue`."""
    for option in reversed(_GRID):
        command = option(command)
    return command


def site(command: F) -> F:
    """The same, and `--tariff` for money."""
    return _TARIFF(grid(command))


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
