"""Which GPUs the environment leaves visible: the rules of CUDA and of ROCm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast.hardware.detect.visible_devices import (
    index_order_note,
    visible_amd_gpus,
    visible_gpus,
)

UUIDS = [
    "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6",
    "GPU-8a56a3f1-93d2-4c22-8a0e-d3f0a9a0ffee",
    "GPU-0c5bb1d0-aaaa-4a0c-9df1-2f1d5b8a0001",
    "GPU-deadbeef-0000-1111-2222-333344445555",
]
MIGS = {
    "MIG-11111111-aaaa-5555-9999-000000000000": 1,
    "MIG-11111111-bbbb-5555-9999-000000000000": 1,
    "MIG-22222222-cccc-5555-9999-000000000000": 3,
}


@pytest.mark.parametrize(
    ("value", "indices"),
    [
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("0", (0,)),
        ("2,1", (2, 1)),  # the order given is the order of enumeration
        (" 1 , 3", (1, 3)),
        ("0,2,-1,1", (0, 2)),  # the Programming Guide's own example
        ("0,9,1", (0,)),
        ("1,banana,2", (1,)),
        ("1gpu,2", (1, 2)),  # strtol
        ("3,", (3,)),
        (",3", ()),
        ("1,1", ()),  # given twice: none at all
        ("01,1", ()),
        ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", (0,)),
        ("GPU-deadbeef,GPU-0c5b", (3, 2)),
        ("GPU-8932f937", (0,)),
        ("GPU-8", ()),  # fits two
        ("GPU-0c5b,GPU-8,GPU-dead", (2,)),
        ("GPU-dead,GPU-deadbeef", ()),
        ("GPU-dead,0", (3,)),  # the first entry decides how the list is read
        ("0,GPU-dead", (0,)),
        ("GPU-ffffffff", ()),
        ("MIG-11111111-aaaa-5555-9999-000000000000", (1,)),
        ("MIG-22222222,MIG-11111111-bbbb", (3, 1)),
        ("MIG-11111111-aaaa,MIG-11111111-bbbb", (1,)),  # two parts of one GPU
        ("MIG-11111111", ()),
        ("MIG-99999999", ()),
        ("MIG-GPU-deadbeef-0000-1111-2222-333344445555/1/0", (3,)),  # drivers before R470
    ],
)
def test_cuda_visible_devices(value, indices):
    visible = visible_gpus({"CUDA_VISIBLE_DEVICES": value}, UUIDS, MIGS)
    assert visible.indices == indices
    assert visible.restricted_by == f"CUDA_VISIBLE_DEVICES={value}"


def test_unset_shows_all_and_restricts_nothing():
    visible = visible_gpus({}, UUIDS)
    assert visible.indices == (0, 1, 2, 3)
    assert visible.restricted_by is None


def test_the_container_runtime_has_already_acted_on_its_own_variable():
    env = {"NVIDIA_VISIBLE_DEVICES": "5"}  # an index of the host; here the driver shows one GPU
    assert visible_gpus(env, UUIDS[:1]).indices == (0,)


@given(st.text(alphabet="0123456789,-GPUMIGabcdef ", max_size=40), st.integers(0, 4))
def test_any_text_gives_distinct_gpus_that_exist(value, count):
    indices = visible_gpus({"CUDA_VISIBLE_DEVICES": value}, UUIDS[:count], {}).indices
    assert len(set(indices)) == len(indices)
    assert set(indices) <= set(range(count))


def test_an_index_is_ambiguous_only_among_different_gpus_in_cudas_own_order():
    mixed = ["NVIDIA GeForce GTX 750 Ti", "NVIDIA GeForce RTX 3090"]
    by_index = {"CUDA_VISIBLE_DEVICES": "0"}
    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in index_order_note(by_index, mixed)
    assert index_order_note(by_index | {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, mixed) is None
    assert index_order_note(by_index, mixed[:1] * 2) is None
    assert index_order_note({"CUDA_VISIBLE_DEVICES": "GPU-8932"}, mixed) is None
    assert index_order_note({}, mixed) is None


AMD = ["GPU-18f68e602b8a790f", "GPU-dcc7a1b2c3d4e5f6", "GPU-aa00bb11cc22dd33", ""]


@pytest.mark.parametrize(
    ("env", "indices"),
    [
        ({}, (0, 1, 2, 3)),
        ({"ROCR_VISIBLE_DEVICES": "1,2"}, (1, 2)),
        ({"ROCR_VISIBLE_DEVICES": "GPU-AA00BB11CC22DD33,0"}, (2, 0)),
        ({"ROCR_VISIBLE_DEVICES": "2,1", "HIP_VISIBLE_DEVICES": "0"}, (2,)),  # HIP counts the rest
        ({"HIP_VISIBLE_DEVICES": "3"}, (3,)),
        ({"CUDA_VISIBLE_DEVICES": "1"}, (1,)),
        ({"HIP_VISIBLE_DEVICES": "0", "CUDA_VISIBLE_DEVICES": "1"}, (0,)),
        ({"HIP_VISIBLE_DEVICES": ""}, ()),
        ({"HIP_VISIBLE_DEVICES": "-1"}, ()),
        ({"ROCR_VISIBLE_DEVICES": "1,9,0"}, (1,)),
        ({"ROCR_VISIBLE_DEVICES": "1,1,0"}, (1,)),
    ],
)
def test_amd(env, indices):
    visible = visible_amd_gpus(env, AMD)
    assert visible.indices == indices
    assert (visible.restricted_by is None) == (not env)
    assert all(f"{name}={value}" in visible.restricted_by for name, value in env.items()) or (
        "HIP_VISIBLE_DEVICES" in env and "CUDA_VISIBLE_DEVICES" in env
    )
