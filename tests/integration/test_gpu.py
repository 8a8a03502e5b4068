"""On a machine with a CUDA GPU: the real driver, the real counter."""

from __future__ import annotations

import os
import time

import pytest

import joulecast
from joulecast.hardware.catalog.gpus import find_gpu
from joulecast.meters.cpu_time import CpuTime
from joulecast.meters.discovery import discover

pytestmark = pytest.mark.gpu


def multiply(seconds):
    """Keep the GPU busy; the mean of NVML's power readings during that time, W."""
    import pynvml
    import torch

    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    a = torch.randn(4096, 4096, device="cuda", dtype=torch.float16)
    watts, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(20):
            a @ a
        torch.cuda.synchronize()
        watts.append(pynvml.nvmlDeviceGetPowerUsage(handle) / 1000)
    pynvml.nvmlShutdown()
    return sum(watts) / len(watts)


def test_the_gpu_is_detected_and_in_the_catalog():
    environment = joulecast.Environment.detect()
    gpu = environment.gpus[0]
    assert gpu.name
    assert gpu.memory_bytes > 0
    assert find_gpu(gpu.name).tdp_w > 0


def test_the_counter_agrees_with_the_power_reading(tmp_path):
    with joulecast.record("multiply", ledger=tmp_path / "ledger.sqlite", quiet=True) as run:
        with run.span("warm up"):
            multiply(2)
        with run.span("multiply"):
            watts = multiply(6)
    spans = {s.span.name: s for s in run.summary.spans}
    span = spans["multiply"]
    mean_w = span.domains["gpu:0"].value / span.duration_s
    assert mean_w == pytest.approx(watts, rel=0.15)
    assert span.domains["gpu:0"].provenance is joulecast.Provenance.MEASURED


def test_a_hidden_gpu_is_not_counted():
    env = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    discovered = discover(
        "process", time.monotonic, env=env, cpu_time=CpuTime(time.monotonic, os.getpid())
    )
    assert discovered.meters
    for meter in discovered.meters:
        assert not meter.source.domain.startswith("gpu")
        meter.close()


def test_power_as_a_field_agrees_with_the_counter_of_a_real_card():
    """No warning, and neither scope of the module where the card is no superchip."""
    import pynvml

    from joulecast.meters.nvml_power import choose

    pynvml.nvmlInit()
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        family, _, power = choose(pynvml, handle, pynvml.nvmlDeviceGetName(handle))
        assert family == "gpu"
        assert 1 < power.read() < 3000
    finally:
        pynvml.nvmlShutdown()


def test_a_real_counter_is_believed_at_uneven_load(tmp_path):
    with joulecast.record("uneven", ledger=tmp_path / "ledger.sqlite", quiet=True) as run:
        for _ in range(8):
            multiply(0.8)
            time.sleep(0.9)
    assert not [text for text in run.summary.warnings if text.startswith("gpu:0")]
    assert run.summary.domains[0].source.domain == "gpu:0"


def test_a_real_card_reports_clock_and_throttling(tmp_path):
    with joulecast.record("clocks", ledger=tmp_path / "ledger.sqlite", quiet=True) as run:
        multiply(4)
    gauges = {g.name: g for g in run.summary.gauges}
    assert 1e8 < gauges["gpu:0/sm_clock_hz"].max < 4e9
    for by in ("power", "heat", "hardware"):
        assert 0 <= gauges[f"gpu:0/throttled_by_{by}_pct"].mean <= 100
    if "H100" in gauges["gpu:0/sm_clock_hz"].device or "H200" in gauges["gpu:0/sm_clock_hz"].device:
        assert 1 < gauges["gpu:0/memory_power_w"].mean < 300
