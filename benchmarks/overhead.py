"""What recording a real training loop costs in CPU time, and what the peers cost on the same loop.

A tool's CPU time is that of its threads, its children and the main thread's calls into it, read in
the process that trains. Its *overhead* is what it takes for as long as the training runs, over the
CPU time of the training, both from the second half of the epochs. The rest it takes *once a run*:
to start, to stop, and to load what it loads late. The notes say what the two come to on this
training, and what a comparison of whole processes with and without the tool (A/B) makes of it.
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
    note = (
        f"both together {statistics.median(in_all):.2f} % of this training of {length:.0f} s; "
        f"by A/B {statistics.median(compared):.1f} % ({min(compared):.1f} to {max(compared):.1f})"
    )
    return [
        figure(name, [100 * rate for rate in rates], "%", below=below, note=note),
        figure("  and once a run", once, "s"),
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
