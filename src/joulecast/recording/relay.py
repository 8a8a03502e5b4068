"""Reads what a command prints, and keeps a status line, while its output goes where it went.

Each of stdout and stderr is taken as what it is: a terminal is replaced by one of our own, a pipe
by another pipe, and what comes out is copied by a small process (`relay_process`) that goes on
should joulecast be killed; a file stays the command's, and is read beside it (`tail`). Other
devices, and what is closed, stay as they are and are not read.

What the command can tell: its terminal has another name and, with a status line, one row less; the
modes of its terminal are to be set on stdin or /dev/tty, not on stdout; up to 64 KiB more fit
between it and a slow reader. Errors of a terminal or a pipe (nobody reads any more) reach it as
they did, those of /dev/full and the like because it keeps them.
"""

from __future__ import annotations

import fcntl
import os
import select
import stat
import termios
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from . import relay_process as process
from .relay_process import FRAME, Channel, Sink
from .status_line import StatusLine
from .tail import Tail

OnOutput = Callable[[int, bytes, float], None]
"""Called with the stream (1 or 2; 1 where they are one), its bytes, and their monotonic time."""

_PIPE_BYTES = 1 << 20  # of the copy, where the system gives so much
_TAIL_S = 0.05  # between looks at a file: how late its bytes may be seen
_PATIENCE_S = 1.0  # a terminal that is held (Ctrl-S) must not keep Ctrl-Z from working
_ABOVE_STDERR = 3


@dataclass(frozen=True, slots=True)
class _Way:
    """One way out of the command, as it is now."""

    streams: tuple[int, ...]
    kind: str  # terminal, pipe, file, or own: to be left alone

    @property
    def fd(self) -> int:
        return self.streams[0]


def start(*, status_line: bool, env: Mapping[str, str]) -> Relay:
    """Prepare to read the output of a command that is still to be started, and fork the relay.

    To be called while this process has only one thread. With `status_line`, `Relay.status` shows a
    line where stderr is a terminal that can. What cannot be read stays the command's own; nothing
    is raised.
    """
    made = _Made()
    for way in _ways():
        try:
            made.add(way, status_line and env.get("TERM", "dumb") not in ("", "dumb"))
        except (OSError, termios.error):  # no terminals, no more files: it goes on unread
            continue
    if not made.channels:
        return Relay(made, None)
    try:
        return Relay(made, _fork(made))
    except OSError:
        made.close()
        return Relay(_Made(), None)


def _ways() -> list[_Way]:
    here = [fd for fd in (1, 2) if _is_open(fd)]
    if len(here) == 2 and _same(1, 2):
        return [_Way((1, 2), _kind(1))]
    return [_Way((fd,), _kind(fd)) for fd in here]


def _is_open(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)  # else a file of ours took the number of one that was closed
    except OSError:
        return False


def _same(one: int, other: int) -> bool:
    a, b = os.fstat(one), os.fstat(other)
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)


def _kind(fd: int) -> str:
    found = os.fstat(fd)
    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        return "own"
    if os.isatty(fd):
        return "terminal"
    if stat.S_ISREG(found.st_mode):
        return "file"
    if stat.S_ISFIFO(found.st_mode) or stat.S_ISSOCK(found.st_mode):
        return "pipe"
    return "pipe" if found.st_rdev == os.stat(os.devnull).st_rdev else "own"  # noqa: PTH116


