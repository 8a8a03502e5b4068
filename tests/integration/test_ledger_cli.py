"""`joulecast runs`, `export` and `import`, as a person types them."""

import contextlib
import gzip
import json
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from fakes.command_line import joulecast as run_joulecast
from fakes.stored_runs import assert_same, header, recording, samples
from joulecast.errors import UsageError
from joulecast.ledger import open_ledger
from joulecast.ledger.run_list import RunList, RunRow
from joulecast.recording.model import Recording, Status
from joulecast.reports.documents.runs import runs_document, short_ids
from joulecast.reports.terminal.render import to_text
from joulecast.run.runs import parse_instant

Joulecast = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def joulecast(tmp_path: Path) -> Joulecast:
    def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        env = {"XDG_DATA_HOME": str(tmp_path / "data"), "JOULECAST_LEDGER": ""}
        return run_joulecast(*arguments, cwd=tmp_path, env=env, code=0 if check else None)

    return run


@pytest.fixture
def filled(where: str) -> str:
    with open_ledger(where) as ledger:
        now = time.time()
        ledger.add(recording("aaaa000000000001", "digits", started_at=now - 3600))
        ledger.add(recording("aaaa000000000002", "wine [red]", started_at=now - 30 * 86400))
        half = Recording(header("bbbb000000000003", "\x1b[31mhalf"), samples={"gpu:0": samples()})
        ledger.add(half)
    return where


def test_before_the_first_run(joulecast: Joulecast) -> None:
    done = joulecast("runs")
    assert len(done.stdout.splitlines()) == 1
    document = json.loads(joulecast("runs", "--json").stdout)
    assert document == {"schema": "joulecast/runs/1", "runs": []}


def test_the_list(joulecast: Joulecast, filled: str) -> None:
    shown = joulecast("runs", "--ledger", filled).stdout
    lines = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
    # Ids are as long as needed to distinguish the runs.
    first = lines["aaaa000000000001"]
    for part in ("digits", "10.5 s", "2.99 kJ (2.84 to 3.14)", "measured", "failed", "model=cnn"):
        assert part in first
    assert "wine [red]" in shown
    assert "\x1b" not in shown
    assert "3.00 kJ" in lines["bbbb000000000003"] or "2.97 kJ" in lines["bbbb000000000003"]
    assert "interrupted" in lines["bbbb000000000003"]


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (["dig*"], {"1"}),
        (["--since", "7d", "--status", "failed"], {"1"}),
        (["--until", "7d"], {"2"}),
        (["--tag", "model=cnn", "--limit", "1", "*"], {"3"}),
        (["--tag", "model=mlp"], set()),
        (["--status", "interrupted"], {"3"}),
    ],
)
def test_filters(joulecast: Joulecast, filled: str, arguments: list[str], ids: set[str]) -> None:
    document = json.loads(joulecast("runs", "--ledger", filled, "--json", *arguments).stdout)
    assert next(iter(document)) == "schema"
    assert {run["run_id"][-1] for run in document["runs"]} == ids


