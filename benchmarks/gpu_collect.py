"""Collect measured data on a machine with a CUDA GPU: idle, a matmul sweep, a CNN training.

All of it is one joulecast recording at 10 Hz. During it a thread polls NVML's power reading, so
that the energy counter can be checked against integrated power, phase by phase. Written to
`benchmarks/data/` as `GPU_DATE.csv` (a trace, `t_s,power_w,...`) and `GPU_DATE.json` (hardware,
versions, date, figures). Without a CUDA device it prints the reason and exits with 0;
`--device cpu` rehearses everything but the GPU.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import itertools
import json
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import log, machine
from joulecast.serialize import to_builtins

if TYPE_CHECKING:
    from joulecast import Run, Summary

SCHEMA = "joulecast/gpu-data/1"
INTERVAL_S = 0.1
SIZES = (1024, 2048, 4096, 8192, 16384)
DTYPES = ("float32", "float16", "bfloat16")


@dataclass(slots=True)
class PowerPoller:
    """Polls the power reading of GPU 0 every 0.1 s, against which the counter is checked."""

    points: list[tuple[float, float]] = field(default_factory=list)  # monotonic seconds, watts
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to poll."""
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)

        def poll() -> None:
            while not self._stop.wait(INTERVAL_S):
                watts = pynvml.nvmlDeviceGetPowerUsage(handle) / 1000
                self.points.append((time.monotonic(), watts))

        self._thread = threading.Thread(target=poll, name="power-poller", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop polling and keep the points."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def energy_j(self, start_s: float, end_s: float) -> float | None:
        """Trapezoidal integral between two instants, J; None with fewer than two readings.

        The mean power between the first and the last reading extends to both instants.
        """
        inside = [p for p in self.points if start_s <= p[0] <= end_s]
        if len(inside) < 2:
            return None
        pairs = itertools.pairwise(inside)
        energy = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairs)
        return energy * (end_s - start_s) / (inside[-1][0] - inside[0][0])


def matmul(device: str, dtype: str, size: int, seconds: float) -> int:
    """Multiply square matrices for so many seconds; the FLOPs done."""
    import torch

    a = torch.randn(size, size, device=device).to(getattr(torch, dtype))
    end, done = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for _ in range(10 if device == "cuda" else 1):
            a @ a
            done += 1
        synchronize(device)
    return done * 2 * size**3


def synchronize(device: str) -> None:
    """Wait until the GPU has finished its queued work."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def train(run: Run, device: str, epochs: int, steps: int) -> None:
    """Train a CNN on random images of 3 x 64 x 64, batch 256."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers: list[nn.Module] = []
    channels = 3
    for width in (64, 128, 256, 512):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.MaxPool2d(2)]
        channels = width
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    model = nn.Sequential(*layers, *head).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    loss_of = nn.CrossEntropyLoss()
    batch = 256 if device == "cuda" else 8
    images = torch.randn(batch, 3, 64, 64, device=device)
    labels = torch.randint(10, (batch,), device=device)
    for _ in run.epochs(epochs):
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model(images), labels)
            loss.backward()
            optimizer.step()
        synchronize(device)
        run.log(loss=float(loss))


def collect(device: str, quick: bool) -> tuple[Summary, list[dict[str, Any]], PowerPoller, float]:
    """Everything under one recording: its figures, the phases, the polled power, its time zero."""
    import joulecast

    poller = PowerPoller()
    seconds, idle_s = (0.3, 1.0) if quick else (10.0, 30.0)
    sizes = SIZES[:1] if quick or device == "cpu" else SIZES
    phases: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        if device == "cuda":
            synchronize(device)  # the context exists before the idle phase, as in any training
            poller.start()
        recording = joulecast.record(
            "gpu data", interval=INTERVAL_S, ledger=Path(scratch) / "ledger.sqlite", quiet=True
        )
        with recording as run:
            zero = time.monotonic()
            with phase(run, phases, "idle"):
                time.sleep(idle_s)
            for dtype, size in itertools.product(DTYPES, sizes):
                log(f"  matmul {dtype} {size}")
                with phase(run, phases, f"matmul {dtype} {size}") as facts:
                    facts["flops"] = matmul(device, dtype, size, seconds)
            log("  training")
            with phase(run, phases, "training"):
                train(run, device, *((2, 2) if quick else (10, 200)))
        poller.stop()
        assert run.summary is not None
        return run.summary, phases, poller, zero


