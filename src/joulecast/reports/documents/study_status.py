"""The reports of `joulecast study run` and `joulecast study status`."""

import shlex

from ...ledger.study_model import ENDED, Trial, TrialStatus
from ...study.running.study_run import StudyRun
from ...study.status import StudyList, StudyStatus, TrialLog
from ...units import counted, format_duration, format_quantity, one_line
from ..words.trials import counts_text, forecast_text, trial_text, used_text
from .model import Block, Document, Line, Notes, Pairs, Plot, Section, Styled

MAX_ERRORS = 5
"""Different errors that are shown."""


def run_document(run: StudyRun) -> Document:
    """Why a runner ended, and the state of the study then."""
    used = used_text(run.energy, run.energy_j) or "energy not measured"
    failed = run.counts.get(TrialStatus.FAILED)
    lines: list[Block] = [
        Styled(f"Study {one_line(run.name)}: {run.text}.", "strong"),
        f"{counts_text(run.counts)}; {used}, {format_duration(run.duration_s)} of runs",
    ]
    if failed:
        lines.append(
            f"{counted(failed, 'trial')} failed: joulecast study status {shlex.quote(run.name)} "
            "lists why; joulecast study resume --retry-failed runs them again"
        )
    return Document(lines)


def list_document(studies: StudyList) -> Document:
    """A line for each study."""
    if not studies.studies:
        return Document(["No studies yet: start one with joulecast study run FILE."])
    return Document([Pairs([(one_line(s.name), counts_text(s.counts)) for s in studies.studies])])


def status_document(status: StudyStatus) -> Document:
    """The plan in a line, energy used and forecast, limits, what runs, errors."""
    plan, total = status.plan, len(status.trials)
    levels = " x ".join(f"{len(levels)} {name}" for name, levels in plan.factors.items())
    times = "repetition" if plan.repetitions == 1 else "repetitions"
    rows: list[tuple[str, Line]] = [
        ("training", f"{plan.entry}, {levels} x {plan.repetitions} {times}"),
        ("trials", f"{total}: {counts_text(status.counts)}"),
    ]
    used = used_text(status.energy.used, status.energy.used_j)
    if used is not None:
        rows.append(
            ("used so far", f"{used}, in {format_duration(status.duration.used_s)} of runs")
        )
    if any(trial.status not in ENDED for trial in status.trials):
        forecast = forecast_text(status.energy.forecast, status.duration.remaining)
        rows.append(("forecast", forecast.removeprefix("study: ").removeprefix("study ")))
    limits = ((status.energy.limit_j, "J"), (status.duration.limit_s, "s"))
    texts = [format_quantity(limit, unit) for limit, unit in limits if limit is not None]
    if texts:
        rows.append(("limits", ", ".join(texts)))
    for trial in status.trials:
        if trial.status is TrialStatus.RUNNING:
            gone = " (its runner is gone)" if trial.trial_id in status.orphans else ""
            rows.append(("running", f"{trial_text(trial)}, on {trial.host}{gone}"))
    return Document(
        [Styled(f"Study {one_line(plan.name)}", "strong"), Pairs(rows)], _errors(status)
    )


def _errors(status: StudyStatus) -> list[Section]:
    """Each error once, with a trial that had it."""
    by_error: dict[str, list[Trial]] = {}
    for trial in status.trials:
        if trial.status in (TrialStatus.FAILED, TrialStatus.OUT_OF_MEMORY):
            error = one_line(trial.error or "unknown reason", 160)
            by_error.setdefault(error, []).append(trial)
    if not by_error:
        return []
    texts = [
        f"{trial_text(trials[0])}{f' and {len(trials) - 1} more' if len(trials) > 1 else ''}: "
        f"{error} (--trial {trials[0].trial_id} shows its output)"
        for error, trials in list(by_error.items())[:MAX_ERRORS]
    ]
    if len(by_error) > MAX_ERRORS:
        texts.append(f"{len(by_error) - MAX_ERRORS} more errors")
    return [Section("Trials that failed", [Notes(texts, "!", "bad")])]


def trial_document(log: TrialLog) -> Document:
    """One trial, with the end of what it printed."""
    trial = log.trial
    rows: list[tuple[str, Line]] = [("status", str(trial.status)), ("seed", str(trial.seed))]
    if trial.energy is not None and trial.duration_s is not None:
        energy = format_quantity(trial.energy.value, "J")
        rows.append(("run", f"{energy} in {format_duration(trial.duration_s)} on {trial.host}"))
    if trial.run_id is not None:
        rows.append(("recording", f"joulecast show {trial.run_id[:8]}"))
    if trial.error:
        rows.append(("error", one_line(trial.error, 500)))
    head: list[Block] = [
        Styled(f"Trial {trial.trial_id}: {trial_text(trial)}", "strong"),
        Pairs(rows),
    ]
    output = [Section("Output", [Plot(log.log.splitlines())])] if log.log else []
    return Document(head, output)
