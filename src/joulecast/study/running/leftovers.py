"""Ends processes of trials whose runner was killed: they would disturb the trials that follow.

A trial dies with its runner, but what the trial has started (data loaders, servers) does not. All
of it inherits a variable that names the runner.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from ...errors import BadInputError
from ...ledger.liveness import ProcessIdentity, lives, this_process
from ...ledger.stored_json import dumps, loads

VARIABLE = "JOULECAST_RUNNER"


def runner_variable() -> dict[str, str]:
    """What the environment of a trial names its runner by."""
    return {VARIABLE: dumps(this_process())}


def end_leftovers(kill: Callable[[int, int], None] = os.kill) -> int:
    """Kill the processes of this machine whose runner is dead; returns how many there were.

    Only Linux shows the variables of other processes.
    """
    ended = 0
    for pid, runner in _of_trials():
        # None is a runner elsewhere: in a container whose processes are seen from here.
        if lives(runner) is False:
            with suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)
                ended += 1
    return ended


def _of_trials(proc: Path = Path("/proc")) -> Iterator[tuple[int, ProcessIdentity]]:
    for folder in proc.glob("[0-9]*"):
        # It has ended, is another user's, or has another meaning for the variable.
        with suppress(OSError, ValueError, TypeError, BadInputError):
            entries = (folder / "environ").read_bytes().split(b"\0")
            name = f"{VARIABLE}=".encode()
            texts = [entry.removeprefix(name) for entry in entries if entry.startswith(name)]
            if texts:
                yield int(folder.name), loads(texts[0].decode(), ProcessIdentity)
