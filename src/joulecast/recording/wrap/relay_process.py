"""The process that stands between a command and where its output goes.

It copies every byte as it is, and ends when nobody can write any more. What else it does comes
second: it sends joulecast a copy of the bytes, which is dropped where joulecast is slow or dead,
and keeps the status line. No signal of the terminal or of a group reaches it. Imports stay few:
it is forked before joulecast has loaded anything.
"""

from __future__ import annotations

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
"""Head of what goes to joulecast: kind (1 or 2: bytes of that stream), length, monotonic time."""
LOST, DONE = 0, 3
"""Kinds: bytes were dropped here; what was asked for by `STILL` is done."""
STATUS, NO_STATUS, STILL, GO_ON, SAY = b"S", b"N", b"P", b"R", b"M"
"""First bytes of the lines that come from joulecast.

Show this text. Show none. Pass on what the command has written, take the line away, and say so.
Show the line again. Write this line among the output.
"""

_CHUNK = 1 << 16
_LOOK_S = 0.2  # between looks at the terminal: its size, who is in the foreground
_REDRAW_S = 0.1  # between two drawings of the status line


class RelayLoop:
    """Copies until all channels have ended and joulecast has gone, or has no more to ask."""

    def __init__(
        self,
        channels: Iterable[Channel],
        control: int,
        report: int,
        job: int,
    ) -> None:
        self._channels = list(channels)
        spoken = [channel.sink for channel in self._channels if 2 in channel.streams]
        self._stderr = spoken[0] if spoken else None  # has the status line; open while we obey
        self._control, self._report = control, report  # from and to joulecast, -1 when closed
        self._job = job  # joulecast's process group, and the command's
        self._order = b""  # begun, not complete
        self._says: list[bytes] = []  # joulecast's own words, still to be written
        self._lost = False
        self._waiting: dict[Channel, int] | None = None  # to be drained before we say that it is
        self._answers = 0  # to be given
        self._still = False
        self._look_s = self._draw_s = 0.0  # when to look, to draw next
        self._drawn_s = 0.0  # when it was tried last

    def run(self) -> None:
        """Until there is nothing left to copy and nobody to obey."""
        try:
            while self._channels or self._control >= 0:
                self._look()
                self._round()
            self._write_out()
        finally:
            self._leave_stderr()

    def copy_only(self) -> None:
        """The command's output is passed on whatever fault there is in the rest of us."""
        self._forget_joulecast()
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
        sinks = self._sinks()
        reads = [channel.source for channel in self._channels if not channel.sink.busy]
        reads += [sink.fd for sink in sinks if sink.tells_its_end and not sink.broken]
        reads += [self._control] if self._control >= 0 else []
        writes = [sink.fd for sink in sinks if sink.busy]
        writes += [self._report] if self._answers and self._report >= 0 else []
        ready, room, _ = select.select(reads, writes, [], self._timeout_s())
        for sink in sinks:
            if sink.fd in room:
                sink.flush()
            if sink.tells_its_end and sink.fd in ready:
                sink.tells_its_end = False
                if not sink.has_readers():
                    sink.break_off()
        for channel in list(self._channels):
            if channel.sink.broken:  # the command is to learn of it as it would have by itself
                self._close(channel)
            elif channel.source in ready:
                self._copy(channel)
        if self._control in ready:
            self._obey()
        self._speak()
        self._answer()
        if self._stderr is not None and time.monotonic() >= self._draw_s:
            self._draw(self._stderr)

    def _sinks(self) -> list[OutputSink]:
        """Each that is in use, once."""
        sinks = {channel.sink: None for channel in self._channels}
        if self._stderr is not None:
            sinks[self._stderr] = None
        return list(sinks)

    def _copy(self, channel: Channel) -> None:
        try:
            data = os.read(channel.source, _CHUNK)
        except OSError:  # how a terminal says that nobody has it open any more
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
        if channel.sink not in self._sinks():  # whoever reads there may be waiting for our end
            channel.sink.write_out()
            os.close(channel.sink.fd)

    def _write_out(self) -> None:
        for sink in self._sinks():
            sink.write_out()

    # --- joulecast -------------------------------------------------------------------------------

    def _tap(self, stream: int, data: bytes) -> None:
        """A copy for joulecast, in pieces that go into its pipe as a whole or not at all."""
        if self._report < 0:
            return
        now = time.monotonic()
        most = select.PIPE_BUF - FRAME.size
        for start in range(0, len(data), most):
            piece = data[start : start + most]
            if not (self._told_of_loss(now) and self._send(stream, piece, now)):
                self._lost = True
                return

    def _told_of_loss(self, now: float) -> bool:
        """Whether joulecast knows of all that was dropped so far."""
        self._lost = self._lost and not self._send(LOST, b"", now)
        return not self._lost

    def _send(self, kind: int, data: bytes, now: float) -> bool:
        if self._report < 0:
            return False
        try:
            os.write(self._report, FRAME.pack(kind, len(data), now) + data)
        except BlockingIOError:
            return False
        except OSError:  # joulecast is dead
            os.close(self._report)
            self._report = -1
            return False
        return True

    def _obey(self) -> None:
        data = os.read(self._control, _CHUNK)
        if not data:
            self._forget_joulecast()
            return
        *orders, self._order = (self._order + data).split(b"\n")
        for order in orders:
            self._carry_out(order[:1], order[1:])
        self._draw_s = min(self._draw_s, self._drawn_s + _REDRAW_S)

    def _carry_out(self, order: bytes, text: bytes) -> None:
        if order == STILL:
            self._waiting = {channel: channel.passed for channel in self._channels}
            self._look_s = 0.0  # what the command did to its terminal last
        elif order == GO_ON:
            self._still, self._waiting = False, None
        elif order == SAY:
            self._says.append(text)
        elif self._stderr is not None and self._stderr.line is not None:
            self._stderr.line.text = text.decode(errors="replace") if order == STATUS else None

    def _forget_joulecast(self) -> None:
        for fd in (self._control, self._report):
            if fd >= 0:
                os.close(fd)
        self._control = self._report = -1
        self._waiting, self._answers, self._draw_s = None, 0, 0.0

    def _speak(self) -> None:
        """Lines of joulecast's own on stderr, below what the command has written there."""
        sink = self._stderr
        if sink is None or not self._says:
            return
        if sink.line is not None and not sink.line.between and self._waiting is None:
            return
        for text in self._says:
            sink.put((b"" if sink.last == b"\n" else b"\n") + text + b"\n")
            sink.last = b"\n"
        self._says.clear()
        sink.flush()

    def _answer(self) -> None:
        """What was asked for by STILL, once it is done."""
        if self._waiting is not None:
            left = {c: n for c, n in self._waiting.items() if c in self._channels}
            self._waiting = {c: n for c, n in left.items() if not c.drained(n)}
            if self._waiting:
                return
            self._waiting, self._still = None, True
            self._answers += 1
            if self._stderr is not None:
                self._draw(self._stderr)
        flushed = self._stderr is None or not self._stderr.busy
        now = time.monotonic()
        if self._answers and flushed and self._told_of_loss(now) and self._send(DONE, b"", now):
            self._answers -= 1

    # --- the terminal ----------------------------------------------------------------------------

    def _timeout_s(self) -> float | None:
        if not any(sink.terminal for sink in self._sinks()):
            return None
        due_s = self._look_s if self._stderr is None else min(self._look_s, self._draw_s)
        return max(0.0, due_s - time.monotonic())

    def _look(self) -> None:
        """Follow the size of the terminals; let the line be drawn, or left to the shell."""
        now = time.monotonic()
        if now < self._look_s:
            return
        self._look_s = now + _LOOK_S
        for channel in self._channels:
            if channel.sink.terminal:
                self._follow(channel)

    def _follow(self, channel: Channel) -> None:
        """Keep the command's terminal and the real one in step."""
        try:
            in_foreground = self._in_foreground(channel.sink)
            if channel.follow_size() and in_foreground:
                # The kernel's own SIGWINCH may have come before the new size.
                os.killpg(self._job, signal.SIGWINCH)
            if in_foreground:
                channel.follow_modes()
        except (OSError, termios.error):  # the terminal is gone, or its processes
            return

    def _in_foreground(self, sink: OutputSink) -> bool:
        try:
            return os.tcgetpgrp(sink.fd) == self._job
        except OSError:  # not the terminal of our session
            return False

    def _draw(self, sink: OutputSink) -> None:
        """Show the line, or take it away: joulecast is dead or waits, the shell has taken over."""
        now = self._drawn_s = time.monotonic()
        self._draw_s = now + _REDRAW_S
        line = sink.line
        for channel in self._channels:  # not at a place where the last row was before
            if channel.sink is sink and line is not None:
                self._follow(channel)
        if line is not None and not sink.busy:
            if self._control >= 0 and not self._still and self._in_foreground(sink):
                sink.put(line.refresh(now))
            elif line.between or self._still:
                sink.put(line.hide())
            sink.flush()
        if line is None or not line.stale:
            self._draw_s = now + _LOOK_S
        if self._control < 0 and (line is None or not line.shown):
            self._leave_stderr()

    def _leave_stderr(self) -> None:
        """Nothing of ours is written there any more; the line, if any, goes."""
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
            os.setpgid(0, 0)  # what is sent to the command's whole group is not for us
            os.chdir("/")
        mine = {control, report, *(c.source for c in channels), *(c.sink.fd for c in channels)}
        _close_all_but(mine)
        relay = RelayLoop(channels, control, report, job)
        try:
            relay.run()
        except Exception:  # of the copy or the line: the output goes on all the same
            relay.copy_only()
    finally:
        os._exit(0)


def _close_all_but(kept: set[int]) -> None:
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - pathlib is not loaded for this
        if int(name) not in kept:
            with suppress(OSError):
                os.close(int(name))
