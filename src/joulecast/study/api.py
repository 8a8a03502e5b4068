"""The Python interface: `joulecast.run_study`, `study_status`, `study_results`, `findings`."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ..analysis.table.columns import Table, read_csv
from ..analysis.table.load import Where, by_columns, is_file, select_rows
from ..errors import UsageError
from ..ledger import claims, open_ledger, studies
from ..ledger.study_model import Study, TrialStatus
from ..run.session import notify
from ..units import counted
from . import entry
from .findings.findings import Findings, derive_findings
from .findings.study_footprint import StudySite
from .plan import check
from .planning import store_plan
from .results import StudyResults, load_results
from .running.runner import Runner, RunnerContext
from .running.study_progress import StudyListener
from .running.study_run import StudyRun
from .status import StudyList, StudyStatus, StudySummary, TrialLog, status_of


def run_study(
    study: Study,
    *,
    ledger: str | Path | None = None,
    folder: str | Path = ".",
    listener: StudyListener | None = None,
) -> StudyRun:
    """Plan a study where that was not done, and run the trials that are pending; blocks.

    Args:
        study: the plan.
        ledger: a file or PostgreSQL URL; `JOULECAST_LEDGER`, or the user's data folder by default.
        folder: that `study.entry` is relative to.
        listener: is called as trials run and end; by default warnings are printed on stderr.

    Returns:
        The trials that were run, why the runner ended, and the energy (J) and duration (s) used by
        the study so far.

    Raises:
        BadPlanError: a value of the plan is wrong, or the function it names does not fit it.
        UsageError: the ledger has another plan of this name.
        LedgerError: the ledger fails; the results of trials that ended are kept.
        KeyboardInterrupt: Ctrl-C; the trial under way becomes pending again, and a later call
            continues the study.

    Examples:
        >>> study = joulecast.read_study("study.toml")
        >>> joulecast.run_study(study).counts["finished"]
        4
    """
    context = RunnerContext(listener=listener or _Printer())
    return run_in_ledger(check(study), ledger, Path(folder), context)


def run_in_ledger(
    study: Study,
    ledger: str | Path | None,
    folder: Path,
    context: RunnerContext,
    *,
    source: str = "Study",
    retry_failed: bool = False,
) -> StudyRun:
    """Run a checked plan.

    Args:
        study: the plan.
        ledger: a file or PostgreSQL URL.
        folder: that `study.entry` is relative to.
        context: the environment of the runner, its stop event and listener.
        source: named in errors of the plan: its file.
        retry_failed: run failed trials again, too.
    """
    entry.check_entry(study, entry.inspect_entry(study, folder, context.env), source)
    with open_ledger(ledger, context.env) as opened:
        added = store_plan(opened, study, folder)
        if added:
            context.listener.message(f"study {study.name}: {counted(added, 'trial')} planned")
        if retry_failed:
            again = claims.again(opened, study.name, "failed")
            context.listener.message(f"{again} failed trials are run again")
        return Runner(opened, study, folder, context).run()


def study_status(name: str, *, ledger: str | Path | None = None) -> StudyStatus:
    """The state of a study: its trials, the energy used so far, and a forecast of the rest.

    Args:
        name: of the study.
        ledger: a file or PostgreSQL URL; `JOULECAST_LEDGER`, or the user's data folder by default.

    Raises:
        StudyNotFoundError: there is no such study; the error lists the nearest names.

    Examples:
        >>> joulecast.study_status("digits").energy.used_j > 0
        True
    """
    with open_ledger(ledger, create=False) as opened:
        return status_of(opened, name)


def list_studies(*, ledger: str | Path | None = None) -> StudyList:
    """All studies of a ledger, newest first, with the number of their trials by status.

    Args:
        ledger: a file or PostgreSQL URL; `JOULECAST_LEDGER`, or the user's data folder by default.

    Examples:
        >>> [study.name for study in joulecast.list_studies().studies]
        ['digits']
    """
    with open_ledger(ledger, create=False) as opened:
        return StudyList(
            tuple(
                StudySummary(
                    study.plan.name,
                    study.created_at,
                    {status: counts[status] for status in TrialStatus if status in counts},
                )
                for study, counts in studies.listed(opened)
            )
        )


def trial_log(name: str, trial_id: str, *, ledger: str | Path | None = None) -> TrialLog:
    """One trial of a study, and the end of what it printed.

    Args:
        name: of the study.
        trial_id: or the beginning of it.
        ledger: a file or PostgreSQL URL; `JOULECAST_LEDGER`, or the user's data folder by default.

    Raises:
        StudyNotFoundError: there is no such study, or not exactly one such trial.
    """
    with open_ledger(ledger, create=False) as opened:
        studies.load(opened, name)
        return TrialLog(name, *studies.trial(opened, name, trial_id))


def study_results(
    name: str, *, ledger: str | Path | None = None, refresh: bool = False
) -> StudyResults:
    """The trials of a study and their figures, as a table with a row for each trial that ended.

    Args:
        name: of the study.
        ledger: a file or PostgreSQL URL; `JOULECAST_LEDGER`, or the user's data folder by default.
        refresh: compute all figures again from the recordings.

    Returns:
        The plan, the trials, and `table`: energies in J, durations in s, metrics.

    Raises:
        StudyNotFoundError: there is no such study; the error lists the nearest names.

    Examples:
        >>> results = joulecast.study_results("digits")
        >>> len(results.table.columns["energy_j"])
        4
    """
    with open_ledger(ledger, create=False) as opened:
        return load_results(opened, name, refresh=refresh)


def findings(
    source: str | Path | Table | StudyResults,
    by: str | Sequence[str] = (),
    quality: str | None = None,
    *,
    ledger: str | Path | None = None,
    where: Where | None = None,
    maximize: bool | None = None,
    tolerance: float = 0.02,
    energy: str | None = None,
    site: StudySite | None = None,
) -> Findings:
    """What a study found: medians, trade-off, tests, interactions, power, carbon.

    Args:
        source: a study's name, a CSV file with a row for each run, a table, or results.
        by: the factors, such as `"architecture,batch"`; default: those of the plan. A table needs
            them.
        quality: the metric of correctness; default: that of the plan, else `accuracy`, `f1` or
            `val_accuracy`.
        ledger: that holds the study: a file or PostgreSQL URL; `JOULECAST_LEDGER`, or the user's
            data folder by default.
        where: only runs with these values, by column.
        maximize: whether more quality is better; default: as the plan says, else True.
        tolerance: how far below the best quality the cheapest configuration may be, 0 to 1.
        energy: the column of energy; default `energy_j`, or the one named energy with a unit.
        site: grid and tariff; default: the world's average, no tariff.

    Returns:
        The findings: energies in J, durations in s, with 90 % intervals.

    Raises:
        BadInputError: a column is missing or holds no figures.
        MissingExtraError: scipy is not installed: pip install "joulecast[analysis]".
        StudyNotFoundError: there is no such study; the error lists the nearest names.
        UsageError: a table without factors, or an option makes no sense.

    Examples:
        >>> digits = joulecast.findings("digits")
        >>> digits.tradeoff.pick.name
        'cnn'
    """
    with ExitStack() as stack:
        load = None
        if isinstance(source, Path) or (isinstance(source, str) and is_file(source)):
            if ledger is not None:
                raise UsageError(f"{source} is a file: a ledger is for a study's name")
            # Titles need no folder.
            source = replace(read_csv(source), name=Path(source).name)
        elif isinstance(source, str):
            opened = stack.enter_context(open_ledger(ledger, create=False))
            load = opened.load
            source = load_results(opened, source)
        table = source if isinstance(source, Table) else source.table
        if where:
            table = select_rows(table, where)
        return derive_findings(
            replace(source, table=table) if isinstance(source, StudyResults) else table,
            by_columns(by, table) if by else (),
            quality,
            maximize=maximize,
            tolerance=tolerance,
            energy=energy,
            site=site,
            load=load,
        )


class _Printer(StudyListener):
    """Prints warnings on stderr."""

    def message(self, text: str) -> None:
        """Print a line."""
        notify(text)
