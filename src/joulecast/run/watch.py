"""The recording of one run, from the meters to the ledger, and its forecast on the way."""

from __future__ import annotations

import math
import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import JoulecastError, UsageError
from ..forecast.step import step_energy
from ..hardware.environment import Environment
from ..ledger.location import locate
from ..ledger.rescue import RescueSink
from ..meters.base import Unavailable
from ..meters.cpu_time import NOT_STARTED, CpuTime
from ..meters.discovery import discover
from ..recording import join
from ..recording.baseline import measure_idle
from ..recording.distributed import Job
from ..recording.model import Header, Status
from ..recording.recorder import Reached, Recorder
from ..recording.summary import SpanEnergy, Summary, summarise
from ..units import Estimate, format_duration, format_estimate

SLOWEST_S, FASTEST_S = 1.0, 0.01


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is recorded. Raises `UsageError` where the figures make no sense."""

    name: str
    epochs: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    interval_s: float = 0.1
    scope: str = "process"
    ledger: str | Path | None = None
    idle_s: float = 0.0  # measure the idle baseline for so long before the run
    idle_power_w: Mapping[str, float] | None = None  # or it is given: by domain, or "total"
    live: bool = False  # a line on stderr for each epoch, with a forecast

    def __post_init__(self) -> None:
        if not FASTEST_S <= self.interval_s <= SLOWEST_S:
            raise UsageError(
                f"interval {self.interval_s:g} s: sample between 100 times a second (0.01 s) "
                "and once (1 s)"
            )
        if self.scope not in ("process", "machine"):
            raise UsageError(f"scope {self.scope!r}: use 'process' or 'machine'")
        if self.epochs is not None and self.epochs < 0:
            raise UsageError(f"epochs={self.epochs}: cannot be negative")
        if not (math.isfinite(self.idle_s) and self.idle_s >= 0):
            raise UsageError(f"idle={self.idle_s:g}: must be finite and not negative")
        for watts in (self.idle_power_w or {}).values():
            if not (math.isfinite(watts) and watts >= 0):
                raise UsageError(f"idle_power={watts:g}: must be finite and not negative")
        if self.idle_s and self.idle_power_w:
            raise UsageError("the idle baseline is either measured or given, not both")


def say(text: str) -> None:
    """One line to the person at the terminal, never to the program's output."""
    with suppress(OSError, ValueError, AttributeError):  # nobody listens: stderr is closed
        sys.stderr.write(f"joulecast: {text}\n")
        sys.stderr.flush()


class Watch:
    """The recording of one run, from the meters to the ledger.

    `root_pid` is the process whose tree the run is; None where it is still to be started, and
    named in `start`.
    """

    def __init__(
        self,
        options: Options,
        command: list[str],
        root_pid: int | None,
        job: Job,
        env: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        talk: Callable[[str], None] = say,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        env = os.environ if env is None else env
        self._env, self._talk, self._live = env, talk, options.live
        self.said: list[str] = []  # of the warnings, those the user has read already
        environment = Environment.detect(env=env)
        if root_pid is None:  # another program's run: its packages count, not ours
            environment = environment.of_program(command[0])
        idle = self._idle(options, environment, env, clock, sleep)
        follows = None if options.scope == "machine" else (root_pid or NOT_STARTED)
        self._cpu_time = CpuTime(clock, follows)
        found = discover(
            options.scope, clock, env=env, cpu_time=self._cpu_time, environment=environment
        )
        header = Header(
            run_id=secrets.token_hex(8),
            name=options.name,
            started_at=time.time(),
            command=command,
            scope=options.scope,
            interval_s=options.interval_s,
            environment=environment.to_json(),
            sources=[meter.source for meter in found.meters],
            group=job.group,
            tags=dict(options.tags),
            planned_epochs=options.epochs,
            idle_power_w=idle,
            warnings=found.warnings + ([] if found.meters else _reasons(found.unavailable)),
        )
        self._sink = RescueSink(options.ledger, self._trouble, env)
        self._join = join.JoinFile()
        self._epochs: list[SpanEnergy] = []
        self.recorder = Recorder(
            header, found.meters, self._sink, clock, on_reached=self._on_reached, on_tick=self._pump
        )

    def _idle(
        self,
        options: Options,
        environment: Environment,
        env: Mapping[str, str],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> dict[str, float] | None:
        if options.idle_power_w is not None:
            return dict(options.idle_power_w)
        if not options.idle_s:
            return None
        self._talk(f"measuring the idle machine for {format_duration(options.idle_s)}")
        # The whole machine's: nobody's process tree draws the idle power.
        whole = discover(
            "machine", clock, env=env, cpu_time=CpuTime(clock, None), environment=environment
        )
        try:
            return measure_idle(whole.meters, options.idle_s, clock, sleep)
        finally:
            for meter in whole.meters:
                meter.close()

    @property
    def join_file(self) -> join.JoinFile:
        """The file through which scripts inside this run join it."""
        return self._join

    def start(self) -> None:
        """Begin to sample."""
        self.recorder.start()

    def follow(self, pid: int) -> None:
        """The process whose tree the run is has been started."""
        self._cpu_time.follow(pid)

    def stop(self, status: Status, exit_code: int | None = None) -> Summary:
        """End the recording; its figures."""
        self.recorder.stop(status, exit_code)
        self._join.close()
        try:
            return summarise(self._sink.recording())
        finally:
            self._sink.release()

    def _pump(self) -> None:
        try:
            self._join.tail.pump(self.recorder)
        except OSError as error:
            self.recorder.warn(f"the script's own events cannot be read: {error.strerror}")

    @property
    def ledger(self) -> str | None:
        """What to give to `--ledger` to find the run, None where nothing need be given."""
        place = self._sink.place
        try:
            return None if place == str(locate(None, self._env)) else place
        except JoulecastError:  # the user has no ledger of their own: no home folder
            return place

    def _trouble(self, text: str) -> None:
        self.said.append(text)
        self._talk(text)
        self.recorder.warn(text)

    def _on_reached(self, place: Reached) -> None:
        epoch = place.epoch
        if epoch is None:
            return
        self._epochs.append(epoch)
        if self._live:
            planned = self.recorder.planned_epochs
            self._talk(_epoch_line(epoch, len(self._epochs), planned, self.forecast()))

    def forecast(self) -> Estimate | None:
        """Energy of all planned epochs (STEP, energy form), None before it can be told."""
        planned = self.recorder.planned_epochs
        energies = [e.energy for e in self._epochs if e.energy is not None]
        if planned is None or len(energies) != len(self._epochs):
            return None
        return step_energy(energies, planned)


def _reasons(unavailable: list[Unavailable]) -> list[str]:
    return [f"{u.domain} ({u.source}): {u.reason}" for u in unavailable]


def _epoch_line(
    epoch: SpanEnergy, seen: int, planned: int | None, forecast: Estimate | None
) -> str:
    of = f" ({seen} of {planned})" if planned else ""
    energy = format_estimate(epoch.energy) if epoch.energy else "not measured"
    text = f"epoch {epoch.span.index}{of}: {energy} in {format_duration(epoch.duration_s)}"
    if forecast is not None and seen < (planned or 0):
        text += f"; all {planned}: {format_estimate(forecast)}"
    return text
