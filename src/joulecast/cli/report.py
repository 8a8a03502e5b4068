"""`joulecast report RUN`: one run as a page that needs nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import JoulecastError, UsageError
from . import options

if TYPE_CHECKING:
    from ..recording.model import Recording
    from ..recording.summary import Summary


@click.command()
@click.argument("run")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write, overwritten if it exists. [default: NAME-ID.html in this folder]",
)
@click.option("--text", "as_text", is_flag=True, help="Print the report here instead of a page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a page.")
@options.ledger
def command(
    run: str, output: Path | None, as_text: bool, as_json: bool, ledger: str | None
) -> None:
    """Write one run, by its id or name, as a self-contained HTML page; print the page's path."""
    from ..ledger import open_ledger
    from ..recording.summary import summarize
    from ..wall.wall_energy import with_wall

    if as_text and as_json:
        raise UsageError("--text and --json: choose one")
    if output is not None and (as_text or as_json):
        raise UsageError("-o names the HTML page: leave out --text and --json to write it")
    with open_ledger(ledger, create=False) as opened:
        recording = opened.load(run)
        summary = with_wall(summarize(recording), opened)
    if as_json:
        click.echo(json.dumps(summary.to_json(), indent=2))
    elif as_text:
        from rich.console import Console

        from ..reports.terminal.run import render_text

        render_text(summary, Console(highlight=False))
    else:
        click.echo(str(_write(recording, summary, output)))


def _write(recording: Recording, summary: Summary, output: Path | None) -> Path:
    """Write the page and return where. Never overwrites a file that was not named."""
    from ..reports.page.run import render_html

    path = output or Path(default_name(recording.header.name, recording.header.run_id))
    page = render_html(recording, summary)
    try:
        with path.open("w" if output else "x", encoding="utf-8") as file:
            file.write(page)
    except FileExistsError:
        raise JoulecastError(f"{path} exists: write over it with -o {path}") from None
    except OSError as error:
        raise JoulecastError(f"cannot write {path}: {error.strerror}; name another: -o") from None
    return path


def default_name(name: str, run_id: str) -> str:
    """A file name that any system takes: `resnet50-cifar10-3f9a1c7e.html`."""
    safe = re.sub(r"[^\w.=+-]+", "-", name, flags=re.ASCII).strip("-.")[:60].strip("-.")
    return f"{safe or 'run'}-{run_id[:8]}.html"
