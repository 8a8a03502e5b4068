"""`joulecast doctor`: what can be measured here, what cannot and why, and how sure it will be."""

import click

from ..result import Result
from .verb import verb


@verb("doctor")
@click.option(
    "--scope",
    type=click.Choice(["process", "machine"]),
    default="machine",
    help="Check the whole machine, or only what `joulecast run` would count of its command.",
)
def command(scope: str) -> Result:
    """Show what can be measured on this machine, what cannot, and how to fix it.

        joulecast doctor

    Each meter is read for a second; nothing is stored.
    """
    from ..run.doctor import doctor

    return doctor(scope)
