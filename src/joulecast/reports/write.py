"""The Python interface: `joulecast.report`, and how reports are written to files."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import UsageError
from ..run.show import RunReport, show


def report(
    run: str | RunReport,
    output: str | Path | None = None,
    *,
    ledger: str | Path | None = None,
    stabilization: str = "cusum",
) -> Path:
    """Write one run as a self-contained HTML page that fetches nothing.

    Args:
        run: id, the beginning of one, or name of a recorded run, `"last"`, or what `joulecast.show`
            returned.
        output: file to write, overwritten if it exists. By default `NAME-ID.html` in the current
            folder, which must not exist yet.
        ledger: a file or PostgreSQL URL; `JOULECAST_LEDGER` or the user's data folder by default.
        stabilization: see `joulecast.show`.

    Returns:
        The path of the page. For text, print what `joulecast.show` returns.

    Raises:
        RunNotFoundError: no run matches.
        UsageError: the file cannot be written.
        MissingExtraError: plotly or jinja2 is not installed.

    Example:
        >>> joulecast.report("last", "run.html")  # doctest: +SKIP
        PosixPath('run.html')
    """
    from .page.run import render_html

    if isinstance(run, str):
        run = show(run, ledger=ledger, stabilization=stabilization)
    header = run.summary.recording.header
    path = Path(output or default_name(header.name, header.run_id))
    write_text(path, render_html(run.summary, run.power), overwrite=output is not None)
    return path


def write_text(path: Path, text: str, *, overwrite: bool = True) -> None:
    """Write a report. Raises `UsageError` where it cannot be written."""
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists: overwrite it with -o {path}") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}: name another file") from None


def default_name(name: str, run_id: str) -> str:
    """A file name that is valid on every system: `resnet50-cifar10-3f9a1c7e.html`."""
    safe = re.sub(r"[^\w.=+-]+", "-", name, flags=re.ASCII).strip("-.")[:60].strip("-.")
    return f"{safe or 'run'}-{run_id[:8]}.html"
