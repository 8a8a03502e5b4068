"""Runs a command as if joulecast were not there: its streams, terminal and signals are its own.

The child shares our process group and terminal, so what is typed (Ctrl-C, Ctrl-Z, Ctrl-\\) reaches
it directly. Signals that somebody sends to us alone are passed on.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from ..errors import JoulecastError

_FORWARDED = frozenset(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM")
)
_FROM_KERNEL = 0x80  # si_code of a signal that the terminal sent to the whole group


class CommandNotFoundError(JoulecastError):
    """The command cannot be started; exits as a shell does."""

    def __init__(self, command: str, reason: str, exit_code: int) -> None:
        super().__init__(f"cannot run {command!r}: {reason}")
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Exit:
    """How a command ended."""

    code: int | None
    signal: int | None

    @property
    def shell_code(self) -> int:
        """The exit code a shell would show: 128 + n for a death by signal n."""
        return 128 + self.signal if self.signal is not None else self.code or 0

    def leave(self) -> NoReturn:
        """End this process exactly as the command ended, by the same signal if by one."""
        sys.stdout.flush()
        sys.stderr.flush()
        if self.signal is not None:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command left its own core
            if self.signal not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(self.signal, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {self.signal})
            os.kill(os.getpid(), self.signal)
        os._exit(self.shell_code)


@dataclass(frozen=True, slots=True)
class HeldSignals:
    """Signals kept waiting for `run_command`, and the mask to give to the command."""

    watched: frozenset[int]
    before: set[int]


def hold_signals() -> HeldSignals:
    """Keep signals waiting, in this thread and all it will start.

    To be called before anything starts threads (numpy's linear algebra does when imported): a
    signal that found an unprepared thread would end this process and leave the command orphaned.
    """
    watched: set[int] = {*_FORWARDED, signal.SIGCHLD}
    # A signal ignored by whoever started us (nohup) stays ignored, for us and for the command.
    watched = {s for s in watched if signal.getsignal(s) is not signal.SIG_IGN}
    return HeldSignals(frozenset(watched), signal.pthread_sigmask(signal.SIG_BLOCK, watched))


def run_command(
    command: Sequence[str],
    env: Mapping[str, str],
    held: HeldSignals,
    on_start: Callable[[int], None],
    on_end: Callable[[Exit], None],
) -> Exit:
    """Start the command, tell `on_start` its process id, wait for its end, tell `on_end` how.

    At `on_end` the dead process is still listed, so that its last CPU time can be read. Raises
    `CommandNotFoundError`.
    """
    pid = _spawn(command, env, held.before)
    on_start(pid)
    while (result := _ended(pid)) is None:
        _next_signal(pid, held.watched)
    on_end(result)
    if hasattr(os, "waitid"):
        os.waitpid(pid, 0)
    return result


def _ended(pid: int) -> Exit | None:
    """How the command ended, or None while it runs; it stays listed where the system lets it."""
    if hasattr(os, "waitid"):
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return None
        by_itself = found.si_code == os.CLD_EXITED
        return Exit(found.si_status, None) if by_itself else Exit(None, found.si_status)
    done, status = os.waitpid(pid, os.WNOHANG)  # macOS before Python 3.13
    if not done:
        return None
    code = os.waitstatus_to_exitcode(status)
    return Exit(code, None) if code >= 0 else Exit(None, -code)


def _spawn(command: Sequence[str], env: Mapping[str, str], mask: set[int]) -> int:
    # What Python changed for itself is set back: it ignores SIGPIPE and SIGXFSZ, catches SIGINT.
    python_own = {signal.SIGPIPE, signal.SIGXFSZ}
    try:
        return os.posix_spawnp(
            command[0], list(command), dict(env), setsigmask=mask, setsigdef=python_own
        )
    except OSError as error:
        code = 127 if error.errno == errno.ENOENT else 126
        raise CommandNotFoundError(command[0], error.strerror or str(error), code) from None


def _next_signal(pid: int, watched: frozenset[int]) -> None:
    """Sleep until a signal comes, and pass it on if the terminal has not done so already."""
    if hasattr(signal, "sigwaitinfo"):
        info = signal.sigwaitinfo(watched)
        number, from_terminal = info.si_signo, info.si_code == _FROM_KERNEL
    else:  # macOS cannot tell who sent it: what is typed is what a terminal sends
        number = int(signal.sigwait(watched))
        from_terminal = number in (signal.SIGINT, signal.SIGQUIT) and os.isatty(0)
    if number != signal.SIGCHLD and not from_terminal:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
