"""How a job is divided among devices, what they exchange, and how long they wait."""

from dataclasses import replace

import pytest

from joulecast.errors import UsageError
from joulecast.forecasting.base import Prediction
from joulecast.forecasting.physical.communication import ATTAINED, HOP_S, NETWORK_HOP_S, DeviceGroup
from joulecast.forecasting.physical.device import Device, Shares, StepForecast
from joulecast.forecasting.physical.memory_fit import memory_needed
from joulecast.forecasting.physical.parallel import (
    WAITING,
    Layout,
    Waiting,
    at_efficiency,
    check_layout,
    layout_of,
    on_all_devices,
    on_one_device,
    samples_per_part,
    usual_micro_batches,
    waiting,
)
from joulecast.hardware.catalog.nodes import node_of
from joulecast.workload.model import Op, OperatorKind, Phase, Workload

NODE = node_of("NVIDIA H100 SXM5 80GB", "Hopper")
GPU = Device(
    "NVIDIA H100 SXM5 80GB", "gpu", {"fp32": 67.0}, {"bf16": 989.0}, 3350.0, 80.0, 700.0, 132
)
WORK = Workload(
    name="net",
    batch=2,
    input_shape=(1024,),
    precision="bf16",
    training=True,
    optimizer="adamw",
    parameters=1_000_000_000,
    ops=(
        Op(OperatorKind.MATMUL, Phase.FORWARD, 4e12, 4e9, "bf16", shape=(1, 2048, 4096, 1024)),
        Op(OperatorKind.NORM, Phase.FORWARD, 1e9, 1e9, "fp32"),
        Op(
            OperatorKind.ATTENTION,
            Phase.FORWARD,
            1e12,
            1e9,
            "bf16",
            shape=(32, 1024, 1024, 64, 64, 1),
        ),
        Op(OperatorKind.MATMUL, Phase.BACKWARD, 8e12, 8e9, "bf16", shape=(1, 2048, 4096, 1024)),
        Op(OperatorKind.OPTIMIZER, Phase.OPTIMIZER, 1e10, 2e10, "fp32"),
    ),
    layers=(),
    weight_bytes=4e9,
    gradient_bytes=4e9,
    optimizer_bytes=8e9,
    activation_bytes=20e9,
    peak_bytes=30e9,
    blocks=10,
    block_bytes=0.4e9,
    block_output_bytes=4e6,
)
STEP = StepForecast(
    duration=Prediction(0.4, 0.2, 0.8),
    energy=Prediction(200.0, 80.0, 400.0),
    power=Prediction(500.0, 300.0, 650.0),
    shares=Shares(0.9, 0.1, 0.0),
    method="physical",
    rung="catalog",
)


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        (None, (32, 1, 1, 1)),
        ("data", (32, 1, 1, 1)),
        ("fsdp", (1, 32, 1, 1)),
        ("FSDP", (1, 32, 1, 1)),
        ("tensor:8", (4, 1, 8, 1)),
        ("fsdp,tensor:8", (1, 4, 8, 1)),
        ("tensor:8,pipeline:4", (1, 1, 8, 4)),
        ("tensor:8xpipeline:4", (1, 1, 8, 4)),
        ("pipeline:2*tensor:4*data", (4, 1, 4, 2)),
        ("fsdp:8,data", (4, 8, 1, 1)),
    ],
)
def test_the_ways_multiply_to_the_devices(text, degrees):
    layout = layout_of(text, 8, 4)
    assert (layout.data, layout.fsdp, layout.tensor, layout.pipeline) == degrees
    assert layout.devices == 32 and layout.nodes == 4 and layout.devices_per_node == 8


@pytest.mark.parametrize(
    "text",
    ["tensor:3", "tensor:0", "tensor:-1", "zero", "tensor:64", "data,fsdp", "fsdp,fsdp", "data:2",
     "", "tensor:8,", "tensor:2.5", "fsdp:4,tensor:4"],
)  # fmt: skip
def test_a_layout_that_does_not_come_out(text):
    with pytest.raises(UsageError, match=r"--parallel"):
        layout_of(text or ",", 8)


def test_a_batch_is_divided_among_copies_and_micro_batches():
    assert samples_per_part(layout_of("fsdp,tensor:2", 8, 1, 4), 64) == 4
    for batch in (30, 2):
        with pytest.raises(UsageError, match="multiple of 16"):
            samples_per_part(layout_of("fsdp,tensor:2", 8, 1, 4), batch)


def test_a_pipeline_has_micro_batches_that_divide_the_batch():
    assert usual_micro_batches(layout_of("fsdp", 8), 64) == 1
    assert usual_micro_batches(layout_of("pipeline:4,data", 8), 64) == 16
    assert usual_micro_batches(layout_of("pipeline:4,data", 8), 12) == 6
    assert usual_micro_batches(layout_of("pipeline:4,data", 8), 2) == 1


