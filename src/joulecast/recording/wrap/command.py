"""Runs a command with its own streams, terminal and signals, as without joulecast."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from ...errors import JoulecastError
from .signals import PYTHON_IGNORES, HeldSignals, stop_like

if TYPE_CHECKING:
    from .relay import Relay

_CANCELS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
_IMPATIENT = {signal.SIGINT, signal.SIGTERM, signal.SIGQUIT}


class CommandNotFoundError(JoulecastError):
    """The command cannot be started; exits as a shell does: 127 not found, 126 not executable."""

    def __init__(self, command: str, reason: str, exit_code: int) -> None:
        super().__init__(f"cannot run {command!r}: {reason}")
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Exit:
    """How a command ended."""

    code: int | None
    signal: int | None

    @property
    def is_canceled(self) -> bool:
        """Whether its user ended it: by a signal, or the exit code of shells for Ctrl-C or kill."""
        return self.signal in _CANCELS or self.code in (130, 143)

    @property
    def shell_code(self) -> int:
        """The exit code a shell would show: 128 + n for a death by signal n."""
        return 128 + self.signal if self.signal is not None else self.code or 0

    def leave(self) -> NoReturn:
        """End this process exactly as the command ended, by the same signal if by one."""
        if self.signal is not None:
            # The command has written its own core dump.
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if self.signal != signal.SIGKILL and _in_main_thread():
                signal.signal(self.signal, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {self.signal})
            os.kill(os.getpid(), self.signal)
        os._exit(self.shell_code)


# Only in the main thread can Python change the action of a signal.
def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def check_command(command: str) -> None:
    """Raises `CommandNotFoundError` where there is no such program."""
    if shutil.which(command) is not None:
        return
    # Methods of Path raise for a name of 300 characters.
    if "/" in command and os.path.isdir(command):  # noqa: PTH112
        raise CommandNotFoundError(command, "it is a folder", 126)
    places = [command] if "/" in command else [f"{path}/{command}" for path in os.get_exec_path()]
    if any(os.path.isfile(place) for place in places):  # noqa: PTH113
        raise CommandNotFoundError(command, "it is not executable", 126)
    raise CommandNotFoundError(command, "no such program", 127)


def become_command(command: Sequence[str], env: Mapping[str, str], held: HeldSignals) -> NoReturn:
    """Replace this process by the command. Raises `CommandNotFoundError`."""
    for number in PYTHON_IGNORES:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, held.before)
    _start(command, lambda argv: os.execvpe(argv[0], argv, _passable(env)))
    raise AssertionError


def run_command(
    command: Sequence[str],
    env: Mapping[str, str],
    held: HeldSignals,
    on_start: Callable[[int], None],
    on_end: Callable[[Exit], None],
    relay: Relay | None = None,
) -> Exit:
    """Start the command, call `on_start` with its process id, wait, call `on_end` with its end.

    With a `relay` the command's output goes through it, and has passed it at `on_end`, unless
    no process reads it; text below the output is written after `relay.finish()`. At `on_end` the
    dead process is still listed, so that its last CPU time can be read. Ctrl-C or SIGTERM during
    `on_end` ends this process at once, as the command ended. Raises `CommandNotFoundError`.
    """
    # Ctrl-Z may have been typed before there was a command.
    held.act()
    pid = _start(
        command,
        lambda argv: os.posix_spawnp(
            argv[0],
            argv,
            _passable(env),
            file_actions=[] if relay is None else relay.file_actions,
            setsigmask=held.before,
            setsigdef=PYTHON_IGNORES,
        ),
    )
    if relay is not None:
        relay.started(pid)
    on_start(pid)
    while (result := _ended(pid)) is None:
        if (number := _stopped(pid)) is not None:
            if relay is not None:
                relay.settle()
            _stop_with(pid, number)
            if relay is not None:
                relay.resume()
            continue
        received = held.next()
        if received.concerns(pid):
            received.pass_on(pid)
    held.forget()
    # No thread can be started.
    with suppress(RuntimeError):
        threading.Thread(target=_leave_on_signal, args=(held, result), daemon=True).start()
    if relay is not None:
        relay.settle()
    on_end(result)
    if relay is not None:
        relay.finish()
    if hasattr(os, "waitid"):
        os.waitpid(pid, 0)
    return result


def _leave_on_signal(held: HeldSignals, result: Exit) -> None:
    """End this process by a signal, also while a locked ledger blocks the main thread."""
    signal.sigwait(_IMPATIENT & held.heeded)
    result.leave()


def _ended(pid: int) -> Exit | None:
    """How the command ended, or None while it runs; it stays listed where the system allows it."""
    if hasattr(os, "waitid"):
        state = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if state is None:
            return None
        by_itself = state.si_code == os.CLD_EXITED
        return Exit(state.si_status, None) if by_itself else Exit(None, state.si_status)
    # MacOS before Python 3.13.
    done, status = os.waitpid(pid, os.WNOHANG)
    if not done:
        return None
    code = os.waitstatus_to_exitcode(status)
    return Exit(code, None) if code >= 0 else Exit(None, -code)


def _stopped(pid: int) -> int | None:
    """The signal that stopped the command, returned once for each stop."""
    if not hasattr(os, "waitid"):
        return None
    try:
        state = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG)
    except ChildProcessError:
        # It has just ended.
        return None
    return None if state is None else state.si_status


def _stop_with(pid: int, number: int) -> None:
    """Stop as the command did, so that the shell notices; continue it where only this was."""
    stop_like(number)
    any_change = os.WEXITED | os.WSTOPPED | os.WCONTINUED
    if os.waitid(os.P_PID, pid, any_change | os.WNOHANG | os.WNOWAIT) is None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGCONT)


def _start(command: Sequence[str], start: Callable[[list[str]], int]) -> int:
    argv = list(command)
    try:
        try:
            return start(argv)
        except OSError as error:
            program = shutil.which(argv[0])
            if error.errno != errno.ENOEXEC or program is None:
                raise
            # A script without an interpreter line.
            return start(["/bin/sh", program, *argv[1:]])
    except OSError as error:
        code = 127 if error.errno == errno.ENOENT else 126
        raise CommandNotFoundError(command[0], error.strerror or str(error), code) from None


def _passable(env: Mapping[str, str]) -> dict[str, str]:
    """The variables without those that Python cannot pass on: `env =x=y` makes an empty name."""
    return {name: value for name, value in env.items() if name and "=" not in name}
