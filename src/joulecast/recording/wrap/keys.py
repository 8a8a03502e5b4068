"""Keys for programs that read them where they write, as `less` does.

`less` opens the terminal of its stderr by name, and `more` reads its stderr: that is one of ours
(see `relay`). What is typed at the real one is passed on to it while it waits for single keys, and
a process of the command has it open once more or is `more`. Other programs read stdin or /dev/tty,
which are the real terminal.
"""

import os
import select
import termios
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# Time between two checks whether keys are wanted, s.
_CHECK_S = 0.1
_AT_ONCE = 256  # bytes
_MORE = "more"


def pass_keys(master: int, name: str, command: int, ended: threading.Event) -> None:
    """Pass keys on until `ended`.

    Args:
        master: our side of the command's terminal; it is closed.
        name: of the command's side.
        command: its process id.
        ended: set once the command has ended.
    """
    # There may be no terminal of our session.
    with suppress(OSError, termios.error):
        terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
        try:
            while not ended.wait(_CHECK_S):
                while (reader := _reader(terminal, master, name, command)) and not ended.is_set():
                    if select.select([terminal], [], [], _CHECK_S)[0]:
                        # It waits for its stdin, which must show the key until it has noticed.
                        if reader == _MORE:
                            ended.wait(_CHECK_S)
                        os.write(master, os.read(terminal, 1 if reader == _MORE else _AT_ONCE))
        finally:
            os.close(terminal)
    os.close(master)


def _reader(terminal: int, master: int, name: str, command: int) -> str:
    """The program that waits for keys; empty where none does.

    Raises `OSError` once the real terminal is gone.
    """
    # In the background the keys are another program's.
    if os.tcgetpgrp(terminal) != os.getpgrp() or termios.tcgetattr(master)[3] & termios.ICANON:
        return ""
    return next(filter(None, (_program_with(pid, name) for pid in _tree(command))), "")


def _program_with(pid: int, name: str) -> str:
    """The program of a process that has a file open by another descriptor than its streams.

    Of `more`, its stderr counts. Empty where there is none.
    """
    with suppress(OSError):
        program = Path(f"/proc/{pid}/comm").read_text().strip()
        first = 2 if program == _MORE else 3
        for file in Path(f"/proc/{pid}/fd").iterdir():
            if int(file.name) >= first and str(file.readlink()) == name:
                return program
    return ""


def _tree(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                yield from _tree(int(child))
