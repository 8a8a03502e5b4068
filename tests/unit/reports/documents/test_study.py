"""The reports of studies as text: one golden file for each."""

from dataclasses import replace

import pytest

from fakes.golden import golden
from fakes.recordings import training
from fakes.studies import ONE_RUN, results, study
from joulecast.estimate import Estimate, Provenance
from joulecast.ledger.study_model import Trial, TrialStatus, counts_by_status
from joulecast.reports.documents.study_tables import configurations_table
from joulecast.study.findings.findings import derive_findings
from joulecast.study.running.study_run import EndReason, StudyRun
from joulecast.study.status import (
    DurationState,
    EnergyState,
    StudyList,
    StudyStatus,
    StudySummary,
    TrialLog,
)

FAILED = {0: (TrialStatus.OUT_OF_MEMORY, "CUDA out of memory"), 7: (TrialStatus.FAILED, "boom")}
USED = Estimate(45_200.0, 40_100.0, 52_300.0, "J", Provenance.MODELLED)


def trials() -> tuple[Trial, ...]:
    ended = [
        replace(t, energy=USED.scaled(1 / 36), duration_s=12.5)
        for t in results(failed=FAILED).trials
    ]
    running = replace(ended[1], status=TrialStatus.RUNNING, energy=None, duration_s=None)
    pending = replace(ended[2], status=TrialStatus.PENDING, energy=None, duration_s=None)
    return (*ended[:1], running, pending, *ended[3:])


def status() -> StudyStatus:
    return StudyStatus(
        plan=replace(study(), max_energy_j=9e4, max_duration_s=7200.0),
        folder="/home/a",
        created_at=1.8e9,
        configurations=6,
        counts=counts_by_status(trials()),
        energy=EnergyState(USED, USED.value, USED.scaled(1.2), 9e4),
        duration=DurationState(451.0, Estimate(90.0, 80.0, 100.0, "s"), 7200.0),
        trials=trials(),
        orphans=("t1",),
    )


def test_findings() -> None:
    golden("study_findings", repr(derive_findings(results(failed=FAILED), tolerance=0.04)))


@pytest.mark.parametrize("name", ["plan", "results", "status", "list", "trial", "run"])
def test_other_reports(name: str) -> None:
    made = {
        "plan": lambda: status().plan,
        "results": lambda: replace(
            results(study(factors={"architecture": ("small", "deep")}, repetitions=2)),
            trials=trials()[:4],
        ),
        "status": status,
        "list": lambda: StudyList((StudySummary("digits", 1.8e9, counts_by_status(trials())),)),
        "trial": lambda: TrialLog("digits", trials()[0], "epoch 1\nCUDA out of memory"),
        "run": lambda: StudyRun(
            name="digits",
            ended=EndReason.ENERGY,
            text="the energy limit of 90.0 kJ is reached",
            counts=counts_by_status(trials()),
            energy=USED,
            energy_j=USED.value,
            duration_s=451.0,
            trials=(),
        ),
    }
    result = made[name]()
    golden(f"study_{name}", repr(result))
    assert result.to_json()["schema"] == result.SCHEMA


def test_a_list_without_a_study_names_the_command() -> None:
    assert "joulecast study run" in repr(StudyList(()))


def test_the_middle_of_a_long_table_is_left_out() -> None:
    many = study(factors={"architecture": [f"m{i}" for i in range(40)]}, repetitions=2)
    findings = derive_findings(results(many))
    table = configurations_table(findings, 30)
    assert len(table.rows) == 31
    titles = [column.title for column in table.columns]
    assert titles[3:-2] == ["energy", "accuracy", "duration", "mean power"]
    assert len(configurations_table(findings).rows) == len(table.data["n"]) == 40


def test_findings_in_a_notebook_are_escaped() -> None:
    name = "<script>alert(1)</script>"
    html = derive_findings(results(study(name=name)))._repr_html_()
    assert html is not None and "<script>" not in html and "&lt;script&gt;" in html


def test_findings_of_recordings_are_plain_json() -> None:
    findings = derive_findings(results(ONE_RUN), load=lambda run: training(epochs=3))
    document = findings.to_json()
    run = document["recordings"]["runs"][0]
    assert len(run["curve"]["energy_j"]) == 3
    assert document["energy"]["provenance"] == run["energy"]["provenance"]
    assert document["runs"]["columns"]["run_id"] == [run["run_id"]]
