"""What recording a real training loop costs in CPU time, and what the peers cost on the same loop.

The sharp figure is the CPU time of the tool itself (its threads, its children, the main thread's
calls into it) over that of the training, both from one process. The A/B figure (CPU time of the
whole process with the tool against without) is given beside it; its spread shows why it is not the
one to judge by. What starting and stopping a tool costs is paid once and stands apart.
"""

from __future__ import annotations

import json
import os
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
    """The rows of one tool: while running, A/B, and once a run."""
    name = f"overhead of {label}"
    pairs = [
        (r, p)
        for r, p in zip(results, plain, strict=True)
        if not isinstance(r, str) and not isinstance(p, str)
    ]
    if not pairs:
        reason = next(r for r in [*results, *plain] if isinstance(r, str))
        return [Figure(name, None, "%", below=below, note=reason)]
    running = [100 * r["tool_running_cpu_s"] / r["training_cpu_s"] for r, _ in pairs]
    compared = [
        100 * (r["cpu_s"] - r["tool_fixed_cpu_s"] - p["cpu_s"]) / p["cpu_s"] for r, p in pairs
    ]
    fixed = [r["tool_fixed_cpu_s"] for r, _ in pairs]
    return [
        figure(name, running, "%", below=below),
        figure("  the same as A/B of whole processes", compared, "%"),
        figure("  to start and stop it, once a run", fixed, "s"),
    ]


def benchmark(quick: bool) -> list[Figure]:
    """Interleaved trainings with and without each tool, in each tool's own environment."""
    epochs, rounds = (10, 1) if quick else (250, 5)
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
