"""The Python interface: `joulecast.report`, and how reports are written to files."""

import re
from pathlib import Path

from ..analysis.power.behavior import power_behavior
from ..errors import UsageError
from ..output_file import write_whole
from ..recording.summary import Summary
from ..run.show import RunReport, show
from ..run.training import Run
from ..study.findings.findings import Findings


def report(
    run: str | Run | Summary | RunReport | Findings,
    output: str | Path | None = None,
    *,
    ledger: str | Path | None = None,
    stabilization: str = "cusum",
) -> Path:
    """Write one run, or the findings of a study, as a self-contained HTML page.

    Args:
        run: id, the beginning of one, or name of a recorded run, or `"last"`; a run that has ended;
            what `joulecast.show`, `summarize` or `findings` returned.
        output: file to write, overwritten if it exists. By default `NAME-ID.html` in the current
            folder, which must not exist yet.
        ledger: a file or PostgreSQL URL; `JOULECAST_LEDGER` or the user's data folder by default.
        stabilization: see `joulecast.show`.

    Returns:
        The path of the page. For text, print what `joulecast.show` returns.

    Raises:
        RunNotFoundError: no run matches.
        UsageError: the file cannot be written, or the run has no figures.
        MissingExtraError: jinja2 is not installed.

    Examples:
        >>> joulecast.report("digits", "run.html")
        PosixPath('run.html')
    """
    if isinstance(run, Findings):
        from .page.study_page import render_study

        name, page = default_name(Path(run.name).stem, "study"), render_study(run)
    else:
        from .page.run import render_html

        if isinstance(run, str):
            run = show(run, ledger=ledger, stabilization=stabilization)
        shown = run if isinstance(run, RunReport) else _of_run(run, stabilization)
        header = shown.summary.recording.header
        name = default_name(header.name, header.run_id)
        page = render_html(shown.summary, shown.power)
    path = Path(output or name)
    write_text(path, page, overwrite=output is not None)
    return path


def _of_run(run: Run | Summary, stabilization: str) -> RunReport:
    summary = run.summary if isinstance(run, Run) else run
    if summary is None:
        raise UsageError("the run has no figures: it has not ended, or another process records it")
    return RunReport(summary, power_behavior(summary, stabilization))


def write_text(path: Path, text: str, *, overwrite: bool = True) -> None:
    """Write a report. Raises `UsageError` where it cannot be written."""
    try:
        write_whole(path, [text], overwrite=overwrite)
    except FileExistsError:
        raise UsageError(f"{path} exists: overwrite it with -o {path}") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}: name another file") from None


def default_name(name: str, run_id: str) -> str:
    """A file name that is valid on every system: `resnet50-cifar10-3f9a1c7e.html`."""
    safe = re.sub(r"[^\w.=+-]+", "-", name, flags=re.ASCII).strip("-.")[:60].strip("-.")
    return f"{safe or 'run'}-{run_id[:8]}.html"
