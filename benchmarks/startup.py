"""What starting joulecast costs: the import, `--help`, and wrapping a command that does nothing."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness import (
    OFFLINE,
    PEERS_MISSING,
    Figure,
    figure,
    interleave,
    joulecast_command,
    peer_python,
    run,
    wall_s,
)

HEAVY = ("torch", "rich", "numpy", "sqlite3", "pynvml", "psutil", "plotly", "click")
MUST_STAY_OUT = {"torch", "rich", "numpy"}
WRAPPERS = {
    "codecarbon monitor": "codecarbon monitor --offline --country-iso-code DEU --no-api --",
    "carbontracker": "carbontracker --log_dir logs",
    "perun monitor -b": "perun monitor -b",
}


def imported_by_joulecast() -> list[str]:
    """The heavy packages that `import joulecast` brings in."""
    code = (
        f"import sys, json, joulecast; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout))


def import_time_ms() -> float:
    """Cumulative milliseconds of `import joulecast` by the interpreter's own account."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import joulecast"],
        capture_output=True,
        text=True,
        check=True,
    )
    for line in done.stderr.splitlines():  # import time: self [us] | cumulative | imported package
        fields = line.split("|")
        if len(fields) == 3 and fields[2].strip() == "joulecast":
            return int(fields[1]) / 1000
    raise RuntimeError("python -X importtime did not mention joulecast")


def differences_ms(with_it: list[float], without: list[float]) -> list[float]:
    """Pair by pair, in milliseconds."""
    return [1000 * (a - b) for a, b in zip(with_it, without, strict=True)]


def import_figures(rounds: int) -> list[Figure]:
    """`import joulecast` and `joulecast --help`."""
    cwd = Path.cwd()
    python = sys.executable
    walls = interleave(
        {
            "python -c pass": lambda: wall_s([python, "-c", "pass"], cwd=cwd),
            "import joulecast": lambda: wall_s([python, "-c", "import joulecast"], cwd=cwd),
            "joulecast --help": lambda: wall_s([joulecast_command(), "--help"], cwd=cwd),
        },
        rounds,
    )
    bare = walls["python -c pass"]
    heavy = imported_by_joulecast()
    unwanted = MUST_STAY_OUT.intersection(heavy)
    return [
        figure(
            "import joulecast, beyond bare python",
            differences_ms(walls["import joulecast"], bare),
            "ms",
            below=40,
        ),
        figure(
            "  by python -X importtime", [import_time_ms() for _ in range(rounds)], "ms", below=40
        ),
        Figure(
            "torch, rich or numpy imported with it",
            len(unwanted),
            "",
            below=1,
            note=f"of {', '.join(HEAVY)} it imports {', '.join(heavy) or 'none'}",
        ),
        figure(
            "joulecast --help",
            [1000 * s for s in walls["joulecast --help"]],
            "ms",
            below=150,
            note=f"bare python takes {1000 * statistics.median(bare):.0f} ms of it",
        ),
    ]


def exit_code(command: list[str], cwd: Path, env: dict[str, str]) -> int:
    """What a wrapper answers for a command that exits with 7."""
    return subprocess.run(
        [*command, "sh", "-c", "exit 7"], cwd=cwd, env=env, capture_output=True
    ).returncode


def not_recorded(scratch: Path, env: dict[str, str]) -> str | None:
    """Why `joulecast run` recorded nothing, if so: then it must not pass for a quick wrapper."""
    summary = scratch / "summary.json"
    command = [joulecast_command(), "run", "--json-file", str(summary), "--", "true"]
    done = subprocess.run(command, cwd=scratch, env=env, capture_output=True, text=True)
    if done.returncode == 0 and summary.exists():
        return None
    lines = done.stderr.strip().splitlines() or ["no message"]
    return f"it recorded nothing: {lines[-1]}"


def wrapper_figures(rounds: int) -> list[Figure]:
    """`WRAPPER true` less `true`, and whether the wrapper keeps an exit code."""
    peers = peer_python()
    wrappers = {"joulecast run": [joulecast_command(), "run", "--"]}
    if peers:
        for name, line in WRAPPERS.items():
            program, *arguments = line.split()
            wrappers[name] = [str(peers.with_name(program)), *arguments]
    with tempfile.TemporaryDirectory() as scratch_name:
        scratch = Path(scratch_name)
        env = {**os.environ, **OFFLINE, "JOULECAST_LEDGER": str(scratch / "ledger.sqlite")}

        def case(wrapper: list[str]) -> Callable[[], float]:
            return lambda: wall_s([*wrapper, "true"], cwd=scratch, env=env)

        problem = not_recorded(scratch, env)  # this creates the ledger, too: once, not every time
        walls = interleave(
            {"true": case([])} | {name: case(w) for name, w in wrappers.items()}, rounds
        )
        codes = {name: exit_code(w, scratch, env) for name, w in wrappers.items()}
    figures = []
    for name in wrappers:
        extra = [a - b for a, b in zip(walls[name], walls["true"], strict=True)]
        ours = name == "joulecast run"
        if ours and problem:
            figures.append(Figure(f"{name} true, beyond true", None, "s", below=0.5, note=problem))
            continue
        kept = "keeps" if codes[name] == 7 else f"loses (answers {codes[name]})"
        note = f"{kept} the exit code of a command that exits with 7"
        figures.append(
            figure(f"{name} true, beyond true", extra, "s", below=0.5 if ours else None, note=note)
        )
    if peers:
        pairs = zip(walls["joulecast run"], walls["codecarbon monitor"], walls["true"], strict=True)
        parts = [(ours - bare) / (theirs - bare) for ours, theirs, bare in pairs]
        name = "joulecast run, as a fraction of codecarbon monitor"
        figures.append(figure(name, parts, "", below=0.2))
    else:
        figures += [
            Figure(f"{name} true, beyond true", None, "s", note=PEERS_MISSING) for name in WRAPPERS
        ]
    return figures


def benchmark(quick: bool) -> list[Figure]:
    """All of it, with byte code, as pip installs the peers (an editable joulecast lacks it)."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return import_figures(3 if quick else 20) + wrapper_figures(1 if quick else 7)


if __name__ == "__main__":
    run("startup", __doc__, benchmark)
