"""`joulecast study status`: the state of studies."""

import click

from ...errors import UsageError
from ...result import Result
from .. import options
from ..verb import verb


@verb("status")
@click.argument("name", required=False)
@click.option(
    "--trial", metavar="ID", help="Show one trial of NAME, with the last 16 KB of what it printed."
)
@options.ledger
def command(name: str | None, trial: str | None, ledger: str | None) -> Result:
    """Show trials, energy and forecast of the study NAME; without NAME, list all studies.

    \b
        joulecast study status digits
        joulecast study status digits --trial 3bba4c
    """
    from ...study import api

    if trial is not None and name is None:
        raise UsageError("--trial: name the study of the trial, too")
    if name is None:
        return api.list_studies(ledger=ledger)
    if trial is not None:
        return api.trial_log(name, trial, ledger=ledger)
    return api.study_status(name, ledger=ledger)
