"""The one writer of files that a verb was asked for: each is written whole, or not at all."""

import contextlib
import errno
import os
from collections.abc import Iterable
from pathlib import Path

from .serialize import encodable


def write_whole(
    path: str | Path,
    pieces: Iterable[str | bytes],
    *,
    overwrite: bool = True,
) -> None:
    """Write a file by way of a part next to it, which takes its place when it is complete.

    Only its owner may read a new file, because a command line may hold secrets; one that replaces
    another keeps the permissions of that.

    Args:
        path: a device or a pipe is written to as it is; a link stays one.
        pieces: bytes, or text for UTF-8.
        overwrite: whether the file may exist.

    Raises:
        FileExistsError: it exists, and may not.
        OSError: it cannot be written; what was there before still is.
    """
    path = Path(os.path.realpath(path))
    data = (encodable(p).encode() if isinstance(p, str) else p for p in pieces)
    if path.exists() and not path.is_file():
        with path.open("wb") as device:
            device.writelines(data)
        return
    replaced = path.exists()
    if replaced and not overwrite:
        raise FileExistsError(errno.EEXIST, "File exists", str(path))
    part = path.with_name(f".{path.name[:80]}.{os.getpid()}.part")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
            if replaced:
                os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
            file.writelines(data)
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
