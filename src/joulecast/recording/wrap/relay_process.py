"""The process between a command and the destination of its output.

It copies every byte unchanged, and ends when no process can write any more. It also sends joulecast
a copy of the bytes, which is dropped where joulecast is slow or dead, and draws the status line. No
signal of the terminal or of a process group reaches it. It imports little, because it is forked
before joulecast has loaded anything.
"""

import os
import select
import signal
import struct
import termios
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NoReturn

from .outputs import Channel, OutputSink

FRAME = struct.Struct("=BHd")
"""Header of a message to joulecast: kind (1 or 2: bytes of that stream), length, monotonic time."""
LOST, DONE, CLOSED = 0, 3, 4
"""Other kinds: bytes were dropped here; the order `STILL` was carried out; a stream was closed."""
STATUS, NO_STATUS, STILL, GO_ON, MESSAGE = b"S", b"N", b"P", b"R", b"M"
"""First bytes of the orders from joulecast, one a line.

Show this status line. Show none. Pass on what the command has written, hide the line, and answer.
Show the line again. Write this message into the output.
"""

_CHUNK = 1 << 16
# Time between two checks of the terminal: its size, its foreground process group.
_CHECK_S = 0.2
# Time between two drawings of the status line.
_REDRAW_S = 0.1


class RelayLoop:
    """Copies until all channels have ended and joulecast has closed its pipe of orders."""

    def __init__(
        self,
        channels: Iterable[Channel],
        control: int,
        report: int,
        job: int,
    ) -> None:
        self._channels = list(channels)
        stderr = [channel.sink for channel in self._channels if 2 in channel.streams]
        # It has the status line, and stays open while joulecast gives orders.
        self._stderr = stderr[0] if stderr else None
        # From and to joulecast, -1 when closed.
        self._control, self._report = control, report
        # Joulecast's process group, and the command's.
        self._job = job
        # Begun, not complete.
        self._order = b""
        # Messages of joulecast that are not written yet.
        self._messages: list[bytes] = []
        self._lost = False
        # Streams that were closed, which joulecast is not informed of yet.
        self._closed: list[int] = []
        # Bytes that each channel must still pass on before the answer.
        self._waiting: dict[Channel, int] | None = None
        # Not sent yet.
        self._answers = 0
        self._still = False
        # Times of the next check, the next drawing.
        self._check_s = self._draw_s = 0.0
        # Time of the last drawing.
        self._drawn_s = 0.0

    def run(self) -> None:
        """Copy until nothing can come any more, and joulecast has gone."""
        try:
            while self._channels or self._control >= 0:
                self._check_terminals()
                self._round()
            self._write_out()
        finally:
            self._leave_stderr()

    def run_on(self) -> None:
        """As `run`; after a fault the command's output is still passed on."""
        try:
            self.run()
        except Exception:
            self._copy_only()

    def _copy_only(self) -> None:
        """Only copy the output: after a fault in any other part of this process."""
        self._disconnect()
        self._stderr = None
        for channel in self._channels:
            channel.sink.line = None
        self._write_out()
        while self._channels:
            sources = [channel.source for channel in self._channels]
            ready = select.select(sources, [], [])[0]
            for channel in list(self._channels):
                if channel.source in ready:
                    self._copy(channel)
                    self._write_out()

    # --- copying ---------------------------------------------------------------------------------

    def _round(self) -> None:
        """Wait until something can be read or written, and do that."""
        sinks = self._sinks()
        ready, room = self._select(sinks)
        for sink in sinks:
            if sink.fd in room:
                sink.flush()
            if sink.reports_its_end and sink.fd in ready:
                sink.reports_its_end = False
                if not sink.has_readers():
                    sink.break_off()
        for channel in list(self._channels):
            # Closing its end lets the command notice that its output is not read, as without us.
            if channel.sink.broken:
                self._close(channel)
            elif channel.source in ready:
                self._copy(channel)
        if self._control in ready:
            self._read_orders()
        self._write_messages()
        while self._closed and self._send(CLOSED, bytes(self._closed[:1]), time.monotonic()):
            del self._closed[0]
        self._answer()
        if self._stderr is not None and time.monotonic() >= self._draw_s:
            self._draw(self._stderr)

    def _select(self, sinks: Sequence[OutputSink]) -> tuple[list[int], list[int]]:
        """The descriptors that can be read, and those that can be written to."""
        reads = [channel.source for channel in self._channels if not channel.sink.busy]
        reads += [sink.fd for sink in sinks if sink.reports_its_end and not sink.broken]
        reads += [self._control] if self._control >= 0 else []
        writes = [sink.fd for sink in sinks if sink.busy]
        owes = self._answers or self._closed
        writes += [self._report] if owes and self._report >= 0 else []
        ready, room, _ = select.select(reads, writes, [], self._timeout_s())
        return ready, room

    def _sinks(self) -> list[OutputSink]:
        """All sinks in use, each once."""
        sinks = {channel.sink: None for channel in self._channels}
        if self._stderr is not None:
            sinks[self._stderr] = None
        return list(sinks)

    def _copy(self, channel: Channel) -> None:
        try:
            data = os.read(channel.source, _CHUNK)
        except OSError:
            # A terminal that no process has open any more raises this.
            data = b""
        if not data:
            self._close(channel)
            return
        channel.passed += len(data)
        sink = channel.sink
        sink.put(sink.line.output(data, time.monotonic()) if sink.line else data)
        sink.last = data[-1:]
        sink.flush()
        self._tap(channel.stream, data)
        if sink.terminal:
            self._follow(channel)

    def _close(self, channel: Channel) -> None:
        os.close(channel.source)
        self._channels.remove(channel)
        self._closed.append(channel.stream)
        # Its readers may be waiting for the end of the output.
        if channel.sink not in self._sinks():
            channel.sink.write_out()
            os.close(channel.sink.fd)

    def _write_out(self) -> None:
        for sink in self._sinks():
            sink.write_out()

    # --- joulecast -------------------------------------------------------------------------------

    def _tap(self, stream: int, data: bytes) -> None:
        """Send joulecast a copy, in pieces that fit into its pipe whole or not at all."""
        if self._report < 0:
            return
        now = time.monotonic()
        size = select.PIPE_BUF - FRAME.size
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            if not (self._reported_loss(now) and self._send(stream, piece, now)):
                self._lost = True
                return

    def _reported_loss(self, now: float) -> bool:
        """Whether joulecast was informed of all bytes dropped so far."""
        self._lost = self._lost and not self._send(LOST, b"", now)
        return not self._lost

    def _send(self, kind: int, data: bytes, now: float) -> bool:
        if self._report < 0:
            return False
        try:
            os.write(self._report, FRAME.pack(kind, len(data), now) + data)
        except BlockingIOError:
            return False
        except OSError:
            # joulecast is dead.
            os.close(self._report)
            self._report = -1
            return False
        return True

    def _read_orders(self) -> None:
        data = os.read(self._control, _CHUNK)
        if not data:
            self._disconnect()
            return
        *orders, self._order = (self._order + data).split(b"\n")
        for order in orders:
            self._carry_out(order[:1], order[1:])
        self._draw_s = min(self._draw_s, self._drawn_s + _REDRAW_S)

    def _carry_out(self, order: bytes, text: bytes) -> None:
        if order == STILL:
            self._waiting = {channel: channel.passed for channel in self._channels}
            # The last changes of the command to its terminal.
            self._check_s = 0.0
        elif order == GO_ON:
            self._still, self._waiting = False, None
        elif order == MESSAGE:
            self._messages.append(text)
        elif self._stderr is not None and self._stderr.line is not None:
            self._stderr.line.text = text.decode(errors="replace") if order == STATUS else None

    def _disconnect(self) -> None:
        for fd in (self._control, self._report):
            if fd >= 0:
                os.close(fd)
        self._control = self._report = -1
        self._waiting, self._answers, self._draw_s = None, 0, 0.0

    def _write_messages(self) -> None:
        """Write joulecast's messages on stderr, below the command's output."""
        sink = self._stderr
        if sink is None or not self._messages:
            return
        if sink.line is not None and not sink.line.between and self._waiting is None:
            return
        for text in self._messages:
            sink.put((b"" if sink.last == b"\n" else b"\n") + text + b"\n")
            sink.last = b"\n"
        self._messages.clear()
        sink.flush()

    def _answer(self) -> None:
        """Answer the order STILL, once it is carried out."""
        if self._waiting is not None:
            still_open = {c: n for c, n in self._waiting.items() if c in self._channels}
            self._waiting = {c: n for c, n in still_open.items() if not c.drained(n)}
            if self._waiting:
                return
            self._waiting, self._still = None, True
            self._answers += 1
            if self._stderr is not None:
                self._draw(self._stderr)
        flushed = self._stderr is None or not self._stderr.busy
        now = time.monotonic()
        if self._answers and flushed and self._reported_loss(now) and self._send(DONE, b"", now):
            self._answers -= 1

    # --- the terminal ----------------------------------------------------------------------------

    def _timeout_s(self) -> float | None:
        if not any(sink.terminal for sink in self._sinks()):
            return None
        due_s = self._check_s if self._stderr is None else min(self._check_s, self._draw_s)
        return max(0.0, due_s - time.monotonic())

    def _check_terminals(self) -> None:
        """Follow the size of the terminals."""
        now = time.monotonic()
        if now < self._check_s:
            return
        self._check_s = now + _CHECK_S
        for channel in self._channels:
            if channel.sink.terminal:
                self._follow(channel)

    def _follow(self, channel: Channel) -> None:
        """Keep the command's terminal like the real one."""
        try:
            in_foreground = self._in_foreground(channel.sink)
            if channel.follow_size() and in_foreground:
                # The kernel's own SIGWINCH may have come before the new size.
                os.killpg(self._job, signal.SIGWINCH)
            if in_foreground:
                channel.follow_modes()
        except (OSError, termios.error):
            # The terminal is gone, or its processes.
            return

    def _in_foreground(self, sink: OutputSink) -> bool:
        try:
            return os.tcgetpgrp(sink.fd) == self._job
        except OSError:
            # It is not the terminal of our session.
            return False

    def _draw(self, sink: OutputSink) -> None:
        """Show the line; hide it where joulecast is dead or waits, or the shell is in front."""
        now = self._drawn_s = time.monotonic()
        self._draw_s = now + _REDRAW_S
        line = sink.line
        # After a change of size the last row is elsewhere.
        for channel in self._channels:
            if channel.sink is sink and line is not None:
                self._follow(channel)
        if line is not None and not sink.busy:
            if self._control >= 0 and not self._still and self._in_foreground(sink):
                sink.put(line.refresh(now))
            elif line.between or self._still:
                sink.put(line.hide())
            sink.flush()
        if line is None or not line.stale:
            self._draw_s = now + _CHECK_S
        if self._control < 0 and (line is None or not line.shown):
            self._leave_stderr()

    def _leave_stderr(self) -> None:
        """Stop writing there, and hide the line."""
        sink, self._stderr = self._stderr, None
        if sink is None:
            return
        if sink.line is not None:
            sink.put(sink.line.hide())
            sink.line = None
        if sink not in self._sinks():
            sink.write_out()
            os.close(sink.fd)


def serve(channels: Sequence[Channel], control: int, report: int, job: int) -> NoReturn:
    """Be the relay, in a process that was forked for it."""
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        with suppress(OSError):
            # Signals to the command's process group must not reach this process.
            os.setpgid(0, 0)
            os.chdir("/")
        own = {control, report, *(c.source for c in channels), *(c.sink.fd for c in channels)}
        _close_all_but(own)
        RelayLoop(channels, control, report, job).run_on()
    finally:
        os._exit(0)


def _close_all_but(kept: set[int]) -> None:
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - pathlib is not loaded for this
        if int(name) not in kept:
            with suppress(OSError):
                os.close(int(name))
