"""A running study in lines: the one of a terminal, and one for each trial that ended."""

from ...estimate import format_estimate
from ...ledger.study_model import TrialStatus
from ...study.running.study_progress import EndedTrial, StudyProgress
from ...units import format_duration, format_quantity, one_line
from ..words.trials import STATUS_WORDS, forecast_text, trial_text

# Metrics that a line shows.
_METRICS = 3


def now_text(progress: StudyProgress) -> str:
    """The one line of a terminal: the forecast of the study, and the running trial.

    The most important comes first: a narrow terminal cuts the end off.
    """
    forecast = forecast_text(progress.energy, progress.remaining)
    parts = [f"{progress.done} of {progress.total}", forecast]
    if progress.trial is None:
        parts.append(progress.phase)
    else:
        phase = "" if progress.phase == "running" else f"{progress.phase}: "
        parts.append(phase + trial_text(progress.trial))
    run = progress.run
    if run is not None:
        used = format_quantity(run.energy.value, "J") if run.energy else "energy not measured"
        if run.done is not None and run.planned:
            used += f", epoch {min(int(run.done) + 1, int(run.planned))} of {run.planned:g}"
        parts.append(used)
    return " | ".join(parts)


def ended_text(ended: EndedTrial, progress: StudyProgress) -> str:
    """A trial that ended, in a line."""
    trial = ended.trial
    how = "not run"
    if trial.duration_s is not None:
        energy = (
            format_estimate(trial.energy, short=True) if trial.energy else "energy not measured"
        )
        how = f"{energy} in {format_duration(trial.duration_s)}"
    if trial.status is TrialStatus.FINISHED:
        metrics = [f"{k} {v:.4g}" for k, v in sorted(ended.metrics.items())[:_METRICS]]
        how = ", ".join([how, *metrics])
    else:
        error = one_line(trial.error or "unknown reason", 200)
        how = f"{STATUS_WORDS[trial.status]} ({error}), {how}"
    text = f"{progress.done} of {progress.total}: {trial_text(trial)}: {how}"
    if progress.done == progress.total:
        return text
    return f"{text}; {forecast_text(progress.energy, progress.remaining)}"
