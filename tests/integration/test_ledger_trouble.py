"""What can go wrong with a database: one line each, and nothing is ever overwritten."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.stored_runs import header, recording, samples
from joulecast.errors import LedgerError, MissingExtraError, UsageError
from joulecast.ledger import open_ledger
from joulecast.ledger.database import Connection
from joulecast.ledger.database_errors import POSTGRES, SQLITE
from joulecast.recording.model import Footer, Status


def refused(action: Callable[[], object]) -> str:
    """The one line of the `LedgerError` that an action must raise."""
    with pytest.raises(LedgerError) as caught:
        action()
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 400
    return text


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.mark.parametrize(
    "content",
    [b"t_s,power_w\n" * 200, b"\x00" * 4096, b"SQLite format 3\0" + b"\xff" * 5000],
)
def test_a_file_that_is_no_database_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert SQLITE["not a database"] in refused(lambda: open_ledger(path))
    assert path.read_bytes() == content


def test_a_damaged_ledger(path: Path) -> None:
    with open_ledger(path) as ledger:
        for i in range(20):
            ledger.add(recording(f"run{i}"))
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)

    def use() -> None:
        with open_ledger(path) as ledger:
            ledger.load("last")

    assert SQLITE["malformed"] in refused(use)
    assert path.read_bytes() == content


def test_a_database_of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE runs (id)")
    assert "--ledger" in refused(lambda: open_ledger(path))


def test_a_folder(tmp_path: Path) -> None:
    assert "folder" in refused(lambda: open_ledger(tmp_path))


def test_a_file_where_a_folder_should_be(path: Path) -> None:
    path.write_text("")
    message = refused(lambda: open_ledger(path / "ledger.sqlite"))
    assert f"ledger {path}/ledger.sqlite: " in message
    assert path.read_text() == ""


def test_a_missing_ledger_is_not_created_to_read(path: Path) -> None:
    assert "joulecast run --ledger" in refused(lambda: open_ledger(path, create=False))
    assert not path.exists()


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.sqlite"
    with open_ledger(path) as ledger:
        sink = ledger.sink()
        sink.open(header())  # write-ahead files are there while it is written
        modes = {file.name: oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()}
        sink.close(Footer(Status.FINISHED, 1.0, 0))
    assert len(modes) == 3
    assert set(modes.values()) == {"0o600"}
    assert path.parent.stat().st_mode & 0o777 == 0o700


WRITES = """
import os, resource, sys, tempfile
sys.path.insert(0, sys.argv[2])
from fakes.stored_runs import header, samples
from joulecast.errors import LedgerError
from joulecast.ledger.store import open_ledger
limit, user = int(sys.argv[3]), int(sys.argv[4])
if user:
    with tempfile.TemporaryDirectory() as folder:  # imports every module while still root
        open_ledger(folder + "/other.sqlite").sink().open(header("fresh"))
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
try:
    ledger = open_ledger(sys.argv[1])
    sink = ledger.sink()
    sink.open(header("fresh"))
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    for second in range(20_000):
        sink.flush({"gpu:0": samples(1, start=second)}, [], [], [])
except LedgerError as error:
    print(error)
    # The training goes on, and so does reading where that can be.
    sys.exit(7)
"""


def run_writer(path: Path, user: int = 0, limit: int = 0) -> str:
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", WRITES, str(path), str(tests), str(limit), str(user)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 7, done.stdout + done.stderr
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    return done.stdout


@pytest.fixture
def open_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that another user can reach."""
    for parent in [tmp_path, *tmp_path.parents][:4]:
        if parent.stat().st_uid == os.getuid() and str(parent) not in ("/", "/tmp"):
            parent.chmod(0o755)
    yield tmp_path


@pytest.fixture
def stranger() -> int:
    """The id of the user nobody if the tests run as root, who may write everywhere; else 0."""
    return 65534 if os.getuid() == 0 else 0


