"""The position of a run: how many of how many epochs are done, and when."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Counted(StrEnum):
    """What positions count."""

    EPOCHS = "epochs"
    # Epochs, if the steps that are printed are those of the whole run.
    LIKELY = "likely"
    # The run as a whole is 1.
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Position(Generic[T]):
    """The position of the run: `done` of `planned` units (None: unknown).

    `stamp` is that of its sighting. `before` epochs were done before this run, which was resumed.
    Of several positions with the same whole number the first is where an epoch ended, the last
    where the next one begins.
    """

    done: float
    planned: float | None
    stamp: T
    before: float = 0.0
    unit: Counted = Counted.EPOCHS
