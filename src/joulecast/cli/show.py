"""`joulecast show RUN`: one run in the terminal."""

import click

from ..result import Result
from . import options
from .verb import verb


@verb("show")
@click.argument("run")
@options.stabilization
@options.ledger
def command(run: str, stabilization: str, ledger: str | None) -> Result:
    """Show one run in the terminal: energy by domain, epoch and span, power, environment.

    RUN is the id of a recorded run, the beginning of one, its name, or "last".

        joulecast show resnet
    """
    from ..run.show import show

    return show(run, ledger=ledger, stabilization=stabilization)
