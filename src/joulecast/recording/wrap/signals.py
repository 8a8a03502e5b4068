"""Signals to joulecast while its command runs: they wait, and are passed on.

They are blocked in every thread and taken one at a time, so that none ends joulecast and leaves the
command without a parent. The command shares our process group: typed signals (Ctrl-C, Ctrl-\\,
Ctrl-Z) reach it directly, and only signals that were sent to joulecast alone are passed on.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# `si_code` of a signal that no process sent.
_FROM_KERNEL = 0x80
# Faults of joulecast must end it, and the terminal sends its signals to the whole group.
_NOT_HELD = frozenset(
    getattr(signal, name)
    for name in (
        *("SIGKILL", "SIGSTOP", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS"),
        *("SIGTTIN", "SIGTTOU", "SIGWINCH"),
    )
)
PYTHON_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ)
"""Signals that Python ignores, and the command must not ignore."""
# Signals that do not end a program, where they arrive before the command is started.
_HARMLESS = frozenset(getattr(signal, name) for name in ("SIGCHLD", "SIGCONT", "SIGTSTP", "SIGURG"))


@dataclass(frozen=True, slots=True)
class Received:
    """A signal and its sender."""

    number: int
    sender: int  # its process id; 0 where it is unknown
    from_kernel: bool  # from the terminal or a timer

    def concerns(self, command: int) -> bool:
        """Whether process `command` has not received it already, by the same key or kill."""
        if self.number == signal.SIGCHLD:
            return False
        # A timer that was set before our start; SIGHUP of a closed window, sent to the leader only.
        if self.from_kernel:
            leader = os.getsid(0) == os.getpid()
            return self.number == signal.SIGALRM or (self.number == signal.SIGHUP and leader)
        return not _is_below(self.sender, command)

    def pass_on(self, command: int) -> None:
        """Send it to the command, if that is allowed (it may run as another user now)."""
        with suppress(ProcessLookupError, PermissionError):
            os.kill(command, self.number)


@dataclass(frozen=True, slots=True)
class HeldSignals:
    """Signals that wait, and the mask before."""

    watched: frozenset[int]
    before: set[int]

    def act(self, duration_s: float = 0.0) -> None:
        """Sleep while signals have their usual effect on joulecast."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self.before)
        time.sleep(duration_s)
        signal.pthread_sigmask(signal.SIG_BLOCK, self.watched)

    @property
    def heeded(self) -> set[int]:
        """Those that joulecast does not ignore."""
        return {s for s in self.watched if signal.getsignal(s) is not signal.SIG_IGN}

    def deadly(self) -> int | None:
        """A waiting signal that would end a program without a handler for it."""
        return min((signal.sigpending() & self.heeded) - _HARMLESS, default=None)

    def forget(self) -> None:
        """Drop all waiting signals."""
        while signal.sigpending() & self.watched:
            signal.sigwait(self.watched)

    def next(self) -> Received:
        """Sleep until a signal comes."""
        if hasattr(signal, "sigwaitinfo"):
            info = signal.sigwaitinfo(self.watched)
            return Received(info.si_signo, info.si_pid, info.si_code == _FROM_KERNEL)
        # macOS does not report the sender: signals that a terminal sends are treated as typed.
        number = int(signal.sigwait(self.watched))
        typed = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)
        return Received(number, 0, number in typed and os.isatty(0))


def hold_signals() -> HeldSignals:
    """Let signals wait, in this thread and all threads that it starts.

    Must be called before any thread starts (importing numpy starts some): a signal to a thread that
    does not block it would end this process and leave the command without a parent.
    """
    # If it is ignored, the end of children is not reported.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # A signal that our parent ignores (nohup) stays ignored, here and in the command, until the
    # command handles it; it waits here like the others. Python ignores two for itself.
    watched = {
        int(s)
        for s in signal.valid_signals() - _NOT_HELD
        if s not in PYTHON_IGNORES or signal.getsignal(s) is not signal.SIG_IGN
    }
    return HeldSignals(frozenset(watched), signal.pthread_sigmask(signal.SIG_BLOCK, watched))


def stop_like(number: int) -> None:
    """Stop this process by signal `number`, as the command was; returns once it is continued."""
    # Sent before it is unblocked, so that it and one that waits already (of the terminal) are one.
    os.kill(os.getpid(), number)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    # The one that continued this process.
    if signal.SIGCONT in signal.sigpending():
        signal.sigwait({signal.SIGCONT})


def _is_below(pid: int, top: int) -> bool:
    """Whether process `pid` is `top` or one of its descendants, which signal the whole group.

    The process group is no criterion: scripts that start joulecast share it, too.
    """
    while pid > 1 and pid != top:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except OSError:
            # It has ended.
            return False
        pid = int(stat.rpartition(")")[2].split()[1])
    return pid == top
