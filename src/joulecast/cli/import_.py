"""`joulecast import FILE...`: runs exported elsewhere, rescued ones, and power traces."""

from __future__ import annotations

import gzip
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import serialize
from ..errors import BadInputError
from . import options

if TYPE_CHECKING:
    from ..ledger.samples_csv import Assumed
    from ..recording.model import Recording

SCHEMA = "joulecast/import/1"
_SQLITE = b"SQLite format 3\0"
_LARGE = 20_000_000  # bytes of a file that takes a while to read


@click.command("import")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--name", help="Of the run. [default: its own; of a table, the file's]")
@options.tags
@click.option(
    "--domain",
    default="gpu:0",
    show_default=True,
    help="What a power trace that names none is the power of.",
)
@click.option(
    "--uncertainty",
    type=click.FloatRange(0, 1, max_open=True),
    metavar="FRACTION",
    help="Of a power trace: 0.05 is 5 %. [default: 0.05]",
)
@click.option("--replace", "anew", is_flag=True, help="Runs that are in the ledger already, too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@options.ledger
def command(
    files: tuple[Path, ...],
    name: str | None,
    tags: dict[str, str],
    domain: str,
    uncertainty: float | None,
    anew: bool,
    as_json: bool,
    ledger: str | None,
) -> None:
    """Read runs into the ledger and print their ids.

    FILE is what `joulecast export` wrote (JSON, CSV), a ledger kept beside one that failed
    (.sqlite), or a power trace: CSV with the columns t_s and power_w.
    """
    from ..ledger import open_ledger
    from ..ledger.samples_csv import Assumed

    added = []
    with open_ledger(ledger) as opened:
        for path in files:
            assumed = Assumed(name or _stem(path), time.time(), domain, uncertainty)
            for found in _read(path, assumed):
                header = found.header
                header = replace(header, name=name or header.name, tags=header.tags | tags)
                recording = replace(found, header=header)
                opened.add(recording, replace=anew, join=True)
                added.append(opened.find(header.run_id))
                if not as_json:
                    click.echo(header.run_id)
    if as_json:
        click.echo(serialize.dumps({"schema": SCHEMA, "runs": added}))


def _read(path: Path, assumed: Assumed) -> Iterator[Recording]:
    from ..ledger import open_ledger
    from ..ledger.recording_json import read_json
    from ..ledger.samples_csv import import_csv

    begins = _beginning(path)
    if begins == _SQLITE:
        with open_ledger(path, create=False) as rescued:
            for run in rescued.runs():
                yield rescued.load(run.run_id)
    elif begins.lstrip().startswith(b"{"):
        yield read_json(path)
    else:
        size = path.stat().st_size
        hidden = size < _LARGE
        with click.progressbar(length=size, label="reading", file=sys.stderr, hidden=hidden) as bar:
            found = import_csv(path, assumed, bar.update)
            bar.update(size - bar.pos)
        yield found


def _beginning(path: Path) -> bytes:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            return file.read(len(_SQLITE))
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInputError(f"{path}: cannot be read: {reason}") from error


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0] or path.name
