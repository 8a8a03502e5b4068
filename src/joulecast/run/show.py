"""The Python interface: `joulecast.show`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..analysis.power.behavior import PowerBehavior, power_behavior
from ..ledger import open_ledger
from ..recording.run_document import SCHEMA, RunDocument
from ..recording.summary import Summary
from ..result import Result
from ..serialize import to_builtins
from ..wall.wall_energy import summary_of


@dataclass(frozen=True, slots=True)
class ShownRun(RunDocument):
    """The document of a run, and how its power behaves."""

    power: PowerBehavior | None = None


@dataclass(frozen=True, slots=True, repr=False)
class RunReport(Result):
    """One run: its figures, and how its power behaves."""

    SCHEMA: ClassVar[str] = SCHEMA

    summary: Summary
    power: PowerBehavior

    def to_json(self) -> dict[str, Any]:
        """The document of the run, and `power`."""
        return self.summary.to_json() | {"power": to_builtins(self.power)}

    @classmethod
    def document_type(cls) -> type:
        """See `Result`."""
        return ShownRun


def show(run: str, *, ledger: str | Path | None = None, stabilization: str = "cusum") -> RunReport:
    """The figures of one recorded run.

    Args:
        run: its id, the beginning of one, its name (of the latest so named), or `"last"`.
        ledger: a file or PostgreSQL URL; `JOULECAST_LEDGER` or the user's data folder by default.
        stabilization: how the point from which power is stable is determined, `"cusum"` or
            `"fluss"`, see `power_behavior`.

    Returns:
        Energies in J with 90 % intervals, durations in s, powers in W.

    Raises:
        RunNotFoundError: no run matches.
        LedgerError: the ledger cannot be read.
        MissingExtraError: `"fluss"` is asked for and stumpy is not installed.

    Examples:
        >>> joulecast.show("digits").summary.total.unit
        'J'
    """
    with open_ledger(ledger, create=False) as opened:
        summary = summary_of(opened.load(run), opened)
    return RunReport(summary, power_behavior(summary, stabilization))
