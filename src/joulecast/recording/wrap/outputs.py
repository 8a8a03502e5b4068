"""The stdout and stderr of joulecast, and what the command gets in their place."""

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

# More than a pipe or a terminal buffers, so that everything older has passed.
_DRAIN = 1 << 18
_ABOVE_STDERR = 3


class OutputSink:
    """Where output goes: the terminal, the pipe or the device of joulecast.

    Its open file is shared with other processes, so that it must not be made non-blocking: it is
    written to only when it has room, and no more than fits.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.terminal = os.isatty(fd)
        self.line: StatusLine | None = None
        # Whether it becomes readable when its readers have gone.
        self.reports_its_end = False
        self.broken = False
        # The last byte written.
        self.last = b"\n"
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
        """Write as much as there is room for."""
        while self.busy and _writable(self.fd):
            try:
                done = os.write(self.fd, self._waiting[: select.PIPE_BUF])
            except BlockingIOError:
                # Another process made it non-blocking.
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
        """Drop what waits, because nothing can be written any more."""
        self.broken, self._waiting = True, memoryview(b"")


@dataclass(eq=False, slots=True)
class Channel:
    """One output of the command: a pipe's end or a terminal of our own, and its sink."""

    source: int
    streams: Sequence[int]  # 1, 2, or both where they are one
    sink: OutputSink
    # Size of the sink's terminal, as last set for the command.
    size: tuple[int, int] = (0, 0)
    # Modes of the command's terminal, as last read.
    modes: list[Any] = field(default_factory=list)
    passed: int = 0  # bytes
    # Of the command's terminal.
    name: str = ""

    @property
    def stream(self) -> int:
        """The stream of its bytes; 1 where it is both."""
        return self.streams[0]

    def drained(self, since: int) -> bool:
        """Whether everything is written that waited when `passed` was `since`."""
        if self.sink.busy:
            return False
        return self.passed - since > _DRAIN or not _readable(self.source)

    def follow_size(self) -> bool:
        """Give the command's terminal the size of the real one. Returns whether it has changed."""
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
        """Apply what the command sets on its terminal (raw input, no echo) to the real one."""
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
    """Without processing of output, which the real terminal does."""
    return [modes[0], modes[1] & ~termios.OPOST, *modes[2:]]


def _window_size(terminal: int) -> tuple[int, int]:
    size = os.get_terminal_size(terminal)
    return size.lines, size.columns


def _readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def _writable(fd: int) -> bool:
    return bool(select.select([], [fd], [], 0)[1])


@dataclass(frozen=True, slots=True)
class _Stream:
    """One output of joulecast, before the command is started."""

    streams: tuple[int, ...]
    # "terminal", "pipe", "file" or "own": another device, which is passed to the command.
    kind: str

    @property
    def fd(self) -> int:
        return self.streams[0]


def prepare(*, status_line: bool) -> Outputs:
    """Prepare to read the outputs that can be read; the command gets the others itself.

    With `status_line`, stderr gets a status line where it is a terminal.
    """
    outputs = Outputs()
    for stream in _streams():
        try:
            outputs.add(stream, status_line)
        except (OSError, termios.error):
            # No more terminals or files can be opened: this output is not read.
            continue
    return outputs


def _streams() -> list[_Stream]:
    here = [fd for fd in (1, 2) if _is_open(fd)]
    if len(here) == 2 and _same(1, 2):
        return [_Stream((1, 2), _kind(1))]
    return [_Stream((fd,), _kind(fd)) for fd in here]


def _is_open(fd: int) -> bool:
    try:
        # Otherwise a file of ours has the number of a stream that was closed.
        return os.get_inheritable(fd)
    except OSError:
        return False


def _same(one: int, other: int) -> bool:
    a, b = os.fstat(one), os.fstat(other)
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)


def _kind(fd: int) -> str:
    status = os.fstat(fd)
    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        return "own"
    if os.isatty(fd):
        return "terminal"
    if stat.S_ISREG(status.st_mode):
        return "file"
    if stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode):
        return "pipe"
    return "pipe" if status.st_rdev == os.stat(os.devnull).st_rdev else "own"  # noqa: PTH116


class Outputs:
    """Everything between the command and its outputs."""

    def __init__(self) -> None:
        self.channels: list[Channel] = []
        self.tails: list[tuple[int, Tail]] = []  # by stream
        self.has_line = False
        # The command's ends of the channels, and their streams.
        self.ends: list[tuple[int, Sequence[int]]] = []
        self.reads: set[int] = set()
        """The streams that can be read."""
        self.terminals: set[int] = set()
        """The streams that are a terminal."""

    def add(self, stream: _Stream, status_line: bool) -> None:
        """Raises `OSError`, `termios.error`."""
        if stream.kind == "terminal":
            self._terminal(stream, status_line and 2 in stream.streams)
            self.terminals |= set(stream.streams)
        elif stream.kind == "file":
            try:
                self.tails.append((stream.fd, Tail(stream.streams)))
            except OSError:
                # It may be written to but not read.
                self._pipe(stream)
        elif stream.kind == "pipe":
            self._pipe(stream)
        if stream.kind != "own":
            self.reads |= set(stream.streams)

    def _pipe(self, stream: _Stream) -> None:
        ours, theirs = (above_stderr(fd) for fd in os.pipe())
        sink = OutputSink(stream.fd)
        here, given = os.fstat(ours), os.fstat(stream.fd)
        only_writes = fcntl.fcntl(stream.fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
        # The readers of a named pipe may come and go.
        same_kind = stat.S_ISFIFO(given.st_mode) and given.st_dev == here.st_dev
        sink.reports_its_end = only_writes and same_kind
        self._keep(Channel(ours, stream.streams, sink), theirs)

    def _terminal(self, stream: _Stream, status_line: bool) -> None:
        sink = OutputSink(stream.fd)
        size = _window_size(stream.fd)
        # A terminal of unknown size, as `script` makes one without a terminal of its own, has no
        # place for the line.
        status_line = status_line and all(size)
        if status_line:
            sink.line = StatusLine(*size)
        ours, theirs = (above_stderr(fd) for fd in os.openpty())
        channel = Channel(ours, stream.streams, sink)
        try:
            modes = _raw_output(termios.tcgetattr(stream.fd))
            termios.tcsetattr(theirs, termios.TCSANOW, modes)
            channel.modes = termios.tcgetattr(ours)
            channel.name = os.ttyname(theirs)
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

    def close_source(self, stream: int) -> None:
        """Close it in this process: nothing comes from it any more, or it is not to be read."""
        for channel in self.channels:
            if channel.stream == stream:
                os.close(channel.source)
        self.channels = [channel for channel in self.channels if channel.stream != stream]

    def close_sources(self) -> None:
        """Close all of them in this process: only the relay has them from now on."""
        for channel in self.channels:
            os.close(channel.source)
        self.channels = []

    def close_ends(self) -> None:
        """Close them in this process: the command has them, or is never started."""
        for end, _ in self.ends:
            os.close(end)
        self.ends = []

    def close(self) -> None:
        """Close everything."""
        self.close_sources()
        self.close_ends()
        for _, tail in self.tails:
            tail.close()


def above_stderr(fd: int) -> int:
    """`fd` above those of the three streams, which may be closed and must stay so."""
    if fd >= _ABOVE_STDERR:
        return fd
    higher = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STDERR)
    os.close(fd)
    return higher
