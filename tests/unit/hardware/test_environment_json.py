"""An environment as JSON, and what is not one."""

import json

import pytest

from fakes.machines import linux, write, x86
from joulecast.errors import BadInputError
from joulecast.hardware.environment import Environment


def test_json_holds_every_field(tmp_path):
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
    environment = Environment.detect(root, {})
    data = json.loads(json.dumps(environment.to_json()))
    assert data == environment.to_json()
    assert Environment.from_json(data) == environment
    assert data["cpu"]["codename"] == "Genoa"
    assert data["gpus"][0]["power_limit_w"] is None


def test_json_of_another_version():
    assert Environment.from_json({}) == Environment()
    newer = Environment().to_json() | {"soul": 1}
    newer["cpu"] = newer["cpu"] | {"qubits": 3}
    assert Environment.from_json(newer) == Environment()
    older = {"cpu": {"threads": 8}, "host": {"ram_bytes": 5}, "notes": ["CPU: no name"]}
    environment = Environment.from_json(older)
    assert (environment.cpu.threads, environment.host.ram_bytes) == (8, 5)
    assert environment.notes == ("CPU: no name",)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ([], "environment: "),
        ({"cpu": 7}, "environment.cpu: "),
        ({"cpu": {"sockets": "two"}}, "environment.cpu.sockets: "),
        ({"host": {"ram_bytes": [1]}}, "environment.host.ram_bytes: "),
        ({"gpus": [{"index": 0, "vendor": "NVIDIA"}, None]}, "environment.gpus[1]: "),
        ({"gpus": [{}]}, "environment.gpus[0]: "),
        (
            {"gpus": [{"index": 0, "vendor": "NVIDIA", "mig_uuids": [3]}]},
            "environment.gpus[0].mig_uuids[0]: ",
        ),
        ({"software": {"packages": {"torch": 2}}}, "environment.software.packages[...]: "),
        ({"software": {"packages": None}}, "environment.software.packages: "),
        ({"container": {}}, "environment.container: "),
        ({"notes": [1]}, "environment.notes[0]: "),
    ],
)
def test_a_wrong_type_is_reported_with_its_key(data, place):
    with pytest.raises(BadInputError) as caught:
        Environment.from_json(data)
    assert str(caught.value).startswith(place)