@pytest.mark.parametrize(
    "arguments", [["--since", "soon"], ["--tag", "x"], ["--since", "2026-13-40"]]
)
def test_misuse(joulecast: Joulecast, arguments: list[str]) -> None:
    done = joulecast("runs", *arguments, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["runs", "--foo"], ("--foo", "joulecast runs --help")),
        (["export"], ("RUN", "joulecast export --help")),
        (["watts"], ("watts", "joulecast --help")),
        (["--foo"], ("--foo", "joulecast --help")),
        (["runs", "--since", "yesterday"], ("2026-01-31", "7d")),
    ],
)
def test_misuse_is_one_line(
    joulecast: Joulecast, arguments: list[str], named: tuple[str, ...]
) -> None:
    done = joulecast(*arguments, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("joulecast: ")
    assert all(name in done.stderr for name in named)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "now"),
    [
        (["interaction", "runs.csv"], "compare --by A,B"),
        (["power", "last"], "show RUN"),
        (["cycle", "runs.csv"], "tradeoff --requests N"),
        (["run", "--json", "x.json", "--", "true"], "--json-file FILE"),
        (["tradeoff", "runs.csv", "--against", "x"], "--baseline"),
    ],
)
def test_names_of_version_0_1_lead_to_the_present_ones(
    joulecast: Joulecast, arguments: list[str], now: str
) -> None:
    done = joulecast(*arguments, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"{now} instead" in done.stderr


def test_an_unknown_option_of_run_is_no_command(joulecast: Joulecast) -> None:
    done = joulecast("run", "--foo=3", "--", "true", check=False)
    assert done.returncode == 2
    assert "No such option" in done.stderr and "--foo" in done.stderr


def test_a_file_that_is_no_ledger_is_misuse(joulecast: Joulecast, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("no database" * 100)
    for place in ("text.txt", "."):
        done = joulecast("runs", "--ledger", place, check=False)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_without_a_verb_the_help_is_shown(joulecast: Joulecast) -> None:
    done = joulecast(check=False)
    assert "Measure:" in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [["runs", "--foo"], ["export", "nothing"]])
def test_debug_shows_the_traceback(tmp_path: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "joulecast", "--debug", *arguments],
        env=os.environ | {"XDG_DATA_HOME": str(tmp_path), "JOULECAST_LEDGER": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" in done.stderr


def test_a_missing_ledger_is_not_created_by_reading(joulecast: Joulecast, tmp_path: Path) -> None:
    for verb in (["runs"], ["export", "last"]):
        done = joulecast(*verb, "--ledger", "typo.sqlite", check=False)
        assert done.returncode == 2
        assert "typo.sqlite" in done.stderr
    assert not (tmp_path / "typo.sqlite").exists()


def test_json_moves_a_run_exactly(joulecast: Joulecast, filled: str, tmp_path: Path) -> None:
    joulecast("export", "digits", "-o", "run.json", "--ledger", filled)
    assert joulecast("import", "run.json").stdout == "aaaa000000000001\n"
    with open_ledger(filled) as there, open_ledger(own(tmp_path)) as here:
        assert_same(here.load("last"), there.load("digits"), within=0)


def own(tmp_path: Path) -> Path:
    return tmp_path / "data" / "joulecast" / "ledger.sqlite"


def test_to_stdout_and_packed(joulecast: Joulecast, filled: str, tmp_path: Path) -> None:
    text = joulecast("export", "aaaa000000000001", "--ledger", filled).stdout
    (tmp_path / "run.json.gz").write_bytes(gzip.compress(text.encode()))
    done = joulecast("import", "run.json.gz", "--json", "--tag", "from=there", "--name", "moved")
    document = json.loads(done.stdout)
    assert document["schema"] == "joulecast/runs/1"
    assert document["runs"][0]["name"] == "moved"
    assert document["runs"][0]["tags"] == {"model": "cnn", "seed": "1", "from": "there"}


def test_csv_moves_its_series(joulecast: Joulecast, filled: str, tmp_path: Path) -> None:
    joulecast("export", "digits", "-o", "run.csv", "--ledger", filled)
    run_id = joulecast("import", "run.csv").stdout.strip()
    with open_ledger(filled) as there, open_ledger(own(tmp_path)) as here:
        back, made = here.load(run_id), there.load("digits")
    assert back.header.name == "run"
    gauges = {gauge.domain for gauge in made.header.gauges}
    assert gauges and set(back.samples) == set(made.samples) - gauges  # a table has none
    for domain, series in back.samples.items():
        assert np.array_equal(series.value, made.samples[domain].value)
        assert np.array_equal(series.high, made.samples[domain].high)
    again = joulecast("export", run_id, "--format", "csv").stdout
    assert again == (tmp_path / "run.csv").read_text()


def test_a_run_is_imported_once_unless_asked(joulecast: Joulecast, filled: str) -> None:
    joulecast("export", "digits", "-o", "run.json", "--ledger", filled)
    done = joulecast("import", "run.json", "--ledger", filled, check=False)
    assert done.returncode == 1
    assert "aaaa000000000001" in done.stderr
    joulecast("import", "run.json", "--ledger", filled, "--replace", "--name", "second")
    with open_ledger(filled) as ledger:
        assert ledger.load("aaaa000000000001").header.name == "second"


def test_a_rescued_ledger_is_merged(joulecast: Joulecast, filled: str, tmp_path: Path) -> None:
    rescue = tmp_path / "joulecast-rescue.sqlite"
    with open_ledger(rescue) as ledger:
        whole = recording("bbbb000000000003", "half")
        whole.samples["gpu:0"] = samples(20)
        ledger.add(whole)
        ledger.add(recording("cccc000000000004", "other"))
    done = joulecast("import", str(rescue), "--ledger", filled)
    assert sorted(done.stdout.split()) == ["bbbb000000000003", "cccc000000000004"]
    with open_ledger(filled) as ledger:
        assert ledger.load("bbbb000000000003").status is Status.FAILED
        assert len(ledger.load("bbbb000000000003").samples["gpu:0"]) == 200


def test_a_power_trace(joulecast: Joulecast, tmp_path: Path) -> None:
    rows = "".join(f"{i},{100 + i % 2}\n" for i in range(61))
    (tmp_path / "meter.csv").write_text(f"t_s,power_w\n{rows}")
    joulecast("import", "meter.csv", "--domain", "node", "--uncertainty", "0.02")
    run = json.loads(joulecast("runs", "--json").stdout)["runs"][0]
    assert (run["name"], run["duration_s"]) == ("meter", 60)
    assert run["energy"]["value"] == pytest.approx(60 * 100.5, rel=1e-3)
    assert run["energy"]["provenance"] == "measured"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"schema": "other"}', 2),
        (b"{", 2),
        (b"\x80\x81\x82", 2),
        (b"SQLite format 3\0" + bytes(100), 2),
        (b"", 2),
        (b'{"schema": "joulecast/recording/1"}', 2),
    ],
)
def test_a_file_without_a_run(
    joulecast: Joulecast, tmp_path: Path, content: bytes, code: int
) -> None:
    (tmp_path / "file").write_bytes(content)
    done = joulecast("import", "file", check=False)
    assert done.returncode == code
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(("joulecast: file", "joulecast: ledger"))