@contextmanager
def phase(run: Run, phases: list[dict[str, Any]], name: str) -> Iterator[dict[str, Any]]:
    """A span of the recording, with its edges on the monotonic clock kept as well."""
    facts: dict[str, Any] = {"name": name, "start": time.monotonic()}
    phases.append(facts)
    with run.span(name):
        yield facts
    facts["end"] = time.monotonic()


def add_energies(summary: Summary, phases: list[dict[str, Any]], poller: PowerPoller) -> None:
    """To each phase: joules of the recording by domain, of integrated power, and their ratio."""
    by_name = {s.span.name: s for s in summary.spans}
    for facts in phases:
        span = by_name[facts["name"]]
        start, end = facts.pop("start"), facts.pop("end")
        facts["duration_s"] = span.duration_s
        facts["domains"] = {name: e.to_json() for name, e in span.domains.items()}
        facts["integrated_power_j"] = poller.energy_j(start, end)
        counted = span.domains.get("gpu:0")
        integrated = facts["integrated_power_j"]
        both = counted is not None and integrated
        facts["counter_over_integral"] = counted.value / integrated if both else None


def write_trace(path: Path, summary: Summary, poller: PowerPoller, zero: float) -> None:
    """Mean power between two readings of the GPU's counter, and the power polled in that time."""
    samples = summary.recording.samples.get("gpu:0")
    polled = [(t - zero, watts) for t, watts in poller.points]
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["t_s", "power_w", "polled_power_w"])
        if samples is None:
            return
        at = 0
        for i in range(1, len(samples)):
            t, step = samples.t_s[i], samples.t_s[i] - samples.t_s[i - 1]
            while at + 1 < len(polled) and polled[at + 1][0] <= t:
                at += 1
            watts = (samples.value[i] - samples.value[i - 1]) / step
            out.writerow([f"{t:.4f}", f"{watts:.2f}", f"{polled[at][1]:.2f}" if polled else ""])


def unavailable() -> str | None:
    """Why nothing can be collected here, or None."""
    if importlib.util.find_spec("torch") is None:
        return 'PyTorch is not installed: pip install "joulecast[torch]"'
    import torch

    if not torch.cuda.is_available():
        return "no CUDA device here: nothing to collect (run this on a machine with an NVIDIA GPU)"
    return None


def main() -> None:
    """Collect and write, or print in one line why not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data")
    args = parser.parse_args()
    if args.device == "cuda" and (reason := unavailable()):
        print(f"skipped: {reason}")
        return
    summary, phases, poller, zero = collect(args.device, args.quick)
    add_energies(summary, phases, poller)
    where = machine()
    gpu = next((s for s in summary.recording.header.sources if s.domain == "gpu:0"), None)
    slug = re.sub(r"[^a-z0-9]+", "_", gpu.device.lower()).strip("_") if gpu else args.device
    args.out.mkdir(parents=True, exist_ok=True)
    stem = args.out / f"{slug}_{where['date']}"
    write_trace(stem.with_suffix(".csv"), summary, poller, zero)
    document = {
        "schema": SCHEMA,
        "machine": where,
        "gpu": to_builtins(gpu),
        "environment": summary.recording.header.environment,
        "phases": phases,
        "epochs": [
            {"duration_s": e.duration_s, "energy": e.energy.to_json() if e.energy else None}
            for e in summary.epochs
        ],
        "warnings": summary.warnings,
    }
    stem.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")
    for facts in phases:
        ratio = facts["counter_over_integral"]
        check = f"counter / integrated power = {ratio:.3f}" if ratio else "no counter to check"
        print(f"{facts['name']:>24}  {facts['duration_s']:6.1f} s  {check}")
    print(f"wrote {stem.name}.csv and {stem.name}.json")


if __name__ == "__main__":
    main()
