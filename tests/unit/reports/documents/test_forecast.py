"""The report of `joulecast forecast`; its wording is in `tests/golden/forecast_*.txt`."""

from fakes.golden import golden
from joulecast.forecasting.base import Prediction
from joulecast.forecasting.physical.device import Device, Shares, StepForecast
from joulecast.forecasting.physical.job import JobForecasts, Plan, Site, forecast_job
from joulecast.reports.documents.forecast import forecast_document, shares_text
from joulecast.reports.terminal.render import to_text
from joulecast.workload.model import Op, OperatorKind, Phase, Workload

OPS = (
    Op(OperatorKind.CONV, Phase.FORWARD, 0.7e12, 20e9, "bf16"),
    Op(OperatorKind.NORM, Phase.FORWARD, 0.3e12, 5e9, "fp32"),
)


def job(name="NVIDIA A100 SXM4 80GB", energy=20.0, memory_gb=80.0):
    work = Workload(
        *("resnet", 64, (3, 224, 224), "bf16", True, "adamw", 25_600_000, OPS, ()),
        *(1e9, 1e9, 2e9, 16e9),
    )
    step = StepForecast(
        Prediction(0.1, 0.08, 0.13),
        Prediction(energy, energy * 0.8, energy * 1.3),
        Prediction(200.0, 170.0, 240.0),
        Shares(0.62, 0.3, 0.08),
        "physical",
        "catalog",
        ("no Hopper GPU was in the fitted data",),
    )
    device = Device(name, "gpu", {"fp32": 19.5}, {"bf16": 312.0}, 900.0, memory_gb, 300.0, 80)
    return forecast_job(step, work, device, Plan(100, 30), Site(400.0, "World, 2023"))


def text(*jobs, width=100):
    return to_text(forecast_document(JobForecasts(jobs)), width)


def test_one_device_in_full():
    golden("forecast_one", text(job()))


def test_several_devices_fit_eighty_columns():
    shown = text(job(), job("NVIDIA GeForce RTX 3090", 35.0, memory_gb=8.0), width=80)
    assert max(map(len, shown.splitlines())) <= 80
    golden("forecast_several", shown)


def test_on_a_wide_terminal_the_table_has_the_dominating_part():
    jobs = job(), job("NVIDIA GeForce RTX 3090", 35.0)
    assert text(*jobs, width=120).count("arithmetic") == 2
    assert "arithmetic" not in text(*jobs, width=80)


def test_the_result_prints_itself():
    result = JobForecasts((job(),))
    assert repr(result) == text(job())
    assert "<table" in result._repr_html_()


def test_small_shares_are_left_out():
    assert shares_text(Shares(0.998, 0.001, 0.001)) == "100 % arithmetic"
