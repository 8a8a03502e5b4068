"""`joulecast tradeoff` on the command line."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fakes.command_line import joulecast as run_joulecast
from fakes.recordings import training
from fakes.stored_runs import GPU, header, samples
from joulecast.ledger import open_ledger
from joulecast.recording.model import Footer, Metric, Recording, Status

Joulecast = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def joulecast(tmp_path: Path) -> Joulecast:
    def run(*arguments: object, code: int = 0, columns: int = 80) -> subprocess.CompletedProcess:
        env = {"XDG_DATA_HOME": str(tmp_path / "data"), "JOULECAST_LEDGER": ""}
        env["COLUMNS"] = str(columns)
        return run_joulecast(*arguments, cwd=tmp_path, env=env, code=code)

    return run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three architectures on two GPUs; the small one gains more from the large GPU."""
    rng = np.random.default_rng(0)
    lines = ["architecture,gpu,batch size,energy (kJ),f1-score,val loss"]
    for i in range(72):
        net, gpu = i % 3, i // 3 % 2
        energy = (340, 650, 950)[net] * (1 if gpu else (1.9, 1.2, 1.1)[net]) + rng.normal(0, 9)
        quality = (0.972, 0.956, 0.987)[net] + rng.normal(0, 0.001)
        name = ("mobilenet", "resnet [v2]", '"vgg, 16"')[net]
        lines.append(f"{name},{'AB'[gpu]},32,{energy:.3f},{quality:.5f},{1 - quality:.5f}")
    path = tmp_path / "runs.csv"
    path.write_text("\n".join([*lines, "mobilenet,A,32,340,,"]) + "\n")
    return path


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Three runs of each of two models, one that failed, and a whole training."""
    path = tmp_path / "ledger.sqlite"
    with open_ledger(path) as opened:
        for i in range(7):
            name = "resnet50" if i % 2 else "vgg16"
            status = Status.FAILED if i == 6 else Status.FINISHED
            opened.add(
                Recording(
                    header(f"{i:x}" * 16, name, sources=[GPU], tags={"study": "s1"}),
                    metrics=[Metric(5.0, "accuracy", 0.9 - 0.01 * (i % 2))],
                    samples={"gpu:0": samples(10, power_w=300 + i - 100 * (i % 2))},
                    footer=Footer(status, 9.9),
                    status=status,
                )
            )
        recording = training(epochs=12)
        opened.add(replace(recording, header=replace(recording.header, name="whole")))
    return path


TRADEOFF = ("--cost", "energy (kJ)", "--quality", "f1-score")


def test_tradeoff_as_text(joulecast: Joulecast, data: Path) -> None:
    text = joulecast("tradeoff", data, *TRADEOFF, "--where", "gpu=B").stdout
    assert all(name in text for name in ("mobilenet", "64 %", "f1-score", "vgg, 16", "resnet [v2]"))


def test_tradeoff_as_json(joulecast: Joulecast, data: Path) -> None:
    done = joulecast("tradeoff", data, *TRADEOFF, "--by", "architecture,gpu", "--json")
    document = json.loads(done.stdout)
    assert next(iter(document)) == "schema"
    assert document["schema"] == "joulecast/tradeoff/1"
    assert len(document["configurations"]) == 6
    assert document["left_out"] == {"no f1-score": 1}
    assert document["cost"] == {"column": "energy (kJ)", "unit": "J"}
    cheapest = document["configurations"][0]
    assert cheapest["factors"] == {"architecture": "mobilenet", "gpu": "B"}
    assert 320e3 < cheapest["cost"]["low"] < cheapest["cost"]["high"] < 360e3
    assert len(document["labels"]) == 7
    assert len(document["pairs"]) == 15
    assert document["pick"]["name"] == "mobilenet, B"


def test_tradeoff_within_each_value(joulecast: Joulecast, data: Path) -> None:
    arguments = ("tradeoff", data, *TRADEOFF, "--within", "gpu", "--baseline", "mobilenet")
    document = json.loads(joulecast(*arguments, "--json").stdout)
    assert document["schema"] == "joulecast/tradeoff-groups/1"
    assert [(g["group"], g["baseline"]) for g in document["groups"]] == [
        ("A", "mobilenet"),
        ("B", "mobilenet"),
    ]
    assert [len(g["configurations"]) for g in document["groups"]] == [3, 3]


def test_tradeoff_of_a_loss(joulecast: Joulecast, data: Path) -> None:
    loss = ("--cost", "energy (kJ)", "--quality", "val loss", "--minimize", "--json")
    document = json.loads(joulecast("tradeoff", data, *loss).stdout)
    assert document["pick"]["best"] == "vgg, 16"
    assert [c["quality_per_cost"] for c in document["configurations"]] == [None] * 3


@pytest.mark.parametrize("columns", [60, 140])
def test_reports_fit_the_terminal(joulecast: Joulecast, data: Path, columns: int) -> None:
    by = ("--by", "architecture,gpu")
    lifetime = ("a=1kJ±5%,2J±5%", "b=2kJ±5%,1J±5%", "--requests", "50/s")
    for arguments in (
        ("tradeoff", data, *TRADEOFF, *by),
        ("tradeoff", *lifetime, "--service-life", "1 year"),
    ):
        text = joulecast(*arguments, columns=columns).stdout
        assert 10 < max(map(len, text.splitlines())) <= columns


def test_tradeoff_of_recorded_runs(joulecast: Joulecast, ledger: Path) -> None:
    done = joulecast("tradeoff", "resnet50", "vgg16", "--by", "name", "--ledger", ledger, "--json")
    document = json.loads(done.stdout)
    assert [(c["name"], c["n"]) for c in document["configurations"]] == [
        ("resnet50", 3),
        ("vgg16", 3),
    ]
    assert any("1 failed" in note for note in document["notes"])
    done = joulecast("tradeoff", "--tag", "study=s1", "--ledger", ledger, "--json")
    by_name = json.loads(done.stdout)
    assert by_name["pick"]["name"] == "resnet50" and by_name["pick"]["best"] == "vgg16"
    (pair,) = by_name["pairs"]
    assert pair["cost_reduction_pct"]["value"] == pytest.approx(33, abs=1)


@pytest.mark.parametrize("name", ["lr=0.1", "net=small,large"])
def test_names_of_runs_may_have_an_equals_sign(
    joulecast: Joulecast, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "named.sqlite"
    recording = training()
    with open_ledger(path) as opened:
        opened.add(replace(recording, header=replace(recording.header, name=name)))
    done = joulecast("tradeoff", name, "--requests", "1e6", "--ledger", path, code=2)
    assert "requests" in done.stderr and "NAME=" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("runs.csv",), "accuracy"),
        (("runs.csv", *TRADEOFF, "--by", "gpus"), "gpu"),
        (("runs.csv", *TRADEOFF, "--tolerance", "2"), "--tolerance"),
        (("runs.csv", *TRADEOFF, "--tolerance", "tiny"), "--tolerance"),
        (("runs.csv", *TRADEOFF, "--baseline", "vgg"), "vgg, 16"),
        ((), "CSV"),
        (("--requests", "1e6"), "CSV"),
        (("a=1kJ,1J", "--requests", "1e6/day"), "--service-life"),
        (("a=1kJ,1J", "--requests", "lots"), "--requests"),
        (("a=1kJ", "--requests", "5"), "no runs"),
        (("runs.csv", "--requests", "5"), "training_j"),
    ],
)
def test_misuse_is_one_line(
    joulecast: Joulecast, data: Path, arguments: tuple[object, ...], named: str
) -> None:
    done = joulecast("tradeoff", *arguments, code=2)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert named in done.stderr


def test_cost_of_zero_is_refused_with_its_line(joulecast: Joulecast, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("architecture,energy_j,accuracy\na,10,0.5\nb,0,0.5\n")
    done = joulecast("tradeoff", bad, code=2)
    assert f"{bad}, line 3: energy_j" in done.stderr


def test_training_and_inference(joulecast: Joulecast, tmp_path: Path) -> None:
    table = tmp_path / "models.csv"
    table.write_text("model,training (kWh),per inference\nvgg,0.25,2 J\nmobile,0.1,400 mJ\n")
    columns = ("--training-column", "training (kWh)", "--inference-column", "per inference")
    usage = ("--requests", "1e6/day", "--service-life", "365d")
    arguments = ("tradeoff", table, "big=50MJ±5%,200mJ±5%", *columns, *usage)
    document = json.loads(joulecast(*arguments, "--json").stdout)
    assert document["schema"] == "joulecast/lifetime-energy/1"
    assert document["demand"]["requests"] == pytest.approx(3.65e8)
    assert [m["name"] for m in document["models"]] == ["big", "mobile", "vgg"]
    assert document["models"][0]["total"]["low"] is not None
    verdicts = {(p["lower_training"], p["higher_training"]): p for p in document["break_even"]}
    assert verdicts["mobile", "vgg"]["verdict"] == "never"
    expected = (50e6 - 0.1 * 3.6e6) / (0.4 - 0.2)
    assert verdicts["mobile", "big"]["requests"] == pytest.approx(expected)
    text = joulecast(*arguments).stdout
    assert "248 million requests" in text and "248 d" in text


def test_training_and_inference_of_recorded_runs(joulecast: Joulecast, tmp_path: Path) -> None:
    path = tmp_path / "served.sqlite"
    watts_of = {"vgg": (300, 200), "mobile": (100, 50)}
    with open_ledger(path) as opened:
        for i, (net, of) in enumerate(watts_of.items()):
            # The first run of a model is its training, the second serves requests.
            for j, power_w in enumerate(of):
                opened.add(
                    Recording(
                        header(f"{i}{j}" * 8, f"{net} {j}", sources=[GPU], tags={"model": net}),
                        metrics=[Metric(5.0, "requests", 1000.0)] if j else [],
                        samples={"gpu:0": samples(10, power_w=power_w)},
                        footer=Footer(Status.FINISHED, 9.9),
                        status=Status.FINISHED,
                    )
                )
    usage = ("--requests", "1e6", "--ledger", path)
    document = json.loads(joulecast("tradeoff", "vgg*", "mobile*", *usage, "--json").stdout)
    assert [m["name"] for m in document["models"]] == ["mobile", "vgg"]
    assert document["rows"] == 4
    for model in document["models"]:
        training, serving = watts_of[model["name"]]
        assert model["training"]["value"] == pytest.approx(training * 9.9, rel=1e-3)
        assert model["per_inference"]["value"] == pytest.approx(serving * 9.9e-3, rel=1e-3)
        low, high = (model["training"][k] / model["training"]["value"] for k in ("low", "high"))
        assert low < 1 < high and model["training"]["from_meters"]
        assert model["total"]["low"] < model["total"]["value"] < model["total"]["high"]
    assert document["break_even"][0]["verdict"] == "never"
    assert document["break_even"][0]["never_share"] == 1.0
    typed = ("tradeoff", "big=50MJ,1mJ", "--tag", "model=mobile", *usage, "--json")
    (pair,) = json.loads(joulecast(*typed).stdout)["break_even"]
    assert (pair["lower_training"], pair["higher_training"]) == ("mobile", "big")
    assert pair["requests"] == pytest.approx(101e6, rel=0.01)
    done = joulecast("tradeoff", "vgg*", "--requests-column", "images", *usage, code=2)
    assert "images" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_one_hundred_thousand_rows(joulecast: Joulecast, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    large = tmp_path / "large.csv"
    energies, qualities = rng.lognormal(5, 1, 100_000), rng.uniform(0, 1, 100_000)
    with large.open("w") as file:
        file.write("architecture,gpu,energy_j,accuracy\n")
        file.writelines(
            f"net{i % 40},gpu{i % 7},{e:.4f},{q:.4f}\n"
            for i, (e, q) in enumerate(zip(energies, qualities, strict=True))
        )
    by = ("--by", "architecture,gpu")
    document = json.loads(joulecast("tradeoff", large, *by, "--json").stdout)
    assert len(document["configurations"]) == 280
