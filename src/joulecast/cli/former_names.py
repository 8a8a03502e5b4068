"""Present names of verbs and options of version 0.1, for errors that name the new one."""

import click

VERBS = {
    "cycle": "joulecast tradeoff --requests N",
    "interaction": "joulecast compare --by A,B",
    "power": "joulecast show RUN",
}

OPTIONS = {
    ("calibrate", "--seconds"): "--duration 40s",
    ("carbon", "--duration"): "--held-for 12h",
    ("carbon", "--utilisation"): "--utilization",
    ("evaluate", "--name"): "the run names as arguments",
    ("evaluate", "--utilisation"): "--usage-factor",
    ("report", "--minimise"): "--minimize",
    ("run", "--json"): "--json-file FILE",
    ("runs", "--name"): "the run names as arguments",
    ("tradeoff", "--against"): "--baseline",
    ("tradeoff", "--minimise"): "--minimize",
}


def replaced(error: click.ClickException) -> str | None:
    """The message for an option that has another name now; None for any other error."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return None
    option = error.option_name
    now = OPTIONS.get((error.ctx.info_name or "", option))
    return None if now is None else f"No such option {option!r}: use {now} instead"
