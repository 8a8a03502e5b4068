"""The reports of a study's findings, of its results, and of its plan."""

from ...estimate import format_estimate
from ...ledger.study_model import Study
from ...study.findings.findings import Findings
from ...study.results import StudyResults
from ...units import format_duration, format_quantity, one_line
from ..words import study as words
from ..words.trials import STATUS_WORDS, counts_text
from .model import (
    Block,
    Column,
    Document,
    Line,
    Notes,
    Pairs,
    ReportTable,
    Section,
    Styled,
    figures,
    notes,
)
from .study_tables import configurations_table

MAX_ROWS = 30
"""Rows of a table in the terminal before the middle is left out."""
MAX_FAILURES = 8


def findings_document(findings: Findings) -> Document:
    """What the study found, the configurations, how it was measured, what failed."""
    planned, done = findings.counts.get("planned", 0), findings.counts.get("finished", 0)
    name = Styled(one_line(findings.name) or "(no name)", "strong")
    head: list[Block] = [(name, Styled(f"  {done:,} of {planned:,} runs finished", "dim"))]
    first, *more = words.headlines(findings) or [""]
    head += [Styled(first, "strong"), Notes(more, "-", "")]
    sections = []
    if findings.configurations:
        sections.append(
            Section("Configurations, medians", [configurations_table(findings, MAX_ROWS)])
        )
    site = findings.carbon.whole.site
    rows = words.plan_rows(findings)[len(findings.factors) + len(findings.constants) :]
    about: list[tuple[str, Line]] = [*rows, ("carbon by", f"{site}; {site.source}")]
    sections.append(Section("How it was measured", [Pairs(about)]))
    failed = [
        f"{one_line(f.configuration)}: {words.status_text(f.status)}"
        + (f": {one_line(f.error, 120)}" if f.error else "")
        for f in findings.failures
    ]
    more_failed = len(failed) - MAX_FAILURES
    shown = failed[:MAX_FAILURES] + ([f"{more_failed:,} more"] if more_failed > 0 else [])
    sections += notes("Runs that failed", shown, "!", "bad")
    missing = [one_line(text, 300) for text in findings.missing]
    sections += notes("Not in this report", missing)
    return Document(head, sections)


def results_document(results: StudyResults) -> Document:
    """A row for each trial that ended or runs."""
    factors = list(results.plan.factors)
    quality = results.plan.quality
    metrics = results.table.columns.get(quality, []) if quality else []
    by_trial = dict(zip(results.table.columns.get("trial", []), metrics, strict=False))
    rows: list[list[Line]] = []
    for trial in results.trials:
        value = by_trial.get(trial.trial_id)
        rows.append(
            [
                *(one_line(str(trial.factors.get(factor, "")), 30) for factor in factors),
                str(trial.repetition + 1),
                STATUS_WORDS[trial.status],
                format_estimate(trial.energy, short=True) if trial.energy else "",
                format_duration(trial.duration_s) if trial.duration_s is not None else "",
                f"{value:.4g}" if isinstance(value, float) else "",
            ]
        )
    columns = [
        *(Column(one_line(factor, 20), fit="cut") for factor in factors),
        *figures("repetition"),
        Column("status"),
        *figures("energy", "duration", quality or ""),
    ]
    counts = dict.fromkeys(STATUS_WORDS, 0)
    for trial in results.trials:
        counts[trial.status] += 1
    name = Styled(f"Study {one_line(results.plan.name)}", "strong")
    return Document([(name, f": {counts_text(counts)}"), ReportTable(columns, rows)])


def plan_document(plan: Study) -> Document:
    """Factors, repetitions, and how trials are run."""
    rows: list[tuple[str, Line]] = [
        (one_line(name), ", ".join(one_line(str(level), 40) for level in levels))
        for name, levels in plan.factors.items()
    ]
    rows.append(("repetitions", f"{plan.repetitions:,}"))
    rows += words.training_rows(plan)
    limits = ((plan.max_energy_j, "J"), (plan.max_duration_s, "s"))
    texts = [format_quantity(limit, unit) for limit, unit in limits if limit is not None]
    if texts:
        rows.append(("limits", ", ".join(texts)))
    return Document([Styled(f"Study {one_line(plan.name)}", "strong"), Pairs(rows)])
