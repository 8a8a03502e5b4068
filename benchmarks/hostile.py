"""Hostile files against every verb that reads files: no traceback, no hang, no escape sequences.

    python benchmarks/hostile.py              all calls, each in a process of its own
    python benchmarks/hostile.py --only plan  those whose label contains "plan"

Prints each call that did not end as it must, and a table by kind of file. Exit code 1 if there is
one. A call must end within `LONGEST_S` with exit code 0 to 3; one that fails prints one line.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LONGEST_S = 60.0
# What people and other programs write into cells, and what an attacker would.
CELLS = (
    *("", " ", "nan", "inf", "-inf", "none", "1e308", "-1e308", "1e-320", "1e400", "9" * 400),
    *("-5", "0", "1_000", "0,1,5", "1.5.2", "0x10", "١٢", "true", "5 J", "50 kJ", "1e300 kWh"),
    *("\x1b[31mred\x1b[0m", "\x9b31m", "\x00", "=1+1", "a" * 140_000, "1e17"),
    *("\u202eevil", "\ufeff7", "1764340000000"),
)
RUNS = ("architecture", "batch", "gpu", "energy_j", "duration_s", "accuracy", "epochs")
EPOCHS = ("run_id", "epoch", "duration_s", "energy_j")
TRACE = ("t_s", "power_w")
SAMPLES = ("domain", "t_s", "energy_j", "low", "high")
WALL = ("t", "power_w")
PLAN = 'name = "digits"\nentry = "train.py:train"\n[factors]\nbatch = [32, 64]\n'
# Values of a plan's keys.
LEVELS = (
    *('"\\u001b[31mred"', "[]", "{}", "nan", "-inf", "1e400", "9" * 400, "2026-01-31", "true"),
    *("[" * 5000, "[" * 90 + "]" * 90, '"' + "a" * 300_000 + '"', "-1", '""', "[[1], [2]]"),
    *("[1, 1.0]", "[nan]", '["a", "a"]', "0x7fffffffffffffff", "{a = {b = {c = 1}}}"),
    *("9" * 5000, '"a\\u0000b.py:f"', f'"{"x" * 300}.py:f"', '"\\u0000"', '"../..:f"'),
)
# The columns of the ledger that are damaged in one row.
COLUMNS = {
    "runs": "name started_at status tags header duration_s footer heartbeat recorder job",
    "chunks": "data count",
    "spans": "start_s end_s name parent kind index",
    "metrics": "value name t_s span",
    "gaps": "start_s end_s",
    "studies": "document created_at folder",
    "trials": "factors status seed energy_j figures error started_at",
}
ENDS_ITS_PROCESS = ("it exits at once", "it kills itself")
# By verb and kind of file. FILE is replaced.
VERBS = {
    "runs.csv": (
        "compare FILE --by architecture",
        "compare FILE --by architecture --value accuracy --with energy_j",
        "compare FILE --by architecture,batch",
        "tradeoff FILE --by architecture",
        "evaluate --static FILE",
        "study report FILE --by architecture,batch --text",
        "study report FILE --by architecture --paper OUT --force",
        "study report FILE --by architecture,batch -o OUT.html",
    ),
    "epochs.csv": ("evaluate FILE",),
    "trace.csv": ("import FILE --ledger OUT.sqlite --replace",),
    "samples.csv": ("import FILE --ledger OUT.sqlite --replace",),
    "wall.csv": ("calibrate --wall FILE --ledger LEDGER",),
    "plan.toml": ("study run FILE --ledger OUT.sqlite", "study resume FILE --ledger OUT.sqlite"),
    "run.json": ("import FILE --ledger OUT.sqlite --replace",),
    "ledger.sqlite": (
        "runs --ledger FILE",
        "show last --ledger FILE",
        "report last --ledger FILE -o OUT.html",
        "export last --ledger FILE -o OUT.json",
        "carbon last --ledger FILE",
        "import FILE --ledger OUT.sqlite --replace",
        "compare * --by name --ledger FILE",
        "tradeoff * --by name --ledger FILE",
        "evaluate --ledger FILE",
        "study status --ledger FILE",
        "study report digits --ledger FILE --text",
    ),
    "model.py": ("forecast FILE:build --gpu A100 --steps 10", "study run PLAN --ledger OUT.sqlite"),
}


@dataclass(frozen=True)
class Hostile:
    """A file to be read: what is odd about it, its name, and its bytes."""

    kind: str
    what: str
    name: str
    data: bytes


def _table(columns: tuple[str, ...], rows: int = 8) -> list[list[str]]:
    """A valid table with these columns."""
    cells = {
        "architecture": lambda i: "ab"[i % 2],
        "batch": lambda i: str(32 << (i // 2 % 2)),
        "gpu": lambda _: "A100",
        "energy_j": lambda i: str(100.0 + 7 * i),
        "duration_s": lambda i: str(10.0 + i),
        "accuracy": lambda i: str(0.9 - 0.01 * (i % 3)),
        "epochs": lambda _: "3",
        "run_id": lambda i: f"r{i // 4}",
        "epoch": lambda i: str(i % 4 + 1),
        "t_s": lambda i: str(i * 0.5),
        "power_w": lambda i: str(50.0 + i),
        "domain": lambda _: "gpu:0",
        "low": lambda i: str(99.0 + 7 * i),
        "high": lambda i: str(101.0 + 7 * i),
        "t": lambda i: str(1_790_000_000 + i),
    }
    return [list(columns), *([cells[c](i) for c in columns] for i in range(rows))]


def _csv(table: list[list[str]]) -> bytes:
    quoted = (
        ",".join(f'"{cell}"' if "," in cell else cell for cell in row) + "\n" for row in table
    )
    return "".join(quoted).encode("utf-8", "surrogateescape")


def tables(kind: str, columns: tuple[str, ...]) -> Iterator[Hostile]:
    """A table of this kind, damaged in each way that a table can be."""
    good = _table(columns)
    for place, column in enumerate(columns):
        for cell in CELLS:
            for rows, every in (((3,), "one"), (range(1, len(good)), "every")):
                changed = [list(row) for row in good]
                for row in rows:
                    changed[row][place] = cell
                what = f"{every} {column} is {cell[:12]!r}"
                yield Hostile(kind, what, kind, _csv(changed))
        renamed = [[f"\x1b[31m{column}" if i == place else c for i, c in enumerate(good[0])]]
        yield Hostile(kind, f"header {column} with an escape", kind, _csv(renamed + good[1:]))
        twice = [[*row, row[place]] for row in good]
        yield Hostile(kind, f"column {column} twice", kind, _csv(twice))
    yield from documents(kind, _csv(good))
    wide = [
        [*row, *(f"c{j}" if i == 0 else "1" for j in range(100_000))] for i, row in enumerate(good)
    ]
    yield Hostile(kind, "100,000 columns", kind, _csv(wide))
    yield Hostile(kind, "header only", kind, _csv(good[:1]))
    yield Hostile(kind, "one row", kind, _csv(good[:2]))
    yield Hostile(kind, "reversed rows", kind, _csv(good[:1] + good[:0:-1]))
    yield Hostile(kind, "unbalanced quote", kind, _csv(good) + b'"')
    yield Hostile(kind, "semicolons", kind, _csv(good).replace(b",", b";"))
    yield Hostile(kind, "ends of lines of old Macs", kind, _csv(good).replace(b"\n", b"\r"))
    yield Hostile(kind, "a million blank lines", kind, _csv(good) + b"\n" * 1_000_000)


def documents(kind: str, good: bytes) -> Iterator[Hostile]:
    """Damage of any file, and odd names."""
    stem, dot, ending = kind.rpartition(".")
    yield Hostile(kind, "as it must be", kind, good)
    yield Hostile(kind, "BOM", kind, b"\xef\xbb\xbf" + good)
    yield Hostile(kind, "UTF-16", kind, good.decode("utf-8", "replace").encode("utf-16"))
    yield Hostile(kind, "empty", kind, b"")
    yield Hostile(kind, "blank", kind, b"\n \n")
    yield Hostile(kind, "one NUL", kind, b"\0")
    yield Hostile(kind, "noise", kind, bytes(i * 7919 % 256 for i in range(4096)))
    yield Hostile(kind, "not UTF-8", kind, good.replace(b"a", b"\xe9"))
    for cut in (0.3, 0.6, 0.95):
        yield Hostile(kind, f"cut at {cut:g}", kind, good[: int(len(good) * cut)])
        middle = int(len(good) * cut)
        yield Hostile(kind, f"NUL at {cut:g}", kind, good[:middle] + b"\0" + good[middle:])
        yield Hostile(kind, f"escape at {cut:g}", kind, good[:middle] + b"\x1b[2J" + good[middle:])
    packed = gzip.compress(good)
    for what, data in {
        "packed": packed,
        "packed and cut": packed[: len(packed) // 2],
        "packed with a wrong checksum": packed[:-8] + b"12345678",
        "packed with damaged bytes": packed[:14] + b"\xff" * 8 + packed[22:],
        "packed with noise behind": packed + b"noise" * 10,
        "not packed": good,
        "only gzip's mark": b"\x1f\x8b",
    }.items():
        yield Hostile(kind, what, f"{kind}.gz", data)
    yield Hostile(kind, "a name of 300 characters", f"{stem}{'x' * 290}{dot}{ending}", b"")
    yield Hostile(kind, "a name with an escape", f"{stem}\x1b[31m{dot}{ending}", good)
    yield Hostile(kind, "a name with a line break", f"{stem}\n{dot}{ending}", good)
    yield Hostile(kind, "a name that is not UTF-8", f"{stem}\udce9{dot}{ending}", good)
    yield Hostile(kind, "a missing file with an escape", f"missing\x1b[31m{dot}{ending}", b"absent")
    yield Hostile(kind, "a folder", f"folder{dot}{ending}", b"folder")


def plans() -> Iterator[Hostile]:
    """Plans of studies: every key with odd values."""
    yield from documents("plan.toml", PLAN.encode())
    keys = ("name", "entry", "repetitions", "seed", "epochs", "order", "early_stopping", "exclude")
    keys += ("conditions", "limits", "quality", "unknown\x1b[31m")
    for key in keys:
        for level in LEVELS:
            lines = [line for line in PLAN.splitlines() if not line.startswith(f"{key} ")]
            name = key if key.isidentifier() else '"unknown\\u001b[31m"'
            text = "\n".join([f"{name} = {level}", *lines]) + "\n"
            yield Hostile("plan.toml", f"{key} is {level[:12]}", "plan.toml", text.encode())
    for level in LEVELS:
        text = PLAN.replace("[32, 64]", level)
        yield Hostile("plan.toml", f"batch is {level[:12]}", "plan.toml", text.encode())
    for name in ('"\\u001b[31m"', '"a.b"', '"class"', '"' + "a" * 9000 + '"', '""'):
        text = PLAN.replace("batch", name)
        yield Hostile("plan.toml", f"a factor {name[:12]}", "plan.toml", text.encode())
    dotted = "a." * 3000 + "b = 1\n"
    yield Hostile("plan.toml", "3,000 dots", "plan.toml", dotted.encode())


def exports(good: bytes) -> Iterator[Hostile]:
    """Exported runs, each number and text in turn replaced."""
    yield from documents("run.json", good)
    yield Hostile("run.json", "deep lists", "run.json", b'{"schema": ' + b"[" * 100_000)
    spots = list(re.finditer(rb'(?<=: )(-?[\d.]+|"[^"]*"|null|\[[^\[\]]*\])(?=[,}])', good))
    odd = (b"1e308", b"-1", b"1e400", b"9" * 400, b'"\\u001b[31m"', b'"\\ud800"', b"null", b"1e18")
    odd += (b"99999999999999999999", b"NaN", b'"' + b"a" * 100_000 + b'"', b"[]", b"{}", b"true")
    for number, spot in enumerate(spots):
        what = good[max(0, spot.start() - 24) : spot.start()].decode(errors="replace")
        # Every spot with a few of the values, all of them over the spots.
        for value in odd if number < 60 else odd[number % 5 :: 5]:
            data = good[: spot.start()] + value + good[spot.end() :]
            yield Hostile("run.json", f"...{what}{value[:12]!r}", "run.json", data)


def ledgers(good: bytes) -> Iterator[Hostile]:
    """Ledgers with damaged pages, and with one run whose row is damaged in each column."""
    import sqlite3

    yield from documents("ledger.sqlite", good)
    for page in range(1, len(good) // 4096):
        data = good[: page * 4096] + b"\xff" * 4096 + good[(page + 1) * 4096 :]
        yield Hostile("ledger.sqlite", f"page {page} damaged", "ledger.sqlite", data)
    changes = [
        f'UPDATE joulecast_{table} SET "{column}" = {value}'
        + (" WHERE name = 'second'" if table == "runs" else "")
        for table, columns in COLUMNS.items()
        for column in columns.split()
        for value in ("'\x1b[31m'", "1e18", "-1e308", "'{'", "x'ff00'", "''", "NULL")
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        for change in changes:
            path.write_bytes(good)
            connection = sqlite3.connect(path)
            # A column that may not be null stays as it is.
            with suppress(sqlite3.IntegrityError):
                connection.execute(change)
            connection.commit()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
            what = change.replace("\x1b", "ESC")
            yield Hostile("ledger.sqlite", what, "ledger.sqlite", path.read_bytes())


def scripts() -> Iterator[Hostile]:
    """Entries of studies and builders of models that misbehave at import."""
    bodies = {
        "a syntax error": "def build(:\n",
        "an escape in its error": "raise ValueError('\\x1b[31mred')\n",
        "it exits": "import sys\nsys.exit(3)\n",
        "it exits at once": "import os\nos._exit(3)\n",
        "it kills itself": "import os, signal\nos.kill(os.getpid(), 9)\n",
        "it prints noise": "print('x' * 100000)\ndef build(batch): yield {}\n",
        "it starts a process": "import subprocess\nsubprocess.Popen(['sleep', '300'])\n",
        "a process that prints": "import subprocess\n"
        "subprocess.Popen('while :; do echo noise; sleep 0.01; done', shell=True)\n",
        "it prints when it ends": "import atexit\natexit.register(print, 'bye')\n",
        "it closes stdout": "import os\nos.close(1)\n",
        "it asks": "input('name? ')\n",
        "it recurses": "def f(): f()\nf()\n",
        "a builder that is no function": "build = 3\n",
    }
    for what, body in bodies.items():
        more = "" if "build" in body else "def build(batch=1, **rest):\n    yield {'accuracy': 1}\n"
        yield Hostile("model.py", what, "model.py", (body + more).encode())
    yield from documents("model.py", b"def build(batch=1):\n    yield {'accuracy': 1.0}\n")


def hostile_files(run_json: bytes, ledger: bytes) -> Iterator[Hostile]:
    """All of them, in a fixed order."""
    yield from tables("runs.csv", RUNS)
    yield from tables("epochs.csv", EPOCHS)
    yield from tables("trace.csv", TRACE)
    yield from tables("samples.csv", SAMPLES)
    yield from tables("wall.csv", WALL)
    yield from plans()
    yield from exports(run_json)
    yield from ledgers(ledger)
    yield from scripts()


def place(file: Hostile, folder: Path) -> Path:
    """Write it into an empty folder, where a file of that name can be."""
    path = folder / file.name
    with suppress(OSError):
        if file.data == b"folder":
            path.mkdir()
        elif file.data != b"absent":
            path.write_bytes(file.data)
    train = "def train(batch=1, **rest):\n    yield {'accuracy': 1.0}\n"
    (folder / "train.py").write_text(train)
    plan = PLAN.replace("[32, 64]", "[32]").replace("train.py:train", "model.py:build")
    (folder / "PLAN.toml").write_text(plan)
    return path


def call(arguments: list[str], folder: Path) -> tuple[int | None, str, str]:
    """Run one call in a forked process: its exit code (None: it hangs), stdout and stderr."""
    out, err = folder / "stdout", folder / "stderr"
    pid = os.fork()
    if pid == 0:
        _be_joulecast(arguments, folder, out, err)
    deadline = time.monotonic() + LONGEST_S
    code: int | None = None
    while code is None and time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status) if ended else None
        if not ended:
            time.sleep(0.003)
    # Whatever it started, too.
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if code is None:
        os.waitpid(pid, 0)
    return code, *(path.read_text(errors="replace") for path in (out, err))


def _be_joulecast(arguments: list[str], folder: Path, out: Path, err: Path) -> None:
    import click.utils

    from joulecast import cli

    # As on a terminal, where click removes no escape sequences.
    click.utils.should_strip_ansi = lambda *_: False
    code = 70
    try:
        os.setsid()
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(os.open(err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        os.environ["JOULECAST_LEDGER"] = str(folder / "default.sqlite")
        sys.argv = ["joulecast", *arguments]
        cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def verdict(code: int | None, stdout: str, stderr: str) -> str:
    """What is wrong with a call; empty where nothing is."""
    if code is None:
        return "hang"
    if "Traceback (most recent call last)" in stderr or code not in (0, 1, 2, 3):
        return "traceback"
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", stdout + stderr):
        return "escape"
    if "Warning:" in stderr:
        return "warning"
    said = [line for line in stderr.splitlines() if line.startswith("joulecast: ")]
    if code and len([line for line in said if not line.endswith("; it is left out")]) != 1:
        return "not one line"
    return ""


def stored_runs(folder: Path) -> tuple[bytes, bytes]:
    """An exported run, and a ledger with two runs and a study."""
    path = folder / "good.sqlite"
    here = folder / "made"
    here.mkdir()
    place(Hostile("plan.toml", "", "plan.toml", PLAN.encode()), here)
    (here / "trace.csv").write_bytes(_csv(_table(TRACE)))
    for arguments in (
        ["import", "trace.csv", "--name", "first", "--ledger", str(path)],
        ["import", "trace.csv", "--name", "second", "--tag", "a=b", "--ledger", str(path)],
        ["study", "run", "plan.toml", "--ledger", str(path)],
        ["export", "digits/32", "--ledger", str(path), "-o", str(folder / "run.json")],
    ):
        code, _, stderr = call(arguments, here)
        if code:
            raise RuntimeError(f"{' '.join(arguments)}: {stderr}")
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return (folder / "run.json").read_bytes(), path.read_bytes()


def main() -> int:
    """Make all calls; the number that did not end as they must decides the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="substring of the labels of calls to make")
    parser.add_argument("--every", type=int, default=1, help="make each Nth call")
    given = parser.parse_args()
    import matplotlib.pyplot  # noqa: F401
    import plotly  # noqa: F401
    import rich.console  # noqa: F401
    import scipy.stats  # noqa: F401
    import statsmodels.api  # noqa: F401

    import joulecast.analysis.statistics.compare
    import joulecast.ledger
    import joulecast.study.api  # noqa: F401

    calls: Counter[str] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        folder = Path(name)
        ledger = folder / "LEDGER.sqlite"
        for number, (label, file, verb) in enumerate(_calls(*stored_runs(folder))):
            if given.only not in label or number % given.every:
                continue
            if not ledger.exists():
                ledger.write_bytes((folder / "good.sqlite").read_bytes())
            with tempfile.TemporaryDirectory(dir=folder) as inner:
                path = place(file, Path(inner))
                words = {"FILE": str(path), "LEDGER": str(ledger), "PLAN": "PLAN.toml"}
                arguments = [_filled(word, words) for word in verb.split()]
                code, stdout, stderr = call(arguments, Path(inner))
            calls[file.kind] += 1
            if calls.total() % 100 == 0:
                print(f"  {calls.total()} calls: {label!r}", file=sys.stderr, flush=True)
            problem = verdict(code, stdout, stderr)
            if problem:
                wrong[file.kind, problem] += 1
                last = (stderr.strip() or stdout.strip()).splitlines()[-1:]
                print(f"{problem:12} {label!r} exit {code}: {''.join(last)[:160]!r}", flush=True)
    for kind, count in calls.items():
        problems = ", ".join(f"{n} x {p}" for (k, p), n in wrong.items() if k == kind)
        print(f"{kind:14} {count:6,} calls  {problems or 'all ended as they must'}")
    print(f"{sum(calls.values()):,} calls, {wrong.total()} wrong")
    return 1 if wrong else 0


def _calls(run_json: bytes, ledger: bytes) -> Iterator[tuple[str, Hostile, str]]:
    for file in hostile_files(run_json, ledger):
        for verb in VERBS[file.kind]:
            # A forecast loads the file into its own process, as `python FILE` would.
            if verb.startswith("forecast") and file.what in ENDS_ITS_PROCESS:
                continue
            yield f"{verb} | {file.kind}: {file.what}", file, verb


def _filled(word: str, words: dict[str, str]) -> str:
    for key, value in words.items():
        word = word.replace(key, value)
    return word


if __name__ == "__main__":
    sys.exit(main())
