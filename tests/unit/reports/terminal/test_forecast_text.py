import io

from rich.console import Console

from joulecast.forecasting.base import Prediction
from joulecast.forecasting.physical.device import Device, Shares, StepForecast
from joulecast.forecasting.physical.job import Plan, Site, forecast_job
from joulecast.reports.terminal.forecast import render_forecast, shares_text
from joulecast.workload.model import Workload


def job(name="NVIDIA A100 SXM4 80GB", energy=20.0, memory_gb=80.0):
    work = Workload(
        *("resnet", 64, (3, 224, 224), "bf16", True, "adamw", 25_600_000, (), ()),
        *(1e9, 1e9, 2e9, 16e9),
    )
    step = StepForecast(
        Prediction(0.1, 0.08, 0.13),
        Prediction(energy, energy * 0.8, energy * 1.3),
        Prediction(200.0, 170.0, 240.0),
        Shares(0.62, 0.3, 0.08),
        "physical",
        "catalog",
        ("no Hopper GPU was among those fitted",),
    )
    device = Device(name, "gpu", {}, {}, 900.0, memory_gb, 300.0, 80)
    return forecast_job(step, work, device, Plan(100, 30), Site(400.0, "World, 2023"))


def shown(*jobs, width=100):
    out = io.StringIO()
    render_forecast(jobs, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def test_one_device_in_full():
    text = shown(job())
    assert "resnet: training, adamw, batch 64 of 3x224x224, bf16" in text
    assert "60.0 kJ (48.0 to 78.0)" in text
    assert "62 % arithmetic, 30 % memory traffic, 8 % launching kernels" in text
    assert "about 22.5 GB of 80" in text
    assert "no Hopper GPU was among those fitted" in text


def test_several_devices_side_by_side_fit_eighty_columns():
    text = shown(job(), job("NVIDIA GeForce RTX 3090", 35.0), width=80)
    assert "RTX 3090" in text and "NVIDIA GeForce RTX 3090" not in text
    assert "105 kJ" in text and "84.0 to 136 kJ" in text
    assert max(map(len, text.splitlines())) <= 80


def test_what_does_not_fit_is_a_warning_with_its_cure():
    assert "does not fit: needs about 22.5 GB of 8 GB; a smaller batch would" in shown(
        job(memory_gb=8.0)
    )


def test_small_shares_are_left_out():
    assert shares_text(Shares(0.998, 0.001, 0.001)) == "100 % arithmetic"
