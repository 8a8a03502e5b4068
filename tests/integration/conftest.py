"""What several of these tests stand on: databases a ledger can live in, and a real browser."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]


@dataclass
class Opened:
    """A page in the browser, and what the browser did for it."""

    page: Any
    url: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real browser that fetches nothing by itself."""
    reason = "playwright is not installed"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("profile")),
            executable_path=path,
            args=QUIET,
            viewport={"width": 1200, "height": 900},
        )
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[[Path], Opened]]:
    """Opens a page from the disk and waits until its charts are drawn."""
    pages = []

    def load(path: Path) -> Opened:
        opened = Opened(browser.new_page(), path.as_uri())
        pages.append(opened.page)
        opened.page.on("request", lambda r: opened.requests.append(r.url))
        opened.page.on("console", lambda m: opened.complaints.append(f"{m.type}: {m.text}"))
        opened.page.on("pageerror", lambda e: opened.complaints.append(str(e)))
        opened.page.goto(opened.url)
        opened.page.wait_for_selector("body[data-drawn]", state="attached", timeout=30_000)
        return opened

    yield load
    for page in pages:
        page.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a server's database: `JOULECAST_TEST_POSTGRES`, or a private cluster of our own."""
    url = os.environ.get("JOULECAST_TEST_POSTGRES")
    if url:
        yield url
        return
    pytest.importorskip("psycopg")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = str(installed[-1]) if installed else shutil.which("initdb")
    if initdb is None:
        pytest.skip("no PostgreSQL here: install postgresql, or set JOULECAST_TEST_POSTGRES")
    user = None
    if os.getuid() == 0:  # the server refuses to run as root
        try:
            user = pwd.getpwnam("postgres").pw_name
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    folder = Path(tempfile.mkdtemp(prefix="joulecast-pg-"))
    try:
        if user:
            shutil.chown(folder, user)
        yield from _serve(Path(initdb).parent, folder, user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _serve(programs: Path, folder: Path, user: str | None) -> Iterator[str]:
    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [programs / program, *arguments],
            user=user,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdout=subprocess.DEVNULL,  # a pipe would stay open as long as the server runs
            stderr=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"PostgreSQL does not start: {program}: {done.stderr!r}")

    data, port = folder / "data", _free_port()
    (password := folder / "password").write_text("right\n")
    password.chmod(0o644)
    run("initdb", "-D", str(data), "-U", "joule", "-A", "scram-sha-256", "--pwfile", str(password))
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
    # Fifty recorders at once, each with one connection.
    options += " -c max_connections=150"
    run("pg_ctl", "-D", str(data), "-w", "-o", options, "-l", str(folder / "log"), "start")
    try:
        yield f"postgresql://joule:right@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[str]:
    """URL of an empty database, dropped again."""
    import psycopg

    name = f"joulecast_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield f"{postgres_server.rpartition('/')[0]}/{name}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where to open a fresh ledger, once on each database."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres"))
    return str(tmp_path / "data" / "ledger.sqlite")
