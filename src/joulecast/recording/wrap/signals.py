"""Signals that come to joulecast while it stands before a command: kept, then passed on.

They are blocked in every thread and taken one at a time, so that none ends joulecast and leaves the
command an orphan. The command shares our process group: what is typed (Ctrl-C, Ctrl-\\, Ctrl-Z)
reaches it directly, and only what was sent to us alone is passed on.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_FROM_KERNEL = 0x80  # si_code of a signal that no process sent
# Faults of our own code must end us, and the terminal sends its own signals to the whole group.
_LEFT_ALONE = frozenset(
    getattr(signal, name)
    for name in (
        *("SIGKILL", "SIGSTOP", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS"),
        *("SIGTTIN", "SIGTTOU", "SIGWINCH"),
    )
)
# What waits before the command was started and does not end a program.
_HARMLESS = frozenset(getattr(signal, name) for name in ("SIGCHLD", "SIGCONT", "SIGTSTP", "SIGURG"))


@dataclass(frozen=True, slots=True)
class Received:
    """A signal that came, and who sent it."""

    number: int
    sender: int  # its process id; 0 where it has none that we can see
    from_kernel: bool  # by the terminal, or by a timer

    def concerns(self, command: int) -> bool:
        """Whether process `command` has not got it already, by the same key or the same kill."""
        if self.number == signal.SIGCHLD:
            return False
        if self.from_kernel:  # a timer we were started with; a window closed, told the leader only
            leader = os.getsid(0) == os.getpid()
            return self.number == signal.SIGALRM or (self.number == signal.SIGHUP and leader)
        return not _is_below(self.sender, command)

    def pass_on(self, command: int) -> None:
        """Send it to the command, where we may (not if that became another user's)."""
        with suppress(ProcessLookupError, PermissionError):
            os.kill(command, self.number)


@dataclass(frozen=True, slots=True)
class HeldSignals:
    """Signals kept waiting, and the mask that was before."""

    watched: frozenset[int]
    before: set[int]

    def act(self, duration_s: float = 0.0) -> None:
        """Sleep with the signals let through: each takes its usual effect on us at once."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self.before)
        time.sleep(duration_s)
        signal.pthread_sigmask(signal.SIG_BLOCK, self.watched)

    def deadly(self) -> int | None:
        """A signal that waits and would end a program that has no handler for it."""
        return min((signal.sigpending() & self.watched) - _HARMLESS, default=None)

    def forget(self) -> None:
        """Drop all that wait."""
        while signal.sigpending() & self.watched:
            signal.sigwait(self.watched)

    def next(self) -> Received:
        """Sleep until a signal comes."""
        if hasattr(signal, "sigwaitinfo"):
            info = signal.sigwaitinfo(self.watched)
            return Received(info.si_signo, info.si_pid, info.si_code == _FROM_KERNEL)
        # macOS cannot tell who sent it: what is typed is what a terminal sends
        number = int(signal.sigwait(self.watched))
        typed = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)
        return Received(number, 0, number in typed and os.isatty(0))


def hold_signals() -> HeldSignals:
    """Keep signals waiting, in this thread and all it will start.

    To be called before anything starts threads (numpy's linear algebra does when imported): a
    signal that found an unprepared thread would end this process and leave the command orphaned.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, children would vanish unseen
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # A signal ignored by whoever started us (nohup) stays ignored, for us and for the command.
    watched = {
        int(s)
        for s in signal.valid_signals() - _LEFT_ALONE
        if signal.getsignal(s) is not signal.SIG_IGN
    }
    return HeldSignals(frozenset(watched), signal.pthread_sigmask(signal.SIG_BLOCK, watched))


def stop_like(number: int) -> None:
    """Stop this process by signal `number`, as the command was; returns once it is continued."""
    # Sent before it is let through: one that waits already (the terminal's) and it are then one.
    os.kill(os.getpid(), number)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    if signal.SIGCONT in signal.sigpending():  # the one that woke us
        signal.sigwait({signal.SIGCONT})


def _is_below(pid: int, top: int) -> bool:
    """Whether process `pid` is `top` or one of its descendants, who signals the whole group.

    Its process group would not tell: scripts that start us share ours, and their `kill` is for us.
    """
    while pid > 1 and pid != top:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except OSError:  # it is gone
            return False
        pid = int(stat.rpartition(")")[2].split()[1])
    return pid == top
