"""What the benchmarks share: figures, interleaved repetitions, the table, the command line."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / ".bench"
SHARED_DATA = ROOT.parent / "shared" / "data"
SCHEMA = "joulecast/benchmark/1"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table: what was reached, and the target where there is one.

    `reached` None means that it could not be measured; `note` then says why.
    """

    name: str
    reached: float | None
    unit: str
    below: float | None = None  # the target: reached must be under it
    at_least: float | None = None  # or not under this one
    low: float | None = None  # smallest and largest of the repetitions
    high: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target was met; None where there is no target."""
        if self.below is None and self.at_least is None:
            return None
        if self.reached is None:
            return False
        return (self.below is None or self.reached < self.below) and (
            self.at_least is None or self.reached >= self.at_least
        )

    def to_json(self) -> dict[str, object]:
        """Plain JSON types."""
        return asdict(self) | {"met": self.met}


def figure_from_json(data: Mapping[str, Any]) -> Figure:
    """Inverse of `Figure.to_json`."""
    return Figure(**{name: value for name, value in data.items() if name != "met"})


def figure(name: str, values: Sequence[float], unit: str, **kwargs: Any) -> Figure:
    """The median of repetitions, with their range."""
    return Figure(
        name, statistics.median(values), unit, low=min(values), high=max(values), **kwargs
    )


def interleave(cases: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Run every case once a round, in a new order each round, so that drift hits all alike.

    Element i of every list comes from round i, so differences can be taken pair by pair.
    """
    order = random.Random(0)
    results: dict[str, list[T]] = {name: [] for name in cases}
    for done in range(rounds):
        for name in order.sample(list(cases), len(cases)):
            log(f"  round {done + 1}/{rounds}: {name}")
            results[name].append(cases[name]())
    return results


def wall_s(command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> float:
    """Seconds a command takes from start to end; its output is dropped, its exit code ignored."""
    start = time.perf_counter()
    subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def joulecast_command() -> str:
    """The `joulecast` program of the environment this benchmark runs in."""
    return str(Path(sys.executable).with_name("joulecast"))


def peer_python() -> Path | None:
    """The interpreter of the peers' environment, or None if it was not set up."""
    python = BENCH / "peers" / "bin" / "python"
    return python if python.exists() else None


PEERS_MISSING = "peers not installed: sh benchmarks/peers/setup.sh"

# A closed port as proxy: a peer that calls home fails at once, on any machine, instead of leaving
# it or waiting for it.
OFFLINE = dict.fromkeys(
    ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"
)


def log(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """The machine and the versions the figures belong to; no names of hosts, users or paths."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        cpu = next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), cpu)
        if any("hypervisor" in x.split() for x in lines if x.startswith("flags")):
            cpu += " (virtual machine)"
    versions = {}
    for name in ("joulecast", "torch", "numpy"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "cpu": cpu,
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": versions,
        "date": datetime.now(UTC).date().isoformat(),
    }


def format_value(value: float | None, unit: str) -> str:
    """Three significant digits and the unit, or `not measured`."""
    if value is None:
        return "not measured"
    size = abs(value)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    if unit == "" and float(value).is_integer():
        decimals = 0
    return f"{value:.{decimals}f} {unit}".rstrip()


def table(figures: Sequence[Figure]) -> str:
    """Figure, target, reached, met or not, as a Markdown table that also reads well as text."""
    rows = [("figure", "target", "reached", "met")]
    notes = []
    for f in figures:
        target = ""
        if f.below is not None:
            target = f"under {format_value(f.below, f.unit)}"
        elif f.at_least is not None:
            target = f"at least {format_value(f.at_least, f.unit)}"
        reached = format_value(f.reached, f.unit)
        if f.low is not None and f.high is not None and f.low != f.high:
            low, high = format_value(f.low, ""), format_value(f.high, "")
            reached += f" ({low} to {high})"
        rows.append((f.name, target, reached, {True: "yes", False: "NO", None: ""}[f.met]))
        if f.note:
            notes.append(f"- {f.name.strip()}: {f.note}")
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def run(name: str, description: str | None, benchmark: Callable[[bool], list[Figure]]) -> None:
    """The command line every benchmark has: `--quick`, `--json FILE`; prints the table."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="small and few: to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    args = parser.parse_args()
    report(name, benchmark(args.quick), args.quick, args.json)


def report(name: str, figures: Sequence[Figure], quick: bool, file: Path | None) -> None:
    """Print the table, and write the figures to a file if one is named."""
    print(table(figures))
    if file:
        document = {
            "schema": SCHEMA,
            "benchmark": name,
            "quick": quick,
            "machine": machine(),
            "figures": [f.to_json() for f in figures],
        }
        file.write_text(json.dumps(document, indent=2) + "\n")
