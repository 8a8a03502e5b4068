"""The true epochs of a recorded trainer: its steps take a set time, and are written down.

A trainer calls `truth` where its epochs begin and end and where a step does its work. The events go
to the file named by PROGRESS_TRUTH, as JSON lines with times of the monotonic clock; the recorder
makes the header of its recording from them. Nothing is printed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EPOCHS, STEPS = 6, 16
STEP_S = 0.05
# The first epoch is slower, as where caches warm up, and some others are.
SLOWER = {1: 1.2, 4: 1.1}


class Truth:
    """Takes the time of steps and phases, and writes down when they happened."""

    def __init__(self) -> None:
        path = os.environ.get("PROGRESS_TRUTH")
        self._file = Path(path).open("a", buffering=1) if path else None  # noqa: SIM115
        # Steps of the open epoch: the number of the epoch, and when they ended.
        self._epoch: int | None = None
        self._steps: list[float] = []
        self._began = 0.0

    def _write(self, **event: object) -> None:
        if self._file is not None:
            self._file.write(json.dumps(event) + "\n")

    def plan(self, epochs: int | None, steps: int | None = None, done: int = 0) -> None:
        """The script trains so many epochs of so many steps, `done` of them in an earlier run."""
        self._write(event="plan", epochs=epochs, steps=steps, epochs_before=done)

    def begin(self, epoch: int) -> None:
        """An epoch, counted from 1, begins."""
        self._epoch, self._steps, self._began = epoch, [], time.monotonic()

    def step(self, seconds: float = STEP_S) -> None:
        """One step of work; of an epoch where one is open, else of the run."""
        time.sleep(seconds * SLOWER.get(self._epoch or 0, 1.0))
        self.stepped()

    def stepped(self) -> None:
        """A step ended whose work was real."""
        self._steps.append(time.monotonic())

    def end(self) -> None:
        """The training of the open epoch is over; its evaluation may follow."""
        steps = [step for step in self._steps if step >= self._began]
        self._write(event="epoch", number=self._epoch, begin=self._began, steps=steps)
        self._epoch, self._steps = None, []

    @contextmanager
    def epoch(self, number: int) -> Iterator[None]:
        """An epoch, counted from 1."""
        self.begin(number)
        yield
        self.end()

    @contextmanager
    def run_of_steps(self) -> Iterator[None]:
        """A training that has steps and no epochs."""
        self.begin(0)
        yield
        self._write(event="steps", begin=self._began, steps=self._steps)
        self._epoch, self._steps = None, []

    @contextmanager
    def phase(self, name: str, seconds: float = 0.0) -> Iterator[None]:
        """What is no training: an evaluation, a checkpoint; waits for so long."""
        began = time.monotonic()
        time.sleep(seconds)
        yield
        self.past_phase(name, began)

    def past_phase(self, name: str, began: float) -> None:
        """A phase that began at this instant of the monotonic clock ends now."""
        self._write(event="phase", name=name, begin=began, end=time.monotonic())


truth = Truth()
