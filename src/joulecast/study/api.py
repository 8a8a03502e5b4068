"""The Python interface: `joulecast.run_study`."""

from __future__ import annotations

from pathlib import Path

from ..ledger import open_ledger
from ..run.session import notify as tell
from . import entry
from .model import Study
from .plan import check
from .running.outcome import Outcome
from .running.progress import Listener, Silent
from .running.runner import Around, Runner
from .stored_plan import keep_plan


def run_study(
    study: Study,
    *,
    ledger: str | Path | None = None,
    folder: str | Path = ".",
    listener: Listener | None = None,
) -> Outcome:
    """Plan a study where that was not done, and run the trials that are left; blocks.

    Args:
        study: the plan.
        ledger: a file or PostgreSQL URL; `JOULECAST_LEDGER`, or the user's data folder by default.
        folder: that `study.entry` is relative to.
        listener: is told how it goes; by default a line on stderr for what one should know.

    Raises:
        BadPlanError: the plan, or the function it names, makes no sense.
        UsageError: the ledger holds another plan of this name.
        LedgerError: the ledger fails; nothing that ended is lost.
        KeyboardInterrupt: Ctrl-C; the trial under way is given back, and a later call goes on.
    """
    study = check(study)
    around = Around(listener=listener or _Plain())
    entry.check_entry(study, entry.ask(study, Path(folder), around.env))
    with open_ledger(ledger, around.env) as opened:
        keep_plan(opened, study, Path(folder))
        return Runner(opened, study, Path(folder), around).run()


class _Plain(Silent):
    def say(self, text: str) -> None:
        """On stderr."""
        tell(text)
