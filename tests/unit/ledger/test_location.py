from pathlib import Path

import pytest

from joulecast.errors import UsageError
from joulecast.ledger.location import locate

HOME = {"HOME": "/home/ada"}


@pytest.mark.parametrize(
    ("where", "env", "platform", "expected"),
    [
        (None, {}, "linux", "/home/ada/.local/share/joulecast/ledger.sqlite"),
        (None, {"XDG_DATA_HOME": "/data"}, "linux", "/data/joulecast/ledger.sqlite"),
        (
            None,
            {"XDG_DATA_HOME": "data"},
            "linux",
            "/home/ada/.local/share/joulecast/ledger.sqlite",
        ),
        (None, {}, "darwin", "/home/ada/Library/Application Support/joulecast/ledger.sqlite"),
        (None, {"JOULECAST_LEDGER": "/x.sqlite"}, "linux", "/x.sqlite"),
        (None, {"JOULECAST_LEDGER": ""}, "linux", "/home/ada/.local/share/joulecast/ledger.sqlite"),
        ("/y.sqlite", {"JOULECAST_LEDGER": "/x.sqlite"}, "linux", "/y.sqlite"),
        (Path("/y.sqlite"), {}, "linux", "/y.sqlite"),
        ("~/runs.db", {}, "linux", "/home/ada/runs.db"),
        ("sqlite:////abs/runs.db", {}, "linux", "/abs/runs.db"),
    ],
)
def test_files(where: str | None, env: dict[str, str], platform: str, expected: str) -> None:
    assert locate(where, HOME | env, platform).path == Path(expected)


def test_a_relative_file_is_pinned_to_where_we_are_now() -> None:
    assert locate("runs.db", HOME).path == Path.cwd() / "runs.db"
    assert locate("sqlite:///runs.db", HOME).path == Path.cwd() / "runs.db"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgres_by_any_of_its_names(scheme: str) -> None:
    location = locate(f"{scheme}://ada:s3cret@db.example/joule?sslmode=require", HOME)
    assert location.path is None
    assert location.url == "postgresql://ada:s3cret@db.example/joule?sslmode=require"


def test_a_location_never_shows_its_password() -> None:
    shown = str(locate("postgresql://ada:s3cret@db.example/joule", HOME))
    assert shown == "postgresql://ada:***@db.example/joule"


@pytest.mark.parametrize(
    "url", ["mysql://db/joule", "postgresql+asyncpg://db/joule", "postgresql://db:port/joule"]
)
def test_addresses_of_another_kind(url: str) -> None:
    with pytest.raises(UsageError, match="postgresql://"):
        locate(url, HOME)
