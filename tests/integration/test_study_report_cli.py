"""`joulecast study report`: pages, folders for papers, JSON; of a table and of a real study."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from fakes.studies import results
from joulecast.cli.study.report import command
from joulecast.errors import JoulecastError, StudyNotFoundError, UsageError
from joulecast.reports.paper.folder import INDEX

SEAA = Path(__file__).parents[3] / "shared" / "data" / "seaa" / "runs.csv"
BY = ("--by", "architecture,batch")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A table as someone would have it."""
    table = results().table
    path = tmp_path / "runs.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.columns)
        writer.writerows(zip(*table.columns.values(), strict=True))
    return path


def report(*arguments: object) -> str:
    """What it prints; its errors come as they are raised."""
    done = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def joulecast(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "joulecast", *map(str, arguments)]
    return subprocess.run(line, cwd=cwd, capture_output=True, text=True)


def test_a_page_of_a_table(runs: Path, tmp_path: Path):
    page = tmp_path / "out.html"
    assert report(runs, *BY, "-o", page).strip() == str(page)
    assert "</html>" in page.read_text(encoding="utf-8")


def test_a_page_that_was_not_named_overwrites_nothing(runs: Path, tmp_path: Path):
    first = joulecast("study", "report", runs, *BY, cwd=tmp_path)
    assert (first.returncode, first.stdout) == (0, "runs-study.html\n")
    again = joulecast("study", "report", runs, *BY, cwd=tmp_path)
    assert again.returncode == 2
    assert "-o runs-study.html" in again.stderr


def test_json_and_text_have_the_same_pick(runs: Path):
    document = json.loads(report(runs, *BY, "--json", "--tolerance", "4%"))
    assert next(iter(document.items())) == ("schema", "joulecast/study/1")
    pick = document["tradeoff"]["pick"]["name"]
    text = report(runs, *BY, "--text", "--tolerance", "4%")
    assert f"{pick} uses the least energy within 4 %" in " ".join(text.split())


def test_only_some_rows(runs: Path):
    document = json.loads(report(runs, *BY, "--where", "batch=16", "--json"))
    assert document["constants"] == {"batch": "16"}
    assert document["counts"]["planned"] == 18


def test_misuse_is_refused(runs: Path):
    for arguments in (["--text", "--json"], ["--json", "-o", "x"], ["--force"]):
        with pytest.raises(UsageError):
            report(runs, *BY, *arguments)
    with pytest.raises(UsageError, match="--by architecture"):
        report(runs)


def test_a_missing_extra_is_named(runs: Path, tmp_path: Path):
    for module, feature, asked in (
        ("jinja2", "the HTML report", ("-o", tmp_path / "x.html")),
        ("matplotlib", "plots for a paper", ("--paper", tmp_path / "paper")),
    ):
        code = f"import sys; sys.modules[{module!r}] = None\nfrom joulecast.cli import main; main()"
        line = [sys.executable, "-c", code, "study", "report", runs, *BY, *asked]
        done = subprocess.run(list(map(str, line)), capture_output=True, text=True)
        assert done.returncode == 1
        assert 'pip install "joulecast[report]"' in done.stderr
        assert feature in done.stderr and len(done.stderr.splitlines()) == 1


# --- the folder for a paper ----------------------------------------------------------------------


def test_a_folder_for_a_paper(runs: Path, tmp_path: Path):
    folder = tmp_path / "paper"
    written = [Path(line) for line in report(runs, *BY, "--paper", folder).split()]
    names = {path.name for path in written}
    assert names >= {"tradeoff.pdf", "tradeoff.svg", "boxes-energy.pdf", "interaction-1.svg"}
    assert names >= {"configurations.csv", "configurations.tex", "tests.tex", "pairs.csv"}
    assert set(map(str, folder.iterdir())) == {*map(str, written), str(folder / INDEX)}
    document = json.loads(report(runs, *BY, "--json"))
    with (folder / "configurations.csv").open() as file:
        rows = {f"{r['architecture']}, batch={r['batch']}": r for r in csv.DictReader(file)}
    for c in document["configurations"]:
        row = rows[c["name"]]
        assert float(row["energy_j_median"]) == c["medians"]["energy_j"]["value"]
        assert int(row["n"]) == len(c["rows"])


