"""Recorded runs as a list shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, overload

from ..estimate import Estimate
from ..recording.model import Status
from ..result import Result


@dataclass(frozen=True, slots=True)
class RunRow:
    """One recorded run in a list of runs.

    Attributes:
        run_id: its id.
        name: its name.
        started_at: seconds since 1970, UTC.
        duration_s: of a run that has not ended: until its recorder last wrote.
        status: what it is now; a run whose recorder is gone is interrupted.
        exit_code: of the command; None where there is none.
        energy: of all domains; None where it was not measured, or the run has not ended.
        tags: its tags.
        group: of a distributed job, shared by its runs.
    """

    run_id: str
    name: str
    started_at: float
    duration_s: float
    status: Status
    exit_code: int | None
    energy: Estimate | None
    tags: dict[str, str]
    group: str | None


@dataclass(frozen=True, slots=True, repr=False)
class RunList(Result, Sequence[RunRow]):
    """Recorded runs, newest first: a sequence of `RunRow`."""

    SCHEMA: ClassVar[str] = "joulecast/runs/1"

    runs: list[RunRow]

    @overload
    def __getitem__(self, index: int) -> RunRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[RunRow]: ...
    def __getitem__(self, index: int | slice) -> RunRow | list[RunRow]:
        return self.runs[index]

    def __len__(self) -> int:
        return len(self.runs)
