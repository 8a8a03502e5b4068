"""Reading what the kernel shows as files, under any root: a machine's own, or a tree of a test."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tree:
    """A file system seen from `root`. What is missing or unreadable is None, never an error."""

    root: Path = Path("/")

    @property
    def live(self) -> bool:
        """Whether this is the running machine, so that its libraries may be asked as well."""
        return self.root == Path("/")

    def raw(self, path: str, size: int = -1) -> bytes | None:
        """The first `size` bytes of a file (all by default)."""
        try:
            with (self.root / path.lstrip("/")).open("rb") as file:
                return file.read(size)
        except (OSError, ValueError):
            return None

    def text(self, path: str) -> str | None:
        """A file's text without the blanks and NULs around it; None where nothing is left."""
        data = self.raw(path)
        return (data.decode("utf-8", "replace").strip(" \t\r\n\0") or None) if data else None

    def number(self, path: str) -> int | None:
        """A file that holds one decimal integer."""
        try:
            return int(self.text(path) or "")
        except ValueError:
            return None

    def names(self, path: str) -> list[str]:
        """What a folder holds, sorted."""
        try:
            return sorted(os.listdir(self.root / path.lstrip("/")))  # noqa: PTH208 - names only
        except OSError:
            return []

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder of this name."""
        try:
            return (self.root / path.lstrip("/")).exists()
        except OSError:
            return False


def parse_cpu_list(text: str) -> set[int]:
    """The kernel's list form: `0-2,8` is {0, 1, 2, 8}. Raises ValueError on anything else."""
    cpus: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus
