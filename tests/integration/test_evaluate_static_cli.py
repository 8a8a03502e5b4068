"""`joulecast evaluate --static`, as a person types it."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from fakes.command_line import joulecast as run_joulecast
from fakes.golden import golden
from fakes.stored_runs import GPU, header, samples
from joulecast.forecasting.literature import pre
from joulecast.forecasting.literature.model_search import search
from joulecast.ledger import open_ledger
from joulecast.recording.model import Footer, Recording, Status

FEW = {"iterations": 5}
FIELDS = {"forecaster", "split", "runs", "energy", "duration", "duration_reason"}
SPLITS = ["random", "leave-one-architecture-out", "leave-one-gpu-out"]
HEAD = "architecture,gpu,energy_j,duration_s,batch,training_size,epochs,gflops,ram_gb,kind"
GPUS = {"NVIDIA GeForce RTX 3090": 1.0, "RTX 3070": 1.3, "GTX 750 Ti": 3.0}

Joulecast = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def joulecast(tmp_path: Path) -> Joulecast:
    def run(*arguments: object, code: int = 0, columns: int = 80) -> subprocess.CompletedProcess:
        env = {"XDG_DATA_HOME": str(tmp_path / "data"), "JOULECAST_LEDGER": ""}
        env["COLUMNS"] = str(columns)
        return run_joulecast("evaluate", *arguments, cwd=tmp_path, env=env, code=code)

    return run


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Four architectures on three GPUs, each three times."""
    path = tmp_path / "runs.csv"
    rows = [HEAD]
    for gflops in (1, 4, 9, 16):
        for gpu, slower in GPUS.items():
            for i in range(3):
                energy = 1000 * gflops * slower * (5 + i)
                kind = "small" if gflops < 5 else "large"
                facts = f"32,3200,{5 + i},{gflops},16,{kind}"
                rows.append(f"net{gflops},{gpu},{energy},{energy / 100 / gflops:.2f},{facts}")
    path.write_text("\n".join(rows) + "\n")
    return path


QUICK = [f"--method={name}" for name in ("green-algorithms", "mlco2", "flops-tdp")]


def test_json_has_a_result_for_each_method_and_split(
    joulecast: Joulecast, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn")
    # A hundred settings of each regression would take a minute.
    monkeypatch.setattr(pre, "search", lambda *x, **options: search(*x, **options | FEW))
    done = joulecast("--static", table, "--json", "--method", "pre-energy", *QUICK)
    document = json.loads(done.stdout)
    assert next(iter(document)) == "schema"
    assert document["schema"] == "joulecast/evaluate-static/1"
    results = document["results"]
    assert {frozenset(r) for r in results} == {frozenset(FIELDS)}
    scored = [(r["split"], r["forecaster"]) for r in results]
    names = ("pre-energy", "green-algorithms", "mlco2", "flops-tdp")
    assert scored == [(split, name) for split in SPLITS for name in names]
    assert {r["runs"] for r in results if r["split"] != "random"} == {36}
    for result in results:
        learns = result["forecaster"] == "pre-energy"
        assert (result["energy"]["coverage_pct"] is not None) == learns
        timed = result["forecaster"] == "flops-tdp"
        assert (result["duration"] is not None) == timed
        assert (result["duration_reason"] is None) == timed
    assert (document["runs"], document["unscored"]) == (36, [])
    assert done.stderr == ""


def test_every_method_has_a_score_or_a_reason(joulecast: Joulecast, table: Path) -> None:
    chosen = [f"--method={name}" for name in ("physical", "layerwise")]
    document = json.loads(joulecast("--static", table, "--json", *chosen, *QUICK).stdout)
    unscored = {entry["forecaster"]: entry["reason"] for entry in document["unscored"]}
    assert set(unscored) == {"physical", "layerwise"}
    assert "column model" in unscored["physical"]


def test_models_that_can_be_built_are_analyzed(joulecast: Joulecast, tmp_path: Path) -> None:
    for needed in ("torch", "torchvision", "scipy"):
        if find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    head = "architecture,model,gpu,energy_j,duration_s,batch,image_height,image_width,steps"
    rows = [
        f"{net},torchvision:{net},{gpu},{energy + i},10,4,32,32,1000"
        for net, energy in (("squeezenet1_1", 90), ("resnet18", 200), ("resnet34", 400))
        for gpu in GPUS
        for i in range(2)
    ]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join([head, *rows, ""]))
    chosen = ("--method", "physical", "--method", "layerwise")
    document = json.loads(joulecast("--static", path, "--json", *chosen).stdout)
    scored = {(r["split"], r["forecaster"]) for r in document["results"]}
    assert scored == {(split, name) for split in SPLITS for name in ("physical", "layerwise")}
    (note,) = document["notes"]
    assert note.startswith("physical: ")
    for result in document["results"]:
        assert result["energy"]["coverage_pct"] is not None
        assert (result["duration"] is not None) == (result["forecaster"] == "physical")


