"""Reads the files in which the kernel describes the machine, under any root."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tree:
    """A file system under `root`. What is missing or unreadable is None, never an error."""

    root: Path = Path("/")

    @property
    def live(self) -> bool:
        """Whether this is the running machine, so that its libraries may be called as well."""
        return self.root == Path("/")

    def raw(self, path: str, size: int = -1) -> bytes | None:
        """The first `size` bytes of a file (all by default)."""
        try:
            with (self.root / path.lstrip("/")).open("rb") as file:
                return file.read(size)
        except (OSError, ValueError):
            return None

    def text(self, path: str) -> str | None:
        """A file's text without the blanks and NULs around it; None if it is empty."""
        data = self.raw(path)
        return (data.decode("utf-8", "replace").strip(" \t\r\n\0") or None) if data else None

    def number(self, path: str) -> int | None:
        """A file that holds one decimal integer."""
        try:
            return int(self.text(path) or "")
        except ValueError:
            return None

    def names(self, path: str) -> list[str]:
        """Names of the files in a folder, sorted."""
        try:
            return sorted(file.name for file in (self.root / path.lstrip("/")).iterdir())
        except OSError:
            return []

    def find(self, pattern: str) -> list[str]:
        """Paths that fit a glob pattern, sorted."""
        return sorted(str(path.relative_to(self.root)) for path in self.root.glob(pattern))

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder with this path."""
        try:
            return (self.root / path.lstrip("/")).exists()
        except OSError:
            return False


def parse_cpu_list(text: str) -> set[int]:
    """The kernel's list form: `0-2,8` is {0, 1, 2, 8}. Raises `ValueError` otherwise."""
    cpus: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus
