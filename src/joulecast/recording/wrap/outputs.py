"""The stdout and stderr that we were given, and what a command gets in their place."""

from __future__ import annotations

import fcntl
import os
import select
import stat
import struct
import termios
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .status_line import StatusLine
from .tail import Tail

_DRAIN = 1 << 18  # more than a pipe or a terminal holds: what was in it before has passed
_ABOVE_STDERR = 3


class OutputSink:
    """Where output goes: the terminal, the pipe or the device that we were given.

    Its open file is shared with others, so that it must not be made non-blocking: it is written to
    only when it has room, no more than it has room for.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.terminal = os.isatty(fd)
        self.line: StatusLine | None = None
        self.reports_its_end = False  # whether it becomes readable when its readers have gone
        self.broken = False
        self.last = b"\n"  # the last byte written
        self._waiting = memoryview(b"")

    @property
    def busy(self) -> bool:
        """Whether bytes wait to be written."""
        return len(self._waiting) > 0

    def put(self, data: bytes) -> None:
        """Write this next."""
        if data and not self.broken:
            self._waiting = memoryview(bytes(self._waiting) + data if self.busy else data)

    def flush(self) -> None:
        """Write what there is room for."""
        while self.busy and _writable(self.fd):
            try:
                done = os.write(self.fd, self._waiting[: select.PIPE_BUF])
            except BlockingIOError:  # someone else made it so
                return
            except OSError:
                self.break_off()
                return
            self._waiting = self._waiting[done:]

    def write_out(self) -> None:
        """Write all, and wait for it."""
        while self.busy:
            select.select([], [self.fd], [])
            self.flush()

    def has_readers(self) -> bool:
        """Of a pipe: whether anyone can still read what is written."""
        state = select.poll()
        state.register(self.fd, 0)
        return not state.poll(0)

    def break_off(self) -> None:
        """Nothing can be written any more."""
        self.broken, self._waiting = True, memoryview(b"")


@dataclass(eq=False, slots=True)
class Channel:
    """One way out of the command: a pipe's end or a terminal of our own, and its sink."""

    source: int
    streams: Sequence[int]  # 1, 2, or both where they are one
    sink: OutputSink
    size: tuple[int, int] = (0, 0)  # of the sink's terminal, as last told to the command
    modes: list[Any] = field(default_factory=list)  # of the command's terminal, as last seen
    passed: int = 0  # bytes

    @property
    def stream(self) -> int:
        """The stream that its bytes are called; 1 where it is both."""
        return self.streams[0]

    def drained(self, since: int) -> bool:
        """Whether all is written that waited when `passed` was `since`."""
        if self.sink.busy:
            return False
        return self.passed - since > _DRAIN or not _readable(self.source)

    def follow_size(self) -> bool:
        """Give the command's terminal the size of the real one; whether it has changed."""
        size = _window_size(self.sink.fd)
        if size == self.size:
            return False
        if self.sink.line is not None and self.size != (0, 0):
            self.sink.put(self.sink.line.resize(*size))
        self.size = size
        rows = size[0] if self.sink.line is None else self.sink.line.command_rows
        fcntl.ioctl(self.source, termios.TIOCSWINSZ, struct.pack("HHHH", rows, size[1], 0, 0))
        return True

    def follow_modes(self) -> None:
        """What the command sets on its terminal (raw input, no echo) is meant for the real one."""
        modes = termios.tcgetattr(self.source)
        if modes == self.modes:
            return
        self.modes = _raw_output(modes)
        if modes != self.modes:
            termios.tcsetattr(self.source, termios.TCSANOW, self.modes)
        real = termios.tcgetattr(self.sink.fd)
        iflag, oflag, _, lflag, _, _, keys = self.modes
        real[0], real[3], real[6] = iflag, lflag, keys
        real[1] = oflag | (real[1] & termios.OPOST)
        termios.tcsetattr(self.sink.fd, termios.TCSANOW, real)


def _raw_output(modes: list[Any]) -> list[Any]:
    """Bytes written pass as they are: what is done to them the real terminal does."""
    return [modes[0], modes[1] & ~termios.OPOST, *modes[2:]]


def _window_size(terminal: int) -> tuple[int, int]:
    size = os.get_terminal_size(terminal)
    return size.lines, size.columns


def _readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def _writable(fd: int) -> bool:
    return bool(select.select([], [fd], [], 0)[1])


@dataclass(frozen=True, slots=True)
class _Way:
    """One way out of the command, as it is now."""

    streams: tuple[int, ...]
    kind: str  # terminal, pipe, file, or own: another device, to be left alone

    @property
    def fd(self) -> int:
        return self.streams[0]


def prepare(*, status_line: bool) -> Outputs:
    """What can be read, made ready; what cannot is left alone.

    With `status_line`, stderr's terminal, if it is one, gets a line.
    """
    outputs = Outputs()
    for way in _ways():
        try:
            outputs.add(way, status_line)
        except (OSError, termios.error):  # no more terminals, no more files: it goes on unread
            continue
    return outputs


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


class Outputs:
    """What stands ready between the command and its output."""

    def __init__(self) -> None:
        self.channels: list[Channel] = []
        self.tails: list[tuple[int, Tail]] = []  # by stream
        self.has_line = False
        self.ends: list[tuple[int, Sequence[int]]] = []  # the command's, and for which streams
        self.reads: set[int] = set()
        """The streams that can be read."""
        self.terminals: set[int] = set()
        """The streams that are a terminal."""

    def add(self, way: _Way, status_line: bool) -> None:
        """Raises `OSError`, `termios.error`."""
        if way.kind == "terminal":
            self._terminal(way, status_line and 2 in way.streams)
            self.terminals |= set(way.streams)
        elif way.kind == "file":
            try:
                self.tails.append((way.fd, Tail(way.streams)))
            except OSError:  # we may write it and not read it
                self._pipe(way)
        elif way.kind == "pipe":
            self._pipe(way)
        if way.kind != "own":
            self.reads |= set(way.streams)

    def _pipe(self, way: _Way) -> None:
        ours, theirs = (above_stderr(fd) for fd in os.pipe())
        sink = OutputSink(way.fd)
        here, given = os.fstat(ours), os.fstat(way.fd)
        only_writes = fcntl.fcntl(way.fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
        # A pipe with a name is another thing: its readers may come and go.
        same_kind = stat.S_ISFIFO(given.st_mode) and given.st_dev == here.st_dev
        sink.reports_its_end = only_writes and same_kind
        self._keep(Channel(ours, way.streams, sink), theirs)

    def _terminal(self, way: _Way, status_line: bool) -> None:
        sink = OutputSink(way.fd)
        if status_line:
            sink.line = StatusLine(*_window_size(way.fd))
        ours, theirs = (above_stderr(fd) for fd in os.openpty())
        channel = Channel(ours, way.streams, sink)
        try:
            modes = _raw_output(termios.tcgetattr(way.fd))
            termios.tcsetattr(theirs, termios.TCSANOW, modes)
            channel.modes = termios.tcgetattr(ours)
            channel.follow_size()
        except (OSError, termios.error):
            os.close(ours)
            os.close(theirs)
            raise
        self._keep(channel, theirs)
        self.has_line = self.has_line or status_line

    def _keep(self, channel: Channel, theirs: int) -> None:
        self.channels.append(channel)
        self.ends.append((theirs, channel.streams))

    def close_sources(self) -> None:
        """The relay has them."""
        for channel in self.channels:
            os.close(channel.source)

    def close_ends(self) -> None:
        """The command has them, or never will."""
        for end, _ in self.ends:
            os.close(end)
        self.ends = []

    def close(self) -> None:
        """Nothing will be read."""
        self.close_sources()
        self.close_ends()
        for _, tail in self.tails:
            tail.close()


def above_stderr(fd: int) -> int:
    """`fd` where it stands for none of the three streams: those may be closed, and stay so."""
    if fd >= _ABOVE_STDERR:
        return fd
    higher = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STDERR)
    os.close(fd)
    return higher