def test_what_a_model_cannot_be_divided_by():
    check_layout(layout_of("tensor:8", 8), WORK)
    check_layout(layout_of("pipeline:10", 10), WORK)
    with pytest.raises(UsageError, match=r"16 attention heads"):
        check_layout(layout_of("tensor:3", 3), WORK)
    with pytest.raises(UsageError, match="pipeline:10"):
        check_layout(layout_of("pipeline:11", 11), WORK)


def test_rings_inside_a_node_and_between_nodes():
    inside = DeviceGroup.of(8, 1, 8)
    assert inside.gather_s(NODE, 8e9) == pytest.approx(7e9 / (ATTAINED * 450e9) + 7 * HOP_S)
    assert inside.reduce_s(NODE, 8e9) == 2 * inside.gather_s(NODE, 8e9)
    # All eight share the eight adapters of their node; one alone has its own.
    across = DeviceGroup.of(16, 1, 8)
    hops = NETWORK_HOP_S + 14 * HOP_S
    assert across.gather_s(NODE, 16e9) == pytest.approx(15e9 / (ATTAINED * 400e9) + hops)
    alone = DeviceGroup.of(2, 8, 8)
    assert alone.gather_s(NODE, 2e9, 3) == pytest.approx(
        1e9 / (ATTAINED * 50e9) + 3 * NETWORK_HOP_S
    )
    assert DeviceGroup.of(1, 8, 8).gather_s(NODE, 1e9) == 0.0


def test_one_device_is_left_as_it_is():
    assert on_one_device(WORK, Layout()) is WORK
    assert waiting(WORK, Layout(), NODE, 0.4) == Waiting()
    assert on_all_devices(STEP, Waiting(), Layout(), GPU) is STEP


def test_what_one_device_computes_and_holds():
    copies = on_one_device(WORK, layout_of("data", 8))
    assert copies.flops() == WORK.flops()
    assert copies.memory_bytes == WORK.memory_bytes
    shards = on_one_device(WORK, layout_of("fsdp", 8))
    assert shards.weight_bytes == pytest.approx(4e9 / 8 + 2 * 0.4e9)
    assert shards.gradient_bytes == pytest.approx(4e9 / 8)
    assert shards.optimizer_bytes == pytest.approx(8e9 / 8)
    assert shards.flops(Phase.FORWARD) == WORK.flops(Phase.FORWARD)
    assert shards.flops(Phase.OPTIMIZER) == pytest.approx(1e10 / 8)
    split = on_one_device(WORK, layout_of("tensor:8", 8))
    assert split.flops(kind=OperatorKind.MATMUL) == pytest.approx(12e12 / 8)
    assert split.flops(kind=OperatorKind.NORM) == WORK.flops(kind=OperatorKind.NORM)
    assert split.ops[0].shape == (1, 2048, 512, 1024)
    assert split.weight_bytes == pytest.approx(4e9 / 8)
    # 10 of 34 bytes of an activation are on each device.
    assert split.activation_bytes == pytest.approx(20e9 * (10 + 24 / 8) / 34)
    # Of the 6 GB that live shortly, as much as the gradients is divided as they are.
    assert shards.peak_bytes == pytest.approx(4e9 / 8 + 20e9 + 4e9 / 8 + 2e9)
    stages = on_one_device(WORK, layout_of("pipeline:4", 4, 1, 2))
    assert stages.weight_bytes == pytest.approx(1e9)
    assert stages.activation_bytes == pytest.approx(20e9 * 2 / 4)


def test_micro_batches_add_up_before_one_optimizer_step():
    work = on_one_device(WORK, Layout(micro_batches=4))
    assert work.flops(Phase.FORWARD) == 4 * WORK.flops(Phase.FORWARD)
    assert work.flops(Phase.OPTIMIZER) == WORK.flops(Phase.OPTIMIZER)
    # Each sum of gradients reads two and writes one.
    assert work.bytes(Phase.BACKWARD) == pytest.approx(4 * 8e9 + 3 * 3 * 4e9)
    assert work.memory_bytes == WORK.memory_bytes


def test_copies_exchange_their_gradients_behind_the_backward_pass():
    waits = waiting(WORK, layout_of("data", 8), NODE, 0.4)
    ring = 2 * 7 / 8 * 4e9 / (ATTAINED * 450e9)
    assert waits.exchange_s == pytest.approx(ring, rel=0.3)
    # Only the last bucket is not hidden.
    assert waits.exposed_s == pytest.approx(waits.exchange_s / 153)
    # Where computing takes next to no time, nothing is.
    idle = waiting(WORK, layout_of("data", 8), NODE, 0.003)
    assert idle.exposed_s == pytest.approx(idle.exchange_s - 2 / 3 * 0.003)
    # Between nodes it takes longer; with four micro-batches there is still one exchange.
    far = waiting(WORK, layout_of("data", 1, 8), NODE, 0.4)
    assert far.exchange_s > 7 * waits.exchange_s
    assert waiting(WORK, layout_of("data", 8, 1, 4), NODE, 0.4).exchange_s == waits.exchange_s


