"""`joulecast study report NAME|DATA.csv`: what came of a study, or of a table of runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...analysis.table.load import by_columns, is_file, select_rows
from ...errors import JoulecastError, UsageError
from ...late_bar import LateBar
from ...reports.write import default_name
from .. import options
from ..tradeoff import parse_tolerance

if TYPE_CHECKING:
    from ...analysis.table.columns import Table
    from ...recording.model import Recording
    from ...study.findings.evidence import Load
    from ...study.findings.findings import Findings
    from ...study.findings.study_footprint import StudySite
    from ...study.model import StudyResults


@click.command("report")
@click.argument("what", metavar="NAME|DATA.csv")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Page to write, overwritten if it exists. [default: NAME-study.html in this folder]",
)
@click.option(
    "--paper",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Tables as CSV and LaTeX, and plots as SVG and PDF, instead of a page.",
)
@click.option("--force", is_flag=True, help="Overwrite files in FOLDER that others wrote.")
@click.option("--text", "as_text", is_flag=True, help="Print the report here instead of a page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a page.")
@click.option(
    "--by",
    multiple=True,
    metavar="COLUMN,...",
    help="The factors. [default: those of the study; a table needs them]",
)
@click.option(
    "--quality",
    metavar="COLUMN",
    help="The metric of correctness. [default: that of the study, else accuracy]",
)
@click.option("--minimize", is_flag=True, help="Less of it is better: it is a loss.")
@click.option(
    "--tolerance",
    default="2%",
    show_default=True,
    callback=options.parsed(parse_tolerance),
    help="What the cheapest may lack of the best quality.",
)
@click.option(
    "--cost",
    metavar="COLUMN",
    help="Of energy, its unit read off its name. [default: energy_j, or the one called energy]",
)
@options.where
@options.site
@options.ledger
def command(
    what: str,
    output: Path | None,
    paper: Path | None,
    force: bool,
    as_text: bool,
    as_json: bool,
    ledger: str | None,
    **given: Any,
) -> None:
    """Write what came of a study as a self-contained HTML page; print the page's path.

    A CSV file with a row for each run does as well:

        joulecast study report runs.csv --by architecture,gpu --quality f1

    Of a study in the ledger, recordings are looked at too: how power behaves, learning curves.
    """
    if as_text and as_json:
        raise UsageError("--text and --json: choose one")
    if (as_text or as_json) and (output or paper):
        raise UsageError("--text and --json print here: leave them out to write files")
    if force and not paper:
        raise UsageError("--force is for --paper; a page named with -o is overwritten")
    with LateBar("weighing runs", None) as bar:
        found = _found(what, ledger, given, bar)
    if as_json:
        click.echo(json.dumps(found.to_json(), allow_nan=False))
    elif as_text:
        from rich.console import Console

        from ...reports.terminal.study import render_study_text

        render_study_text(found, Console(highlight=False))
    else:
        _write(found, output, paper, force)


def _found(what: str, ledger: str | None, given: dict[str, Any], bar: LateBar) -> Findings:
    """The findings of a table or of a study in the ledger."""
    site = _site(given)
    if is_file(what):
        from ...analysis.table.columns import read_csv

        if ledger is not None:
            raise UsageError(f"{what} is a file: --ledger is for a study's name")
        if not Path(what).exists():
            raise UsageError(f"{what}: there is no such file")
        table = replace(read_csv(what), name=Path(what).name)  # titles need no path
        return _findings(table, given, site, None)
    from ...ledger import open_ledger
    from ...study.results import results

    with open_ledger(ledger, create=False) as opened:

        def load(run_id: str) -> Recording:
            recording = opened.load(run_id)
            bar.advance(1)
            return recording

        return _findings(results(opened, what), given, site, load)


def _findings(
    data: Table | StudyResults, given: dict[str, Any], site: StudySite, load: Load | None
) -> Findings:
    from ...study.findings.findings import findings
    from ...study.model import StudyResults

    table = data.table if isinstance(data, StudyResults) else data
    if given["where"]:
        table = select_rows(table, given["where"])
        data = replace(data, table=table) if isinstance(data, StudyResults) else table
    return findings(
        data,
        by_columns(given["by"], table),
        given["quality"],
        maximize=False if given["minimize"] else None,
        tolerance=given["tolerance"],
        energy=given["cost"],
        site=site,
        load=load,
    )


def _site(given: dict[str, Any]) -> StudySite:
    from ...analysis.carbon.cost import parse_tariff
    from ...analysis.carbon.footprint import Site as Grid
    from ...study.findings.study_footprint import StudySite

    grid = Grid.of(given["region"], given["carbon_intensity"], given["pue"])
    return StudySite(grid, None if given["tariff"] is None else parse_tariff(given["tariff"]))


def _write(found: Findings, output: Path | None, paper: Path | None, force: bool) -> None:
    """Write what is asked for and print where. A page that was not named overwrites nothing."""
    if paper is not None:
        from ...reports.paper.folder import write_paper

        written = write_paper(found, paper, force)
        click.echo(f"{paper}: {len(written)} files", err=True)
        for path in written:
            click.echo(str(path))
        if output is None:
            return
    from ...reports.page.study_page import render_study

    page = render_study(found)
    path = output or Path(default_name(Path(found.name).stem, "study"))
    try:
        with path.open("w" if output else "x", encoding="utf-8") as file:
            file.write(page)
    except FileExistsError:
        raise JoulecastError(f"{path} exists: write over it with -o {path}") from None
    except OSError as error:
        raise JoulecastError(f"cannot write {path}: {error.strerror}; name another: -o") from None
    click.echo(str(path))
