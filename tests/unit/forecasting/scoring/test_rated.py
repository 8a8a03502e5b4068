from dataclasses import replace

import pytest

from fakes.stored_runs import CPU, GPU, header
from joulecast.forecasting.scoring.rated import ratings

GIGABYTE = 10**9


def machine(cpu="AMD EPYC 7742 64-Core Processor", threads=128):
    return {"cpu": {"name": cpu, "threads": threads}, "host": {"ram_bytes": 64 * GIGABYTE}}


def gpu(domain, device):
    return replace(GPU, domain=domain, device=device)


def test_all_devices_whose_energy_the_run_has():
    sources = [gpu("gpu:0", "NVIDIA A100-SXM4-80GB"), gpu("gpu:1", "NVIDIA A100-SXM4-80GB"), CPU]
    tdp_w, ram_gb = ratings(header(sources=sources, environment=machine()))
    assert tdp_w == pytest.approx(400 + 400 + 225)
    assert ram_gb == pytest.approx(64)


def test_a_virtual_machine_has_part_of_a_processor():
    tdp_w, _ = ratings(header(sources=[CPU], environment=machine(threads=32)))
    assert tdp_w == pytest.approx(225 * 32 / 128)


def test_two_sockets_are_counted_by_their_threads():
    sources = [CPU, replace(CPU, domain="cpu:1")]
    tdp_w, _ = ratings(header(sources=sources, environment=machine(threads=256)))
    assert tdp_w == pytest.approx(450)


@pytest.mark.parametrize(
    ("sources", "environment"),
    [
        ([gpu("gpu:0", "a card that nobody sells")], machine()),
        ([gpu("gpu:0", "NVIDIA A100-SXM4-80GB"), CPU], machine(cpu="no such processor")),
        ([CPU], {}),
        ([CPU], {"cpu": "broken"}),
        ([], machine()),
    ],
)
def test_a_device_that_the_catalog_lacks_is_unknown(sources, environment):
    assert ratings(header(sources=sources, environment=environment))[0] is None
