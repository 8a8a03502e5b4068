"""Reads what a command writes to a file that is its stdout or stderr, from the file itself.

The command uses the file directly: its errors (a full disk), its size and its position are
unchanged. The position, which all processes that inherit the file share, shows how far it has
written.
"""

import fcntl
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

_MAX_BYTES = 1 << 16  # at once


class Tail:
    """What is written from now on to the file of `fds` (1, 2, or both where they are one).

    Raises `OSError` where the file cannot be read.
    """

    def __init__(self, fds: Sequence[int]) -> None:
        self._fds = list(fds)
        self._file = os.open(_path(fds[0]), os.O_RDONLY)
        at_end = fcntl.fcntl(fds[0], fcntl.F_GETFL) & os.O_APPEND
        self._done = os.fstat(fds[0]).st_size if at_end else self._position()

    def _position(self) -> int:
        return max(os.lseek(fd, 0, os.SEEK_CUR) for fd in self._fds)

    def read(self) -> bytes:
        """The next bytes, b"" where there are none yet. Raises `OSError`."""
        end = self._position()
        if end < self._done:
            # The file was truncated (a rotated log), or nothing was appended to it yet.
            if os.fstat(self._file).st_size >= self._done:
                return b""
            self._done = 0
        data = os.pread(self._file, min(_MAX_BYTES, end - self._done), self._done)
        self._done += len(data)
        return data

    def close(self) -> None:
        """Read no more."""
        with suppress(OSError):
            os.close(self._file)


def _path(fd: int) -> str:
    if sys.platform == "darwin":
        path = fcntl.fcntl(fd, fcntl.F_GETPATH, bytes(1024))
        return os.fsdecode(path.rstrip(b"\0"))
    return f"/proc/self/fd/{fd}"
