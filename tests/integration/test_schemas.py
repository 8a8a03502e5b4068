"""What verbs print with `--json` fits the published JSON Schemas, on real output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from fakes.command_line import joulecast

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
RUNS = """architecture,device,energy_j,accuracy,duration_s,training_j,inference_j
a,x,10,0.90,1,10,1
a,x,11,0.91,1.1,11,1
a,y,12,0.89,1.2,12,1
a,y,13,0.92,1.3,13,1
b,x,20,0.95,2,20,0.5
b,x,22,0.96,2.1,22,0.5
b,y,24,0.94,2.2,24,0.5
b,y,26,0.97,2.3,26,0.5
"""
EPOCHS = "run_id,epoch,duration_s,energy_j,planned_epochs\n" + "".join(
    f"r{run},{epoch},{10 + run},{100 + run + epoch},8\n" for run in range(3) for epoch in range(8)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables, and a ledger with one recorded run."""
    folder = tmp_path_factory.mktemp("schemas")
    (folder / "runs.csv").write_text(RUNS)
    (folder / "epochs.csv").write_text(EPOCHS)
    printed(folder, "run", "--quiet", "--json-file", "run.json", "--", "sleep", "1.5")
    return folder


def printed(folder: Path, *arguments: str) -> str:
    """What a command prints on stdout."""
    env = {"JOULECAST_LEDGER": str(folder / "ledger.sqlite")}
    if arguments[0] != "run":
        return joulecast(*arguments, cwd=folder, env=env, code=0).stdout
    command = [sys.executable, "-m", "joulecast", *arguments]
    return subprocess.check_output(command, cwd=folder, env=os.environ | env, text=True)


def check(document: dict[str, object]) -> None:
    """Validate against the schema that the document names."""
    name = str(document["schema"]).removeprefix("joulecast/").replace("/", "-")
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({"schema": document["schema"]})


@pytest.mark.parametrize(
    "command",
    [
        "doctor",
        "runs",
        "show last",
        "carbon last --region DE",
        "carbon 50kWh --tariff 0.3EUR/kWh",
        "forecast timm:resnet18 --input 3x32x32 --steps 10 --gpu A100-SXM4-80GB",
        "evaluate epochs.csv",
        "compare runs.csv --by architecture",
        "compare runs.csv --by architecture,device",
        "compare runs.csv --by architecture --with duration_s",
        "tradeoff runs.csv --by architecture",
        "tradeoff runs.csv --by architecture --within device",
        "tradeoff runs.csv --by architecture --requests 1000",
    ],
)
def test_output_fits_its_schema(folder: Path, command: str) -> None:
    check(json.loads(printed(folder, *command.split(), "--json")))


def test_the_file_of_a_run_fits_its_schema(folder: Path) -> None:
    check(json.loads((folder / "run.json").read_text()))
