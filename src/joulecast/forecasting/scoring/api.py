"""The Python interface: `joulecast.evaluate`."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...analysis.table.load import is_file
from ...errors import UsageError
from ...late_bar import LateBar
from ...ledger import open_ledger
from ...units import one_line
from ..online.histories import history_of
from ..past_run import StaticRun
from .accuracy import OnlineEvaluation, StaticEvaluation
from .epochs_csv import EpochRun, read_epochs
from .names import ONLINE, STATIC
from .online_methods import RunContext
from .online_scores import Subject, score_online
from .rated import ratings
from .recorded import Recorded, static_run
from .static_csv import read_static
from .static_methods import static_methods
from .static_scores import count_folds, score_static
from .static_workloads import Workloads

EPOCHS_SEEN = (1, 2, 3, 5, 10, 15)


def evaluate(
    source: str | Path | Sequence[str] = (),
    *,
    static: bool = False,
    at: Sequence[int] = EPOCHS_SEEN,
    methods: Sequence[str] = (),
    by: str | Sequence[str] = (),
    tdp_w: float | None = None,
    ram_gb: float | None = None,
    usage_factor: float = 1.0,
    tags: Mapping[str, str] | None = None,
    limit: int = 50,
    ledger: str | Path | None = None,
) -> OnlineEvaluation | StaticEvaluation:
    """Score forecasters on finished runs: those that forecast during a run, or before it.

    Args:
        source: a CSV file; or recorded runs: ids, names (all runs of that name), patterns as in a
            shell. Without any, all finished runs of the ledger. An online evaluation reads a row
            for each epoch: `run_id,epoch,duration_s,energy_j`, and where known `planned_epochs`
            and `tdp_w`. A static one reads a row for each run:
            `architecture,gpu,energy_j,duration_s`, and what was known before it: `batch`,
            `epochs`, `training_size`, `gflops`, ... Recorded runs have these facts in their tags.
        static: score the forecasters that work before a run.
        at: numbers of epochs after which the online forecasters forecast the whole run.
        methods: only these forecasters; all by default.
        by: columns of the file whose values make groups, which are scored on their own, too.
        tdp_w: rated power of all devices of a run together, W. By default that of the column
            `tdp_w`, or of the hardware of a recorded run.
        ram_gb: memory of the machine, GB.
        usage_factor: mean load of the devices, 0 to 1, for `green-algorithms`.
        tags: tags that recorded runs must have.
        limit: only the newest so many recorded runs.
        ledger: where the recorded runs are, as `open_ledger` takes it.

    Returns:
        `OnlineEvaluation` or `StaticEvaluation`: scores (errors in %, coverage of the 90 %
        intervals), forecasters without a score and runs that were left out, with the reasons.

    Raises:
        BadInputError: the file makes no sense; the text names the line.
        RunNotFoundError: there is no such recorded run.
        UsageError: an unknown method, a file and recorded runs at once, or `by` without a file.

    Examples:
        >>> rows = ["run_id,epoch,duration_s,energy_j", "a,0,10,300", "a,1,8,100", "a,2,8,100"]
        >>> _ = Path("epochs.csv").write_text("\\n".join(rows))
        >>> evaluation = joulecast.evaluate("epochs.csv", methods=["carbontracker"])
        >>> [(score.epochs_seen, score.energy.mape_pct) for score in evaluation.results]
        [(1, 80.0), (2, 20.0)]
    """
    names = [str(source)] if isinstance(source, str | Path) else list(source)
    columns = [c.strip() for text in ([by] if isinstance(by, str) else by) for c in text.split(",")]
    recorded = Recorded(names, tags or {}, limit, ledger)
    file = _file(recorded, columns)
    chosen = _chosen(methods, STATIC if static else ONLINE)
    if not at or min(at) < 1:
        raise UsageError(f"{list(at)}: numbers of epochs start at 1")
    if not 0 <= usage_factor <= 1:
        raise UsageError(f"a usage factor of {usage_factor:g}: write a number from 0 to 1")
    context = RunContext(tdp_w, ram_gb, usage_factor)
    if static:
        return _static(file, columns, recorded, chosen, context)
    return _online(file, columns, recorded, chosen, context, at)


def _file(recorded: Recorded, columns: Sequence[str]) -> str | None:
    """The file among the sources, or None for recorded runs. Raises `UsageError` for both."""
    file = next(filter(is_file, recorded.runs), None)
    if file is None and columns:
        raise UsageError("--by needs a CSV file: recorded runs have no columns")
    alone = len(recorded.runs) == 1 and not recorded.tags and recorded.ledger is None
    if file is not None and not alone:
        raise UsageError(f"{file} is a file: pass one file alone, or recorded runs")
    return file


def _chosen(methods: Sequence[str], available: Sequence[str]) -> Sequence[str]:
    """The methods, or all that are available. Raises `UsageError`."""
    unknown = [method for method in methods if method not in available]
    if unknown:
        raise UsageError(
            f"{unknown[0]} cannot be used here: the forecasters are {', '.join(available)}"
        )
    return methods or available


def _online(
    file: str | None,
    columns: Sequence[str],
    recorded: Recorded,
    methods: Sequence[str],
    context: RunContext,
    at: Sequence[int],
) -> OnlineEvaluation:
    notes: list[str] = []
    record = None
    if file is None:
        with open_ledger(recorded.ledger, create=recorded.ledger is None) as opened:
            record = opened.forecast_record()
        origin, rated, left_out = recorded.read(
            lambda summary: (history_of(summary), *ratings(summary.recording.header))
        )
        # Newest first: a forecaster may learn from the runs that came before.
        past = [history for history, _, _ in rated]
        subjects = [
            Subject(history, replace(_completed(context, tdp_w, ram_gb), past=past[i + 1 :]))
            for i, (history, tdp_w, ram_gb) in enumerate(rated)
        ]
    else:
        with _reading(file) as bar:
            runs = read_epochs(file, columns, bar.advance)
        origin, left_out, notes = file, [], _absent_notes(runs)
        subjects = [Subject(r.history, _completed(context, r.tdp_w), r.group) for r in runs]
    with LateBar("scoring", len(subjects)) as bar:
        evaluation = score_online(
            subjects,
            at,
            methods,
            source=origin,
            left_out=left_out,
            notes=notes,
            done=bar.advance,
        )
    return replace(evaluation, forecast_record=record)


def _static(
    file: str | None,
    columns: Sequence[str],
    recorded: Recorded,
    methods: Sequence[str],
    context: RunContext,
) -> StaticEvaluation:
    if file is None:
        origin, runs, left_out = recorded.read(static_run)
    else:
        with _reading(file) as bar:
            runs = read_static(file, columns, bar.advance)
        origin, left_out = file, []
    runs = [_with_context(run, context) for run in runs]
    workloads = Workloads()
    if "physical" in methods:
        # It reads its constants when it is made.
        from ..physical.forecaster import Physical

        workloads = Workloads(forecaster=Physical())
    available = workloads.methods() | static_methods()
    chosen = {name: available[name] for name in methods}
    # Analyzing models may be what takes long, so that the bar starts before the folds are counted.
    with LateBar("scoring", None) as bar:
        bar.expect(count_folds(runs, chosen))
        return score_static(runs, chosen, source=origin, left_out=left_out, done=bar.advance)


def _reading(file: str) -> LateBar:
    path = Path(file)
    # Path.is_file raises for a name of 300 characters.
    return LateBar("reading", path.stat().st_size if os.path.isfile(path) else None)  # noqa: PTH113


def _completed(context: RunContext, tdp_w: float | None, ram_gb: float | None = None) -> RunContext:
    """What the user passes, and otherwise what the run or the catalog has."""
    return replace(
        context,
        tdp_w=tdp_w if context.tdp_w is None else context.tdp_w,
        ram_gb=ram_gb if context.ram_gb is None else context.ram_gb,
    )


def _with_context(run: StaticRun, context: RunContext) -> StaticRun:
    """The run with what the user passes of the machine."""
    facts = run.facts
    machine = _completed(context, facts.tdp_w, facts.ram_gb)
    utilization = context.usage_factor if facts.utilization is None else facts.utilization
    facts = replace(facts, tdp_w=machine.tdp_w, ram_gb=machine.ram_gb, utilization=utilization)
    return replace(run, facts=facts)


def _absent_notes(runs: Sequence[EpochRun]) -> list[str]:
    gapped = [run for run in runs if run.absent]
    if not gapped:
        return []
    first = f"{one_line(gapped[0].run_id)}: {gapped[0].absent}"
    part = f"{len(gapped)} of {len(runs)} runs lack epochs between others ({first})"
    return [f"{part}: neither forecast nor truth includes them"]
