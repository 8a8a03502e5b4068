"""Where a ledger is: a path or URL, `JOULECAST_LEDGER`, or the user's data folder."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import LedgerError, UsageError

VARIABLE = "JOULECAST_LEDGER"
# One that holds an @ itself is hidden, too.
_PASSWORD = re.compile(r"(//[^/:@?]*):.*@")
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class Location:
    """A file, or the URL of a PostgreSQL database (`postgresql://...`); one is None."""

    path: Path | None = None
    url: str | None = None

    def __str__(self) -> str:
        """The path or URL, without the password."""
        if self.url is None:
            return str(self.path)
        return _PASSWORD.sub(r"\1:***@", self.url)


def locate(
    where: str | Path | None, env: Mapping[str, str], platform: str = sys.platform
) -> Location:
    """The location `where`, else that of `JOULECAST_LEDGER`, else one in the user's data folder.

    Raises `UsageError` for a URL of a database that joulecast cannot use.
    """
    where = where or env.get(VARIABLE) or None
    if where is None:
        return Location(path=_own(env, platform))
    if isinstance(where, Path) or "://" not in where:
        return Location(path=_expanded(Path(where), env))
    scheme, _, rest = where.partition("://")
    if scheme == "sqlite":
        return Location(path=_expanded(Path(rest.removeprefix("/")), env))
    if scheme not in _POSTGRES:
        raise UsageError(
            f"a ledger cannot be at a {scheme}:// URL: "
            "use a file, or postgresql://user@host/database"
        )
    # Late, because most ledgers are files.
    from urllib.parse import urlsplit

    url = f"postgresql://{rest}"
    try:
        # Raises for what is no number.
        _ = urlsplit(url).port
    except ValueError as error:
        raise UsageError(
            "the URL of the ledger cannot be read: write it as "
            "postgresql://user:password@host:5432/database"
        ) from error
    return Location(url=url)


def _own(env: Mapping[str, str], platform: str) -> Path:
    if platform == "darwin":
        return _home(env) / "Library" / "Application Support" / "joulecast" / "ledger.sqlite"
    data = Path(env.get("XDG_DATA_HOME", ""))
    # A folder that is not absolute must be ignored (XDG Base Directory Specification).
    share = data if data.is_absolute() else _home(env) / ".local/share"
    return share / "joulecast" / "ledger.sqlite"


def _home(env: Mapping[str, str]) -> Path:
    if env.get("HOME"):
        return Path(env["HOME"])
    try:
        return Path.home()
    except RuntimeError as error:
        raise LedgerError(
            f"no home folder for the ledger: name a file with --ledger or {VARIABLE}"
        ) from error


def _expanded(path: Path, env: Mapping[str, str]) -> Path:
    if path.parts[:1] == ("~",):
        path = _home(env).joinpath(*path.parts[1:])
    return path.absolute()
