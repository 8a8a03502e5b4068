"""How a verb reports: `--json` prints one JSON document, else a report for people."""

import functools
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from .. import serialize
from ..result import Result
from ..units import printable
from . import options

json_option = options.flag("--json", "as_json", help="Print one JSON document instead of text.")


def verb(name: str) -> Callable[[Callable[..., Result]], click.Command]:
    """A click command of a function that returns a `Result`, which is printed.

    Adds `--json`. Options and arguments are declared below this decorator.
    """

    def decorate(function: Callable[..., Result]) -> click.Command:
        @functools.wraps(function)
        def run(as_json: bool, **given: Any) -> None:
            result = function(**given)
            show(result, as_json)
            if result.exit_code:
                sys.exit(result.exit_code)

        return click.command(name)(json_option(run))

    return decorate


def show_paths(paths: Iterable[Path]) -> None:
    """Print the paths of files that were written, one a line, with the bytes that they have."""
    for path in paths:
        click.echo(printable(str(path)) if sys.stdout.isatty() else os.fsencode(path))


def show(result: Result, as_json: bool = False) -> None:
    """Print a result on stdout, as JSON or for people."""
    if as_json:
        click.echo(serialize.dumps(result.to_json(), indent=2))
        return
    from ..reports.documents import document_of
    from ..reports.terminal.render import print_document

    print_document(document_of(result))
