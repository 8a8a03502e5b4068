"""An environment as JSON, and what is not one."""

import json

import pytest

from fakes.machines import linux, write, x86
from joulecast.errors import BadInputError
from joulecast.hardware.environment import Environment


def test_json_holds_all_of_it(tmp_path):
    root = write(
        tmp_path,
        x86("AuthenticAMD", 25, 17, 1, "AMD EPYC 9654 96-Core Processor", cores=4),
        linux(ram_kb=1000),
        {
            "proc/driver/nvidia/gpus/0000:41:00.0/information": (
                "Model: \t\t NVIDIA H100 PCIe\nGPU UUID: \t GPU-1234\n"
            )
        },
    )
    e = Environment.detect(root, {})
    data = json.loads(json.dumps(e.to_json()))
    assert data == e.to_json()
    assert Environment.from_json(data) == e
    assert data["cpu"]["codename"] == "Genoa"
    assert data["gpus"][0]["power_limit_w"] is None


def test_json_of_a_newer_version():
    assert Environment.from_json({}) == Environment()
    newer = Environment().to_json() | {"soul": 1}
    newer["cpu"] = newer["cpu"] | {"qubits": 3}
    assert Environment.from_json(newer) == Environment()


@pytest.mark.parametrize(
    "bad",
    [
        [],
        {"cpu": 7},
        {"cpu": {"sockets": "two"}},
        {"host": {"ram_bytes": [1]}},
        {"gpus": [{"index": 0, "vendor": "NVIDIA"}, None]},
        {"gpus": [{}]},
        {"gpus": [{"index": 0, "vendor": "NVIDIA", "mig_uuids": [3]}]},
        {"software": {"packages": {"torch": 2}}},
        {"software": {"packages": None}},
        {"container": {}},
        {"notes": [1]},
    ],
)
def test_something_else_is_no_environment(bad):
    with pytest.raises(BadInputError, match="not an environment"):
        Environment.from_json(bad)
