"""The process of a trial, as the runner starts it, talks to it and reads its output."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ...recording.wrap.stop import Stopper

# The end of what it prints, which is kept.
_LOG_BYTES = 64 * 1024
# Where the system has no pidfd.
_POLL_S = 0.05
# Its work done, it may take so long to exit.
_LEAVE_S = 10.0


class TrialProcess:
    """A child process that calls the study's function; it ends with the `with` block at the latest.

    It has a session of its own, so that a Ctrl-C at the terminal reaches the runner only. `echo` is
    called with what it prints.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        folder: Path,
        env: Mapping[str, str],
        echo: Callable[[bytes], None] | None = None,
    ) -> None:
        self._stopper = Stopper()
        self._stopper.adopt_orphans()
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = [str(theirs.fileno()), str(os.getpid())]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "joulecast.study.running.trial", *arguments],
                cwd=folder,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._stopper.follow(self.pid)
        self._channel, self._partial = ours, b""
        self._messages: deque[dict[str, Any]] = deque()
        self._pidfd = _pidfd(self.pid)
        self._log: deque[bytes] = deque()
        self._logged = 0
        self._logging = threading.Lock()
        self._echo = echo
        assert self._process.stdout is not None
        self._reading = threading.Thread(
            target=self._read, args=(self._process.stdout,), name="joulecast-log", daemon=True
        )
        self._reading.start()
        self.send(dict(spec))

    def __enter__(self) -> TrialProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; nothing happens where the process has ended."""
        with suppress(OSError):
            self._channel.sendall((json.dumps(message) + "\n").encode())

    def next(self, timeout_s: float) -> dict[str, Any] | None:
        """Its next message, `{"ended": code}` once it has ended (-n: by signal n), None so far."""
        deadline = time.monotonic() + timeout_s
        while True:
            if self._messages:
                return self._messages.popleft()
            # Read before the channel: nothing is sent after the end.
            ended = self._ended()
            self._receive(0.0)
            if self._messages:
                continue
            if ended is not None:
                return {"ended": ended}
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return None
            self._receive(remaining if self._pidfd is not None else min(remaining, _POLL_S))

    def tend(self) -> None:
        """Find processes that it started; to be called about once a second while it runs."""
        self._stopper.tend()

    def stop(self, grace_s: float) -> str:
        """End it and all processes that it started; returns how it ended, for people."""
        return str(self._stopper.stop(grace_s))

    def _leave(self) -> None:
        """Wait for its exit, then end what it started and left running."""
        with suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + _LEAVE_S
        while self._ended() is None and time.monotonic() < deadline:
            select.select([] if self._pidfd is None else [self._pidfd], [], [], _POLL_S)
        self._stopper.stop(1.0)
        self._process.wait()
        # A process that it started may still have its output open.
        self._reading.join(1.0)
        self._channel.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None

    @property
    def log(self) -> str:
        """The end of what it printed."""
        with self._logging:
            text = b"".join(self._log)
        return text[-_LOG_BYTES:].decode(errors="replace")

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            while data := os.read(stream.fileno(), 65536):
                with self._logging:
                    self._log.append(data)
                    self._logged += len(data)
                    while self._logged - len(self._log[0]) >= _LOG_BYTES:
                        self._logged -= len(self._log.popleft())
                if self._echo is None:
                    continue
                try:
                    self._echo(data)
                # The reader is gone; the trial continues.
                except (OSError, ValueError):
                    self._echo = None

    def _receive(self, timeout_s: float) -> None:
        watched = [self._channel.fileno()] + ([] if self._pidfd is None else [self._pidfd])
        if self._partial is _CLOSED:
            watched = watched[1:]
        readable, _, _ = select.select(watched, [], [], timeout_s)
        if self._partial is _CLOSED or self._channel.fileno() not in readable:
            return
        try:
            data = self._channel.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._partial = _CLOSED
            return
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            # The user's code may have written to the channel.
            with suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict):
                    self._messages.append(message)

    def _ended(self) -> int | None:
        """Its exit code; the process stays listed, so that its last CPU time can be read."""
        if not hasattr(os, "waitid"):
            return self._process.poll()
        if self._process.returncode is not None:
            return self._process.returncode
        state = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if state is None:
            return None
        return int(state.si_status if state.si_code == os.CLD_EXITED else -state.si_status)


_CLOSED = b"\0closed"


def exit_text(code: int) -> str:
    """`exit code 1`, `killed by SIGSEGV`."""
    if code >= 0:
        return f"it ended without a report, exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _pidfd(pid: int) -> int | None:
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    # An old kernel, or a sandbox that forbids it.
    except OSError:
        return None
