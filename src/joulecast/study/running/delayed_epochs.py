"""Epochs of a generator: each `yield` ends one.

What a generator does after its last `yield` cannot be distinguished from another epoch until it
returns. So the beginning of an epoch is sent half a second late (with its true time), or with the
first event inside of it; a generator that returns sooner was in no epoch.
"""

import json
import os
import threading
import time
from pathlib import Path

from ...recording.join import EventWriter

# The recording accepts events that are so late: see recording/live_energy.py.
DELAY_S = 0.5


class DelayedEpochs(EventWriter):
    """Events to the run around this process, in which the beginnings of epochs are sent late."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._sending = threading.RLock()
        # The beginning of an epoch that was not sent yet.
        self._waiting: bytes | None = None
        self._timer: threading.Timer | None = None
        # After as many epochs as were planned, what follows is probably not an epoch.
        self.last = False

    def begin(self, kind: str, name: str, index: int | None, parent: int | None) -> int:
        """See `EventWriter`; the beginning of an epoch waits."""
        if kind != "epoch":
            self.flush()
            return super().begin(kind, name, index, parent)
        self.flush()
        span = next(self._ids)
        event = {"op": "begin", "id": span, "kind": kind, "name": name, "index": index}
        event |= {"parent": parent, "pid": os.getpid(), "t": time.monotonic()}
        with self._sending:
            self._waiting = (json.dumps(event) + "\n").encode()
        if not self.last:
            self._timer = threading.Timer(DELAY_S, self.flush)
            self._timer.daemon = True
            self._timer.start()
        return span

    def flush(self) -> None:
        """Send the beginning of the epoch that waits."""
        with self._sending:
            waiting = self.drop()
            if waiting is not None:
                try:
                    self._file.write(waiting)
                # As for all events, the training continues.
                except (OSError, ValueError):
                    return

    def drop(self) -> bytes | None:
        """Discard the epoch that waits: it was none."""
        with self._sending:
            waiting, self._waiting = self._waiting, None
            if self._timer is not None:
                self._timer.cancel()
            return waiting

    def end(self, span: int) -> None:
        """See `EventWriter`."""
        self.flush()
        super().end(span)

    def metric(self, name: str, value: float, span: int | None) -> None:
        """See `EventWriter`."""
        self.flush()
        super().metric(name, value, span)

    def step(self, part: float) -> None:
        """See `EventWriter`."""
        self.flush()
        super().step(part)
