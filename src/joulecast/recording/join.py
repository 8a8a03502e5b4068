"""A script inside a run that is already recorded joins it by sending its events through a file.

The recorder names itself and the file in `JOULECAST_JOIN`. Each event is one line of JSON, appended
with one write, so that lines of several processes do not mix. A file needs no server, survives the
death of either side, and costs the training a few microseconds per event. Times are
`time.monotonic`, which all processes of a machine share.
"""

import ctypes
import fcntl
import itertools
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .recorder import Recorder

VARIABLE = "JOULECAST_JOIN"
_PREFIX, _EVENTS = "joulecast-run-", "events.jsonl"
# A folder that is newer may not be locked yet, s.
_NEW_S = 60.0
# Enough for the longest text with every character escaped.
_MAX_LINE = 8000
_MAX_NAME, _MAX_TEXT = 200, 500
# Bytes, about 5000 events, which delay a sample by 20 ms.
_PER_ROUND = 512 * 1024
# Bytes that are read before their disk space is freed.
_FREE_EVERY = 16 * 1024 * 1024


class EventWriter:
    """The inner side: `Events` that are written to the outer run's file."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Raises `OSError` where the file cannot be written (for example, another user's run)."""
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._file = os.fdopen(fd, "ab", buffering=0)
        # A forked child may close spans of its parent, so that its own ids must differ from those.
        # A lock that is taken during a fork would never be released in the child.
        self._ids = itertools.count(1 << 32)

    def begin(self, kind: str, name: str, index: int | None, parent: int | None) -> int:
        """See `Events`."""
        span = next(self._ids)
        name = name[:_MAX_NAME]
        self._send(op="begin", id=span, kind=kind, name=name, index=index, parent=parent)
        return span

    def end(self, span: int) -> None:
        """See `Events`."""
        self._send(op="end", id=span)

    def leave(self) -> None:
        """See `Events`."""
        self._send(op="leave")

    def metric(self, name: str, value: float, span: int | None) -> None:
        """See `Events`."""
        self._send(op="metric", name=name[:_MAX_NAME], value=value, id=span)

    def plan(self, epochs: int) -> None:
        """See `Events`."""
        self._send(op="plan", epochs=epochs)

    def step(self, part: float) -> None:
        """See `Events`."""
        self._send(op="step", part=part)

    def warn(self, text: str) -> None:
        """See `Events`."""
        self._send(op="warn", text=text[:_MAX_TEXT])

    def _send(self, **event: Any) -> None:
        line = json.dumps(event | {"pid": os.getpid(), "t": time.monotonic()}) + "\n"
        try:
            self._file.write(line.encode())
        except (OSError, ValueError):
            # The disk is full, or the file was closed: the training goes on.
            return

    def close(self) -> None:
        """Close the file; later events are dropped. Safe to call twice."""
        self._file.close()


