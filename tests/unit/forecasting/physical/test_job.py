import math
from dataclasses import replace

import pytest

from joulecast.errors import UsageError
from joulecast.estimate import Estimate, Provenance
from joulecast.forecasting.base import Forecast, Prediction
from joulecast.forecasting.physical.device import Device, Shares, StepForecast
from joulecast.forecasting.physical.job import JobForecasts, Plan, Site, forecast_job, widest
from joulecast.forecasting.physical.node import node_part
from joulecast.forecasting.physical.parallel import Layout
from joulecast.workload.model import Op, OperatorKind, Phase, Workload

WORK = Workload(
    name="net",
    batch=8,
    input_shape=(3, 32, 32),
    precision="fp32",
    training=True,
    optimizer="sgd",
    parameters=1000,
    ops=(
        Op(OperatorKind.CONV, Phase.FORWARD, 1e9, 1e6, "fp32", count=2),
        Op(OperatorKind.CONV, Phase.BACKWARD, 2e9, 2e6, "fp32", count=2),
    ),
    layers=(),
    weight_bytes=4e9,
    gradient_bytes=4e9,
    optimizer_bytes=0.0,
    activation_bytes=3e9,
)
DEVICE = Device("a device", "gpu", {}, {}, 900.0, 20.0, 300.0, 80)
SMALL = Device("a small device", "gpu", {}, {}, 900.0, 10.0, 300.0, 80)
STEP = StepForecast(
    duration=Prediction(0.1, 0.08, 0.13),
    energy=Prediction(20.0, 15.0, 30.0),
    power=Prediction(200.0, 170.0, 240.0),
    shares=Shares(0.6, 0.3, 0.1),
    method="physical",
    rung="catalog",
    notes=("a note",),
)
SITE = Site(360.0, "as given", 1.5)


def test_steps_see_every_sample():
    assert Plan.of_samples(50_000, 64, 30) == Plan(782, 30)
    assert Plan.of_samples(64, 64, 1, 65) == Plan(1, 1, 2)


def test_a_job_is_its_steps_and_its_validation():
    plan = Plan(100, 3, 10)
    after = StepForecast(
        Prediction(0.02, 0.01, 0.03), Prediction(4, 3, 5), STEP.power, None, "physical", "catalog"
    )
    job = forecast_job(STEP, WORK, DEVICE, plan, SITE, after)
    assert job.energy.value == pytest.approx(3 * (100 * 20 + 10 * 4))
    assert job.energy.high == pytest.approx(3 * (100 * 30 + 10 * 5))  # one model: one error
    assert job.duration.value == pytest.approx(3 * (100 * 0.1 + 10 * 0.02))
    assert job.carbon.value == pytest.approx(job.energy.value / 3.6e6 * 360 * 1.5)
    assert job.carbon.provenance is Provenance.ASSUMED
    assert job.energy.provenance is Provenance.MODELLED


def test_the_error_of_the_meters_of_a_probe_is_kept_apart():
    metered = Estimate(10, 6, 18, own_low=9.8, own_high=10.3).by_meter("a cpu")
    job = forecast_job(replace(STEP, metered=metered), WORK, DEVICE, Plan(100), SITE)
    for name, (below, above) in {
        "energy": (500, 1000),
        "step_energy": (5, 10),
        "power": (30, 40),
    }.items():
        e = getattr(job, name)
        assert e.own_sides == pytest.approx(
            (math.hypot(below, 0.02 * e.value), math.hypot(above, 0.03 * e.value))
        )
        assert e.high == pytest.approx(e.value + math.hypot(above, 0.8 * e.value), rel=1e-3)
        assert list(e.shared) == ["a cpu"]
    assert job.carbon.is_apart
    assert job.duration.shared == {}


def test_a_job_names_the_type_in_which_each_class_of_operators_is_computed():
    ops = (
        Op(OperatorKind.CONV, Phase.FORWARD, 1e9, 1e6, "tf32"),
        Op(OperatorKind.MATMUL, Phase.FORWARD, 3e9, 1e6, "fp8"),
        Op(OperatorKind.MATMUL, Phase.FORWARD, 1e9, 1e6, "bf16"),
        Op(OperatorKind.NORM, Phase.FORWARD, 1e9, 1e6, "fp32"),
        Op(OperatorKind.MOVE, Phase.FORWARD, 0.0, 1e6, "fp32"),
    )

    def kinds(tensor):
        device = replace(DEVICE, tensor=tensor, vendor="NVIDIA")
        return forecast_job(STEP, replace(WORK, ops=ops), device, Plan(1), SITE).workload

    every = kinds({"tf32": 1.0, "bf16": 1.0, "fp8": 1.0})
    assert every.kinds_by_type == {"tf32": ("conv",), "fp8": ("matmul",), "fp32": ("norm",)}
    assert kinds({"bf16": 1.0}).kinds_by_type == {"fp32": ("conv", "norm"), "bf16": ("matmul",)}


def test_memory_needed_by_a_job():
    memory = forecast_job(STEP, WORK, SMALL, Plan(1), SITE).memory
    assert memory.needed_bytes == pytest.approx(11e9, rel=0.2)
    assert memory.fits is False
    unknown = Device("?", "cpu", {}, {}, 12.0, None, 65.0, 4)
    assert forecast_job(STEP, WORK, unknown, Plan(1), SITE).memory.fits is None


