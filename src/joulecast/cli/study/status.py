"""`joulecast study status`: how studies stand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ...errors import UsageError
from .. import options

if TYPE_CHECKING:
    from ...ledger import Ledger
    from ...reports.terminal.study_status import Standing


@click.command("status")
@click.argument("name", required=False)
@click.option("--trial", metavar="ID", help="One trial, with the end of what it printed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@options.ledger
def command(name: str | None, trial: str | None, as_json: bool, ledger: str | None) -> None:
    """How the study NAME stands; without a name, a line for each study.

    \b
        joulecast study status digits
        joulecast study status digits --trial 3bba4c
    """
    from ...ledger import open_ledger

    if trial is not None and name is None:
        raise UsageError("--trial: name the study that it is of")
    with open_ledger(ledger, create=False) as opened:
        if name is None:
            _list(opened, as_json)
        elif trial is not None:
            _show_trial(opened, name, trial)
        else:
            standing = _standing(opened, name)
            text = json.dumps(standing.to_json(), indent=2) if as_json else None
            click.echo(text or "\n".join(standing.lines()))


def _standing(ledger: Ledger, name: str) -> Standing:
    from ...ledger import claims, studies
    from ...reports.terminal.study_status import Standing
    from ...study.running.expected import Expected
    from ...study.stored_plan import stored_plan, trial_of

    stored = studies.load(ledger, name)
    rows = studies.trials(ledger, name)
    spent = studies.spent(ledger, name)
    expected = Expected()
    expected.learn(rows, spent)
    trials = list(map(trial_of, rows))
    alive = claims.runners(ledger, name)
    return Standing(stored, stored_plan(stored), rows, trials, alive, expected, spent[1])


def _show_trial(ledger: Ledger, name: str, trial_id: str) -> None:
    from ...ledger import studies
    from ...reports.terminal.study_status import trial_lines
    from ...study.stored_plan import trial_of

    studies.load(ledger, name)  # there is one, or the nearest is named
    row = studies.trial(ledger, name, trial_id)
    click.echo("\n".join(trial_lines(row, trial_of(row))))


def _list(ledger: Ledger, as_json: bool) -> None:
    from ...ledger import studies
    from ...reports.terminal.study_progress import counts_text
    from ...study.model import TrialStatus

    found = studies.listed(ledger)
    if as_json:
        each = [
            {"name": study.name, "created_at": study.created_at, "counts": counts}
            for study, counts in found
        ]
        document = {"schema": "joulecast/study-status/1", "studies": each}
        click.echo(json.dumps(document, indent=2))
        return
    if not found:
        click.echo("no studies yet: start one with joulecast study run FILE", err=True)
    for study, counts in found:
        click.echo(f"{study.name}: {counts_text({TrialStatus(s): n for s, n in counts.items()})}")
