"""A study under way, in lines: what a terminal and a log file show of it."""

from __future__ import annotations

from collections.abc import Mapping

from ...study.model import Trial, TrialStatus
from ...study.running.outcome import Outcome
from ...study.running.progress import Ended, Progress
from ...units import Estimate, format_duration, format_estimate, format_quantity, one_line

_ORDER = (
    (TrialStatus.FINISHED, "finished"),
    (TrialStatus.FAILED, "failed"),
    (TrialStatus.OUT_OF_MEMORY, "out of memory"),
    (TrialStatus.RUNNING, "running"),
    (TrialStatus.PENDING, "to come"),
)
_METRICS = 3  # shown in a line


def counts_text(counts: Mapping[TrialStatus, int]) -> str:
    """`12 finished, 1 out of memory, 47 to come`."""
    parts = [f"{counts[status]} {word}" for status, word in _ORDER if counts.get(status)]
    return ", ".join(parts) or "no trials"


def trial_text(trial: Trial) -> str:
    """`architecture=cnn, batch=32, repetition 2`: people count from one."""
    factors = ", ".join(f"{name}={level}" for name, level in trial.factors.items())
    return one_line(f"{factors}, repetition {trial.repetition + 1}", 120)


def spent_text(spent: Estimate | None, energy_j: float) -> str | None:
    """`45.2 kJ (40.1 to 52.3), modelled`; the figure alone where no more is known; None of none."""
    if spent is None:
        return format_quantity(energy_j, "J") if energy_j else None
    return f"{format_estimate(spent)}, {spent.provenance}"


def ahead_text(energy: Estimate | None, left: Estimate | None) -> str:
    """`study 45.2 kJ (40.1 to 52.3), 8 min 10 s left (7 min 02 s to 9 min 40 s)`."""
    if energy is None and left is None:
        return "study: no forecast before a trial has told its energy"
    parts = [] if energy is None else [f"study {format_estimate(energy)}"]
    if left is not None and left.high > 0:
        bounds = f"{format_duration(left.low)} to {format_duration(left.high)}"
        parts.append(f"{format_duration(left.value)} left ({bounds})")
    return ", ".join(parts)


def now_text(at: Progress) -> str:
    """The one line of a terminal: how all of it is going to be, and what runs now.

    The most important comes first: a narrow terminal cuts the end off.
    """
    parts = [f"{at.done} of {at.total}", ahead_text(at.energy, at.left)]
    if at.trial is None:
        parts.append(at.phase)
    else:
        before = "" if at.phase == "running" else f"{at.phase}: "
        parts.append(before + trial_text(at.trial))
    seen = at.seen
    if seen is not None:
        used = format_quantity(seen.energy.value, "J") if seen.energy else "energy not measured"
        if seen.done is not None and seen.planned:
            used += f", epoch {min(int(seen.done) + 1, int(seen.planned))} of {seen.planned:g}"
        parts.append(used)
    return " | ".join(parts)


def ended_text(ended: Ended, at: Progress) -> str:
    """A trial that is over, in a line."""
    trial = ended.trial
    if ended.duration_s is None:
        figures = "not run"
    else:
        energy = format_estimate(ended.energy) if ended.energy else "energy not measured"
        figures = f"{energy} in {format_duration(ended.duration_s)}"
    how = figures
    if trial.status is TrialStatus.FINISHED:
        shown = [f"{k} {v:.4g}" for k, v in sorted(ended.metrics.items())[:_METRICS]]
        how = ", ".join([figures, *shown])
    else:
        word = dict(_ORDER)[trial.status]
        how = f"{word} ({one_line(trial.error or 'no reason known', 200)}), {figures}"
    ahead = f"; {ahead_text(at.energy, at.left)}" if at.done < at.total else ""
    return f"{at.done} of {at.total}: {trial_text(trial)}: {how}{ahead}"


def outcome_text(outcome: Outcome) -> list[str]:
    """How it ended, in lines."""
    spent = spent_text(outcome.spent, outcome.energy_j) or "energy not measured"
    return [
        f"study {one_line(outcome.study.name)}: {outcome.text}",
        f"  {counts_text(outcome.counts)}; {spent}, {format_duration(outcome.duration_s)} of runs",
    ]