def test_a_document_has_the_figures_under_plain_keys():
    document = JobForecasts((forecast_job(STEP, WORK, DEVICE, Plan(7), SITE),)).to_json()
    assert next(iter(document.items())) == ("schema", "joulecast/forecast/1")
    (forecast,) = document["forecasts"]
    assert forecast["step_energy"] == {
        "value": 20.0, "low": 15.0, "high": 30.0, "unit": "J", "provenance": "modelled",
        "mix": {}, "own_low": 15.0,
        "own_high": 30.0, "reason": None,
    }  # fmt: skip
    assert forecast["workload"]["forward_flops"] == 2e9
    assert forecast["workload"]["step_flops"] == 6e9
    assert forecast["plan"] == {"steps": 7, "epochs": 1, "validation_steps": 0}
    assert forecast["memory"]["fits"] is True
    assert (forecast["dominated_by"], forecast["notes"]) == ("compute", ["a note"])
    assert (forecast["device"], forecast["device_count"]) == ("a device", 1)


def test_the_cheapest_forecast_has_the_lowest_energy():
    jobs = [forecast_job(STEP, WORK, DEVICE, Plan(steps), SITE) for steps in (7, 3, 5)]
    assert JobForecasts(tuple(jobs)).cheapest is jobs[1]


def test_the_widest_interval_includes_every_device():
    job = forecast_job(STEP, WORK, DEVICE, Plan(10), SITE)
    other_step = StepForecast(
        Prediction(0.2, 0.15, 0.3),
        Prediction(10, 8, 12),
        Prediction(50, 40, 60),
        None,
        "p",
        "catalog",
    )
    other = forecast_job(other_step, WORK, DEVICE, Plan(10), SITE)
    both = widest(job, [other])
    assert (both.energy.value, both.energy.low, both.energy.high) == pytest.approx((200, 80, 300))
    assert (both.duration.low, both.duration.high) == pytest.approx((0.8, 3.0))


def test_what_does_not_fit_has_no_energy():
    job = forecast_job(STEP, WORK, SMALL, Plan(10), SITE, whole_nodes=True)
    assert job.memory.fits is False
    for figure in (job.energy, job.duration, job.carbon, job.node, job.total_energy):
        assert figure is None
    assert job.step_energy.value == 20.0
    fits = forecast_job(STEP, WORK, DEVICE, Plan(1000), SITE)
    assert JobForecasts((job, fits)).cheapest is fits
    assert JobForecasts((job, fits)).exit_code == 0
    assert JobForecasts((job,)).exit_code == 1
    assert widest(job, [fits]).energy is None


def test_several_devices_have_their_nodes_around_them():
    gpu = Device(
        "NVIDIA H100 SXM5 80GB", "gpu", {}, {}, 3350.0, 80.0, 700.0, 132, architecture="Hopper"
    )
    layout = Layout(nodes=2, devices_per_node=8, data=16, micro_batches=2)
    step = replace(STEP, energy=Prediction(1000.0, 800.0, 1200.0), power=Prediction(10_000.0))
    job = forecast_job(step, WORK, gpu, Plan(10), SITE, layout=layout, whole_nodes=True)
    assert job.device_count == 16
    assert job.energy.value == pytest.approx(10_000)
    # 1 s at 16 x 700 W x 0.82 x 0.41, of which 0.35 go with the load of 10 of 11.2 kW.
    rest = 11_200 * 0.82 * 0.41 * (0.65 + 0.35 * 10 / 11.2)
    assert job.node.energy.value == pytest.approx(rest)
    assert job.node.energy.low < rest < job.node.energy.high
    assert job.node.energy.provenance is Provenance.MODELLED
    assert job.total_energy.value == pytest.approx(10_000 + rest)
    assert job.total_energy.low == pytest.approx(job.energy.low + job.node.energy.low)
    assert job.carbon.value == pytest.approx(job.total_energy.value / 3.6e6 * 360 * 1.5)
    # A step is 32 micro-batches of 8 samples, whose optimizer runs once.
    assert job.workload.batch == 256
    assert job.workload.step_flops == 32 * 6e9
    alone = forecast_job(step, WORK, gpu, Plan(10), SITE)
    assert alone.node is None and alone.total_energy is None


def test_one_server_of_eight_draws_what_was_measured():
    """MLPerf Training v4.0: 6.8 to 7.3 kW for 8 H100, a node rated at 10.2 kW."""
    gpu = Device(
        "NVIDIA H100 SXM5 80GB", "gpu", {}, {}, 3350.0, 80.0, 700.0, 132, architecture="Hopper"
    )
    for share in (0.9, 1.0):
        watts = 8 * 700 * share
        job = node_part(Forecast(Prediction(watts), Prediction(1.0)), Layout(1, 8, 8), gpu)
        assert 6800 <= watts + job.energy.value <= 7500
    # What a node draws and how long a job takes err independently of one another.
    timed = Forecast(Prediction(5600.0), Prediction(1.0, 0.5, 2.0))
    node = node_part(timed, Layout(1, 8, 8), gpu).energy
    assert node.high / node.value == pytest.approx(math.exp(math.hypot(math.log(2), math.log(1.6))))
    assert node.value / node.low == pytest.approx(math.exp(math.hypot(math.log(2), math.log(0.6))))


def test_sites():
    assert "Germany" in Site.of("DE").basis
    assert Site.of().carbon_g_per_kwh > 100
    for wrong in (
        {"region": "Atlantis"},
        {"pue": 0.9},
        {"intensity": -1.0},
        {"region": "DE", "intensity": 300.0},
    ):
        with pytest.raises(UsageError):
            Site.of(**wrong)
