"""Whether a plan that was changed still is the same study."""

from __future__ import annotations

from ..errors import UsageError
from .model import Study

# What has no part in the energy of a trial may change: limits, and how results are read.
_BINDING = ("entry", "epochs", "seed", "order", "early_stopping", "conditions")


def agree(old: Study, new: Study) -> None:
    """Nothing, where `new` continues `old`: the same, or with repetitions or levels added.

    Raises `UsageError` that says what is different.
    """
    found = [
        f"{key} was {_shown(getattr(old, key))} and is {_shown(getattr(new, key))}"
        for key in _BINDING
        if getattr(old, key) != getattr(new, key)
    ]
    if new.repetitions < old.repetitions:
        found.append(f"repetitions were {old.repetitions} and are {new.repetitions}")
    for name, levels in old.factors.items():
        # A function may well tell 1 from 1.0 and true, which are equal.
        there = set(map(repr, new.factors.get(name, ())))
        gone = [level for level in levels if repr(level) not in there]
        if name not in new.factors:
            found.append(f"the factor {name} is gone")
        elif gone:
            found.append(f"{name} had {', '.join(map(_shown, gone))}")
    found += [f"the factor {name} is new" for name in new.factors if name not in old.factors]
    if any(dict(some) not in [dict(s) for s in old.exclude] for some in new.exclude):
        found.append("exclude leaves out more")
    if found:
        raise UsageError(
            f"study {new.name!r} is in the ledger with another plan: {'; '.join(found)}: give the "
            "changed one another name (levels and repetitions may be added, limits changed)"
        )


def _shown(value: object) -> str:
    return "not given" if value is None else str(value)
