"""Reads a command's output, and draws a status line, while the output goes where it went before.

stdout and stderr are each replaced by their own kind: a terminal by one of our own, a pipe by
another pipe, and their bytes are copied by a small process (`relay_process`) that goes on if
joulecast is killed. If that process is killed, joulecast, which has its pipes open, too, does its
work: the command would end by SIGPIPE otherwise. A file stays the command's, and is read separately
(`tail`). Other devices, and closed streams, are left alone and not read.

Differences that the command can notice: its terminal has another name and, with a status line, one
row less; it belongs to no job (`stty tostop` has no effect), and gives keys only to a program that
opens it by name (`keys`), others get theirs from stdin or /dev/tty; twice as much fits between it
and a slow reader. It notices as before that no process reads any more, and errors of a file or a
device like /dev/full.
"""

from __future__ import annotations

import fcntl
import os
import select
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from ...units import printable
from . import relay_process as process
from .keys import pass_keys
from .outputs import Outputs, above_stderr, prepare
from .relay_process import FRAME

OnOutput = Callable[[int, bytes, float], None]
"""Called with the stream (1 or 2; 1 where both are one), its bytes, and their monotonic time."""

# Size of the pipe for the copy, where the system allows it.
_PIPE_BYTES = 1 << 20
# Time between two reads of a file, s.
_TAIL_S = 0.05
# With it progress bars end, after their line feed.
_SHOW_CURSOR = b"\x1b[?25h"
# Maximum wait for a terminal that is paused (Ctrl-S), so that Ctrl-Z still works, s.
_PATIENCE_S = 1.0


def start(*, status_line: bool, env: Mapping[str, str]) -> Relay:
    """Prepare to read the output of a command that is still to be started, and fork the relay.

    Must be called while this process has only one thread. With `status_line`, `Relay.status` shows
    a line where stderr is a terminal that can. Outputs that cannot be read are left to the command;
    nothing is raised.
    """
    outputs = prepare(status_line=status_line and env.get("TERM", "dumb") not in ("", "dumb"))
    if not outputs.channels:
        return Relay(outputs, None)
    try:
        return Relay(outputs, _fork(outputs))
    except OSError:
        outputs.close()
        return Relay(Outputs(), None)


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    control: int  # we write
    report: int  # we read