class EventTail:
    """The outer side: reads appended events and passes them to the recorder. Not thread-safe."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = str(path), clock
        self._offset = 0
        self._partial = b""
        self._freed = 0
        # From the process and its span id to the recorder's span id.
        self._spans: dict[tuple[int, int], int] = {}

    def pump(self, recorder: Recorder) -> None:
        """Pass on new events, at most `_PER_ROUND` bytes of them; all of them once the run ends."""
        if os.stat(self._path).st_size == self._offset:  # noqa: PTH116 - ten times a second
            return
        with open(self._path, "rb") as file:  # noqa: PTH123
            file.seek(self._offset)
            while data := file.read(_PER_ROUND):
                self._offset += len(data)
                *lines, rest = (self._partial + data).split(b"\n")
                self._partial = rest[:_MAX_LINE]
                for line in lines:
                    self._pass_on(line, recorder)
                if not recorder.ending:
                    break
        if self._offset - self._freed >= _FREE_EVERY:
            _free_space(self._path, self._offset)
            self._freed = self._offset

    def _pass_on(self, line: bytes, recorder: Recorder) -> None:
        try:
            self._apply(json.loads(line[:_MAX_LINE]), recorder)
        except Exception:
            # After a damaged line the next one may be valid.
            recorder.warn("the script's own events were damaged: some spans are missing")

    def _apply(self, event: dict[str, Any], recorder: Recorder) -> None:
        pid, now = _integer(event["pid"]), recorder.now()
        t_s = now - (self._clock() - float(event["t"]))
        # The other process has another clock (a container's time namespace): use the arrival.
        if not 0 <= t_s <= now:
            t_s = now
        op, span = event["op"], event.get("id")
        mine = None if span is None else self._spans.get((pid, int(span)))
        match op:
            case "begin":
                parent, index = event["parent"], event["index"]
                self._spans[pid, int(event["id"])] = recorder.begin(
                    str(event["kind"]),
                    str(event["name"]),
                    None if index is None else _integer(index),
                    None if parent is None else self._spans.get((pid, int(parent))),
                    t_s=t_s,
                    origin=pid,
                )
            case "end" if mine is not None:
                recorder.end(mine, t_s=t_s)
                del self._spans[pid, int(event["id"])]
            case "leave":
                recorder.leave(origin=pid)
            case "metric":
                value = float(event["value"])
                if math.isfinite(value):
                    recorder.metric(str(event["name"]), value, mine, t_s=t_s)
            case "plan":
                recorder.plan(_integer(event["epochs"]), origin=pid)
            case "step":
                part = float(event["part"])
                if 0 <= part <= 1:
                    recorder.step(part, t_s=t_s, origin=pid)
            case "warn":
                recorder.warn(str(event["text"])[:_MAX_TEXT])


def _integer(value: Any) -> int:
    """Of 64 bits, as ledgers store them. Raises `OverflowError`."""
    number = int(value)
    number.to_bytes(8, "big", signed=True)
    return number


def outer_file(env: Mapping[str, str]) -> Path | None:
    """The file of the recording around a process with variables `env`.

    None where there is none, where its recorder has died, or where it is another user's.
    """
    pid, _, path = env.get(VARIABLE, "").partition(":")
    try:
        # Raises where it has ended.
        os.kill(int(pid), 0)
    except (ValueError, OverflowError, OSError):
        return None
    return Path(path) if os.access(path, os.W_OK) else None


class JoinFile:
    """The file through which inner scripts join, in a folder only this user can enter."""

    def __init__(self) -> None:
        # Not a TemporaryDirectory: that of a forked child would remove the parent's folder.
        self._owner = os.getpid()
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        _remove_abandoned(folder.parent)
        self.path = folder / _EVENTS
        self.path.touch(mode=0o600)
        # Locked until this process ends, however it does.
        self._lock = self.path.open("rb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.tail = EventTail(self.path)

    @property
    def variable(self) -> str:
        """The value of `JOULECAST_JOIN`: the process that records, and the file."""
        return f"{self._owner}:{self.path}"

    def close(self) -> None:
        """Remove it, except in a forked child."""
        if os.getpid() == self._owner:
            shutil.rmtree(self.path.parent, ignore_errors=True)
            self._lock.close()


def _remove_abandoned(temporary: Path) -> None:
    """Remove the folders of recorders that were killed: nobody locks their file."""
    oldest = time.time() - _NEW_S
    for path in temporary.glob(f"{_PREFIX}*/{_EVENTS}"):
        # Others' folders cannot be entered; one may be removed by another process now.
        with suppress(OSError):
            if path.parent.stat().st_mtime < oldest:
                with path.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path.parent, ignore_errors=True)


def _free_space(path: str, end: int) -> None:
    """Free the disk space of the bytes before `end`, which become zeros.

    A file cannot be cut at its front while others append to it. Only Linux can do this
    (`fallocate(2)`, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE), and not on every file system.
    """
    fallocate = getattr(ctypes.CDLL(None), "fallocate64", None)
    if fallocate is not None:
        with open(path, "r+b") as file:  # noqa: PTH123
            fallocate(file.fileno(), 0x02 | 0x01, ctypes.c_int64(0), ctypes.c_int64(end))
