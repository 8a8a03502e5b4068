"""A plan stored in the ledger, or the stored one extended."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..ledger import studies
from ..ledger.study_model import PlannedStudy, Study
from .entry import code_of
from .order import ordered

if TYPE_CHECKING:
    from ..ledger import Ledger

# What may not change, since trials would not compare. Limits, and how results are read, may.
_BINDING = ("entry", "epochs", "seed", "order", "early_stopping", "conditions")


def store_plan(ledger: Ledger, study: Study, folder: Path) -> int:
    """Store a checked plan and its trials in the ledger; returns how many trials were added.

    Raises `UsageError` where a plan of this name is stored that this one does not continue.
    """
    planned = PlannedStudy(
        study, str(folder.absolute()), socket.gethostname(), code_of(study, folder)
    )
    return studies.plan(
        ledger, planned, ordered(study), lambda stored: check_continues(stored, study)
    )


def check_continues(old: Study, new: Study) -> None:
    """Check that `new` is `old`, or `old` with repetitions or levels added.

    Raises `UsageError` that lists the differences.
    """
    changes = [
        f"{key} was {_shown(getattr(old, key))} and is {_shown(getattr(new, key))}"
        for key in _BINDING
        if getattr(old, key) != getattr(new, key)
    ]
    if new.repetitions < old.repetitions:
        changes.append(f"repetitions were {old.repetitions} and are {new.repetitions}")
    for name, levels in old.factors.items():
        # An entry may distinguish 1, 1.0 and true, which are equal.
        new_levels = set(map(repr, new.factors.get(name, ())))
        removed = [level for level in levels if repr(level) not in new_levels]
        if name not in new.factors:
            changes.append(f"the factor {name} is gone")
        elif removed:
            changes.append(f"{name} had {', '.join(map(_shown, removed))}")
    changes += [f"the factor {name} is new" for name in new.factors if name not in old.factors]
    if any(dict(some) not in [dict(s) for s in old.exclude] for some in new.exclude):
        changes.append("exclude leaves out more")
    if changes:
        raise UsageError(
            f"study {new.name!r} is in the ledger with another plan: {'; '.join(changes)}: give "
            "this one another name (levels and repetitions may be added, limits changed)"
        )


def _shown(value: object) -> str:
    return "not given" if value is None else str(value)