def test_a_read_only_file(open_folder: Path, stranger: int) -> None:
    path = open_folder / "ledger.sqlite"
    open_ledger(path).close()
    path.chmod(0o444)
    open_folder.chmod(0o777)
    assert f"ledger {path}: " in run_writer(path, stranger)


def read_as(path: Path, user: int) -> tuple[list[str], list[str]]:
    """The runs that another user reads, and the warnings."""
    code = """
import json, os, sys, warnings
from joulecast.ledger import open_ledger
open_ledger(sys.argv[3]).load("last")  # imports every module while still root
if int(sys.argv[2]):
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
with warnings.catch_warnings(record=True) as caught:
    with open_ledger(sys.argv[1], create=False) as ledger:
        names = [run.name for run in ledger.runs()]
        assert len(ledger.load("last").samples) > 0
print(json.dumps([names, [str(w.message) for w in caught]]))
"""
    other = path.parent.parent / "other.sqlite"
    shutil.copy(path, other)
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(user), str(other)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    names, caught = json.loads(done.stdout)
    return names, caught


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that another user can enter, not below one of pytest, which closes it to others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        inner = Path(folder, "shared")
        inner.mkdir()
        yield inner
        inner.chmod(0o755)


def test_a_ledger_in_a_read_only_folder_is_read(shared: Path, stranger: int) -> None:
    folder, path = shared, shared / "ledger.sqlite"
    with open_ledger(path) as ledger:
        ledger.add(recording("aaaa000000000001", "first"))
    path.chmod(0o644)
    folder.chmod(0o555)
    assert read_as(path, stranger) == (["first"], [])
    # A copy of a ledger that was being written: the log next to it cannot be read.
    log = folder / "ledger.sqlite-wal"
    log.write_bytes(b"x" * 5000)
    names, (warning,) = read_as(path, stranger)
    assert names == ["first"]
    assert log.name in warning


def test_a_read_only_folder(open_folder: Path, stranger: int) -> None:
    open_folder.chmod(0o555)
    try:
        message = run_writer(open_folder / "ledger.sqlite", stranger)
        assert "Permission denied" in message
        assert "--ledger" in message
    finally:
        open_folder.chmod(0o755)


def test_a_file_that_others_may_not_read(open_folder: Path, stranger: int) -> None:
    path = open_folder / "ledger.sqlite"
    open_ledger(path).close()
    path.chmod(0)
    assert SQLITE["unable to open"] in run_writer(path, stranger)


def test_a_folder_that_others_may_not_enter(open_folder: Path, stranger: int) -> None:
    path = open_folder / "closed" / "ledger.sqlite"
    open_ledger(path).close()
    path.parent.chmod(0)
    try:
        assert "Permission denied" in run_writer(path, stranger)
    finally:
        path.parent.chmod(0o700)


