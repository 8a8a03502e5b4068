import math
from dataclasses import replace

import pytest

from fakes.workloads import GPU, conv, elementwise, matmul, workload
from joulecast.forecasting.base import Prediction
from joulecast.forecasting.physical.constants import shipped
from joulecast.forecasting.physical.device import (
    ASSUMED,
    Calibration,
    Device,
    Shares,
    StepForecast,
    total,
)
from joulecast.forecasting.physical.forecaster import Physical
from joulecast.forecasting.physical.memory_fit import memory_needed
from joulecast.hardware.catalog.cpus import cpus, find_cpu
from joulecast.hardware.catalog.gpus import find_gpu, gpus
from joulecast.workload.model import Op, OperatorKind, Phase

WORK = workload(*[matmul(4096, 4096, 4096)] * 10, elementwise(1e8), conv(32, 64, 56, 64, 3))


def test_energy_is_power_times_time_and_lies_in_its_interval():
    step = Physical().step(WORK, GPU)
    assert step.energy.value == pytest.approx(step.power.value * step.duration.value)
    for prediction in (step.energy, step.duration, step.power):
        assert 0 < prediction.low < prediction.value <= prediction.high
    assert (step.method, step.rung) == ("physical", "catalog")


def test_shares_add_up_and_name_what_dominates():
    computing = Physical().step(workload(matmul(16384, 16384, 16384)), GPU).shares
    moving = Physical().step(workload(elementwise(1e9)), GPU).shares
    waiting = Physical().step(workload(*[elementwise(10)] * 500), GPU).shares
    kinds = [s.dominant for s in (computing, moving, waiting)]
    assert kinds == ["compute", "memory", "launch"]
    for shares in (computing, moving, waiting):
        assert shares.compute + shares.memory + shares.launch == pytest.approx(1)
    assert Shares(0.2, 0.5, 0.3).dominant == "memory"


def test_every_gpu_and_cpu_of_the_catalog_can_be_forecast():
    forecaster = Physical()
    assert len(gpus()) > 50 and len(cpus()) > 200
    for gpu in gpus():
        step = forecaster.step(WORK, Device.of_gpu(gpu))
        assert step.power.value <= gpu.tdp_w * 1.01
        assert 0 < step.energy.low < step.energy.high
    for cpu in cpus()[::20]:
        assert forecaster.step(WORK, Device.of_cpu(cpu)).duration.value > 0


def test_more_of_everything_is_never_slower():
    better = replace(GPU, vector={"fp32": 20.0}, memory_bandwidth_gb_s=1000.0, power_limit_w=1e6)
    assert Physical().step(WORK, better).duration.value < Physical().step(WORK, GPU).duration.value


def test_nothing_to_do_is_no_forecast():
    assert Physical().step(workload(), GPU) is None


def test_novel_devices_and_operators_widen_the_interval_with_a_note():
    # So large that no device waits for its launches.
    large = workload(*[matmul(16384, 16384, 16384)] * 50, elementwise(1e10))

    def width(device, work=large):
        step = Physical().step(work, device)
        return step.energy.high / step.energy.low, step.notes

    usual, _ = width(GPU)
    kepler, why = width(Device.of_gpu(find_gpu("Tesla K40")))
    assert kepler > 1.1 * usual
    assert any("Kepler" in note for note in why)
    b200, why = width(Device.of_gpu(find_gpu("NVIDIA B200")))
    assert b200 == pytest.approx(kepler, rel=0.03)
    assert any("Blackwell" in note and "HBM" in note for note in why)
    for name in ("GeForce RTX 5090", "Tesla V100 PCIe 32GB", "H100 PCIe 80GB", "GTX 1080"):
        assert width(Device.of_gpu(find_gpu(name)))[0] == pytest.approx(usual, rel=0.03)
    amd, _ = width(Device.of_gpu(find_gpu("AMD Instinct MI210")))
    assert amd > 1.1 * kepler
    cpu, _ = width(Device.of_cpu(find_cpu("EPYC 7742")))
    assert cpu > amd
    rare = Op(OperatorKind.EMBEDDING, Phase.FORWARD, 0.0, 1e10, "fp32")
    strange, why = width(GPU, workload(rare))
    assert strange > usual
    assert any("embedding" in note for note in why)
    calibrated, _ = width(GPU.calibrated(Calibration(compute=1.0)))
    assert calibrated <= usual


def test_waiting_for_an_unknown_host_widens_the_interval_with_its_share():
    def width(kernels, device=GPU):
        work = workload(elementwise(2e8), *[elementwise(10)] * kernels)
        step = Physical().step(work, device)
        return math.log(step.energy.high / step.energy.low), step.notes

    few, some, many = (width(n)[0] for n in (1, 150, 3000))
    assert few < some < many
    assert many == pytest.approx(few * (1 + shipped()["known"]["widen"]["host"]), rel=0.05)
    assert any("host" in note for note in width(3000)[1])
    calibrated = GPU.calibrated(Calibration(compute=1.0))
    assert width(3000, calibrated)[0] == pytest.approx(width(1, calibrated)[0])