def test_shards_are_gathered_twice_a_pass_and_reduced_once():
    waits = waiting(WORK, layout_of("fsdp", 8), NODE, 0.4)
    # 10^9 parameters of 2 bytes, in bf16.
    each = 7 / 8 * 2e9 / (ATTAINED * 450e9) + 10 * 7 * HOP_S
    assert waits.exchange_s == pytest.approx(3 * each)
    assert waiting(WORK, layout_of("fsdp", 8, 1, 4), NODE, 0.4).exchange_s == pytest.approx(
        12 * each
    )
    inference = replace(WORK, training=False, gradient_bytes=0.0)
    assert waiting(inference, layout_of("fsdp", 8), NODE, 0.4).exchange_s == pytest.approx(each)
    fp32 = replace(WORK, precision="fp32")
    assert waiting(fp32, layout_of("fsdp", 8), NODE, 0.4).exchange_s > 1.9 * 3 * each


def test_split_matrices_are_summed_and_nothing_hides_that():
    waits = waiting(WORK, layout_of("tensor:8", 8), NODE, 0.4)
    sums = 2 * 10 * 2
    one = 2 * (7 / 8 * 4e6 / (ATTAINED * 450e9) + 7 * HOP_S)
    assert waits.exchange_s == waits.exposed_s == pytest.approx(sums * one)
    slow = replace(NODE, link_gb_s=31.5)
    assert waiting(WORK, layout_of("tensor:8", 8), slow, 0.4).exposed_s > 2 * waits.exposed_s


def test_a_pipeline_fills_and_empties():
    few, many = (waiting(WORK, layout_of("pipeline:4", 4, 1, m), NODE, 0.4) for m in (4, 16))
    assert few.pipeline_s == pytest.approx(0.4 * 3 / 4, rel=0.01)
    assert many.pipeline_s == pytest.approx(0.4 * 3 / 16, rel=0.01)


def test_more_devices_wait_longer_for_the_slowest():
    two, many = (waiting(WORK, layout_of("data", 8, n), NODE, 0.4).slowest_s for n in (1, 64))
    assert 0 < two < many < 0.05 * 0.4


def test_energy_and_power_are_those_of_all_devices():
    waits = Waiting(0.05, 0.03, 0.06, 0.01)
    step = on_all_devices(STEP, waits, layout_of("data", 8), GPU)
    assert step.duration.value == pytest.approx(0.5)
    assert step.energy.value == pytest.approx(8 * (200 + 0.1 * WAITING * 700))
    assert step.power.value == pytest.approx(step.energy.value / 0.5)
    for part, single in ((step.duration, STEP.duration), (step.energy, STEP.energy)):
        assert part.low < part.value < part.high
        assert part.high / part.value <= single.high / single.value * 1.2
    assert step.power.low < step.power.value < step.power.high <= 8 * 700
    # A stage computes its part of the operators.
    stage = on_all_devices(STEP, waits, layout_of("pipeline:4", 4), GPU)
    assert stage.duration.value == pytest.approx(0.4 / 4 + 0.1)
    assert stage.energy.value == pytest.approx(4 * (200 / 4 + 0.1 * WAITING * 700))


def test_a_stated_efficiency_sets_the_time():
    layout = layout_of("data", 8)
    step = on_all_devices(STEP, Waiting(), layout, GPU)
    flops = 8 * (4e12 + 1e9 + 1e12 + 8e12)
    slow = at_efficiency(step, WORK, layout, GPU, 0.01)
    assert slow.duration.value == pytest.approx(flops / (8 * 989e12 * 0.01))
    assert step.power.value * 0.4 < slow.power.value < step.power.value
    fast = at_efficiency(step, WORK, layout, GPU, 0.4)
    assert fast.power.value == pytest.approx(step.power.value)
    assert fast.energy.value == pytest.approx(step.power.value * fast.duration.value)
    # What is computed again is none of the model's operations.
    again = at_efficiency(step, replace(WORK, recomputed_flops=4e12), layout, GPU, 0.4)
    assert again.duration.value == pytest.approx((flops - 8 * 4e12) / (8 * 989e12 * 0.4))
    for mfu in (0.0, -1.0, 1.5, float("nan")):
        with pytest.raises(UsageError, match="--mfu"):
            at_efficiency(step, WORK, layout, GPU, mfu)


def test_what_does_not_fit_one_device_may_fit_several():
    large = replace(WORK, weight_bytes=100e9, gradient_bytes=100e9, optimizer_bytes=200e9)
    alone = memory_needed(large, GPU)
    assert alone.fits is False
    assert alone.fits_on == 8
    assert "fsdp" in (alone.warning or "")
    spread = memory_needed(replace(large, batch=1), GPU, layout_of("fsdp", 8, 2))
    assert spread.fits and spread.fits_on is None
    assert memory_needed(replace(large, batch=1), GPU, layout_of("data", 8, 2)).fits is False
