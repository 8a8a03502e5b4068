"""Recordings to store: small, with something in every field."""

from __future__ import annotations

import math

import numpy as np

from joulecast.estimate import Estimate, Provenance
from joulecast.meters.base import GaugeSource, ReadingKind, Source, Uncertainty
from joulecast.recording.model import Footer, Gap, Header, Metric, Recording, Samples, Span, Status

GPU = Source(
    "gpu:0",
    "NVML energy counter",
    ReadingKind.COUNTER,
    Provenance.MEASURED,
    0.1,
    Uncertainty(0.05, 0.05, "NVML documentation"),
    "NVIDIA A100",
)
CPU = Source(
    "cpu:0",
    "model of the load",
    ReadingKind.POWER,
    Provenance.MODELLED,
    0.5,
    Uncertainty(0.3, 0.4, "other machines"),
)
GAUGES = [
    GaugeSource(
        "gpu:0/utilization_pct",
        "NVML",
        "%",
        ReadingKind.GAUGE,
        Provenance.MEASURED,
        1.0,
        "NVIDIA A100",
    ),
    GaugeSource(
        "cpu/utilization_pct", "CPU time", "%", ReadingKind.COUNTER, Provenance.MEASURED, 1.0
    ),
    GaugeSource(
        *("gpu:0/temperature_c", "NVML", "°C", ReadingKind.GAUGE, Provenance.MEASURED, 1.0),
        reason="no permission",
    ),
]


def header(run_id: str = "0123456789abcdef", name: str = "digits", **changes: object) -> Header:
    """Of a run on one GPU."""
    fields: dict[str, object] = {
        "run_id": run_id,
        "name": name,
        "started_at": 1_800_000_000.25,
        "command": ["python", "train.py", "--rate=1e-3", "caf\udce9"],  # not UTF-8: a file's name
        "scope": "process",
        "interval_s": 0.1,
        "environment": {"gpus": [{"name": "NVIDIA A100"}], "cpu": None},
        "sources": [GPU, CPU],
        "tags": {"model": "cnn", "seed": "1"},
        "planned_epochs": 30,
        "idle_power_w": {"gpu:0": 50.5},
        "warnings": ["dram:0 cannot be read"],
        "gauges": list(GAUGES),
    }
    return Header(**(fields | changes))  # type: ignore[arg-type]


def samples(seconds: float = 10, start: float = 0, power_w: float = 300) -> Samples:
    """A counter at 10 Hz."""
    t = start + np.arange(round(seconds * 10)) / 10
    return Samples(t, t * power_w, t * power_w * 0.95, t * power_w * 1.05, t.copy())


def watts(seconds: float = 10) -> Samples:
    """A modelled power at 2 Hz, of which the run has a share that varies."""
    t = np.arange(round(seconds * 2)) / 2
    value = 40 + 10 * np.sin(t)
    return Samples(t, value, value * 0.7, value + 16 + np.cos(t), t * 0.5 + 0.1 * np.sin(t))


def gauged(counts: bool = False) -> Samples:
    """A gauge read once a second; its integral where it counts."""
    t = np.arange(11) * 1.0
    value = 90 * t if counts else 90 + np.sin(t)
    return Samples(t, value, value, value, np.zeros(11))


def recording(
    run_id: str = "0123456789abcdef", name: str = "digits", **changes: object
) -> Recording:
    """A run that has ended."""
    footer = Footer(Status.FAILED, 10.5, 7, ["gpu:0 was reset"], Estimate(2990.5, 2841, 3140))
    return Recording(
        header=header(run_id, name, **changes),
        spans=[
            Span(1, None, "epoch", "epoch", 0.5, 5.25, 0, 4711),
            Span(2, 1, "phase", "validate ✓", 4.5, 5.25, None, 4711),
            Span(3, None, "epoch", "epoch", 5.25, None, 1, 4711),
        ],
        metrics=[
            Metric(5.25, "loss", math.nan, 1),
            Metric(5.25, "accuracy", 0.875, 1),
            Metric(10.0, "loss", math.inf),
        ],
        gaps=[
            Gap("gpu:0", 3.0, 4.0, "reset"),
            Gap("cpu:0", 9.0, None, "gone"),
            Gap("gpu:0/utilization_pct", 10.0, None, "lost"),
        ],
        samples={"gpu:0": samples(), "cpu:0": watts()}
        | {"gpu:0/utilization_pct": gauged(), "cpu/utilization_pct": gauged(counts=True)},
        footer=footer,
        status=footer.status,
    )


def assert_same(one: Recording, other: Recording, within: float = 1e-6) -> None:
    """Equal in all but the last tick of the samples; not-a-number equals itself."""
    assert one.header == other.header
    assert one.spans == other.spans
    assert repr(one.metrics) == repr(other.metrics)
    key = lambda gap: (gap.start_s, gap.domain)  # noqa: E731
    assert sorted(one.gaps, key=key) == sorted(other.gaps, key=key)
    assert one.footer == other.footer
    assert one.status is other.status
    assert set(one.samples) == set(other.samples)
    for domain, mine in one.samples.items():
        for name in ("t_s", "value", "low", "high", "held_s"):
            np.testing.assert_allclose(
                getattr(mine, name), getattr(other.samples[domain], name), rtol=1e-12, atol=within
            )
