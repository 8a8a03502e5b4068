"""FLOPs / peak x TDP as a forecaster of steps, the baseline of the forecasts before a run."""

from __future__ import annotations

from joulecast.forecasting.base import Prediction
from joulecast.forecasting.literature.flops_tdp import rated_duration_s
from joulecast.forecasting.physical.device import Device, StaticForecaster, StepForecast
from joulecast.workload.model import Workload


class FlopsTdp(StaticForecaster):
    """Rated power for as long as the FLOPs take at the peak rate; no interval."""

    name = "flops-tdp"

    def step(self, workload: Workload, device: Device) -> StepForecast | None:
        """One step, or None where the peak rate at this precision is unknown."""
        peak_tflops = device.peak_tflops(workload.precision)
        if not peak_tflops:
            return None
        duration_s = rated_duration_s(workload.flops(), peak_tflops)
        power_w = device.tdp_w
        energy, power = Prediction(power_w * duration_s), Prediction(power_w)
        return StepForecast(Prediction(duration_s), energy, power, None, self.name, "catalog")
