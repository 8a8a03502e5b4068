"""How a study stands, as JSON and in lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...ledger.studies import StoredStudy, StoredTrial
from ...study.model import Study, Trial, TrialStatus
from ...study.order import configurations
from ...study.running.expected import Expected
from ...study.running.outcome import Outcome
from ...study.running.progress import Ended
from ...units import Estimate, format_duration, format_quantity, one_line
from .study_progress import ahead_text, counts_text, spent_text, trial_text

RUN_SCHEMA = "joulecast/study-run/1"
STATUS_SCHEMA = "joulecast/study-status/1"
_ERRORS = 5  # kinds of them that are shown


@dataclass(frozen=True, slots=True)
class Standing:
    """A study as the ledger has it. `alive`: of each running trial, whether its runner is there."""

    stored: StoredStudy
    study: Study
    rows: Sequence[StoredTrial]
    trials: Sequence[Trial]
    alive: dict[str, bool]
    expected: Expected
    duration_s: float  # of all runs so far

    @property
    def counts(self) -> Counter[TrialStatus]:
        """Trials by status."""
        return Counter(trial.status for trial in self.trials)

    def to_json(self) -> dict[str, Any]:
        """The document `joulecast/study-status/1`."""
        study = self.study
        return {
            "schema": STATUS_SCHEMA,
            "name": study.name,
            "entry": study.entry,
            "folder": self.stored.folder,
            "created_at": self.stored.created_at,
            "configurations": sum(1 for _ in configurations(study)),
            "repetitions": study.repetitions,
            "counts": {str(status): self.counts.get(status, 0) for status in TrialStatus},
            "energy": {
                "spent": _json(self.expected.spent()),
                "spent_j": self.expected.spent_j,
                "forecast": _json(self.expected.energy()),
                "limit_j": study.max_energy_j,
            },
            "duration": {
                "spent_s": self.duration_s,
                "left": _json(self.expected.left()),
                "limit_s": study.max_duration_s,
            },
            "trials": [
                _trial_json(trial)
                | {
                    "energy": _energy_json(row),
                    "duration_s": row.duration_s,
                    "runner_lost": not self.alive.get(trial.trial_id, True),
                }
                for trial, row in zip(self.trials, self.rows, strict=True)
            ],
        }

    def lines(self) -> list[str]:
        """The same for people."""
        study, counts = self.study, self.counts
        levels = " x ".join(f"{len(levels)} {name}" for name, levels in study.factors.items())
        times = "repetition" if study.repetitions == 1 else "repetitions"
        name = one_line(study.name)
        lines = [
            f"study {name}: {study.entry}, {levels} x {study.repetitions} {times}",
            f"  {counts_text(counts)}, of {len(self.trials)}",
        ]
        used = spent_text(self.expected.spent(), self.expected.spent_j)
        if used is not None:
            lines.append(f"  used so far: {used}, in {format_duration(self.duration_s)} of runs")
        if counts[TrialStatus.PENDING] or counts[TrialStatus.RUNNING]:
            ahead = ahead_text(self.expected.energy(), self.expected.left())
            lines.append(f"  forecast: {ahead.removeprefix('study: ').removeprefix('study ')}")
        limits = [
            f"{format_quantity(limit, unit)}"
            for limit, unit in ((study.max_energy_j, "J"), (study.max_duration_s, "s"))
            if limit is not None
        ]
        if limits:
            lines.append(f"  limits: {', '.join(limits)}")
        for trial in self.trials:
            if trial.status is TrialStatus.RUNNING:
                lost = "" if self.alive.get(trial.trial_id, True) else " (its runner is gone)"
                lines.append(f"  running on {trial.host}{lost}: {trial_text(trial)}")
        return lines + self._errors()

    def _errors(self) -> list[str]:
        bad = (TrialStatus.FAILED, TrialStatus.OUT_OF_MEMORY)
        kinds: dict[str, list[Trial]] = {}
        for trial in self.trials:
            if trial.status in bad:
                kinds.setdefault(one_line(trial.error or "no reason known", 160), []).append(trial)
        lines = []
        for error, trials in list(kinds.items())[:_ERRORS]:
            many = f" and {len(trials) - 1} more" if len(trials) > 1 else ""
            lines.append(f"  failed: {trial_text(trials[0])}{many}: {error}")
            shown = trials[0].trial_id
            lines.append(f"    (joulecast study status {self.study.name} --trial {shown})")
        if len(kinds) > _ERRORS:
            lines.append(f"  and {len(kinds) - _ERRORS} more kinds of errors")
        return lines


def outcome_json(outcome: Outcome, exit_code: int) -> dict[str, Any]:
    """The document `joulecast/study-run/1`."""
    return {
        "schema": RUN_SCHEMA,
        "name": outcome.study.name,
        "ended": str(outcome.end),
        "text": outcome.text,
        "exit_code": exit_code,
        "counts": {str(status): outcome.counts.get(status, 0) for status in TrialStatus},
        "energy": _json(outcome.spent),
        "energy_j": outcome.energy_j,
        "duration_s": outcome.duration_s,
        "trials": [_ended_json(ended) for ended in outcome.ended],
        "notes": list(outcome.notes),
    }


def trial_lines(row: StoredTrial, trial: Trial) -> list[str]:
    """One trial, with the end of what it printed."""
    lines = [f"trial {trial.trial_id}: {trial_text(trial)}, seed {trial.seed}: {trial.status}"]
    if row.energy_j is not None and row.duration_s is not None:
        energy = format_quantity(row.energy_j, "J")
        lines.append(f"  {energy} in {format_duration(row.duration_s)} on {row.host}")
    if row.run_id is not None:
        lines.append(f"  joulecast show {row.run_id[:8]}")
    if trial.error:
        lines.append(f"  {one_line(trial.error, 500)}")
    if row.log:
        lines += ["", *row.log.splitlines()]
    return lines


def _ended_json(ended: Ended) -> dict[str, Any]:
    return _trial_json(ended.trial) | {
        "energy": _json(ended.energy),
        "duration_s": ended.duration_s,
        "metrics": dict(ended.metrics),
    }


def _trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "trial_id": trial.trial_id,
        "order": trial.order,
        "factors": dict(trial.factors),
        "repetition": trial.repetition,
        "seed": trial.seed,
        "status": str(trial.status),
        "run_id": trial.run_id,
        "error": trial.error,
        "host": trial.host,
        "started_at": trial.started_at,
        "ended_at": trial.ended_at,
    }


def _energy_json(row: StoredTrial) -> dict[str, Any] | None:
    if row.energy_j is None:
        return None
    low = row.energy_j if row.energy_low_j is None else row.energy_low_j
    high = row.energy_j if row.energy_high_j is None else row.energy_high_j
    bounds = {"value": row.energy_j, "low": low, "high": high, "unit": "J"}
    return bounds | {"provenance": row.provenance}


def _json(estimate: Estimate | None) -> dict[str, Any] | None:
    return None if estimate is None else estimate.to_json()
