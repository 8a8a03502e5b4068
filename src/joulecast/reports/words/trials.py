"""Trials of a study and their forecast in words: the same while it runs and in its status."""

from collections.abc import Mapping

from ...estimate import Estimate, format_estimate
from ...ledger.study_model import Trial, TrialStatus, level_text
from ...units import format_duration, format_quantity, one_line

STATUS_WORDS = {
    TrialStatus.FINISHED: "finished",
    TrialStatus.FAILED: "failed",
    TrialStatus.OUT_OF_MEMORY: "out of memory",
    TrialStatus.RUNNING: "running",
    TrialStatus.PENDING: "pending",
}


def counts_text(counts: Mapping[TrialStatus, int]) -> str:
    """`12 finished, 1 out of memory, 47 pending`."""
    parts = [
        f"{counts[status]} {word}" for status, word in STATUS_WORDS.items() if counts.get(status)
    ]
    return ", ".join(parts) or "no trials"


def trial_text(trial: Trial) -> str:
    """`architecture=cnn, batch=32, repetition 2`: repetitions count from one here."""
    factors = ", ".join(f"{name}={level_text(level)}" for name, level in trial.factors.items())
    return one_line(f"{factors}, repetition {trial.repetition + 1}", 120)


def used_text(used: Estimate | None, used_j: float) -> str | None:
    """`45.2 kJ (40.1 to 52.3), modelled`; the figure alone without an interval; None of 0 J."""
    if used is None:
        return format_quantity(used_j, "J") if used_j else None
    return f"{format_estimate(used)}, {used.provenance}"


def forecast_text(energy: Estimate | None, remaining: Estimate | None) -> str:
    """`study 45.2 kJ (40.1 to 52.3), 8 min 10 s remaining (7 min 02 s to 9 min 40 s)`."""
    if energy is None and remaining is None:
        return "study: no forecast before the energy of a trial is known"
    parts = [] if energy is None else [f"study {format_estimate(energy, short=True)}"]
    if remaining is not None and remaining.high > 0:
        bounds = f"{format_duration(remaining.low)} to {format_duration(remaining.high)}"
        parts.append(f"{format_duration(remaining.value)} remaining ({bounds})")
    return ", ".join(parts)
