"""Text generated token by token: the parts of a step, and their sums."""

from dataclasses import replace

import pytest

from joulecast.errors import UsageError
from joulecast.forecasting.physical.device import Device
from joulecast.forecasting.physical.generation import (
    PARTS,
    Requests,
    check_generation,
    constants,
    generation_step,
    generation_workload,
    memory_of,
    parts_of_step,
    weighed,
)
from joulecast.workload.decoder import Decoder

GPU = Device(
    "NVIDIA H100 SXM5 80GB", "gpu", {"fp32": 67.0}, {"bf16": 1000.0}, 3000.0, 80.0, 700.0, 132,
    architecture="Hopper",
)  # fmt: skip
DECODER = Decoder(8e9, 32, cache=65_536.0, attention=262_144.0, context=8192)
REQUESTS = Requests(32, 1000, 500)


def test_the_parts_of_a_step():
    parts = parts_of_step(DECODER, REQUESTS, GPU, 1, 2.0)
    assert set(parts) == set(PARTS)
    assert parts["weights"] == pytest.approx(16e9 / 3e12)
    # Half of the answer exists on average.
    assert parts["cache"] == pytest.approx(32 * 65_536 * 2 * 1250 / 3e12)
    tokens = 2 * 32 * (8e9 + 262_144 * 1250)
    prompts = 2 * 32 * 1000 / 500 * (8e9 + 262_144 * 500)
    assert parts["compute"] == pytest.approx((tokens + prompts) / 1e15)
    assert (parts["layers"], parts["sequences"], parts["messages"]) == (32, 32, 0)
    shared = parts_of_step(DECODER, REQUESTS, GPU, 4, 2.0)
    for name in ("weights", "cache", "compute"):
        assert shared[name] == pytest.approx(parts[name] / 4)
    assert shared["messages"] == 64


def test_time_and_energy_are_sums_of_the_parts():
    parts = parts_of_step(DECODER, REQUESTS, GPU, 1, 2.0)
    fitted = constants()
    step, generation = generation_step(DECODER, REQUESTS, GPU)
    each_s = sum(fitted["time"][name] * parts[name] for name in PARTS)
    assert weighed(parts, fitted["time"]) == pytest.approx(each_s)
    assert step.duration.value == pytest.approx(500 * each_s)
    assert generation.token_duration.value == pytest.approx(each_s)
    joules = 700 * sum(fitted["energy"][name] * parts[name] for name in PARTS)
    assert step.energy.value == pytest.approx(500 * joules)
    assert generation.energy_per_token.value == pytest.approx(joules / 32)
    assert generation.energy_per_request.value == pytest.approx(500 * joules / 32)
    assert step.power.value == pytest.approx(joules / each_s)
    assert step.power.high <= 700
    assert step.shares.compute + step.shares.memory + step.shares.launch == pytest.approx(1)
    assert generation.first_token.value < each_s * 10
    for p in (step.energy, step.duration):
        assert p.low < p.value < p.high


def test_larger_batches_cost_less_a_token():
    each = [
        generation_step(DECODER, replace(REQUESTS, batch=n), GPU)[1].energy_per_token.value
        for n in (1, 8, 64)
    ]
    assert each[0] > 4 * each[1] > 8 * each[2]


def test_copies_and_shared_matrices():
    one, first = generation_step(DECODER, REQUESTS, GPU)
    two, second = generation_step(DECODER, REQUESTS, GPU, copies=2)
    assert two.duration.value == one.duration.value
    assert two.energy.value == pytest.approx(2 * one.energy.value)
    assert second.energy_per_request.value == pytest.approx(first.energy_per_request.value)
    shared, third = generation_step(DECODER, REQUESTS, GPU, tensor=4)
    assert one.duration.value / 4 < shared.duration.value < one.duration.value
    assert third.energy_per_request.value > first.energy_per_request.value
    fp8, _ = generation_step(DECODER, REQUESTS, GPU, precision="fp8")
    assert fp8.energy.value < one.energy.value


def test_other_devices_have_wider_intervals():
    other = replace(GPU, name="NVIDIA A100 SXM4 80GB", architecture="Ampere", tdp_w=400.0)
    here, there = (generation_step(DECODER, REQUESTS, d)[0].energy for d in (GPU, other))
    assert there.high / there.value > here.high / here.value


def test_memory_of_weights_and_whole_sequences():
    need = memory_of(DECODER, REQUESTS, GPU, 1, "bf16")
    kept = 65_536 * 2 * 1500
    assert need.needed_bytes == pytest.approx(1.1 * (16e9 + 32 * kept) + 0.5e9)
    assert need.min_bytes == pytest.approx(1.1 * (16e9 + kept) + 0.5e9)
    assert need.fits
    large = memory_of(replace(DECODER, parameters=70e9), REQUESTS, GPU, 1, "bf16")
    assert large.fits is False and (large.fits_on, large.way) == (4, "tensor")
    assert memory_of(replace(DECODER, parameters=70e9), REQUESTS, GPU, 4, "bf16").fits


def test_the_work_of_all_tokens():
    work = generation_workload("net", DECODER, REQUESTS, "bf16")
    assert work.flops(kind="matmul") == pytest.approx(2 * 32 * 1500 * 8e9)
    assert work.bytes(kind="matmul") == pytest.approx(16e9 * 500)


@pytest.mark.parametrize("numbers", [(0, 5), (5, 0), (None, 5), (5, None), (-1, 5)])
def test_zero_tokens(numbers):
    with pytest.raises(UsageError, match="-tokens"):
        check_generation(*numbers)
    assert check_generation(1, 2) == (1, 2)
