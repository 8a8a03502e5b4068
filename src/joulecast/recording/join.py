"""A script inside a run that is already recorded joins it: its events travel through a file.

The recorder names the file in `JOULECAST_JOIN`; each event is one line of JSON, appended with one
write, so that processes never tear each other's lines. A file needs no server, survives the death
of either side, and costs the training a few microseconds an event. Times are `time.monotonic`,
which all processes of a machine share.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .recorder import Recorder

VARIABLE = "JOULECAST_JOIN"
_MAX_LINE = 8000  # holds the longest text, every character of it escaped
_MAX_NAME, _MAX_TEXT = 200, 500


class EventWriter:
    """The inner side: `Events` that are written to the outer run's file."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Raises `OSError` where the file cannot be written (another user's run, say)."""
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._lock = threading.Lock()
        # A forked child may close spans its parent opened: its own ids must not be taken for them.
        self._next_id = 1 << 32

    def begin(self, kind: str, name: str, index: int | None, parent: int | None) -> int:
        """See `Events`."""
        with self._lock:
            span = self._next_id
            self._next_id += 1
        name = name[:_MAX_NAME]
        self._send(op="begin", id=span, kind=kind, name=name, index=index, parent=parent)
        return span

    def end(self, span: int) -> None:
        """See `Events`."""
        self._send(op="end", id=span)

    def metric(self, name: str, value: float, span: int | None) -> None:
        """See `Events`."""
        self._send(op="metric", name=name[:_MAX_NAME], value=value, id=span)

    def plan(self, epochs: int) -> None:
        """See `Events`."""
        self._send(op="plan", epochs=epochs)

    def warn(self, text: str) -> None:
        """See `Events`."""
        self._send(op="warn", text=text[:_MAX_TEXT])

    def _send(self, **event: Any) -> None:
        line = json.dumps(event | {"pid": os.getpid(), "t": time.monotonic()}) + "\n"
        try:
            os.write(self._fd, line.encode())
        except OSError:  # the disk is full, say: the training matters more than its spans
            return


class EventTail:
    """The outer side: reads what was appended and tells the recorder. Not thread-safe."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = str(path), clock
        self._offset = 0
        self._partial = b""
        self._spans: dict[tuple[int, int], int] = {}  # (process, its id) -> the recorder's id

    def pump(self, recorder: Recorder) -> None:
        """Pass on every event that came since the last call."""
        if os.stat(self._path).st_size == self._offset:  # noqa: PTH116 - ten times a second
            return
        with open(self._path, "rb") as file:  # noqa: PTH123
            file.seek(self._offset)
            data = file.read()
        self._offset += len(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            try:
                self._apply(json.loads(line[:_MAX_LINE]), recorder)
            except (ValueError, KeyError, TypeError, AttributeError):
                recorder.warn("the script's own events were damaged: some spans are missing")

    def _apply(self, event: dict[str, Any], recorder: Recorder) -> None:
        pid, now = int(event["pid"]), recorder.now()
        t_s = now - (self._clock() - float(event["t"]))
        if not 0 <= t_s <= now:  # another clock (a container's time namespace): use the arrival
            t_s = now
        span = event.get("id")
        mine = None if span is None else self._spans.get((pid, int(span)))
        match event["op"]:
            case "begin":
                parent, index = event["parent"], event["index"]
                self._spans[pid, int(event["id"])] = recorder.begin(
                    str(event["kind"]),
                    str(event["name"]),
                    None if index is None else int(index),
                    None if parent is None else self._spans.get((pid, int(parent))),
                    t_s=t_s,
                    origin=pid,
                )
            case "end" if mine is not None:
                recorder.end(mine, t_s=t_s)
            case "metric":
                value = float(event["value"])
                if math.isfinite(value):
                    recorder.metric(str(event["name"]), value, mine, t_s=t_s)
            case "plan":
                recorder.plan(int(event["epochs"]), origin=pid)
            case "warn":
                recorder.warn(str(event["text"])[:_MAX_TEXT])


class JoinFile:
    """The file through which inner scripts join, in a folder only this user can enter."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="joulecast-", ignore_cleanup_errors=True)
        self.path = Path(self._folder.name) / "events.jsonl"
        self.path.touch(mode=0o600)
        self.tail = EventTail(self.path)

    def close(self) -> None:
        """Remove it."""
        self._folder.cleanup()