@pytest.mark.parametrize(
    ("calibration", "work", "slower"),
    [
        (Calibration(compute=0.5), workload(matmul(16384, 16384, 16384)), 2.0),
        (Calibration(memory=0.5), workload(elementwise(1e9)), 2.0),
        (Calibration(launch_s=1e-3), workload(*[elementwise(10)] * 100), None),
        (Calibration(step_s=0.5), workload(elementwise(10)), None),
    ],
)
def test_measured_values_replace_constants(calibration, work, slower):
    plain, own = Physical().step(work, GPU), Physical().step(work, GPU.calibrated(calibration))
    ratio = own.duration.value / plain.duration.value
    assert ratio == pytest.approx(slower, rel=0.1) if slower else ratio > 5


def test_calibrated_power():
    def watts(work, **calibration):
        unlimited = replace(GPU, power_limit_w=1e6)
        return Physical().step(work, unlimited.calibrated(Calibration(**calibration))).power.value

    assert watts(workload(elementwise(10)), idle_w=20.0, step_s=1.0) == pytest.approx(20, rel=0.05)
    moving = workload(elementwise(1e9))
    usual, double = watts(moving, idle_w=20.0), watts(moving, idle_w=20.0, power=2.0)
    assert double - 20 == pytest.approx(2 * (usual - 20), rel=1e-6)


STEP = StepForecast(
    Prediction(2.0, 1.0, 4.0),
    Prediction(100.0, 50.0, 200.0),
    Prediction(50.0),
    None,
    "physical",
    "catalog",
    ("a note",),
)


def test_the_error_of_a_run_is_that_of_its_step():
    run = total(STEP, 100, epochs=3)
    assert (run.energy.value, run.energy.low, run.energy.high) == (30000, 15000, 60000)
    assert (run.duration.value, run.duration.low) == (600, 300)
    assert run.notes == ("a note",)


def test_validation_is_added_after_each_epoch():
    run = total(STEP, 10, epochs=2, validation=STEP, validation_steps=5)
    assert run.energy.value == 3000
    assert run.notes == ("a note",)
    bare = replace(STEP, energy=Prediction(1.0))
    assert total(bare, 1).energy == Prediction(1.0)


def test_totals_that_make_no_sense():
    with pytest.raises(ValueError, match=r"\bsteps\b.*\bepochs\b"):
        total(STEP, -1)
    with pytest.raises(ValueError, match="validation"):
        total(STEP, 1, validation_steps=1)
    assert total(STEP, 0).energy.value == 0


def test_needed_memory_is_compared_with_the_device():
    needed = memory_needed(WORK, GPU)
    assert needed.fits is False
    assert "does not fit" in needed.warning
    roomy = memory_needed(WORK, replace(GPU, memory_gb=80.0))
    assert roomy.fits
    assert roomy.warning is None
    tight = memory_needed(WORK, replace(GPU, memory_gb=needed.needed_bytes / 1e9 * 1.05))
    assert "hardly fits" in tight.warning
    unknown = memory_needed(WORK, replace(GPU, memory_gb=None))
    assert (unknown.fits, unknown.warning) == (None, None)


def test_a_smaller_batch_is_proposed_only_where_it_helps():
    work = replace(
        WORK, batch=8, weight_bytes=1e9, gradient_bytes=1e9, optimizer_bytes=2e9,
        activation_bytes=16e9, peak_bytes=0.0,
    )  # fmt: skip
    roomy, tight, tiny = (memory_needed(work, replace(GPU, memory_gb=m)) for m in (12, 6, 4))
    assert roomy.fits_smaller and "a smaller batch would" in roomy.warning
    assert not tight.fits_smaller and "smaller batch" not in tight.warning
    assert (roomy.fits_on, tight.fits_on, tiny.fits_on) == (2, 4, 8)
    whole = memory_needed(work, replace(GPU, memory_gb=2.5))
    assert whole.fits_on is None and whole.warning.endswith("at any batch)")
    assert "4.9 GB" in tiny.warning and "4.9 GB" not in tight.warning
    alone = memory_needed(replace(work, batch=1), replace(GPU, memory_gb=12))
    assert not alone.fits_smaller and "smaller batch" not in alone.warning


def test_a_part_of_a_cpu_has_a_part_of_its_rate_and_power():
    whole, part = (Device.of_cpu(find_cpu("EPYC 7742"), cores=c) for c in (None, 16))
    assert part.vector["fp32"] == pytest.approx(whole.vector["fp32"] / 4)
    assert part.tdp_w == pytest.approx(whole.tdp_w / 4)
    assert part.memory_bandwidth_gb_s <= whole.memory_bandwidth_gb_s


