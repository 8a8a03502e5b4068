"""`joulecast show RUN`: one run in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import options
from .verb import verb

if TYPE_CHECKING:
    from ..run.show import RunReport


@verb("show")
@click.argument("run")
@options.stabilization
@options.ledger
def command(run: str, stabilization: str, ledger: str | None) -> RunReport:
    """Show one run in the terminal: energy by domain, epoch and span, power, environment.

    RUN is the id of a recorded run, the beginning of one, its name, or "last".

        joulecast show resnet
    """
    from ..run.show import show

    return show(run, ledger=ledger, stabilization=stabilization)