def test_export_where_nothing_can_be_written(joulecast: Joulecast, filled: str) -> None:
    done = joulecast(
        "export", "digits", "-o", "no/such/folder.json", "--ledger", filled, check=False
    )
    assert done.returncode != 0 and "no/such/folder.json" in done.stderr
    done = joulecast("export", "digitz", "--ledger", filled, check=False)
    assert done.returncode == 2 and "digits" in done.stderr


def test_instants() -> None:
    now = 1_800_000_000.0
    assert parse_instant("7d", now) == now - 7 * 86400
    assert parse_instant("90 min", now) == now - 5400
    day = datetime(2026, 1, 31).timestamp()
    assert parse_instant("2026-01-31", now) == day
    assert parse_instant("2026-01-31", now, end_of_day=True) == datetime(2026, 2, 1).timestamp()
    assert parse_instant("2026-01-31 14:30", now, end_of_day=True) == day + 14.5 * 3600
    assert parse_instant("2026-01-31T00:00Z", now) == 1_769_817_600
    for text in ("2026-02-30", "later", "2026-01-31 25:00"):
        with pytest.raises(UsageError):
            parse_instant(text, now)


def test_short_ids() -> None:
    assert short_ids([]) == []
    assert short_ids(["abcdefghijkl", "zbcdefghijkl"]) == ["abcdefgh", "zbcdefgh"]
    assert short_ids(["abcdefghij1x", "abcdefghij2x"]) == ["abcdefghij1", "abcdefghij2"]
    assert short_ids(["abc", "abc"]) == ["abc", "abc"]


def test_a_terminal_shows_the_newest_runs_and_a_pipe_all(tmp_path: Path) -> None:
    where = str(tmp_path / "many.db")
    with open_ledger(where) as ledger:
        for i in range(102):
            ledger.add(recording(f"{i:016x}", "digits", started_at=1.8e9 + i))

    def lines(*more: str, terminal: bool) -> tuple[list[str], str]:
        reader, writer = pty.openpty()
        # A terminal that nobody reads would block.
        read: list[bytes] = []
        thread = threading.Thread(target=_read_all, args=(reader, read))
        thread.start()
        command = [sys.executable, "-m", "joulecast", "runs", "--ledger", where, *more]
        stdout = writer if terminal else subprocess.PIPE
        done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, timeout=60)
        os.close(writer)
        thread.join(10)
        output = b"".join(read) if terminal else done.stdout
        return [x for x in output.decode().splitlines() if "digits" in x], done.stderr.decode()

    shown, note = lines(terminal=True)
    assert len(shown) == 100 and "102" in note and f"{101:016x}"[:8] in shown[0]
    assert len(lines("--limit", "101", terminal=True)[0]) == 101
    assert len(lines("--json", terminal=True)[0]) == 102
    assert len(lines(terminal=False)[0]) == 102


def _read_all(reader: int, read: list[bytes]) -> None:
    with contextlib.suppress(OSError):
        while data := os.read(reader, 65536):
            read.append(data)


def test_drawing_a_list_takes_a_time_like_that_of_its_document() -> None:
    """It took 81 times as long by a table of rich, and 14 times by lines of segments."""
    listing = RunList(
        [
            RunRow(f"{i:016x}", f"run {i}", 1.8e9, 9.0, Status.FINISHED, 0, None, {"a": "b"}, None)
            for i in range(3000)
        ]
    )
    document = runs_document(listing)
    drawn = min(_cpu_s(lambda: to_text(document, 120)) for _ in range(3))
    assert drawn < 35 * min(_cpu_s(lambda: runs_document(listing)) for _ in range(3))


def _cpu_s(work: Callable[[], object]) -> float:
    start_s = time.process_time()
    work()
    return time.process_time() - start_s