def test_models_of_a_table_run_no_code(joulecast: Joulecast, tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text("open('ran', 'w')\n")
    path = tmp_path / "runs.csv"
    head = "architecture,model,gpu,energy_j,duration_s,batch,steps"
    path.write_text("\n".join([head, *["net,nets.py:net,RTX 3090,5,1,8,10"] * 12, ""]))
    document = json.loads(joulecast("--static", path, "--method", "layerwise", "--json").stdout)
    (unscored,) = document["unscored"]
    assert unscored["forecaster"] == "layerwise" and "torchvision:" in unscored["reason"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("columns", [80, 130])
def test_the_table_fits_the_terminal_and_cuts_nothing(
    joulecast: Joulecast, table: Path, columns: int
) -> None:
    text = joulecast("--static", "runs.csv", "--by", "kind", *QUICK, columns=columns).stdout
    assert max(map(len, text.splitlines())) <= columns
    assert "…" not in text
    golden(f"evaluate-static-{columns}", text)


def test_options_go_before_the_catalog(joulecast: Joulecast, table: Path) -> None:
    chosen = ("--static", table, "--json", "--method", "mlco2", "--tdp", "1 kW")
    results = json.loads(joulecast(*chosen).stdout)["results"]
    # The runs drew 100, 400, 900 and 1600 W.
    expected = 100 * (900 / 100 + 600 / 400 + 100 / 900 + 600 / 1600) / 4
    assert results[-1]["energy"]["mape_pct"] == pytest.approx(expected, rel=1e-3)


def test_the_error_names_the_row_in_one_line(joulecast: Joulecast, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("architecture,gpu,energy_j,duration_s\nvgg,RTX 3090,5,1\nvgg,RTX 3090,-5,1\n")
    done = joulecast("--static", "bad.csv", code=2)
    assert all(
        part in done.stderr for part in ("bad.csv, line 3", "vgg", "RTX 3090", "energy_j", "-5")
    )
    assert len(done.stderr.splitlines()) == 1
    assert len(joulecast("--static", "none.csv", code=2).stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--static", "--by", "kind"),
        ("--static", "runs.csv", "--method", "carbontracker"),
        ("--static", "runs.csv", "--ledger", "runs.sqlite"),
        ("runs.csv", "--method", "pre-power"),
    ],
)
def test_misuse(joulecast: Joulecast, table: Path, arguments: tuple[str, ...]) -> None:
    assert len(joulecast(*arguments, code=2).stderr.splitlines()) == 1


def test_recorded_runs_have_their_facts_in_tags(joulecast: Joulecast, tmp_path: Path) -> None:
    where = tmp_path / "runs.sqlite"
    with open_ledger(where) as ledger:
        for i in range(6):
            board = replace(GPU, device="NVIDIA GeForce RTX 3090")
            tags = {"architecture": f"net{i % 2}", "gflops": "4", "batch": "8", "steps": "100"}
            head = header(f"{i:016x}", sources=[board], tags=tags)
            kept = {"gpu:0": samples(10, power_w=300)}
            footer = Footer(Status.FINISHED, 10.0, 0)
            ledger.add(Recording(head, samples=kept, footer=footer, status=Status.FINISHED))
        ledger.add(Recording(header("f" * 16), footer=footer, status=Status.FINISHED))
    document = json.loads(joulecast("--static", "--ledger", where, *QUICK, "--json").stdout)
    scores = {r["forecaster"]: r["energy"] for r in document["results"]}
    assert set(scores) == {"mlco2", "flops-tdp"}
    assert scores["mlco2"]["mape_pct"] == pytest.approx(100 * (350 / 300 - 1), abs=2)
    assert (document["runs"], len(document["left_out"])) == (6, 1)


def test_one_run_and_one_architecture(joulecast: Joulecast, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("architecture,gpu,energy_j,duration_s\nvgg,RTX 3090,5,1\n")
    document = json.loads(joulecast("--static", path, *QUICK, "--json").stdout)
    assert document["results"] == []
    assert len(document["unscored"]) == 5
