"""`joulecast export RUN`: one run as JSON or CSV."""

import sys
from pathlib import Path
from typing import Literal

import click

from . import options


@click.command("export")
@click.argument("run", metavar="RUN")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "csv"]),
    help="json has everything; csv the samples of energy and power. "
    "[default: csv if FILE ends in .csv, else json]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File to write. [default: stdout]",
)
@options.ledger
def command(
    run: str, form: Literal["json", "csv"] | None, output: Path | None, ledger: str | None
) -> None:
    """Write one run to a file, to move it to another ledger or to read it in another program.

    RUN is the id of a recorded run, the beginning of one, its name, or "last".

        joulecast export last -o run.json
    """
    from ..ledger.transfer import export_run

    export_run(run, output or sys.stdout, form=form, ledger=ledger)
    sys.stdout.flush()
