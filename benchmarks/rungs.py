"""Rung by rung: five small networks trained here for real, beside what was forecast of each.

Energy and time of a step over a training of some seconds, against the catalog alone, the machine
calibrated a moment before, and a probe of the job itself.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness import Figure, joulecast_command, run, say

BATCH = 64
TRAINING_S, PROBE_S, CALIBRATION_S = 20.0, 8.0, 60.0
RUNGS = ("catalog", "calibrated", "probed")
TARGETS = {"catalog": None, "calibrated": 15.0, "probed": 5.0}


@dataclass(frozen=True)
class Net:
    """A network, and the shape of one sample."""

    name: str
    build: Callable[[], Any]
    shape: tuple[int, ...]


def nets() -> list[Net]:
    """Different in what they spend their time on: products, convolutions, memory, recurrence."""
    from torch import nn

    def conv(c_in: int, c_out: int, groups: int = 1) -> list[Any]:
        layer = nn.Conv2d(c_in, c_out, 3, padding=1, groups=groups)
        return [layer, nn.BatchNorm2d(c_out), nn.ReLU()]

    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.out = nn.LSTM(8, 128, batch_first=True), nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            return self.out(self.lstm(x)[0][:, -1])

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
            self.embed, self.out = nn.Linear(8, 64), nn.Linear(64, 10)
            self.encoder = nn.TransformerEncoder(layer, 2)

        def forward(self, x: Any) -> Any:
            return self.out(self.encoder(self.embed(x)).mean(1))

    return [
        Net(
            "mlp",
            lambda: nn.Sequential(nn.Linear(64, 1024), nn.ReLU(), nn.Linear(1024, 10)),
            (64,),
        ),
        Net(
            "cnn",
            lambda: nn.Sequential(*conv(1, 32), *conv(32, 64), *head, nn.Linear(64, 10)),
            (1, 8, 8),
        ),
        Net(
            "depthwise",
            lambda: nn.Sequential(
                *conv(1, 64), *conv(64, 64, 64), nn.Conv2d(64, 64, 1), *head, nn.Linear(64, 10)
            ),
            (1, 8, 8),
        ),
        Net("transformer", Attention, (8, 8)),
        Net("lstm", Recurrent, (8, 8)),
    ]


def trained(net: Net, seconds: float) -> tuple[float, float]:
    """Joules and seconds of a step in a real training on scikit-learn's digits."""
    import time

    import torch
    from sklearn.datasets import load_digits

    from joulecast.run.probe import measure

    x, y = load_digits(return_X_y=True)
    data = torch.tensor(x, dtype=torch.float32).view(-1, *net.shape) / 16
    target = torch.tensor(y)
    module = net.build().train()
    adam = torch.optim.Adam(module.parameters(), 1e-3)
    steps = 0

    def train(tracker: Any) -> None:
        nonlocal steps
        end = time.monotonic() + seconds
        with tracker.span("training"):
            while time.monotonic() < end:
                for batch in torch.randperm(len(data)).split(BATCH):
                    loss = torch.nn.functional.cross_entropy(module(data[batch]), target[batch])
                    adam.zero_grad(set_to_none=True)
                    loss.backward()
                    adam.step()
                    steps += len(batch) / BATCH

    (span,) = [s for s in measure(train).spans if s.span.name == "training"]
    if span.energy is None:
        raise RuntimeError("nothing is metered here")
    return span.energy.value / steps, span.duration_s / steps


def forecasts(net: Net, device: Any, calibrated: Any, probe_s: float) -> dict[str, Any]:
    """A forecast of one step by rung."""
    from joulecast.forecast.physical import Physical
    from joulecast.run.probe import probe
    from joulecast.run.steps import steps_of
    from joulecast.workload import analyze

    job = {"batch": BATCH, "training": True, "optimizer": "adam", "precision": "fp32"}
    work = analyze(net.build(), net.shape, **job)
    step = steps_of(net.build(), net.shape, **job)
    return {
        "catalog": Physical().step(work, device),
        "calibrated": Physical().step(work, device.calibrated(calibrated)) if calibrated else None,
        "probed": probe(step, seconds=probe_s),
    }


def calibration(seconds: float) -> Any:
    """This machine's constants, measured now, as a user would have it done."""
    import subprocess
    from pathlib import Path

    from joulecast.hardware.environment import Environment
    from joulecast.ledger import open_ledger
    from joulecast.run.calibrate import calibration_of

    with tempfile.TemporaryDirectory() as folder:
        ledger = str(Path(folder) / "ledger.sqlite")
        options = ["--device", "cpu", "--seconds", f"{seconds:g}", "--ledger", ledger]
        subprocess.run([joulecast_command(), "calibrate", *options], stdout=sys.stderr, check=True)
        with open_ledger(ledger) as opened:
            return calibration_of(opened, Environment.detect().to_json(), "cpu")


def benchmark(quick: bool) -> list[Figure]:
    """The mean error of each rung, and the error on each network in the notes."""
    try:
        import torch
    except ImportError:
        return [Figure("rung by rung", None, "%", below=5.0, note="torch is not installed")]
    from joulecast.hardware.environment import Environment
    from joulecast.run.devices import cpu_here

    torch.manual_seed(0)
    part = 0.2 if quick else 1.0
    constants = calibration(CALIBRATION_S * part)
    device = cpu_here(Environment.detect())
    errors: dict[tuple[str, str], dict[str, float]] = {}
    for net in nets():
        said = forecasts(net, device, constants, PROBE_S * part)
        joules, seconds = trained(net, TRAINING_S * part)
        say(f"  {net.name}: {1e3 * joules:.2f} mJ in {1e3 * seconds:.2f} ms a step")
        for rung, step in said.items():
            if step is not None:
                energy = errors.setdefault((rung, "energy"), {})
                energy[net.name] = 100 * (step.energy.value / joules - 1)
                duration = errors.setdefault((rung, "time"), {})
                duration[net.name] = 100 * (step.duration.value / seconds - 1)
    return [_figure(rung, what, errors) for what in ("energy", "time") for rung in RUNGS]


def _figure(rung: str, what: str, errors: dict[tuple[str, str], dict[str, float]]) -> Figure:
    target = TARGETS[rung] if what == "energy" else None
    name = f"{rung}: {what} of a step, mean error on five networks"
    found = errors.get((rung, what))
    if not found:
        return Figure(name, None, "%", below=target, note="no forecast")
    sizes = [abs(error) for error in found.values()]
    each = ", ".join(f"{net} {error:+.0f} %" for net, error in found.items())
    return Figure(
        *(name, sum(sizes) / len(sizes), "%"),
        below=target,
        low=min(sizes),
        high=max(sizes),
        note=each,
    )


if __name__ == "__main__":
    run("rungs", __doc__, benchmark)
