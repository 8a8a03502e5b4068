"""Epochs of a generator: each `yield` ends one, and only then is it known that there was one.

What a generator does after its last `yield` looks, until it returns, like another epoch. So the
beginning of an epoch is told half a second late (with its true time), or with the first word that
comes from inside it; what returns sooner was none.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

from ...recording.join import EventWriter

PATIENCE_S = 0.5  # what readings are kept for behind the newest: see recording/live.py


class LateEpochs(EventWriter):
    """Events to the run around this process, in which epochs begin late."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._sending = threading.RLock()
        self._waiting: bytes | None = None  # the beginning of an epoch, not told yet
        self._timer: threading.Timer | None = None
        self.last = False  # as many epochs as were planned are over: what follows is hardly one

    def begin(self, kind: str, name: str, index: int | None, parent: int | None) -> int:
        """See `Events`; that of an epoch waits."""
        if kind != "epoch":
            self.tell()
            return super().begin(kind, name, index, parent)
        self.tell()
        span = next(self._ids)
        event = {"op": "begin", "id": span, "kind": kind, "name": name, "index": index}
        event |= {"parent": parent, "pid": os.getpid(), "t": time.monotonic()}
        with self._sending:
            self._waiting = (json.dumps(event) + "\n").encode()
        if not self.last:
            self._timer = threading.Timer(PATIENCE_S, self.tell)
            self._timer.daemon = True
            self._timer.start()
        return span

    def tell(self) -> None:
        """Tell now of the epoch that waits."""
        with self._sending:
            waiting = self.drop()
            if waiting is not None:
                try:
                    self._file.write(waiting)
                except (OSError, ValueError):  # as for all events: the training goes on
                    return

    def drop(self) -> bytes | None:
        """Forget the epoch that waits: it was none."""
        with self._sending:
            waiting, self._waiting = self._waiting, None
            if self._timer is not None:
                self._timer.cancel()
            return waiting

    def end(self, span: int) -> None:
        """See `Events`."""
        self.tell()
        super().end(span)

    def metric(self, name: str, value: float, span: int | None) -> None:
        """See `Events`."""
        self.tell()
        super().metric(name, value, span)

    def step(self, part: float) -> None:
        """See `Events`."""
        self.tell()
        super().step(part)
