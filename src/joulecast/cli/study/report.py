"""`joulecast study report NAME|DATA.csv`: the results of a study, or of a table of runs."""

from pathlib import Path
from typing import Any

import click

from ...errors import UsageError
from ...late_bar import LateBar
from ...units import counted, printable
from .. import options
from ..verb import show, show_paths


@click.command("report")
@click.argument("source", metavar="NAME|DATA.csv")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="HTML page to write, overwritten if it exists. "
    "[default: NAME-study.html in the current folder]",
)
@click.option(
    "--paper",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write tables as CSV and LaTeX and figures as SVG and PDF into FOLDER, instead of a page.",
)
@options.flag(
    "--force",
    help="Overwrite files in the --paper folder that were changed, or are not by joulecast.",
)
@options.as_text
@options.as_json
@click.option(
    "--by",
    multiple=True,
    metavar="COLUMN[,COLUMN]",
    help="Columns that are the factors; a table needs them. [default: the factors of the study]",
)
@options.column(
    "--quality",
    help="Metric of correctness. [default: that of the study, else accuracy, f1 or val_accuracy]",
)
@options.minimize
@options.tolerance
@options.column(
    "--cost",
    help="Column of energy, with its unit in the name. [default: energy_j, or the only energy]",
)
@options.where
@options.site
@options.ledger
def command(
    source: str,
    output: Path | None,
    paper: Path | None,
    force: bool,
    as_text: bool,
    as_json: bool,
    **selection: Any,
) -> None:
    """Write the results of a study as a self-contained HTML page; print its path.

    \b
        joulecast study report digits
        joulecast study report runs.csv --by architecture,gpu --quality f1

    A CSV file has a row for each run. Of a study in the ledger, the report also shows how power
    behaves, and learning curves.
    """
    from ...reports.paper.folder import write_paper
    from ...reports.write import report
    from ...study.api import findings

    if as_text and as_json:
        raise UsageError("--text and --json: choose one")
    if (as_text or as_json) and (output or paper):
        raise UsageError("--text and --json print to stdout: leave out -o and --paper")
    if force and not paper:
        raise UsageError("--force is for --paper: leave it out; -o overwrites its file")
    with LateBar("analyzing runs", None):
        result = findings(
            source,
            selection["by"],
            selection["quality"],
            ledger=selection["ledger"],
            where=selection["where"],
            maximize=False if selection["minimize"] else None,
            tolerance=selection["tolerance"],
            energy=selection["cost"],
            site=_site(selection),
        )
    if as_text or as_json:
        show(result, as_json)
        return
    if paper is not None:
        files = write_paper(result, paper, force=force)
        click.echo(f"{printable(str(paper))}: {counted(len(files), 'file')}", err=True)
        show_paths(files)
    if output is not None or paper is None:
        show_paths([report(result, output)])


def _site(selection: dict[str, Any]) -> Any:
    from ...analysis.carbon.cost import parse_tariff
    from ...analysis.carbon.footprint import Site as Grid
    from ...study.findings.study_footprint import StudySite

    grid = Grid.of(selection["region"], selection["carbon_intensity"], selection["pue"])
    tariff = selection["tariff"]
    return StudySite(grid, None if tariff is None else parse_tariff(tariff))
