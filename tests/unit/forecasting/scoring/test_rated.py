import pytest

from fakes.stored_runs import CPU, GPU, header
from joulecast.forecasting.scoring.rated import known_of

GIGABYTE = 10**9


def environment(cpu="AMD EPYC 7742 64-Core Processor", threads=128):
    return {"cpu": {"name": cpu, "threads": threads}, "host": {"ram_bytes": 64 * GIGABYTE}}


def gpu(domain, device):
    from dataclasses import replace

    return replace(GPU, domain=domain, device=device)


def test_all_devices_whose_energy_the_run_has():
    sources = [gpu("gpu:0", "NVIDIA A100-SXM4-80GB"), gpu("gpu:1", "NVIDIA A100-SXM4-80GB"), CPU]
    known = known_of(header(sources=sources, environment=environment()))
    assert known.tdp_w == pytest.approx(400 + 400 + 225)
    assert known.ram_gb == pytest.approx(64)


def test_of_a_processor_the_part_that_the_machine_holds():
    known = known_of(header(sources=[CPU], environment=environment(threads=32)))
    assert known.tdp_w == pytest.approx(225 * 32 / 128)


def test_two_sockets_are_counted_by_their_threads():
    from dataclasses import replace

    sources = [CPU, replace(CPU, domain="cpu:1")]
    known = known_of(header(sources=sources, environment=environment(threads=256)))
    assert known.tdp_w == pytest.approx(450)


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        ([gpu("gpu:0", "a card that nobody sells")], environment()),
        ([gpu("gpu:0", "NVIDIA A100-SXM4-80GB"), CPU], environment(cpu="no such processor")),
        ([CPU], {}),
        ([CPU], {"cpu": "broken"}),
        ([], environment()),
    ],
)
def test_what_the_catalog_does_not_know_leaves_it_unknown(sources, found):
    assert known_of(header(sources=sources, environment=found)).tdp_w is None
