"""Gauges whose readings are a function of time, and gauges added to a made-up recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from joulecast.errors import MeterLostError
from joulecast.estimate import Provenance
from joulecast.meters.base import Gauge, GaugeSource, Reading, ReadingKind
from joulecast.recording.model import Array, Recording, Samples

UNITS = {"utilization_pct": "%", "temperature_c": "°C"}


def gauge_samples(t_s: Array, value: Array) -> Samples:
    """Readings of a gauge as samples."""
    return Samples(t_s, value, value, value, np.zeros(len(t_s)))


def gauge_source(name: str = "gpu:0/temperature_c", **changes: Any) -> GaugeSource:
    """The source of a gauge of that name."""
    unit = UNITS.get(name.rpartition("/")[2], "B")
    kind = ReadingKind.COUNTER if name == "cpu/utilization_pct" else ReadingKind.GAUGE
    device = "NVIDIA A100-SXM4-80GB" if name.startswith("gpu") else ""
    source = GaugeSource(name, "a test", unit, kind, Provenance.MEASURED, 1.0, device)
    return replace(source, **changes)


@dataclass
class FunctionGauge(Gauge):
    """Reads a function of the seconds since it was made; None is no reading."""

    clock: Callable[[], float]
    value: Callable[[float], float | None]
    source: GaugeSource = field(default_factory=gauge_source)
    lost_after_s: float = float("inf")
    closed: bool = False

    def __post_init__(self) -> None:
        self.made = self.clock()

    def read(self) -> Reading | None:
        t = self.clock() - self.made
        if t > self.lost_after_s:
            raise MeterLostError("it fell off the bus")
        value = self.value(t)
        return None if value is None else Reading(self.clock(), value, value, value, 0.0)

    def close(self) -> None:
        self.closed = True


def put(recording: Recording, name: str, t_s: Any, value: Any, **changes: Any) -> None:
    """Add the readings of a gauge to a recording."""
    recording.header.gauges.append(gauge_source(name, **changes))
    recording.samples[name] = gauge_samples(np.asarray(t_s, float), np.asarray(value, float))


def with_gauges(recording: Recording, gpus: int = 1) -> Recording:
    """A recording of `fakes.recordings` with the gauges of such a training."""
    rng = np.random.default_rng(3)
    t = np.arange(0.0, recording.duration_s + 1, 1.0)
    busy = (t > 4) & (t < recording.duration_s - 1)
    for i in range(gpus):
        put(
            recording,
            f"gpu:{i}/utilization_pct",
            t,
            np.where(busy, 93 + rng.normal(0, 2, len(t)), 0),
        )
        put(recording, f"gpu:{i}/memory_bytes", t, np.where(busy, 31e9, 0.6e9))
        put(recording, f"gpu:{i}/temperature_c", t, 38 + 28 * (1 - np.exp(-t / 40)) + i)
    cores = np.where(busy, 210 + rng.normal(0, 15, len(t)), 100)
    put(recording, "cpu/utilization_pct", t, np.concatenate([[0], np.cumsum(cores[1:])]))
    put(recording, "memory_bytes", t, 3e9 + 1e9 * (1 - np.exp(-t / 5)))
    return recording
