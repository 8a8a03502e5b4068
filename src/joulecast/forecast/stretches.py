"""The run so far as a bounded number of stretches of about equal progress."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .base import Work

CAPACITY = 128


class Stretches:
    """Takes work of any size; keeps at most `CAPACITY` stretches, so that a look at them is cheap.

    Every work is its own stretch until the room is full; then neighbours are merged two by two, and
    from there on work is gathered until it makes a stretch of the new size.
    """

    def __init__(self) -> None:
        self._rows = np.zeros((CAPACITY, 3))
        self._count = 0
        self._size = 0.0  # progress that makes a stretch
        self._open = [0.0, 0.0, 0.0]

    def add(self, work: Work) -> None:
        """One more stretch of finished work; without progress, it belongs to the next one."""
        self._open[0] += work.progress
        self._open[1] += work.duration_s
        self._open[2] += work.energy_j
        if self._open[0] <= 0 or self._open[0] < self._size * (1 - 1e-9):
            return
        if self._count == CAPACITY:
            self._rows[: CAPACITY // 2] = self._rows[0::2] + self._rows[1::2]
            self._count = CAPACITY // 2
            self._size = float(np.median(self._rows[: self._count, 0]))
        self._rows[self._count] = self._open
        self._count += 1
        self._open = [0.0, 0.0, 0.0]

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Progress, duration and energy of the stretches, in order."""
        rows = self._rows[: self._count]
        return rows[:, 0], rows[:, 1], rows[:, 2]

    def __len__(self) -> int:
        return self._count
