"""Reads a plug and the meters at the same time, while the machine works or idles."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..errors import JoulecastError
from ..hardware.environment import Environment
from ..recording.memory_recorder import recorder_in_memory
from ..recording.model import Status
from .join import Metered, Readings, metered_of
from .plug import Plug
from .regression import WallFitError

# Plugs measure about once a second.
PLUG_S = 1.0
SCOPES = ("machine", "process")
# Consecutive failures of a plug after which it counts as lost.
_MAX_FAILURES = 5


class SideBySide:
    """Reads a plug and the meters in threads of its own inside a `with` block.

    Both scopes are metered: runs are recorded in either, and their figures differ.
    """

    def __init__(
        self,
        plug: Plug,
        name: str,
        environment: Environment,
        *,
        env: Mapping[str, str] | None = None,
        plug_s: float = PLUG_S,
    ) -> None:
        self._plug, self._name, self._plug_s = plug, name, plug_s
        self._stop = threading.Event()
        self._recorders = [recorder_in_memory(scope, environment, env) for scope in SCOPES]
        self._times: list[float] = []
        self._watts: list[float] = []
        self._lost: JoulecastError | None = None
        self._reading = threading.Thread(target=self._read_plug, name="joulecast-plug", daemon=True)

    def __enter__(self) -> SideBySide:
        """Read the plug once, and start. Raises `JoulecastError` where it does not answer."""
        self._plug.power_w()
        for recorder, _sink in self._recorders:
            recorder.start()
        self._reading.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._reading.join()
        for recorder, _sink in self._recorders:
            recorder.stop(Status.FINISHED)

    def _read_plug(self) -> None:
        failures = 0
        while not self._stop.wait(self._plug_s):
            before_s = time.monotonic()
            try:
                watts = self._plug.power_w()
            except JoulecastError as error:
                failures += 1
                if failures >= _MAX_FAILURES:
                    self._lost = error
                    return
                continue
            failures = 0
            self._times.append((before_s + time.monotonic()) / 2)
            self._watts.append(watts)

    def readings(self) -> Readings:
        """The plug's readings; times by the clock. Raises `JoulecastError` if it was lost."""
        if self._lost is not None:
            raise self._lost
        return Readings(
            np.array(self._times), np.array(self._watts), False, self._name, other_clock=False
        )

    def metered(self) -> list[Metered]:
        """What was metered, by scope. Raises `WallFitError` where nothing was."""
        metered_scopes = []
        for recorder, sink in self._recorders:
            recording = sink.recording()
            # The clock of the plug's readings.
            started_at = -recorder.since_start(0.0)
            recording.header = replace(recording.header, started_at=started_at)
            metered = metered_of(recording)
            metered_scopes += [] if metered is None else [metered]
        if not metered_scopes:
            raise WallFitError("nothing is metered here: run joulecast doctor to see what can be")
        return metered_scopes