def test_written_again_it_is_the_same_to_the_byte(runs: Path, tmp_path: Path):
    contents = []
    for name in ("one", "two"):
        done = joulecast("study", "report", runs, *BY, "--paper", name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        contents.append({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()})
    assert contents[0] == contents[1]
    assert b"CreationDate" not in contents[0]["tradeoff.pdf"]
    assert b"<dc:date>" not in contents[0]["tradeoff.svg"]
    # Letters are text, not outlines, so that they can be searched and copied.
    assert (
        b"/FontFile2" in contents[0]["tradeoff.pdf"]
        and b"/Type3" not in contents[0]["tradeoff.pdf"]
    )
    assert b"<text" in contents[0]["tradeoff.svg"]


def test_files_of_others_are_not_overwritten(runs: Path, tmp_path: Path):
    folder = tmp_path / "paper"
    folder.mkdir()
    (folder / "tests.tex").write_text("mine")
    (folder / "main.tex").write_text("mine too")
    with pytest.raises(UsageError, match=r"tests\.tex"):
        report(runs, *BY, "--paper", folder)
    assert {p.name for p in folder.iterdir()} == {"tests.tex", "main.tex"}
    report(runs, *BY, "--paper", folder, "--force")
    assert (folder / "tests.tex").read_text() != "mine"
    assert (folder / "main.tex").read_text() == "mine too"


def test_own_files_are_replaced_and_edited_ones_are_not(runs: Path, tmp_path: Path):
    folder = tmp_path / "paper"
    report(runs, *BY, "--paper", folder)
    report(runs, *BY, "--paper", folder, "--where", "batch=16")
    assert not (folder / "interaction-1.pdf").exists()
    assert INDEX in {p.name for p in folder.iterdir()}
    (folder / "front.tex").write_text("edited by hand")
    with pytest.raises(UsageError, match=r"front\.tex"):
        report(runs, *BY, "--paper", folder)
    assert (folder / "front.tex").read_text() == "edited by hand"


def test_a_folder_that_cannot_be_made_is_an_error(runs: Path, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JoulecastError, match="file/paper"):
        report(runs, *BY, "--paper", tmp_path / "file" / "paper")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("options", ["", "[twocolumn]"], ids=["one column", "two"])
def test_latex_compiles_the_whole_folder(runs: Path, tmp_path: Path, options: str):
    if subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).returncode:
        pytest.skip("booktabs is not installed")
    folder = tmp_path / "paper"
    written = report(runs, *BY, "--paper", folder).split()
    parts = [f"\\input{{{Path(p).stem}}}" for p in written if p.endswith(".tex")]
    parts += [
        f"\\noindent\\includegraphics[width=\\linewidth]{{{Path(p).name}}}"
        for p in written
        if p.endswith(".pdf")
    ]
    (folder / "main.tex").write_text(
        f"\\documentclass{options}{{article}}\\usepackage[T1]{{fontenc}}"
        "\\usepackage{textcomp,booktabs,graphicx}\\begin{document}"
        + "\n\n".join(parts)
        + "\\end{document}"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "main.tex"],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull \\hbox" not in done.stdout  # nothing runs out of a column


# --- real data, a real study ---------------------------------------------------------------------


@pytest.mark.data
@pytest.mark.skipif(not SEAA.is_file(), reason="the shared measurements are not here")
def test_measured_trainings_from_a_table_alone():
    by = ("--by", "training environment", "--by", "architecture")
    document = json.loads(report(SEAA, *by, "--quality", "f1-score", "--json"))
    assert document["counts"]["finished"] == 369
    assert len(document["configurations"]) == 12
    assert document["energy"]["value"] == pytest.approx(2.29e8, rel=0.01)  # of "energy (MJ)"
    front = [c for c in document["tradeoff"]["configurations"] if c["on_front"]]
    assert len(front) > 1


TRAIN = """
def train(architecture, seed, epochs):
    if architecture == "broken":
        raise ValueError("no such layer: <b>")
    end = sum(i * i for i in range(300_000 if architecture == "large" else 100_000))
    for epoch in range(epochs):
        yield {"accuracy": 0.9 + 0.01 * epoch + (0.03 if architecture == "large" else 0)}
"""
PLAN = """
name = "tiny"
entry = "train.py:train"
epochs = 3
[factors]
architecture = ["small", "large", "broken"]
[quality]
metric = "accuracy"
"""


def test_a_study_run_by_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "study.toml").write_text(PLAN)
    where = ("--ledger", tmp_path / "ledger.db")
    ran = joulecast("study", "run", "study.toml", *where, cwd=tmp_path)
    assert ran.returncode == 1, ran.stderr
    assert "--retry-failed" in ran.stdout
    document = json.loads(report("tiny", "--json", *where))
    assert document["counts"]["finished"] == 2 and document["counts"]["failed"] == 1
    (failure,) = document["failures"]
    assert failure["configuration"] == "broken" and "<b>" in failure["error"]
    assert [(c["name"], len(c["rows"]), c["failed"]) for c in document["configurations"]] == [
        ("small", 1, 0),
        ("large", 1, 0),
        ("broken", 0, 1),
    ]
    monkeypatch.chdir(tmp_path)
    assert report("tiny", *where).strip() == "tiny-study.html"
    assert "layer: &lt;b&gt;" in (tmp_path / "tiny-study.html").read_text()
    with pytest.raises(StudyNotFoundError, match="tiny"):
        report("tinny", *where)
