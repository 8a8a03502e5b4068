"""Reads what a command prints, and keeps a status line, while its output goes where it went.

Each of stdout and stderr is taken as what it is: a terminal is replaced by one of our own, a pipe
by another pipe, and what comes out is copied by a small process (`relay_process`) that goes on
should joulecast be killed; a file stays the command's, and is read beside it (`tail`). Other
devices, and what is closed, stay as they are and are not read.

What the command can tell: its terminal has another name and, with a status line, one row less, is
no source of keys (those come from stdin or /dev/tty), and belongs to no job (`stty tostop` has no
effect); between it and a slow reader fits as much again. That nobody reads any more it learns as
it did; errors of a file and of a device like /dev/full it meets itself.
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

from . import relay_process as process
from .outputs import Outputs, above_stderr, prepare
from .relay_process import FRAME

OnOutput = Callable[[int, bytes, float], None]
"""Called with the stream (1 or 2; 1 where they are one), its bytes, and their monotonic time."""

_PIPE_BYTES = 1 << 20  # of the copy, where the system gives so much
_TAIL_S = 0.05  # between looks at a file: how late its bytes may be seen
_PATIENCE_S = 1.0  # a terminal that is held (Ctrl-S) must not keep Ctrl-Z from working


def start(*, status_line: bool, env: Mapping[str, str]) -> Relay:
    """Prepare to read the output of a command that is still to be started, and fork the relay.

    To be called while this process has only one thread. With `status_line`, `Relay.status` shows a
    line where stderr is a terminal that can. What cannot be read stays the command's own; nothing
    is raised.
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


def _fork(outputs: Outputs) -> _Process:
    control, orders = (above_stderr(fd) for fd in os.pipe())
    report, reports = (above_stderr(fd) for fd in os.pipe())
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
        process.serve(outputs.channels, control, reports, job)
    os.close(control)
    os.close(reports)
    outputs.close_sources()
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
        self._lock = threading.Lock()  # `on_output` is called by one thread at a time
        self._reading = threading.Lock()  # files
        self._ordering = threading.Lock()
        self._answered = threading.Event()
        self._listening = False  # an answer can come
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self.reads = frozenset(outputs.reads)
        """The streams that are read."""
        self.has_line = outputs.has_line and relay is not None
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
        held_back = 1 in self.reads and 1 not in self._outputs.terminals
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
            self._listening = True
            if not self._thread(self._read_reports):
                self._listening = False
        if self._outputs.tails and self._on_output is not None:
            self._thread(self._follow_files)

    def _thread(self, target: Callable[[], None]) -> bool:
        thread = threading.Thread(target=target, name=f"joulecast-{target.__name__}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system gives no more: the output goes on unread
            self.fault = str(error)
            return False
        self._threads.append(thread)
        return True

    def started(self) -> None:
        """The command has its ends now: ours are closed, so that its end can be seen."""
        self._outputs.close_ends()

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
        if self._process is None or not any(2 in c.streams for c in self._outputs.channels):
            return False
        return self._insist(process.SAY + _one_line(text))

    def settle(self) -> None:
        """The command was stopped, or has ended: what it wrote is passed on, the line taken away.

        `on_output` has been told of it all at the return. Waits no longer than a second, should the
        reader of the output not take it: `less`, a terminal that is held.
        """
        self._still(_PATIENCE_S)
        self._read_files()

    def resume(self) -> None:
        """The command goes on."""
        self._insist(process.GO_ON)

    # --- the end ---------------------------------------------------------------------------------

    def finish(self) -> None:
        """The command has ended, or was never started: returns once all it wrote is passed on.

        The line is gone then, and what comes next on the terminal comes below the output. What is
        left of the command in the background keeps its relay. Safe to call twice. Waits for as long
        as the reader of the output does not take it.
        """
        self._outputs.close_ends()
        self._begin()
        self._still(None)
        self._end(os.WNOHANG)

    def cancel(self) -> None:
        """No command is started here: leaves neither process nor open file behind."""
        self._outputs.close_ends()
        self._end(0)

    def _end(self, wait: int) -> None:
        self._ended.set()
        with self._ordering:  # a status may be coming, from another thread
            relay, self._process = self._process, None
            if relay is not None:
                os.close(relay.control)  # it answers by closing its report
        for thread in self._threads:
            thread.join()
        self._threads = []
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
        if self._listening and self._insist(process.STILL):
            self._answered.wait(patience_s)

    def _insist(self, order: bytes) -> bool:
        """Give an order that must arrive; False where there is no relay any more."""
        while self._process is not None:
            try:
                return self._order(order)
            except BlockingIOError:  # the terminal is held, and texts have piled up
                time.sleep(_TAIL_S)
        return False

    def _order(self, order: bytes) -> bool:
        """Whether it was given. Raises `BlockingIOError`."""
        with self._ordering, suppress(BrokenPipeError):
            if self._process is not None:
                os.write(self._process.control, order + b"\n")
                return True
        return False

    def _read_reports(self) -> None:
        relay, data = self._process, b""
        while relay is not None and (more := os.read(relay.report, _PIPE_BYTES)):
            data = self._take_in(data + more)
        self._listening = False
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
            self._read_files()

    def _read_files(self) -> None:
        with self._reading:
            for stream, tail in self._outputs.tails:
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
