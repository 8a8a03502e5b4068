"""Run every benchmark, each in its own process, and print one table: `make bench`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import ROOT, SCHEMA, Figure, figure_from_json, log, machine, peer_python, table

BENCHMARKS = (
    *("startup", "overhead", "storage", "install_size", "cpu_model", "progress"),
    *("forecast", "early_stopping", "static", "rungs", "soak"),
)
# Whole, they take an hour.
ALWAYS_QUICK = ("soak",)


def set_up_peers() -> None:
    """Install the peers, once. Without them their rows say so."""
    if peer_python() is None:
        log("setting up the peers' environment")
        script = str(ROOT / "benchmarks" / "peers" / "setup.sh")
        subprocess.run(["sh", script], stdout=sys.stderr)


def run_one(name: str, quick: bool) -> list[Figure]:
    """The figures of one benchmark, or one row that says why there are none."""
    log(f"{name}:")
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "figures.json"
        script = str(ROOT / "benchmarks" / f"{name}.py")
        quick = quick or name in ALWAYS_QUICK
        options = ["--json", str(out), *(["--quick"] if quick else [])]
        done = subprocess.run([sys.executable, script, *options], stdout=subprocess.DEVNULL)
        if not out.exists():
            note = f"it failed with exit code {done.returncode}"
            return [Figure(f"benchmark {name}", None, "", below=0, note=note)]
        return [figure_from_json(f) for f in json.loads(out.read_text())["figures"]]


def main() -> None:
    """Print the machine, the table, and how many targets were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and few: to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here as well")
    args = parser.parse_args()
    if not args.quick:
        set_up_peers()
    figures = [f for name in BENCHMARKS for f in run_one(name, args.quick)]
    where = machine()
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    print(f"{where['date']}, {where['cpus']} x {where['cpu']}, {where['system']}")
    print(f"Python {where['python']}, {versions}\n")
    print(table(figures))
    targets = [f for f in figures if f.met is not None]
    print(f"\n{sum(bool(f.met) for f in targets)} of {len(targets)} targets met")
    if args.json:
        document = {"schema": SCHEMA, "benchmark": "all", "quick": args.quick, "machine": where}
        document["figures"] = [f.to_json() for f in figures]
        args.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
