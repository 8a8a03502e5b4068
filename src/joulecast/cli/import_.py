"""`joulecast import FILE...`: runs exported elsewhere, rescued ones, and power traces."""

from pathlib import Path
from typing import Any

import click

from . import options
from .verb import json_option, show


@click.command("import")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--name", help="Name of the imported runs. [default: their own; of a CSV file its name]"
)
@options.tags
@click.option(
    "--domain",
    default="gpu:0",
    help="Domain that a power trace measures, if the file does not name it: gpu:0, cpu:0, node.",
)
@click.option(
    "--uncertainty",
    type=click.FloatRange(0, 1, max_open=True),
    metavar="FRACTION",
    help="Uncertainty of a power trace: 0.05 is ±5 %. [default: 0.05]",
)
@options.flag("--replace", help="Replace runs that are in the ledger already.")
@json_option
@options.ledger
def command(files: tuple[Path, ...], as_json: bool, **given: Any) -> None:
    """Add runs from files to the ledger, and print their ids.

    FILE is what `joulecast export` wrote (JSON, CSV), a ledger that was written because another one
    failed (.sqlite), or a power trace: CSV with the columns t_s and power_w.

        joulecast import run.json
    """
    from ..ledger.transfer import import_runs

    runs = import_runs(files, **given)
    if as_json:
        show(runs, as_json)
    else:
        click.echo("\n".join(run.run_id for run in runs))
