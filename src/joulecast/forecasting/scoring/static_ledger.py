"""Recorded runs as static forecasters see them: what was measured, and what their tags say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from ...errors import BadInputError, LedgerError
from ...recording.model import Status
from ...recording.summary import Summary, summarize
from ..past_run import StaticRun
from .static_csv import FIGURES, TEXTS, parse_facts

if TYPE_CHECKING:
    from ...ledger import Ledger


def static_runs(
    ledger: Ledger,
    *,
    limit: int = 50,
    name: str | None = None,
    left_out: Callable[[str, str], None] = lambda run_id, reason: None,
) -> list[StaticRun]:
    """The finished runs of a ledger on one GPU, newest first.

    Facts are tags of the run by the names that they have in a table
    (`joulecast run --tag batch=64 --tag gflops=4.1 ...`). The architecture is the tag of that name,
    else the name of the run; the epochs are those that it did, unless a tag says otherwise.

    Args:
        ledger: that holds them.
        limit: of the runs that are read.
        name: only runs of this name; `*` and `?` as in a shell.
        left_out: is told the id of each run that was read and not used, and why.

    Raises:
        LedgerError: the ledger itself cannot be read.
    """
    found = []
    for row in ledger.runs(name=name, status=Status.FINISHED)[: max(0, limit)]:
        try:
            found.append(of_summary(summarize(ledger.load(row.run_id))))
        except (LedgerError, BadInputError) as error:  # one damaged run does not hide the others
            left_out(row.run_id, str(error))
    return found


def of_summary(summary: Summary) -> StaticRun:
    """A recorded run: energy and name of its GPU, its duration, the facts in its tags.

    Raises:
        BadInputError: it did not run on one GPU whose energy is known, or a tag makes no sense.
    """
    header = summary.recording.header
    gpus = [source for source in header.sources if source.domain.startswith("gpu")]
    if len(gpus) != 1:
        _refuse(f"it has the energy of {len(gpus)} GPUs, and must have that of one")
    energy = {domain.source.domain: domain.energy for domain in summary.domains}.get(gpus[0].domain)
    if energy is None or energy.value <= 0 or summary.duration_s <= 0:
        _refuse("the energy of its GPU is not known")
    texts = {name: header.tags[name] for name in (*FIGURES, *TEXTS) if name in header.tags}
    texts |= {"architecture": header.tags.get("architecture") or header.name}
    texts |= {"gpu": gpus[0].device}
    done = sum(epoch.span.end_s is not None for epoch in summary.epochs)
    if done and "steps" not in texts:
        texts.setdefault("epochs", str(done))
    facts = parse_facts(texts, "a tag")
    return StaticRun(header.run_id, facts, energy.value, summary.duration_s)


def _refuse(problem: str) -> NoReturn:
    raise BadInputError(problem)
