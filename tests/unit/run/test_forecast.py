"""The public function `joulecast.forecast`."""

import doctest

import pytest

import joulecast
from joulecast.calibration.probe import ProbeError
from joulecast.errors import UnknownHardwareError, UsageError
from joulecast.estimate import Provenance
from joulecast.ledger import calibrations, open_ledger
from joulecast.run import forecast as module

torch = pytest.importorskip("torch", reason="counting a model needs torch")
SHAPE = (3, 32, 32)
A100 = "A100-SXM4-80GB"


def small():
    nn = torch.nn
    layers = nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(16, 10))


def one(**options):
    (only,) = joulecast.forecast(small, SHAPE, **options).forecasts
    return only


def test_its_example_runs():
    names = {"joulecast": joulecast, "torch": torch}
    (example,) = doctest.DocTestFinder().find(joulecast.forecast, "forecast", module, names)
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0


def test_a_forecast_has_estimates_counts_and_memory():
    job = one(gpu=A100, batch=64, samples=50_000, epochs=30)
    assert (job.method, job.rung) == ("physical", "catalog")
    estimates = job.energy, job.duration, job.power, job.carbon, job.step_energy, job.step_duration
    assert all(0 < e.low <= e.value <= e.high for e in estimates)
    assert job.plan.steps * job.plan.epochs == 782 * 30
    assert job.energy.value == pytest.approx(782 * 30 * job.step_energy.value)
    work = job.workload
    assert work.parameters == 3 * 16 * 9 + 16 + 16 * 10 + 10
    macs = 64 * (16 * 3 * 9 * 32 * 32 + 16 * 10)
    assert work.forward_flops == pytest.approx(2 * macs, rel=0.1)
    assert work.step_flops > 2 * work.forward_flops
    assert work.step_bytes > 0
    assert job.dominated_by in ("compute", "memory", "launch", "input")
    assert job.memory.fits is True


def test_each_device_has_one_forecast():
    result = joulecast.forecast(small, SHAPE, steps=100, gpu=["RTX 3090", A100])
    names = [job.device for job in result.forecasts]
    assert names == ["NVIDIA GeForce RTX 3090", "NVIDIA A100 SXM4 80GB"]
    assert result.cheapest.energy.value == min(job.energy.value for job in result.forecasts)
    twice = f"RTX 3090,GeForce RTX 3090, {A100}"
    assert joulecast.forecast(small, SHAPE, steps=100, gpu=twice) == result
    with_cpu = joulecast.forecast(small, SHAPE, steps=100, gpu="T4", cpu="EPYC 7763")
    assert [job.device for job in with_cpu.forecasts][1] == "EPYC 7763"


def test_a_name_that_several_boards_share_widens_the_interval():
    exact, shared = one(steps=100, gpu=A100), one(steps=100, gpu="NVIDIA A100")
    assert shared.energy.value == exact.energy.value
    assert shared.energy.low < exact.energy.low or shared.energy.high > exact.energy.high
    assert "PCIe" in shared.notes[0]


def test_inference_costs_less_than_training_and_validation_more():
    options = {"samples": 6400, "gpu": "RTX 3090"}
    training = one(**options).energy.value
    inference = one(**options, training=False).energy.value
    validated = one(**options, val_samples=6400).energy.value
    assert inference < training
    assert validated == pytest.approx(training + inference)


def test_carbon_uses_the_grid_and_the_pue():
    job = one(steps=1000, gpu="RTX 3090", carbon_intensity=500.0, pue=1.2)
    assert job.carbon.value == pytest.approx(job.energy.value / 3.6e6 * 500 * 1.2)
    assert job.carbon.provenance is Provenance.ASSUMED
    assert "Germany" in one(steps=1000, gpu="RTX 3090", region="DE").grid.basis


def test_this_machine_is_the_default_and_uses_its_calibration(tmp_path):
    ledger = tmp_path / "ledger.sqlite"
    plain = one(steps=10, cpu="", ledger=ledger)
    assert plain.rung == "catalog"
    environment = joulecast.Environment.detect().to_json()
    with open_ledger(ledger) as opened:
        document = {"values": {"launch_s": 1.0, "step_s": 2.0, "busy_w": 30.0}}
        calibrations.save(opened, environment, "cpu", document, 1.8e9)
    calibrated = one(steps=10, cpu="", ledger=ledger)
    assert (calibrated.rung, calibrated.power.value) == ("calibrated", 30.0)
    assert calibrated.step_duration.value > 2.0 + calibrated.step_duration.value / 2


def test_a_model_larger_than_the_memory_is_a_warning():
    (job,) = joulecast.forecast(
        lambda: torch.nn.Linear(30_000, 30_000), (30_000,), steps=1, gpu="GTX 1660"
    ).forecasts
    assert job.memory.fits is False
    assert job.memory.fixed_bytes > job.memory.available_bytes


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, UsageError),
        ({"steps": 9, "samples": 9}, UsageError),
        ({"steps": 9, "gpu": "T4,,P4"}, UsageError),
        ({"steps": 9, "gpu": ""}, UsageError),
        ({"steps": 9, "gpu": "RTX 3091"}, UnknownHardwareError),
        ({"steps": 9, "gpu": "T4", "pue": 0.5}, UsageError),
        ({"steps": 9, "gpu": "T4", "probe": True}, UsageError),
        ({"steps": 9, "batch": 10**9, "probe": True}, ProbeError),
    ],
)
def test_misuse(options, error):
    with pytest.raises(error):
        joulecast.forecast(small, SHAPE, **options)