class _Made:
    """What stands ready between the command and its output."""

    def __init__(self) -> None:
        self.channels: list[Channel] = []
        self.tails: list[tuple[int, Tail]] = []  # by stream
        self.has_line = False
        self.ends: list[tuple[int, tuple[int, ...]]] = []  # the command's, and for which streams
        self.terminals: set[int] = set()  # streams that are one

    def add(self, way: _Way, status_line: bool) -> None:
        """Raises `OSError`, `termios.error`."""
        if way.kind == "terminal":
            self.terminals |= set(way.streams)
            self._terminal(way, status_line and 2 in way.streams)
        elif way.kind == "file":
            try:
                self.tails.append((way.fd, Tail(way.streams)))
            except OSError:  # we may write it and not read it
                self._pipe(way)
        elif way.kind == "pipe":
            self._pipe(way)

    def _pipe(self, way: _Way) -> None:
        ours, theirs = (_above(fd) for fd in os.pipe())
        self._channel(way, ours, theirs, Sink(way.fd))

    def _terminal(self, way: _Way, status_line: bool) -> None:
        modes = termios.tcgetattr(way.fd)
        modes[1] &= ~termios.OPOST  # the real one does that
        sink, size = Sink(way.fd), process.window_size(way.fd)
        if status_line:
            sink.line = StatusLine(*size)
        ours, theirs = (_above(fd) for fd in os.openpty())
        try:
            termios.tcsetattr(theirs, termios.TCSANOW, modes)
            process.set_window_size(ours, size, sink.line)
        except (OSError, termios.error):
            os.close(ours)
            os.close(theirs)
            raise
        self._channel(way, ours, theirs, sink)
        self.channels[-1].size = size
        if status_line:
            self.has_line = True

    def _channel(self, way: _Way, ours: int, theirs: int, sink: Sink) -> None:
        self.channels.append(Channel(ours, way.streams, sink))
        self.ends.append((theirs, way.streams))

    def close_sources(self) -> None:
        for channel in self.channels:
            os.close(channel.source)

    def close_ends(self) -> None:
        for end, _ in self.ends:
            os.close(end)
        self.ends = []

    def close(self) -> None:
        self.close_sources()
        self.close_ends()
        for _, tail in self.tails:
            tail.close()


def _above(fd: int) -> int:
    """`fd` where it stands for none of the three streams: those may be closed, and stay so."""
    if fd >= _ABOVE_STDERR:
        return fd
    higher = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STDERR)
    os.close(fd)
    return higher


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    control: int  # we write
    report: int  # we read


