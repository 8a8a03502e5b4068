"""Made-up recordings, with readings like those of real meters (counters that tick, noise)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from joulecast.estimate import Provenance
from joulecast.meters.base import ReadingKind, Source, Uncertainty
from joulecast.recording.model import Footer, Gap, Header, Metric, Recording, Samples, Span, Status

ENVIRONMENT: dict[str, Any] = {
    "host": {
        "os": "Debian GNU/Linux",
        "os_version": "12",
        "kernel": "6.1.0-28-amd64",
        "architecture": "x86_64",
        "ram_bytes": 540_000_000_000,
    },
    "machine": {"vendor": "Supermicro", "product": "AS-4124GO-NART", "virtual": False},
    "cpu": {
        "name": "AMD EPYC 7763 64-Core Processor",
        "microarchitecture": "Zen 3",
        "codename": "Milan",
        "sockets": 2,
        "cores": 128,
        "threads": 256,
        "usable_threads": 32,
    },
    "gpus": [
        {
            "index": i,
            "vendor": "NVIDIA",
            "name": "NVIDIA A100-SXM4-80GB",
            "memory_bytes": 85_899_345_920,
            "power_limit_w": 400.0,
            "compute_capability": "8.0",
            "visible": i == 0,
        }
        for i in range(4)
    ],
    "gpus_restricted_by": "CUDA_VISIBLE_DEVICES=0",
    "container": "docker",
    "limits": {"cpus": 32.0, "memory_bytes": 128_000_000_000},
    "software": {
        "python": "3.11.2",
        "packages": {"torch": "2.6.0+cu126", "numpy": "2.2.0"},
        "nvidia_driver": "550.54.14",
        "cuda_driver": "12.4",
        "cuda_runtime": "12.6",
    },
    "notes": [],
}


def source(domain: str, **changes: Any) -> Source:
    """The source of a meter of that family."""
    family = domain.partition(":")[0]
    facts: dict[str, Any] = {
        "gpu": {
            "source": "NVML energy counter",
            "kind": ReadingKind.COUNTER,
            "provenance": Provenance.MEASURED,
            "update_period_s": 0.1,
            "uncertainty": Uncertainty(0.05, 0.05, "±5 % stated by the vendor"),
            "device": "NVIDIA A100-SXM4-80GB",
        },
        "cpu": {
            "source": "SPECpower load model",
            "kind": ReadingKind.COUNTER,
            "provenance": Provenance.MODELLED,
            "update_period_s": 0.01,
            "uncertainty": Uncertainty(0.25, 0.35, "error on machines not fitted"),
            "device": "AMD EPYC 7763 64-Core Processor",
        },
        "dram": {
            "source": "0.3725 W/GB x held memory",
            "kind": ReadingKind.POWER,
            "provenance": Provenance.ASSUMED,
            "update_period_s": 0.01,
            "uncertainty": Uncertainty(0.5, 0.5, "spread of published figures"),
            "device": "540 GB",
        },
    }[family]
    return Source(domain=domain, **(facts | changes))


def readings(src: Source, power_w: Callable[[np.ndarray], np.ndarray], t_s: np.ndarray) -> Samples:
    """The readings of a meter of this source at each instant of a true power curve."""
    low, high = 1 - src.uncertainty.low, 1 + src.uncertainty.high
    if src.kind is ReadingKind.POWER:
        value = power_w(t_s)
    else:
        ticks = np.arange(0, t_s[-1] + 2 * src.update_period_s, src.update_period_s)
        energy = np.concatenate([[0.0], np.cumsum(power_w(ticks[:-1]) * np.diff(ticks))])
        value = energy[np.searchsorted(ticks, t_s, side="right") - 1]
    return Samples(t_s, value, value * low, value * high, t_s - t_s[0])


def training(
    epochs: int = 8,
    epoch_s: float = 12.0,
    domains: tuple[str, ...] = ("gpu:0", "cpu:0", "dram:0"),
    name: str = "resnet50-cifar10",
    hz: float = 10.0,
    gaps: tuple[Gap, ...] = (),
    status: Status = Status.FINISHED,
    **header: Any,
) -> Recording:
    """A training: loading of data, then epochs of training and validation, each a span."""
    rng = np.random.default_rng(7)
    setup, pause = 4.0, 0.25
    duration = setup + epochs * epoch_s + 1.0
    t = np.arange(0, duration, 1 / hz)
    t = t + rng.uniform(0, 0.004, len(t))

    def busy(at: np.ndarray) -> np.ndarray:
        into = np.mod(at - setup, epoch_s) / epoch_s
        load = np.where(into < 0.8, 1.0, 0.55) * np.where(into * epoch_s < pause, 0.4, 1.0)
        return np.where((at < setup) | (at > duration - 1.0), 0.12, load)

    def power(domain: str) -> Callable[[np.ndarray], np.ndarray]:
        idle, full = {"gpu": (55.0, 330.0), "cpu": (90.0, 170.0), "dram": (18.0, 22.0)}[
            domain.partition(":")[0]
        ]
        noise = rng.normal(0, 0.03, 4096)
        return lambda at: (
            (idle + (full - idle) * busy(at)) * (1 + noise[(at * 10).astype(int) % 4096])
        )

    sources = [source(d) for d in domains]
    spans, metrics = [Span(1, None, "phase", "load data", 0.2, setup)], []
    for i in range(epochs):
        start = setup + i * epoch_s
        spans.append(Span(10 + 3 * i, None, "epoch", "epoch", start, start + epoch_s, i))
        spans.append(Span(11 + 3 * i, 10 + 3 * i, "phase", "train", start, start + 0.8 * epoch_s))
        spans.append(
            Span(
                12 + 3 * i, 10 + 3 * i, "phase", "validate", start + 0.8 * epoch_s, start + epoch_s
            )
        )
        end = start + epoch_s - 0.01
        metrics.append(Metric(end, "accuracy", 0.95 - 0.6 * np.exp(-i / 3), 10 + 3 * i))
        metrics.append(Metric(end, "loss", 0.2 + 2.0 * np.exp(-i / 3), 10 + 3 * i))
    spans.sort(key=lambda s: s.start_s)
    facts: dict[str, Any] = {
        "run_id": "3f9a1c7e",
        "name": name,
        "started_at": 1_767_265_200.0,
        "command": ["python", "train.py", "--batch", "256"],
        "scope": "process",
        "interval_s": 1 / hz,
        "environment": ENVIRONMENT,
        "sources": sources,
        "tags": {"dataset": "cifar10"},
        "planned_epochs": epochs,
        "idle_power_w": {"gpu:0": 55.0, "cpu:0": 90.0, "dram:0": 18.0},
    }
    recording = Recording(Header(**(facts | header)), spans, metrics, list(gaps))
    for src in sources:
        taken = readings(src, power(src.domain), t)
        mine = [g for g in gaps if g.domain == src.domain]
        keep = np.ones(len(t), dtype=bool)
        for g in mine:
            keep &= (t <= g.start_s) | (t >= (np.inf if g.end_s is None else g.end_s))
        recording.samples[src.domain] = Samples(
            *(getattr(taken, f)[keep] for f in ("t_s", "value", "low", "high", "held_s"))
        )
    recording.status = status
    if status in (Status.FINISHED, Status.FAILED, Status.CANCELED):
        recording.footer = Footer(status, duration, 0 if status is Status.FINISHED else 7)
    return recording


def without_samples(**header: Any) -> Recording:
    """A run that ended before anything was read."""
    recording = training(epochs=0, **header)
    recording.samples = {}
    recording.spans, recording.metrics = [], []
    recording.footer = Footer(Status.FINISHED, 0.02, 0)
    return recording
