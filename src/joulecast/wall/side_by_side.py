"""Reads a plug and the meters at the same time, while the machine works or idles."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping

import numpy as np

from ..errors import JoulecastError
from ..hardware.environment import Environment
from ..meters.cpu_time import CpuTime
from ..meters.discovery import discover
from ..recording.model import Gap, Samples
from ..recording.sampler import Sampler
from .join import Metered, Readings, metered
from .plug import Plug
from .regression import WallFitError

# Plugs measure about once a second.
PLUG_S = 1.0
METERS_S = 0.1
SCOPES = ("machine", "process")
# Consecutive failures of a plug after which it counts as lost.
_MAX_FAILURES = 5


class _Meters:
    """The meters of one scope, and their samples."""

    def __init__(self, scope: str, env: Mapping[str, str], environment: Environment) -> None:
        self.scope = scope
        clock = time.monotonic
        follows = None if scope == "machine" else os.getpid()
        times = CpuTime(clock, follows)
        discovery = discover(scope, clock, env=env, cpu_time=times, environment=environment)
        self.sources = [meter.source for meter in discovery.meters]
        self.sampler = Sampler(discovery.meters, clock, METERS_S)
        self._parts: dict[str, list[Samples]] = {}
        self.gaps: list[Gap] = []

    def tick(self, last: bool = False) -> None:
        self.sampler.tick(everything=last)
        for domain, samples in self.sampler.take().items():
            self._parts.setdefault(domain, []).append(samples)
        self.gaps += self.sampler.take_gaps()

    def metered(self, started_at: float) -> Metered | None:
        samples = {domain: Samples.concat(parts) for domain, parts in self._parts.items()}
        end_s = max((float(s.t_s[-1]) for s in samples.values() if len(s)), default=0.0)
        return metered(samples, self.sources, self.gaps, started_at, end_s, self.scope)


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
        env = os.environ if env is None else env
        self._plug, self._name, self._plug_s = plug, name, plug_s
        self._stop = threading.Event()
        self._meters = [_Meters(scope, env, environment) for scope in SCOPES]
        self._times: list[float] = []
        self._watts: list[float] = []
        self._lost: JoulecastError | None = None
        self._threads = [
            threading.Thread(target=self._read_meters, name="joulecast-meters", daemon=True),
            threading.Thread(target=self._read_plug, name="joulecast-plug", daemon=True),
        ]

    def __enter__(self) -> SideBySide:
        """Read the plug once, and start. Raises `JoulecastError` where it does not answer."""
        self._plug.power_w()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for meters in self._meters:
            meters.tick(last=True)
            meters.sampler.close()

    def _read_meters(self) -> None:
        while not self._stop.wait(METERS_S):
            for meters in self._meters:
                meters.tick()

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
        every = [meters.metered(meters.sampler.start_s) for meters in self._meters]
        metered_scopes = [each for each in every if each is not None]
        if not metered_scopes:
            raise WallFitError("nothing is metered here: run joulecast doctor to see what can be")
        return metered_scopes
