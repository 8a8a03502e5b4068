"""`joulecast report RUN`: one run as a page that needs nothing else."""

from pathlib import Path

import click

from ..errors import UsageError
from . import options, verb


@click.command("report")
@click.argument("run")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="HTML file to write, overwritten if it exists. [default: NAME-ID.html in this folder]",
)
@options.as_text
@options.as_json
@options.stabilization
@options.ledger
def command(
    run: str,
    output: Path | None,
    as_text: bool,
    as_json: bool,
    stabilization: str,
    ledger: str | None,
) -> None:
    """Write one run as a self-contained HTML page with charts, and print the page's path.

    RUN is the id of a recorded run, the beginning of one, its name, or "last".

        joulecast report resnet -o resnet.html
    """
    from ..reports.write import report
    from ..run.show import show

    if as_text and as_json:
        raise UsageError("--text and --json: choose one")
    if output is not None and (as_text or as_json):
        raise UsageError("-o names the HTML page: leave out --text and --json to write it")
    result = show(run, ledger=ledger, stabilization=stabilization)
    if as_text or as_json:
        verb.show(result, as_json)
    else:
        verb.show_paths([report(result, output)])