def _pipes() -> tuple[int, int, int, int]:
    """Both ends of a pipe to the relay, and of one from it: read end first."""
    control, orders, report, reports = (above_stderr(fd) for _ in range(2) for fd in os.pipe())
    with suppress(OSError, AttributeError):
        fcntl.fcntl(report, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    os.set_blocking(orders, False)
    os.set_blocking(reports, False)
    return control, orders, report, reports


def _fork(outputs: Outputs) -> _Process:
    control, orders, report, reports = _pipes()
    job = os.getpgrp()
    try:
        pid = os.fork()
    except OSError:
        for fd in (control, orders, report, reports):
            os.close(fd)
        raise
    if pid == 0:
        process.serve(outputs.channels, control, reports, job)
    os.close(control)
    os.close(reports)
    return _Process(pid, orders, report)


class Relay:
    """The reading of one command's output; made by `start`."""

    def __init__(self, outputs: Outputs, relay: _Process | None) -> None:
        self._outputs, self._process = outputs, relay
        self._file_actions = [
            (os.POSIX_SPAWN_DUP2, end, stream)
            for end, streams in outputs.ends
            for stream in streams
        ]
        self._on_output: OnOutput | None = None
        # `on_output` is called by one thread at a time.
        self._lock = threading.Lock()
        # Taken while files are read.
        self._reading = threading.Lock()
        self._ordering = threading.Lock()
        self._answered = threading.Event()
        # An answer is awaited.
        self._asked = False
        # An answer can come.
        self._listening = False
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._passes_stderr = any(2 in channel.streams for channel in outputs.channels)
        keys = {c.stream for c in outputs.channels} | {stream for stream, _ in outputs.tails}
        # What the output on stderr is read as: as stdout where both are one.
        self._stderr = 1 if 2 in outputs.reads - keys else 2
        self._end_of_stderr = b""
        self.reads = frozenset(outputs.reads)
        """The streams that are read."""
        self.has_line = outputs.has_line and relay is not None
        """Whether there is a terminal for the status line."""
        self.lost = 0
        """How often bytes of the copy were dropped because `on_output` was too slow."""
        self.fault: str | None = None
        """What `on_output` raised; it is not called again."""

    # --- around the command's start --------------------------------------------------------------

    @property
    def file_actions(self) -> list[tuple[int, int, int]]:
        """For `os.posix_spawn`: connects the command to the relay."""
        return list(self._file_actions)

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """For the command: a Python that writes to a pipe or a file then does not buffer lines.

        Its bytes are the same. PYTHONUNBUFFERED is kept where it is set already.
        """
        buffers = 1 in self.reads and 1 not in self._outputs.terminals
        return ({"PYTHONUNBUFFERED": "1"} if buffers else {}) | dict(env)

    def listen(self, on_output: OnOutput) -> None:
        """Start calling `on_output` with the command's output, from threads of ours.

        In place of dropped bytes `on_output` is given a line feed.
        """
        self._on_output = on_output
        self._begin()

    def _begin(self) -> None:
        if self._threads:
            return
        if self._process is not None:
            self._listening = True
            if not self._thread(self._read_reports):
                self._listening = False
        if self._outputs.tails and self._on_output is not None:
            self._thread(self._follow_files)

    def _thread(self, target: Callable[[], None]) -> bool:
        thread = threading.Thread(target=target, name=f"joulecast-{target.__name__}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # No thread can be started: the output is passed on but not read.
            self.fault = str(error)
            return False
        self._threads.append(thread)
        return True

    def started(self, pid: int) -> None:
        """The command has started: close its ends here, so that its end can be noticed."""
        terminals = [channel for channel in self._outputs.channels if channel.name]
        # Copied first: without our ends, the end of a short command closes its source at once.
        arguments = [(os.dup(c.source), c.name, pid, self._ended) for c in terminals[:1]]
        self._outputs.close_ends()
        # Where no thread can be started, keys do not arrive.
        with suppress(RuntimeError):
            for args in arguments:
                threading.Thread(target=pass_keys, args=args, daemon=True).start()

    # --- while it runs ---------------------------------------------------------------------------

    def status(self, text: str | None) -> None:
        """Show a text in the terminal's last row, cut to fit; None for no line. Never waits."""
        order = process.NO_STATUS if text is None else process.STATUS + _one_line(text)
        # The terminal is paused: a later text follows.
        with suppress(BlockingIOError):
            self._order(order)

    def notify(self, text: str) -> bool:
        """Write a line on stderr, before what the command writes from now on.

        Returns False where stderr is not relayed, and the caller must write the line.
        """
        if self._process is None or not self._passes_stderr:
            return False
        return self._insist(process.MESSAGE + _one_line(text))

    def settle(self) -> None:
        """The command was stopped, or has ended: pass on its output, and hide the line.

        `on_output` has been given everything at the return. Waits no longer than a second where the
        output is not read: by `less`, or a terminal that is paused.
        """
        self._still(_PATIENCE_S)
        self._read_files()

    def resume(self) -> None:
        """The command continues."""
        self._insist(process.GO_ON)

    # --- the end ---------------------------------------------------------------------------------

    def finish(self) -> None:
        """The command has ended, or was never started: returns once its output is passed on.

        The line is hidden then, and later text on the terminal comes below the output. Processes of
        the command that stay in the background keep their relay. Safe to call twice. Waits for as
        long as the output is not read.
        """
        self._outputs.close_ends()
        self._begin()
        self._still(None)
        self._end(os.WNOHANG)

    @property
    def ends_within_a_line(self) -> bool:
        """Whether the last byte on stderr so far, apart from a shown cursor, is no line feed."""
        return self._end_of_stderr.removesuffix(_SHOW_CURSOR)[-1:] not in (b"", b"\n")

    def cancel(self) -> None:
        """No command is started: end the relay and close all files."""
        self._outputs.close_ends()
        self._end(0)

    def _end(self, wait: int) -> None:
        self._ended.set()
        # Another thread may be sending a status.
        with self._ordering:
            relay, self._process = self._process, None
            if relay is not None:
                # The relay answers by closing its pipe.
                os.close(relay.control)
        for thread in self._threads:
            thread.join()
        self._threads = []
        self._outputs.close_sources()
        for _, tail in self._outputs.tails:
            tail.close()
        self._outputs.tails = []
        if relay is not None:
            os.close(relay.report)
            with suppress(ChildProcessError):
                os.waitpid(relay.pid, wait)

    # --- to and from the relay -------------------------------------------------------------------

    def _still(self, patience_s: float | None) -> None:
        self._answered.clear()
        self._asked = True
        if self._listening:
            # Where the relay was killed, the order is sent again to what replaces it.
            self._insist(process.STILL)
            self._answered.wait(patience_s)
        self._asked = False

    def _insist(self, order: bytes) -> bool:
        """Send an order that must arrive; False where there is no relay any more."""
        while self._process is not None:
            try:
                return self._order(order)
            except BlockingIOError:
                # The terminal is paused, and the pipe is full.
                time.sleep(_TAIL_S)
        return False

    def _order(self, order: bytes) -> bool:
        """Send an order. Returns whether it was sent. Raises `BlockingIOError`."""
        with self._ordering, suppress(BrokenPipeError):
            if self._process is not None:
                os.write(self._process.control, order + b"\n")
                return True
        return False

    def _read_reports(self) -> None:
        relay = self._process
        while relay is not None:
            data = b""
            while more := os.read(relay.report, _PIPE_BYTES):
                data = self._take_in(data + more)
            relay = self._replace(relay)
        self._listening = False
        self._answered.set()

    def _replace(self, relay: _Process) -> _Process | None:
        """Do the work of a relay that was killed, in a thread; None where it was not."""
        while self._outputs.channels and not _has_ended(relay.pid):
            # After a fault the relay goes on without reports.
            if self._ended.wait(_TAIL_S):
                break
        if not self._outputs.channels or self._ended.is_set():
            return None
        for channel in self._outputs.channels:
            # The loop closes it at its end, which our own stdout and stderr must survive.
            channel.sink.fd = fcntl.fcntl(channel.sink.fd, fcntl.F_DUPFD_CLOEXEC, 3)
        control, orders, report, reports = _pipes()
        loop = process.RelayLoop(self._outputs.channels, control, reports, os.getpgrp())
        self._outputs.channels = []
        threading.Thread(target=loop.run_on, name="joulecast-relay", daemon=True).start()
        with self._ordering:
            if self._process is not None:
                os.close(relay.control)
                os.close(relay.report)
                self._process = _Process(relay.pid, orders, report)
        self._insist(process.STILL if self._asked else process.GO_ON)
        return self._process

    def _take_in(self, data: bytes) -> bytes:
        """Handle all complete frames in `data`. Returns the rest."""
        at = 0
        while len(data) - at >= FRAME.size:
            kind, length, t_s = FRAME.unpack_from(data, at)
            end = at + FRAME.size + length
            if end > len(data):
                break
            if kind == process.DONE:
                self._answered.set()
            elif kind == process.CLOSED:
                self._outputs.close_source(data[end - 1])
            elif kind == process.LOST:
                self.lost += 1
                self._pass_to_reader(1, b"\n", t_s)
            else:
                self._pass_to_reader(kind, data[end - length : end], t_s)
            at = end
        return data[at:]

    def _follow_files(self) -> None:
        ending = False
        while not ending:
            ending = self._ended.wait(_TAIL_S)
            self._read_files()

    def _read_files(self) -> None:
        with self._reading:
            for stream, tail in self._outputs.tails:
                with suppress(OSError):
                    while data := tail.read():
                        self._pass_to_reader(stream, data, time.monotonic())

    def _pass_to_reader(self, stream: int, data: bytes, t_s: float) -> None:
        if stream == self._stderr:
            self._end_of_stderr = (self._end_of_stderr + data)[-len(_SHOW_CURSOR) - 1 :]
        if self._on_output is None or self.fault is not None:
            return
        with self._lock:
            try:
                self._on_output(stream, data, t_s)
            except Exception as error:
                # The command's output must be passed on all the same.
                self.fault = f"{type(error).__name__}: {error}"


def _has_ended(pid: int) -> bool:
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _one_line(text: str) -> bytes:
    """A text for an order: one line, short enough to be written at once."""
    data = printable(" ".join(text.splitlines())).encode(errors="replace")[: select.PIPE_BUF - 2]
    return data.decode(errors="ignore").encode()
