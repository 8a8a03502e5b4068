"""Recorded runs out of a ledger and into one: `joulecast.export_run` and `import_runs`."""

import codecs
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace as changed
from pathlib import Path
from typing import Literal, TextIO

from ..csv_table import open_bytes
from ..errors import UsageError
from ..late_bar import LateBar
from ..output_file import write_whole
from ..recording.model import Recording
from .recording_json import export_text, read_json
from .run_list import RunList
from .samples_csv import Assumed, export_csv, import_csv
from .store import open_ledger, readable

_SQLITE = b"SQLite format 3\0"


def export_run(
    run: str,
    output: str | Path | TextIO,
    *,
    form: Literal["json", "csv"] | None = None,
    ledger: str | Path | None = None,
) -> None:
    """Write one recorded run to a file: all of it as JSON, or its samples as CSV.

    Args:
        run: its id, the beginning of one, its name (of the latest so named), or `"last"`.
        output: a file's path, or a text file opened for writing.
        form: `"json"` (everything) or `"csv"` (the samples of energy and power). By default CSV
            where the path ends in `.csv`.
        ledger: a file or PostgreSQL URL; `JOULECAST_LEDGER` or the user's data folder by default.

    Raises:
        RunNotFoundError: no run matches.
        UsageError: the file cannot be written.
        LedgerError: the ledger cannot be read.

    Examples:
        >>> joulecast.export_run("digits", "run.json")
    """
    path = Path(output) if isinstance(output, str | Path) else None
    if form is None:
        form = "csv" if path is not None and path.suffix == ".csv" else "json"
    with open_ledger(ledger, create=ledger is None) as opened:
        recording = opened.load(run)
    pieces = export_csv(recording) if form == "csv" else export_text(recording)
    with LateBar("writing", None):
        if not isinstance(output, str | Path):
            output.writelines(pieces)
            return
        try:
            write_whole(output, pieces)
        except OSError as error:
            raise UsageError(f"{output}: cannot be written: {error.strerror or error}") from error


def import_runs(
    files: str | Path | Iterable[str | Path],
    *,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    domain: str = "gpu:0",
    uncertainty: float | None = None,
    replace: bool = False,
    ledger: str | Path | None = None,
) -> RunList:
    """Add runs to a ledger from exports, rescued ledgers, and power traces.

    Args:
        files: what `joulecast export` wrote (JSON, CSV), a ledger that was written because
            another one failed (`.sqlite`), or power traces: CSV with the columns `t_s` (s) and
            `power_w` (W). JSON and CSV may be packed with gzip (`.gz`).
        name: of the runs; by default their own, or of a table its file's.
        tags: added to those of the runs.
        domain: what a power trace measures, where it does not name it.
        uncertainty: of a power trace, as a fraction; 0.05 (±5 %) by default.
        replace: whether runs that are in the ledger already are replaced.
        ledger: a file or PostgreSQL URL; `JOULECAST_LEDGER` or the user's data folder by default.

    Returns:
        The runs added, in the order of the files.

    Raises:
        BadInputError: a file cannot be read, or has no run; those before it are added.
        LedgerError: a run is in the ledger already, or the ledger cannot be written.

    Examples:
        >>> joulecast.export_run("digits", "digits.json")
        >>> joulecast.import_runs("digits.json", ledger="team.sqlite")[0].name
        'digits'
    """
    paths = [Path(files)] if isinstance(files, str | Path) else [Path(file) for file in files]
    added = []
    with open_ledger(ledger) as opened:
        for path in paths:
            assumed = Assumed(name or _stem(path), time.time(), domain, uncertainty)
            for recording in _read(path, assumed):
                header = recording.header
                header = changed(
                    header, name=name or header.name, tags=header.tags | dict(tags or {})
                )
                opened.add(changed(recording, header=header), replace=replace, join=True)
                added.append(opened.find(header.run_id))
        return RunList(added)


def _read(path: Path, assumed: Assumed) -> Iterator[Recording]:
    beginning = _beginning(path)
    if beginning == _SQLITE:
        with open_ledger(path, create=False) as rescued:
            yield from readable(lambda run: rescued.load(run.run_id), rescued.runs())
    elif beginning.lstrip().startswith(b"{"):
        yield read_json(path)
    else:
        with LateBar("reading", path.stat().st_size) as bar:
            recording = import_csv(path, assumed, bar.advance)
        yield recording


def _beginning(path: Path) -> bytes:
    with open_bytes(path) as file:
        return bytes(file.read(len(_SQLITE))).removeprefix(codecs.BOM_UTF8)


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0] or path.name
