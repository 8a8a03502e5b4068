"""Recorded runs as subjects of an evaluation: what was measured, and what their tags hold."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ...analysis.table.load import matching_runs
from ...errors import BadInputError, LedgerError
from ...late_bar import LateBar
from ...ledger import open_ledger
from ...recording.model import Status
from ...recording.summary import Summary, summarize
from ..past_run import StaticRun
from .accuracy import LeftOut
from .static_csv import FIGURES, TEXTS, parse_facts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Recorded:
    """Finished runs of a ledger, newest first.

    Attributes:
        runs: ids, names (all runs of that name), patterns as in a shell; all runs without any.
        tags: tags that the runs must have.
        limit: only the newest so many runs.
        ledger: where the runs are, as `open_ledger` takes it.
    """

    runs: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    limit: int = 50
    ledger: str | Path | None = None

    def read(self, convert: Callable[[Summary], T]) -> tuple[str, list[T], list[LeftOut]]:
        """Where the runs are, the runs as `convert` makes them, and those that it cannot use.

        `convert` raises `BadInputError` with the reason for a run that it cannot use.

        Raises:
            LedgerError: the ledger itself cannot be read.
            RunNotFoundError: there is no such run.
        """
        converted, left_out = [], []
        with open_ledger(self.ledger, create=self.ledger is None) as opened:
            rows = reversed(matching_runs(opened, self.runs, self.tags))
            finished = [row for row in rows if row.status is Status.FINISHED][: self.limit]
            with LateBar("reading runs", len(finished)) as bar:
                for row in finished:
                    bar.advance(1)
                    # One damaged run does not hide the others.
                    try:
                        converted.append(convert(summarize(opened.load(row.run_id))))
                    except (LedgerError, BadInputError) as error:
                        left_out.append(LeftOut(row.run_id, str(error)))
            return f"finished runs in {opened.location}", converted, left_out


def static_run(summary: Summary) -> StaticRun:
    """A recorded run: energy and name of its GPU, its duration, and the facts in its tags.

    Tags have the names of the columns of a table (`joulecast run --tag batch=64 ...`). The
    architecture is the tag of that name, else the name of the run; the epochs are those that the
    run did, unless a tag gives another number.

    Raises:
        BadInputError: the run did not use exactly one GPU of known energy, or a tag makes no sense.
    """
    header = summary.recording.header
    gpu, energy_j = _only_gpu(summary)
    texts = {name: header.tags[name] for name in (*FIGURES, *TEXTS) if name in header.tags}
    texts |= {"architecture": header.tags.get("architecture") or header.name, "gpu": gpu}
    done = len(summary.complete_epochs)
    if done and "steps" not in texts:
        texts.setdefault("epochs", str(done))
    facts = parse_facts(texts, "a tag")
    return StaticRun(header.run_id, facts, energy_j, summary.duration_s)


def _only_gpu(summary: Summary) -> tuple[str, float]:
    """The name of the GPU of a run, and its energy (J)."""
    sources = summary.recording.header.sources
    gpus = [source for source in sources if source.domain.startswith("gpu")]
    if len(gpus) != 1:
        raise BadInputError(f"it has the energy of {len(gpus)} GPUs: only one can be forecast")
    energy = {domain.source.domain: domain.energy for domain in summary.domains}.get(gpus[0].domain)
    if energy is None or energy.value <= 0 or summary.duration_s <= 0:
        raise BadInputError("the energy of its GPU is unknown")
    return gpus[0].device, energy.value
