"""Rung by rung: five small networks trained here for real, compared with their forecasts.

Energy and time of a step over trainings of some seconds, compared with three forecasts: from the
catalog alone, from a calibration immediately before, and from probes of the job itself. Probes and
trainings alternate, because the speed of a machine changes: the difference between one training and
the next is the smallest error that a forecast can have. Also prints the table of
docs/methods/static-forecast.md.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from harness import Figure, joulecast_command, log, run

BATCH = 64
TRAINING_S, PROBE_S, CALIBRATION_S = 8.0, 5.0, 40.0
# How often a probe and a training alternate.
TURNS = 4
RUNGS = ("catalog", "calibrated", "probed", "training")
# Relative error of the energy in %, for the rungs that have a target.
TARGETS = {"calibrated": 15.0, "probed": 5.0}
WHAT = ("energy", "time")
JOB: dict[str, Any] = {"batch": BATCH, "training": True, "optimizer": "adam", "precision": "fp32"}


@dataclass(frozen=True)
class Net:
    """A network, and the shape of one sample."""

    name: str
    build: Callable[[], Any]
    shape: tuple[int, ...]


def nets() -> list[Net]:
    """Networks limited by matrix products, convolutions, memory, attention, and recurrence."""
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

    from joulecast.calibration.probe import measure

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
        raise RuntimeError("no meter works on this machine; see joulecast doctor")
    return span.energy.value / steps, span.duration_s / steps


def probed(net: Net, seconds: float) -> tuple[float, float]:
    """Joules and seconds of a step, as `joulecast forecast --probe` measures them."""
    from joulecast.calibration.probe import probe
    from joulecast.calibration.steps import steps_of

    step = probe(steps_of(net.build(), net.shape, **JOB), seconds=seconds)
    return step.energy.value, step.duration.value


def forecasts(net: Net, device: Any, calibrated: Any) -> dict[str, tuple[float, float]]:
    """Joules and seconds of one step by rung, without running it."""
    from joulecast.forecasting.physical.forecaster import Physical
    from joulecast.workload import analyze

    work = analyze(net.build(), net.shape, device="cpu", **JOB)
    rungs = {"catalog": device, "calibrated": device.calibrated(calibrated)}
    steps = {rung: Physical().step(work, there) for rung, there in rungs.items()}
    return {r: (step.energy.value, step.duration.value) for r, step in steps.items() if step}


def calibration(seconds: float) -> Any:
    """This machine's constants, measured now by `joulecast calibrate`."""
    import subprocess
    from pathlib import Path

    from joulecast.calibration.stored_constants import calibration_of
    from joulecast.hardware.environment import Environment
    from joulecast.ledger import open_ledger

    with tempfile.TemporaryDirectory() as folder:
        ledger = str(Path(folder) / "ledger.sqlite")
        options = ["--device", "cpu", "--duration", f"{seconds:g}s", "--ledger", ledger]
        subprocess.run([joulecast_command(), "calibrate", *options], stdout=sys.stderr, check=True)
        with open_ledger(ledger) as opened:
            constants = calibration_of(opened, Environment.detect().to_json(), "cpu")
    if constants is None:
        raise RuntimeError("joulecast calibrate stored no calibration")
    return constants


@dataclass(frozen=True)
class Comparison:
    """Measured and forecast steps of one network, each as (joules, seconds).

    Attributes:
        trained: of each turn's training.
        probed: of each turn's probe, immediately before the training.
        forecasts: by rung.
    """

    trained: list[tuple[float, float]]
    probed: list[tuple[float, float]]
    forecasts: dict[str, tuple[float, float]]

    def errors(self, rung: str, what: int) -> list[float]:
        """Errors of one rung, %, of the energy (`what` 0) or the time (1).

        A probe is compared with the training after it, a forecast with the mean of all trainings.
        """
        real = [each[what] for each in self.trained]
        if rung == "probed":
            pairs = zip([each[what] for each in self.probed], real, strict=True)
            return [100 * (probe / training - 1) for probe, training in pairs]
        if rung == "training":
            # No forecast can do better than the training immediately before.
            return [100 * (before / after - 1) for before, after in pairwise(real)]
        if rung not in self.forecasts or not real:
            return []
        return [100 * (self.forecasts[rung][what] / statistics.fmean(real) - 1)]


def benchmark(quick: bool) -> list[Figure]:
    """The mean error of each rung; its notes have the error on each network."""
    try:
        import torch
    except ImportError:
        return [Figure("rung by rung", None, "%", below=5.0, note="torch is not installed")]
    from joulecast.calibration.devices import cpu_here
    from joulecast.hardware.environment import Environment

    torch.manual_seed(0)
    part = 0.2 if quick else 1.0
    constants = calibration(CALIBRATION_S * part)
    device = cpu_here(Environment.detect())
    comparisons: dict[str, Comparison] = {}
    for net in nets():
        one = comparisons[net.name] = Comparison([], [], forecasts(net, device, constants))
        for _ in range(2 if quick else TURNS):
            one.probed.append(probed(net, PROBE_S * part))
            one.trained.append(trained(net, TRAINING_S * part))
            joules, seconds = one.trained[-1]
            log(f"  {net.name}: {1e3 * joules:.2f} mJ, {1e3 * seconds:.2f} ms a step")
    log("")
    log(markdown(comparisons))
    figures = [_figure(rung, what, comparisons) for what in (0, 1) for rung in RUNGS]
    floor, reached = (figures[RUNGS.index(rung)].reached for rung in ("training", "probed"))
    if reached is not None and floor:
        name = "error of the probe over that of the training before, energy"
        figures.append(Figure(name, reached / floor, "x"))
    return figures


def markdown(comparisons: dict[str, Comparison]) -> str:
    """The table of docs/methods/static-forecast.md: mean error of energy and time, by rung."""
    lines = ["| rung | energy of a step | time of a step | target (energy) |", "|---|---|---|---|"]
    for rung in RUNGS:
        energy, time = (_figure(rung, what, comparisons) for what in (0, 1))
        target = "" if energy.below is None else f"{energy.below:g} %"
        if energy.reached is None or time.reached is None:
            lines.append(f"| {rung} | | | {target} |")
            continue
        if energy.met is not None:
            target += ", met" if energy.met else ", missed"
        spread = f"{energy.low:.1f} to {energy.high:.1f}"
        name = "training before" if rung == "training" else rung
        cells = f"{energy.reached:.1f} % ({spread}) | {time.reached:.1f} %"
        lines.append(f"| {name} | {cells} | {target} |")
    return "\n".join(lines)


def _figure(rung: str, what: int, comparisons: dict[str, Comparison]) -> Figure:
    target = TARGETS.get(rung) if what == 0 else None
    errors = {net: one.errors(rung, what) for net, one in comparisons.items()}
    errors = {net: each for net, each in errors.items() if each}
    name = f"{rung}: {WHAT[what]} of a step, mean error on {len(errors)} networks"
    if len(errors) < len(comparisons):
        return Figure(name, None, "%", below=target, note="no forecast")
    sizes = [statistics.fmean(abs(error) for error in each) for each in errors.values()]
    each = (f"{net} " + " ".join(f"{e:+.0f}" for e in errors[net]) for net in errors)
    return Figure(
        *(name, statistics.fmean(sizes), "%"),
        below=target,
        low=min(sizes),
        high=max(sizes),
        note=", ".join(each) + " %",
    )


if __name__ == "__main__":
    run("rungs", __doc__, benchmark)
