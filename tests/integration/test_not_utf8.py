"""Arguments, names and tags that are not UTF-8: every verb and file shows them as `\\xe9`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import joulecast
from fakes.recordings import training
from fakes.studies import results, study
from joulecast import serialize
from joulecast.recording.summary import summarize
from joulecast.reports.paper.folder import paper_files
from joulecast.study.findings.findings import derive_findings

ODD = "caf\udce9"


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_every_verb_shows_them(tmp_path: Path, locale: str) -> None:
    ledger = str(tmp_path / "l.db")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [os.fsencode(a) for a in (sys.executable, "-m", "joulecast", *arguments)],
            env=os.environ | {"JOULECAST_LEDGER": ledger, "LC_ALL": locale},
            cwd=tmp_path,
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.decode() + done.stderr.decode()

    tags = ("--tag", f"k={ODD}")
    run("run", "--json-file", "s.json", "--name", ODD, *tags, "--", "sh", "-c", "sleep 0.3", ODD)
    shown = ("caf\\xe9", "'caf\\xe9'", "caf\\\\xe9")
    assert json.loads((tmp_path / "s.json").read_text())["command"][-1] == "caf\\xe9"
    for verb in (["show", "last"], ["show", "last", "--json"], ["runs"], ["runs", "--json"]):
        assert any(text in run(*verb) for text in shown)
    run("report", "last", "-o", "x.html")
    assert "caf\\xe9" in (tmp_path / "x.html").read_text(encoding="utf-8")
    run("export", "last", "-o", "e.json")
    before = joulecast.show("last", ledger=ledger).summary.recording.header.command
    run("import", "--replace", "e.json")
    after = joulecast.show("last", ledger=ledger).summary.recording.header.command
    assert before == after == ["sh", "-c", "sleep 0.3", ODD]


def test_documents_pages_and_papers_can_be_encoded(tmp_path: Path) -> None:
    recording = training(name=ODD)
    recording.header.tags[ODD] = ODD
    summary = summarize(recording)
    findings = derive_findings(results(study(ODD, {ODD: (ODD, "b"), "c": (1, 2)})))
    for result in (summary, findings):
        for text in (repr(result), result._repr_html_(), serialize.dumps(result.to_json())):
            assert "caf\\xe9" in text.encode().decode().replace("\\\\", "\\")
        page = joulecast.report(result, tmp_path / "p.html").read_text(encoding="utf-8")
        assert "caf\\xe9" in page
    files = paper_files(findings)
    assert b"caf\\xe9" in files["configurations.csv"]
    assert rb"caf\textbackslash{}xe9" in files["configurations.tex"]
    assert all(b"\\udce9" not in content for content in files.values())


def test_json_keeps_backslashes_and_pairs() -> None:
    value = {"a": "\\udce9", "b": "\U0001f600", "c": ODD, "d": "\\"}
    assert json.loads(serialize.dumps(value, indent=2)) == value | {"c": "caf\\xe9"}
