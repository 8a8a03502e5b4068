"""Options that several verbs share, and how their text is read."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import click

from ..errors import UsageError
from ..units import parse_duration

F = TypeVar("F", bound=Callable[..., Any])

ledger = click.option(
    "--ledger",
    metavar="FILE|URL",
    help="Ledger file or PostgreSQL URL. [default: $JOULECAST_LEDGER, or the user's data folder]",
)


def parse_tags(texts: tuple[str, ...]) -> dict[str, str]:
    """`("key=value", ...)` as a dictionary. Raises `UsageError`."""
    tags = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--tag {text}: write it as key=value")
        tags[key] = value
    return tags


def parse_where(texts: tuple[str, ...]) -> dict[str, set[str]]:
    """`("column=value", ...)` as the values of each column. Raises `UsageError`."""
    values: dict[str, set[str]] = {}
    for text in texts:
        column, equals, value = text.partition("=")
        if not equals or not column:
            raise UsageError(f"--where {text}: write it as column=value")
        values.setdefault(column.strip(), set()).add(value.strip())
    return values


def parsed(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A click callback that reads an option by a function of its text (None stays None)."""
    return lambda _context, _parameter, text: None if text is None else parse(text)


# Kinds of options; each takes the option's names, its help, and what else differs.
flag = partial(click.option, is_flag=True)
count = partial(click.option, type=click.IntRange(min=1))
column = partial(click.option, metavar="COLUMN")
duration = partial(click.option, metavar="TIME", callback=parsed(parse_duration))
as_text = flag("--text", "as_text", help="Print the report instead of writing a page.")
as_json = flag("--json", "as_json", help="Print one JSON document instead of writing a page.")


tags = click.option(
    "--tag",
    "tags",
    multiple=True,
    callback=lambda _context, _parameter, texts: parse_tags(texts),
    metavar="KEY=VALUE",
    help="Tag of a run; repeat it for several tags.",
)
where = click.option(
    "--where",
    multiple=True,
    callback=lambda _context, _parameter, texts: parse_where(texts),
    metavar="COLUMN=VALUE",
    help="Use only rows with this value; repeat it for other columns, or to allow other values.",
)
by = click.option(
    "--by",
    multiple=True,
    metavar="COLUMN[,COLUMN]",
    help="Columns whose values make the groups. [default: the first of architecture, model, "
    "method, configuration and name that makes several]",
)
baseline = click.option(
    "--baseline",
    metavar="NAME",
    help="Group that the others are compared with. [default: compare shows every pair; tradeoff "
    "takes the group of best quality]",
)


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several arguments and options as one decorator, in this order in the help."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


# What `load_table` takes.
table = together(
    click.argument("source", nargs=-1, metavar="[DATA.csv|RUN...]"), tags, where, ledger
)
minimize = flag("--minimize", help="Treat lower values of --quality as better, as for a loss.")


def parse_tolerance(text: str) -> float:
    """`2%`, `2 %` or `0.02` as 0.02. Raises `UsageError`."""
    bare = text.strip().removesuffix("%").strip()
    try:
        value = float(bare) / (100 if "%" in text else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise UsageError(f"--tolerance {text}: write 2% or 0.02")
    return value


tolerance = click.option(
    "--tolerance",
    default="2%",
    metavar="FRACTION",
    callback=parsed(parse_tolerance),
    help="How far below the best quality the recommended configuration may be: 2% or 0.02.",
)
stabilization = click.option(
    "--stabilization",
    type=click.Choice(["cusum", "fluss"]),
    default="cusum",
    help="How the point from which power is stable is determined: a change of its mean (cusum), "
    "or of its shape (fluss; slower, needs joulecast[analysis]).",
)

# What turns energy into CO2.
grid = together(
    click.option(
        "--region",
        metavar="COUNTRY",
        help="Country whose electricity mix is used, as a code or a name: FR, Germany. "
        "[default: the world average]",
    ),
    click.option(
        "--carbon-intensity",
        type=float,
        metavar="G",
        help="Carbon intensity of the electricity in g CO2e per kWh, instead of --region.",
    ),
    click.option(
        "--pue",
        type=float,
        default=1.0,
        help="Power usage effectiveness: facility energy / IT energy.",
    ),
)
# And into money.
site = together(
    click.option(
        "--tariff",
        metavar="PRICE",
        help="Price of electricity per kWh: 0.32, or 0.32EUR/kWh. [default: no cost is shown]",
    ),
    grid,
)
