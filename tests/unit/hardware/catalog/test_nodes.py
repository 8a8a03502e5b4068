"""Kinds of nodes: links, networks and rated powers as in their data sheets."""

import pytest

from joulecast.hardware.catalog.data_file import data_file
from joulecast.hardware.catalog.gpus import find_gpu, gpus
from joulecast.hardware.catalog.nodes import node_of

# Per GPU and direction, GB/s: half of what data sheets print for NVLink.
LINKS = {
    "H100 SXM5": (8, 450),
    "H200 SXM": (8, 450),
    "H800": (8, 200),
    "A100 SXM4 80GB": (8, 300),
    "V100 SXM2 16GB": (8, 150),
    "V100 SXM3 32GB": (16, 150),
    "B200": (8, 900),
    "GB200": (72, 900),
    "MI300X": (8, 448),
    "H100 PCIe 80GB": (8, 63),
    "A100 PCIe 80GB": (8, 31.5),
    "RTX 4090": (8, 31.5),
    "T4": (8, 15.8),
}


@pytest.mark.parametrize("name", LINKS)
def test_what_connects_the_devices_of_a_node(name):
    gpu = find_gpu(name)
    node = node_of(gpu.name, gpu.architecture)
    assert (node.max_gpus, node.link_gb_s) == LINKS[name]
    assert node.network_gb_s < node.link_gb_s


def test_every_gpu_has_a_node():
    for gpu in gpus():
        node = node_of(gpu.name, gpu.architecture)
        assert node.rated > 1 and node.source


def test_every_kind_of_node_has_a_gpu_of_the_catalog():
    kinds = {node_of(gpu.name, gpu.architecture).name for gpu in gpus()}
    assert kinds == {row["name"] for row in data_file("nodes")["node"]} | {
        "PCIe server",
        "workstation",
    }


def test_rated_powers_are_those_of_the_data_sheets():
    for name, kilowatts in (("H100 SXM5", 10.2), ("A100 SXM4 80GB", 6.5), ("B200", 14.3)):
        gpu = find_gpu(name)
        assert node_of(gpu.name, gpu.architecture).rated * 8 * gpu.tdp_w == pytest.approx(
            1000 * kilowatts, rel=0.01
        )