def test_precisions_a_device_lacks_run_as_the_next_wider():
    assert GPU.peak_tflops("bf16") == 10.0
    assert replace(GPU, tensor={"fp16": 80.0}).peak_tflops("bf16") == 10.0
    assert replace(GPU, tensor={"fp16": 80.0}).peak_tflops("fp16", tensor_cores=False) == 10.0
    assert replace(GPU, vector={}).peak_tflops("fp32") is None


def test_no_gpu_draws_more_than_its_limit():
    step = Physical().step(WORK, replace(GPU, power_limit_w=0.7 * GPU.tdp_w))
    assert step.power.low < step.power.value <= step.power.high
    assert step.power.high <= max(step.power.value, 0.7 * GPU.tdp_w)


CPU = Device.of_cpu(cpus()[0], cores=2)
CPU_CONSTANTS = Calibration(
    compute=0.7, memory=0.8, launch_s=1e-5, step_s=2e-4, idle_w=5.0, busy_w=1000.0
)


def test_a_calibrated_cpu_draws_its_measured_power():
    plain = Physical().step(WORK, CPU)
    hot = Physical().step(WORK, CPU.calibrated(Calibration(busy_w=1000.0)))
    assert hot.power.value == 1000.0 > 2 * CPU.tdp_w
    assert hot.energy.value == pytest.approx(1000.0 * hot.duration.value)
    assert hot.duration.value <= plain.duration.value


def test_on_a_calibrated_cpu_starting_operators_adds_to_their_work():
    small = workload(*[elementwise(10)] * 500)
    step = Physical().step(small, CPU.calibrated(CPU_CONSTANTS))
    assert step.duration.value == pytest.approx(500 * 1e-5 + 2e-4, rel=0.01)
    large = workload(*[elementwise(1e8)] * 500)
    work_s, both_s = (
        Physical().step(large, CPU.calibrated(replace(CPU_CONSTANTS, launch_s=s))).duration.value
        for s in (1e-12, 1e-3)
    )
    assert both_s - work_s == pytest.approx(500 * 1e-3, rel=0.001)


def test_an_operator_of_the_optimizer_starts_in_a_quarter_of_the_time():
    update = Op(OperatorKind.OPTIMIZER, Phase.OPTIMIZER, 10.0, 80.0, "fp32", count=400)
    step = Physical().step(workload(update), CPU.calibrated(CPU_CONSTANTS))
    assert step.duration.value == pytest.approx(400 * 0.25e-5 + 2e-4, rel=0.01)


def test_notes_of_a_calibration_widen_or_warn():
    quiet = Physical().step(WORK, CPU.calibrated(CPU_CONSTANTS))
    assert ASSUMED in Physical().step(WORK, CPU).notes
    assert ASSUMED not in quiet.notes
    disturbed = Physical().step(WORK, CPU.calibrated(replace(CPU_CONSTANTS, disturbed=0.5)))
    assert disturbed.duration.high > quiet.duration.high
    assert len(disturbed.notes) == len(quiet.notes) + 1
    outdated = Physical().step(WORK, CPU.calibrated(replace(CPU_CONSTANTS, outdated=True)))
    assert outdated.duration == quiet.duration
    assert len(outdated.notes) == len(quiet.notes) + 1


@pytest.mark.parametrize("precision", ["bf16", "tf32"])
@pytest.mark.parametrize("name", ["Tesla V100 SXM2 16GB", "Tesla T4", "GeForce GTX 750 Ti"])
def test_gpus_before_ampere_compute_bf16_and_tf32_as_fp32_with_a_note(name, precision):
    device = Device.of_gpu(find_gpu(name))

    def of(dtype):
        work = workload(matmul(8192, 8192, 8192, dtype=dtype), precision=dtype)
        return Physical().step(work, device)

    full, asked = of("fp32"), of(precision)
    assert asked.duration.value == pytest.approx(full.duration.value, rel=0.05)
    (note,) = [note for note in asked.notes if precision in note]
    assert "fp32" in note and note not in full.notes


def test_tensor_cores_that_know_the_precision_have_no_note():
    work = workload(matmul(8192, 8192, 8192, dtype="bf16"), precision="bf16")
    on = {n: Physical().step(work, Device.of_gpu(find_gpu(n))) for n in ("RTX 3090", "Tesla T4")}
    assert not any("tensor cores" in note for note in on["RTX 3090"].notes)
    half = workload(matmul(8192, 8192, 8192, dtype="fp16"), precision="fp16")
    t4 = Physical().step(half, Device.of_gpu(find_gpu("Tesla T4")))
    assert t4.duration.value < on["Tesla T4"].duration.value / 3
    assert not any("tensor cores" in note for note in t4.notes)
