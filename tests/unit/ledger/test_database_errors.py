"""The line that each failure of a database becomes."""

import sqlite3
from pathlib import Path

import pytest

from fakes.golden import golden
from joulecast.errors import LedgerError
from joulecast.ledger.database_errors import POSTGRES, SQLITE, explain, explained
from joulecast.ledger.location import Location

FILE = Location(path=Path("/data/ledger.sqlite"))
SERVER = Location(url="postgresql://joule:s3cret@db/joule")


def failure(message: str) -> sqlite3.OperationalError:
    return sqlite3.OperationalError(message)


def test_the_wording_of_all_messages() -> None:
    lines = [str(explain(failure(f"Driver: {part.upper()}!\nmore"), FILE)) for part in SQLITE]
    lines += [str(explain(failure(f"{part} on host"), SERVER)) for part in POSTGRES]
    assert len(lines) == len(SQLITE) + len(POSTGRES)
    assert not any("s3cret" in line or "\n" in line for line in lines)
    golden("ledger-errors", "\n".join(lines))


@pytest.mark.parametrize("location", [FILE, SERVER])
def test_an_unknown_message_is_shown_by_its_first_line(location: Location) -> None:
    assert str(explain(failure("odd\nmore"), location)) == f"ledger {location}: odd"


def test_only_errors_of_the_database_and_the_files_are_explained() -> None:
    with pytest.raises(LedgerError), explained(FILE):
        raise PermissionError(13, "Permission denied")
    with pytest.raises(KeyError), explained(FILE):
        raise KeyError("x")
