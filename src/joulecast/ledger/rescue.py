"""Keeps a recording when its ledger fails: in a new file or in memory, while the run goes on."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..errors import LedgerError, RunNotFoundError, ServerAwayError
from ..recording.memory import MemorySink
from ..recording.model import Footer, Gap, Header, Metric, Recording, RecordingSink, Samples, Span
from ..recording.summary import summarize
from .import_lock import import_lock
from .location import Location, locate

# The database library is loaded by the thread that writes.
if TYPE_CHECKING:
    from .store import Ledger

T = TypeVar("T")
RETRY_S = 10.0
"""How long to wait for a server that is being restarted."""
_PAUSE_S = 0.25
# Ends the name of a file with a recording that was in memory until its end.
_ALL = "-all"


class RescueSink:
    """Writes into the ledger at `where`; if that fails, into a new file, or into memory.

    The new file is in the same folder, the working folder or that for temporary files.
    `on_trouble` is called with one line for the user each time the recording moves.
    """

    def __init__(
        self,
        where: str | Path | None,
        on_trouble: Callable[[str], None],
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Raises `UsageError` where `where` cannot be a ledger."""
        self._nowhere: LedgerError | None = None
        try:
            self._location = locate(where, os.environ if env is None else env)
        except LedgerError as error:
            # There is no home folder: `open` reports it, and uses another place.
            self._location, self._nowhere = Location(), error
        self._on_trouble = on_trouble
        self._ledger: Ledger | None = None
        self._sink: RecordingSink = MemorySink()
        self._header: Header | None = None
        self._tried: set[Path] = set()

    def open(self, header: Header) -> None:
        """See `RecordingSink`. Never raises `LedgerError`."""
        self._header = header
        try:
            if self._nowhere is not None:
                raise self._nowhere
            self._ledger = _patiently(lambda: _open(self._location.url or self._location.path))
            self._sink = self._ledger.sink()
            _patiently(partial(self._sink.open, header))
        except Exception as error:
            # Database drivers raise exceptions of their own families, or are missing.
            self._move(error, Recording(header))

    def begin(self, header: Header) -> None:
        """See `RecordingSink`."""
        self._header = header
        self._sink.begin(header)

    def flush(
        self,
        samples: dict[str, Samples],
        spans: list[Span],
        metrics: list[Metric],
        gaps: list[Gap],
    ) -> None:
        """See `RecordingSink`. Never raises `LedgerError`."""
        try:
            self._do(lambda sink: sink.flush(samples, spans, metrics, gaps))
        except (ArithmeticError, TypeError, ValueError) as error:
            # No database can store such a value.
            self._on_trouble(f"spans and metrics of this second are not stored: {error}")
            self._do(lambda sink: sink.flush(samples, [], [], gaps))

    def close(self, footer: Footer) -> None:
        """See `RecordingSink`. Never raises `LedgerError`. The total is stored as reported."""
        if isinstance(self._sink, MemorySink):
            # Places that could not be written before may be writable again. A file that is there
            # has the run up to an earlier failure, and is kept.
            recording = self._sink.recording()
            self._rescue(recording, "the recording was in memory until its end", _ALL)
        ended = self._read_back()
        ended.footer, ended.status = footer, footer.status
        footer = replace(footer, total=summarize(ended).total)
        self._do(lambda sink: sink.close(footer))
        if isinstance(self._sink, MemorySink):
            self._on_trouble("the recording is not stored: no folder could be written")

    def recording(self) -> Recording:
        """The recording, read back from where it is stored, as reports will read it."""
        return self._read_back()

    @property
    def place(self) -> str | None:
        """The file or URL (without its password) with the run; None while it is in memory."""
        return str(self._ledger.location) if self._ledger is not None else None

    @property
    def ledger(self) -> Ledger | None:
        """The ledger with the run, until `release`; None while it is in memory."""
        return self._ledger

    def release(self) -> None:
        """Close the ledger."""
        if self._ledger is not None:
            self._ledger.close()

    def _do(self, action: Callable[[RecordingSink], None]) -> None:
        while True:
            try:
                _patiently(partial(action, self._sink))
                return
            except LedgerError as error:
                if isinstance(self._sink, MemorySink):
                    raise
                self._move(error, self._read_back())

    def _read_back(self) -> Recording:
        if isinstance(self._sink, MemorySink):
            return self._sink.recording()
        assert self._ledger is not None and self._header is not None
        try:
            return self._ledger.load(self._header.run_id)
        except RunNotFoundError:
            return Recording(self._header)
        except Exception as error:
            self._on_trouble(f"the recording so far cannot be read back: {error}")
            return Recording(self._header)

    def _move(self, error: Exception, so_far: Recording) -> None:
        failed = self._ledger
        if self._rescue(so_far, str(error)):
            self._leave(failed, so_far)
        else:
            self._sink, self._ledger = MemorySink(), None
            _copy(so_far, self._sink)
            self._on_trouble(f"{error}; the recording is in memory for now")

    def _leave(self, failed: Ledger | None, so_far: Recording) -> None:
        """Remove what would be a second, shorter recording of this run."""
        if failed is None:
            return
        path = failed.location.path
        if path in self._tried:
            _remove(path)
        elif not so_far.samples:
            # What failed may fail again.
            with suppress(LedgerError):
                failed.delete(so_far.header.run_id)

    def _rescue(self, so_far: Recording, why: str, suffix: str = "") -> bool:
        for path in _places(self._location, so_far.header.run_id + suffix):
            if path in self._tried:
                continue
            self._tried.add(path)
            try:
                ledger = _open(path)
                sink = ledger.sink()
                _copy(so_far, sink)
            except Exception:
                # This folder cannot be written either: the next one is tried.
                _remove(path)
                continue
            self._ledger, self._sink = ledger, sink
            self._on_trouble(
                f"{why}; the recording is in {path} (move it with: joulecast import {path})"
            )
            return True
        return False


def adopt(ledger: Ledger, run: str) -> bool:
    """Complete an interrupted run from the files that `RescueSink` wrote; whether there was one.

    A file stays where it is while its run goes on, and while the ledger cannot be written.
    """
    adopted = False
    for path in [*_places(ledger.location, run), *_places(ledger.location, run + _ALL)]:
        with suppress(LedgerError, OSError):
            # Anyone can put a file into the folder for temporary files.
            if path.stat().st_uid != os.getuid():
                continue
            recording = _open(path).load(run)
            if recording.footer is not None:
                ledger.add(recording, join=True)
                _remove(path)
                adopted = True
    return adopted


def _places(location: Location, run: str) -> list[Path]:
    name = f"joulecast-rescue-{run}.sqlite"
    folders = [] if location.path is None else [location.path.parent]
    # The working folder was removed.
    with suppress(OSError):
        folders.append(Path.cwd())
    # No temporary folder can be written to.
    with suppress(OSError):
        folders.append(Path(tempfile.gettempdir()))
    return [folder / name for folder in folders]


def _patiently(action: Callable[[], T]) -> T:
    """What an action returns, tried again while the server is away."""
    deadline = time.monotonic() + RETRY_S
    while True:
        try:
            return action()
        except ServerAwayError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE_S)


def _remove(path: Path) -> None:
    # SQLite's side files end in -wal and -shm.
    for part in path.parent.glob(path.name + "*"):
        part.unlink(missing_ok=True)


def _open(where: str | Path | None) -> Ledger:
    with import_lock:
        from . import store
    return store.open_ledger(where)


def _copy(recording: Recording, sink: RecordingSink) -> None:
    sink.open(recording.header)
    sink.flush(recording.samples, recording.spans, recording.metrics, recording.gaps)
