"""`joulecast export RUN`: one run as JSON or CSV."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from ..errors import UsageError
from . import options

_MANY = 500_000  # samples that take a while to write


@click.command("export")
@click.argument("run", metavar="RUN")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "csv"]),
    help="[default: csv where FILE ends so, or json]",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE")
@options.ledger
def command(run: str, form: str | None, output: Path | None, ledger: str | None) -> None:
    """Write one run as JSON (all of it) or CSV (its samples).

    RUN is an id, the beginning of one, a name, or `last`.

    CSV keeps the curves of power and energy; JSON keeps everything, the epochs, the metrics and
    the environment, too.
    """
    from ..ledger import open_ledger
    from ..ledger.recording_json import export_text
    from ..ledger.samples_csv import export_csv

    if form is None:
        form = "csv" if output is not None and output.suffix == ".csv" else "json"
    with open_ledger(ledger, create=ledger is None) as opened:
        recording = opened.load(run)
    pieces = export_csv(recording) if form == "csv" else export_text(recording)
    many = sum(map(len, recording.samples.values())) > _MANY
    with (
        _writing(output) as file,
        click.progressbar(pieces, label="writing", file=sys.stderr, hidden=not many) as shown,
    ):
        for piece in shown:
            file.write(piece)


@contextmanager
def _writing(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    try:
        with output.open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror or error}") from error