def _fork(made: _Made) -> _Process:
    control, orders = (_above(fd) for fd in os.pipe())
    report, reports = (_above(fd) for fd in os.pipe())
    with suppress(OSError, AttributeError):
        fcntl.fcntl(report, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    os.set_blocking(orders, False)
    os.set_blocking(reports, False)
    job = os.getpgrp()
    try:
        pid = os.fork()
    except OSError:
        for fd in (control, orders, report, reports):
            os.close(fd)
        raise
    if pid == 0:
        process.serve(made.channels, control, reports, job)
    os.close(control)
    os.close(reports)
    made.close_sources()
    return _Process(pid, orders, report)


class Relay:
    """The reading of one command's output; made by `start`."""

    def __init__(self, made: _Made, relay: _Process | None) -> None:
        self._made, self._process = made, relay
        self._file_actions = [
            (os.POSIX_SPAWN_DUP2, end, stream) for end, streams in made.ends for stream in streams
        ]
        self._on_output: OnOutput | None = None
        self._lock = threading.Lock()  # `on_output` is called by one thread at a time
        self._answered = threading.Event()  # or there will be no answer
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self.reads = frozenset(
            [s for c in made.channels for s in c.streams] + [s for s, _ in made.tails]
        )
        """The streams that are read; 1 alone where both are one file."""
        self.has_line = made.has_line and relay is not None
        """Whether there is a terminal for the status line."""
        self.lost = 0
        """How often bytes of the copy were dropped, because they came too fast for `on_output`."""
        self.fault: str | None = None
        """What `on_output` raised; it is not called again after that."""

    # --- around the command's start --------------------------------------------------------------

    @property
    def file_actions(self) -> list[tuple[int, int, int]]:
        """For `os.posix_spawn`: gives the command its ends."""
        return list(self._file_actions)

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """For the command: a Python that writes to a pipe or a file does not hold lines back.

        Its bytes are the same. A PYTHONUNBUFFERED that is set already is kept.
        """
        held_back = 1 in self.reads and 1 not in self._made.terminals
        return ({"PYTHONUNBUFFERED": "1"} if held_back else {}) | dict(env)

    def listen(self, on_output: OnOutput) -> None:
        """Begin to hand over what the command prints, in threads of ours.

        A gap where bytes were dropped ends the line: `on_output` is given a line feed for them.
        """
        self._on_output = on_output
        self._begin()

    def _begin(self) -> None:
        if self._threads:
            return
        if self._process is not None:
            self._thread(self._read_reports)
        if self._made.tails and self._on_output is not None:
            self._thread(self._follow_files)

    def _thread(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=f"joulecast-{target.__name__}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system gives no more: the output goes on unread
            self.fault = str(error)
            self._answered.set()
            return
        self._threads.append(thread)

    def started(self) -> None:
        """The command has its ends now: ours are closed, so that its end can be seen."""
        self._made.close_ends()

    # --- while it runs ---------------------------------------------------------------------------

    def status(self, text: str | None) -> None:
        """Show this in the terminal's last row, cut to its width; None for no line. Never waits."""
        order = process.NO_STATUS if text is None else process.STATUS + _one_line(text)
        with suppress(BlockingIOError):  # the terminal is held: a later text will do
            self._order(order)

    def say(self, text: str) -> bool:
        """Write a line on stderr, between the command's bytes, before what it writes from now on.

        False where stderr is none of ours, and the caller writes it itself.
        """
        if self._process is None or not any(2 in c.streams for c in self._made.channels):
            return False
        return self._insist(process.SAY + _one_line(text))

    def pause(self) -> None:
        """The command was stopped and we will be: pass on what it wrote, take the line away."""
        self._still(_PATIENCE_S)

    def resume(self) -> None:
        """The command goes on."""
        self._insist(process.GO_ON)

    # --- the end ---------------------------------------------------------------------------------

    def finish(self) -> None:
        """The command has ended, or was never started: returns once all it wrote is passed on.

        The line is gone then, and what comes next on the terminal comes below the output. What is
        left of the command in the background keeps its relay. Safe to call twice.
        """
        self._made.close_ends()
        self._begin()
        self._still(None)
        self._end(os.WNOHANG)

    def cancel(self) -> None:
        """No command is started here: leaves neither process nor open file behind."""
        self._made.close_ends()
        self._end(0)

    def _end(self, wait: int) -> None:
        self._ended.set()
        relay, self._process = self._process, None
        if relay is not None:
            os.close(relay.control)  # it answers by closing its report
        for thread in self._threads:
            thread.join()
        self._threads = []
        for _, tail in self._made.tails:
            tail.close()
        self._made.tails = []
        if relay is not None:
            os.close(relay.report)
            with suppress(ChildProcessError):
                os.waitpid(relay.pid, wait)

    # --- to and from the relay -------------------------------------------------------------------

    def _still(self, patience_s: float | None) -> None:
        self._answered.clear()
        if self._threads and self._insist(process.STILL):
            self._answered.wait(patience_s)

    def _insist(self, order: bytes) -> bool:
        """Give an order that must arrive; False where there is no relay any more."""
        while self._process is not None:
            try:
                self._order(order)
                return self._process is not None
            except BlockingIOError:
                select.select([], [self._process.control], [], _PATIENCE_S)
        return False

    def _order(self, order: bytes) -> None:
        if self._process is None:
            return
        with suppress(BrokenPipeError):
            os.write(self._process.control, order + b"\n")

    def _read_reports(self) -> None:
        relay, data = self._process, b""
        while relay is not None and (more := os.read(relay.report, _PIPE_BYTES)):
            data = self._take_in(data + more)
        self._answered.set()

    def _take_in(self, data: bytes) -> bytes:
        """All whole frames in `data`; returns what is left."""
        at = 0
        while len(data) - at >= FRAME.size:
            kind, length, t_s = FRAME.unpack_from(data, at)
            end = at + FRAME.size + length
            if end > len(data):
                break
            if kind == process.DONE:
                self._answered.set()
            elif kind == process.LOST:
                self.lost += 1
                self._hand_over(1, b"\n", t_s)
            else:
                self._hand_over(kind, data[end - length : end], t_s)
            at = end
        return data[at:]

    def _follow_files(self) -> None:
        ending = False
        while not ending:
            ending = self._ended.wait(_TAIL_S)
            for stream, tail in self._made.tails:
                with suppress(OSError):
                    while data := tail.read():
                        self._hand_over(stream, data, time.monotonic())

    def _hand_over(self, stream: int, data: bytes, t_s: float) -> None:
        if self._on_output is None or self.fault is not None:
            return
        with self._lock:
            try:
                self._on_output(stream, data, t_s)
            except Exception as error:  # the command's output is not to stop for it
                self.fault = f"{type(error).__name__}: {error}"


def _one_line(text: str) -> bytes:
    """As an order takes it: one line, and short enough to be written at once."""
    data = " ".join(text.splitlines()).encode(errors="replace")[: select.PIPE_BUF - 2]
    return data.decode(errors="ignore").encode()
