"""Plans and trials as the ledger keeps them, and back."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LedgerError
from ..ledger import studies
from . import changes
from .entry import code_of
from .model import Study, Trial, TrialStatus
from .order import ordered
from .plan import from_document, to_document

if TYPE_CHECKING:
    from ..ledger import Ledger


def keep_plan(ledger: Ledger, study: Study, folder: Path) -> int:
    """Put a checked plan into the ledger, or add to the one that is there; trials added.

    Raises `UsageError` where another plan has its name.
    """
    stored = studies.StoredStudy(
        study.name,
        to_document(study),
        str(folder.absolute()),
        socket.gethostname(),
        code_of(study, folder),
    )
    rows = [
        studies.StoredTrial(t.trial_id, t.order, t.factors, t.repetition, t.seed)
        for t in ordered(study)
    ]
    return studies.plan(
        ledger, stored, rows, lambda known: changes.agree(stored_plan(known), study)
    )


def stored_plan(stored: studies.StoredStudy) -> Study:
    """The plan that the ledger keeps. Raises `LedgerError` where it is damaged."""
    try:
        return from_document(stored.document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"the plan of study {stored.name} is damaged: {error}") from error


def trial_of(row: studies.StoredTrial) -> Trial:
    """A trial as the ledger has it."""
    return Trial(
        trial_id=row.trial_id,
        order=row.position,
        factors=row.factors,
        repetition=row.repetition,
        seed=row.seed,
        status=TrialStatus(row.status),
        run_id=row.run_id,
        error=row.error,
        started_at=row.started_at,
        ended_at=row.ended_at,
        host=row.host,
    )
