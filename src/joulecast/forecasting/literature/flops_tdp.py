"""FLOPs / peak x TDP: the device computes at its peak rate and draws its rated power throughout.

The baseline that arXiv 2307.05520 and others measure themselves against; it reads no meter and
needs no fit. A sample trained on costs its forward pass three times (the backward pass is about two
of them), one validated on once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base import Prediction
from ..physical.device import Device, StaticForecaster, StepForecast

if TYPE_CHECKING:
    from ...workload.model import Workload

TRAINING_PASSES = 3.0
"""Forward passes that a training step of a sample costs: forward 1, backward 2."""


def training_flops(gflops: float, samples: float, validated: float = 0.0) -> float:
    """FLOPs of a run of so many samples trained and validated on, `gflops` a forward pass."""
    return 1e9 * gflops * (TRAINING_PASSES * samples + validated)


def rated_duration_s(flops: float, peak_tflops: float) -> float:
    """Seconds at peak rate (TFLOP/s)."""
    return flops / (1e12 * peak_tflops)


class FlopsTdp(StaticForecaster):
    """Rated power for as long as the FLOPs take at peak rate; no interval."""

    name = "flops-tdp"

    def step(self, workload: Workload, device: Device) -> StepForecast | None:
        """One step, or None where the peak rate at this precision is not known."""
        peak_tflops = device.peak_tflops(workload.precision)
        if not peak_tflops:
            return None
        duration_s = rated_duration_s(workload.flops(), peak_tflops * device.devices)
        power_w = device.tdp_w * device.devices
        return StepForecast(
            Prediction(duration_s),
            Prediction(power_w * duration_s),
            Prediction(power_w),
            shares=None,
            method=self.name,
            rung="catalog",
            notes=("at the peak rate and the rated power of the device throughout",),
        )