def test_a_database_that_may_not_grow(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite reports the same error as on a full disk."""
    with open_ledger(path) as ledger:
        pages = path.stat().st_size // 4096 + 2
        connect = ledger._database.connect

        def connect_to_small() -> Connection:
            connection = connect()
            connection.execute(f"PRAGMA max_page_count={pages}")
            return connection

        monkeypatch.setattr(ledger._database, "connect", connect_to_small)
        sink = ledger.sink()
        sink.open(header("fresh"))

        def fill() -> None:
            for second in range(10_000):
                sink.flush({"gpu:0": samples(60, start=second * 60)}, [], [], [])

        assert SQLITE["is full"] in refused(fill)
        loaded = ledger.load("fresh")
        assert len(loaded.samples["gpu:0"]) % 600 == 0
        assert SQLITE["is full"] in refused(lambda: ledger.add(recording("large")))


def test_a_limit_of_the_file_size(path: Path) -> None:
    message = run_writer(path, limit=200_000)
    assert "ledger" in message
    assert SQLITE["disk i/o"] in message or SQLITE["is full"] in message
    with open_ledger(path) as ledger:
        assert len(ledger.load("fresh").samples["gpu:0"]) > 100


def test_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        path = disk / "ledger.sqlite"
        message = run_writer(path)
        assert SQLITE["disk i/o"] in message or SQLITE["is full"] in message
        with open_ledger(path) as ledger:  # what was stored is still there
            assert len(ledger.load("fresh").samples["gpu:0"]) > 100
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_open_on_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20k", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        message = refused(lambda: open_ledger(disk / "ledger.sqlite"))
        assert SQLITE["disk i/o"] in message or SQLITE["is full"] in message
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


class TestPostgres:
    def test_wrong_password(self, postgres: str) -> None:
        url = postgres.replace(":right@", ":s3cret@")
        if url == postgres:
            pytest.skip("the given server's password is not known here")
        message = refused(lambda: open_ledger(url))
        assert POSTGRES["password authentication failed"] in message
        assert "s3cret" not in message

    def test_no_server(self) -> None:
        message = refused(lambda: open_ledger("postgresql://joule:s3cret@127.0.0.1:1/joule"))
        where = "ledger postgresql://joule:***@127.0.0.1:1/joule: "
        assert message == where + POSTGRES["connection refused"]

    def test_no_such_host(self) -> None:
        message = refused(lambda: open_ledger("postgresql://joule@nowhere.invalid/joule"))
        assert "ledger postgresql://joule@nowhere.invalid/joule: " in message

    def test_no_such_database(self, postgres: str) -> None:
        message = refused(lambda: open_ledger(f"{postgres}_not"))
        assert POSTGRES["does not exist"] in message

    def test_the_server_goes_away(self, postgres: str) -> None:
        import psycopg

        with open_ledger(postgres) as ledger:
            sink = ledger.sink()
            sink.open(header())
            with psycopg.connect(postgres, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            message = refused(lambda: sink.flush({"gpu:0": samples(1)}, [], [], []))
            assert POSTGRES["terminating connection"] in message
            # Nothing of it was stored; whoever tries again gets a new connection.
            sink.flush({"gpu:0": samples(1)}, [], [], [])
            sink.close(Footer(Status.FINISHED, 1.0, 0))
            assert len(ledger.load("last").samples["gpu:0"]) == 10

    def test_a_user_without_rights(self, postgres: str) -> None:
        import psycopg

        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute("DROP ROLE IF EXISTS joule_reader")
            connection.execute("CREATE ROLE joule_reader LOGIN PASSWORD 'reads'")
            connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        url = postgres.replace(postgres.split("//")[1].split("@")[0], "joule_reader:reads")
        assert POSTGRES["permission denied"] in refused(lambda: open_ledger(url))

    def test_others_tables_are_left_alone(self, postgres: str) -> None:
        import psycopg

        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute("CREATE TABLE runs (id int)")
            connection.execute("CREATE TABLE alembic_version (version_num text)")
            with open_ledger(postgres) as ledger:
                ledger.add(recording())
            rows = connection.execute("SELECT count(*) FROM alembic_version").fetchone()
            assert rows == (0,)

    def test_without_the_driver(self) -> None:
        code = (
            "import sys; sys.modules['psycopg'] = None\n"
            "from joulecast.ledger import open_ledger\n"
            "from joulecast.errors import MissingExtraError\n"
            "try: open_ledger('postgresql://localhost/joule')\n"
            "except MissingExtraError as error: print(error)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert 'pip install "joulecast[postgres]"' in done.stdout, done.stderr


@pytest.mark.parametrize(
    "url", ["mysql://localhost/x", "http://example.org", "postgresql://h:port/x"]
)
def test_addresses_that_are_no_ledger(url: str) -> None:
    with pytest.raises(UsageError):
        open_ledger(url)


def test_missing_extra_names_the_command() -> None:
    assert 'pip install "joulecast[postgres]"' in str(MissingExtraError("a ledger", "postgres"))
