"""What recording a real training loop costs in CPU time, and what the peers cost on the same loop.

A tool's CPU time is that of its threads, its children and the main thread's calls into it, read in
the process that trains, over the CPU time of the training. *In all* is from its start to its stop,
on a training of about 20 s, which is short: *while training* is what it takes for as long as the
training runs (the second half of the epochs), and *once a run* is the rest, which a longer training
spreads thinner. A/B, in the notes, compares whole processes with the tool and without.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness import OFFLINE, PEERS_MISSING, ROOT, Figure, figure, interleave, peer_python, run

PEERS = {
    "CodeCarbon, every 15 s (its default)": "codecarbon",
    "CodeCarbon, 10 Hz": "codecarbon_10hz",
    "CarbonTracker, every 1 s (its default)": "carbontracker",
    "CarbonTracker, 10 Hz": "carbontracker_10hz",
    "Zeus, a window an epoch (no sampling)": "zeus",
}
Measured = dict[str, float]


def train(python: Path, tool: str, epochs: int, scratch: Path) -> Measured | str:
    """One training in a fresh process: its CPU times, or why there are none."""
    home = {"JOULECAST_LEDGER": str(scratch / "ledger.sqlite"), "XDG_DATA_HOME": str(scratch)}
    done = subprocess.run(
        [str(python), str(ROOT / "benchmarks" / "train_loop.py"), tool, "--epochs", str(epochs)],
        cwd=scratch,
        env={**os.environ, **OFFLINE, **home},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        return lines[-1] if lines else f"exit code {done.returncode}"
    result: Measured = json.loads(done.stdout.splitlines()[-1])
    return result


def figures_of(
    label: str, results: list[Measured | str], plain: list[Measured | str], below: float | None
) -> list[Figure]:
    """The rows of one tool."""
    name = f"overhead of {label}"
    pairs = [
        (r, p)
        for r, p in zip(results, plain, strict=True)
        if not isinstance(r, str) and not isinstance(p, str)
    ]
    if not pairs:
        reason = next(r for r in [*results, *plain] if isinstance(r, str))
        return [Figure(name, None, "%", below=below, note=reason)]
    rates = [r["second_half_tool_cpu_s"] / r["second_half_training_cpu_s"] for r, _ in pairs]
    once = [
        r["tool_cpu_s"] - rate * r["training_cpu_s"]
        for (r, _), rate in zip(pairs, rates, strict=True)
    ]
    in_all = [100 * r["tool_cpu_s"] / r["training_cpu_s"] for r, _ in pairs]
    compared = [100 * (r["cpu_s"] - p["cpu_s"]) / p["cpu_s"] for r, p in pairs]
    length = statistics.median(r["training_cpu_s"] for r, _ in pairs)
    note = f"A/B {statistics.median(compared):.1f} % ({min(compared):.1f} to {max(compared):.1f})"
    rate = statistics.median(rates)
    if below is not None and 100 * rate < below:
        enough_s = statistics.median(once) / (below / 100 - rate)
        note += f"; in all it is under {below:g} % of a training of {enough_s:.0f} s or more"
    return [
        figure(f"{name}: while training", [100 * r for r in rates], "%", below=below, note=note),
        figure("  once a run", once, "s"),
        figure(f"  in all, of a training of {length:.0f} s", in_all, "%", below=below),
    ]


def benchmark(quick: bool) -> list[Figure]:
    """Interleaved trainings with and without each tool, in each tool's own environment."""
    epochs, rounds = (20, 1) if quick else (250, 3)
    ours, theirs = Path(sys.executable), peer_python()
    with tempfile.TemporaryDirectory() as scratch_name:
        scratch = Path(scratch_name)

        def case(python: Path, tool: str) -> Callable[[], Measured | str]:
            return lambda: train(python, tool, epochs, scratch)

        cases = {"plain": case(ours, "none"), "joulecast": case(ours, "joulecast")}
        if theirs:
            cases["plain, peers' environment"] = case(theirs, "none")
            cases |= {label: case(theirs, tool) for label, tool in PEERS.items()}
        results = interleave(cases, rounds)
    figures = figures_of("joulecast, 10 Hz", results["joulecast"], results["plain"], below=1)
    for label in PEERS:
        if theirs:
            plain = results["plain, peers' environment"]
            figures += figures_of(label, results[label], plain, below=None)
        else:
            figures.append(Figure(f"overhead of {label}", None, "%", note=PEERS_MISSING))
    return figures


if __name__ == "__main__":
    run("overhead", __doc__, benchmark)
