"""The recording of one run, from the meters to the ledger, and its forecast on the way."""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from ..errors import JoulecastError
from ..hardware.environment import Environment
from ..ledger.location import locate
from ..ledger.rescue import RescueSink
from ..meters.base import Unavailable
from ..meters.cpu_time import NOT_STARTED, CpuTime
from ..meters.discovery import discover
from ..meters.gauges import find_gauges
from ..recording import join
from ..recording.baseline import measure_idle
from ..recording.distributed import Job
from ..recording.epochs import RunPosition
from ..recording.model import Header, Status
from ..recording.recorder import Recorder
from ..recording.summary import Summary, summarize
from ..units import format_duration
from ..wall.wall_energy import with_wall
from .progress_monitor import ProgressMonitor
from .run_options import RunOptions
from .run_state import RunState

# Past runs that are learned from, and how long they may be together: a fraction of a second.
_PAST_RUNS, _PAST_S = 20, 86400.0


def say(text: str) -> None:
    """One line to the person at the terminal, never to the program's output."""
    with suppress(OSError, ValueError, AttributeError):  # nobody listens: stderr is closed
        sys.stderr.write(f"joulecast: {text}\n")
        sys.stderr.flush()


class Session:
    """The recording of one run, from the meters to the ledger.

    `root_pid` is the process whose tree the run is; None where it is still to be started, and
    named in `follow`. `show` and `over_budget`: see `ProgressMonitor`.
    """

    def __init__(
        self,
        options: RunOptions,
        command: list[str],
        root_pid: int | None,
        job: Job,
        env: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        talk: Callable[[str], None] = say,
        sleep: Callable[[float], None] = time.sleep,
        *,
        show: Callable[[RunState, str | None], None] | None = None,
        over_budget: Callable[[], None] | None = None,
    ) -> None:
        env = os.environ if env is None else env
        self._env, self._talk, self._where = env, talk, options.ledger
        self.said: list[str] = []  # of the warnings, those the user has read already
        self._learns = False  # from past runs
        environment = Environment.detect(env=env)
        if root_pid is None:  # another program's run: its packages count, not ours
            environment = environment.of_program(command[0])
        idle = self._idle(options, environment, env, clock, sleep)
        follows = None if options.scope == "machine" else (root_pid or NOT_STARTED)
        self._cpu_time = CpuTime(clock, follows)
        found = discover(
            options.scope, clock, env=env, cpu_time=self._cpu_time, environment=environment
        )
        gauges = find_gauges(options.scope, clock, self._cpu_time, found.meters)
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
            gauges=gauges.sources,
        )
        self._sink = RescueSink(options.ledger, self._trouble, env)
        self._join = join.JoinFile()
        self.recorder = Recorder(
            header,
            found.meters,
            self._sink,
            clock,
            gauges=gauges.open,
            on_reached=self._reached,
            on_tick=self._tick,
        )
        self.lookout = ProgressMonitor(options, self.recorder, talk, show, over_budget)

    def _idle(
        self,
        options: RunOptions,
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

    def snapshot(self) -> RunState:
        """How the run stands now."""
        self._begin_to_learn()
        return self.lookout.snapshot()

    def _begin_to_learn(self) -> None:
        if self._learns:
            return
        self._learns = True
        learning = threading.Thread(target=self._learn, name="joulecast-learn", daemon=True)
        with suppress(RuntimeError):  # no thread can be started: it forecasts without
            learning.start()

    def _learn(self) -> None:
        """Tell the forecast of past runs on this machine; a ledger that cannot be read has none."""
        from ..forecasting.online.histories import histories
        from ..ledger import open_ledger

        header = self.recorder.header
        with suppress(JoulecastError), open_ledger(self._where, self._env, create=False) as ledger:
            self.lookout.learn(
                histories(
                    ledger,
                    limit=_PAST_RUNS,
                    first=header.name,
                    machine=header.environment,
                    max_read_s=_PAST_S,
                )
            )

    def follow(self, pid: int) -> None:
        """The process whose tree the run is has been started."""
        self._cpu_time.follow(pid)

    def stop(self, status: Status, exit_code: int | None = None) -> Summary:
        """End the recording; its figures."""
        self.recorder.stop(status, exit_code)
        self._join.close()
        try:
            return with_wall(summarize(self._sink.recording()), self._sink.ledger)
        finally:
            self._sink.release()

    def _reached(self, place: RunPosition) -> None:
        self.lookout.reached(place)

    def _tick(self) -> None:
        try:
            self._join.tail.pump(self.recorder)
        except OSError as error:
            self.recorder.warn(f"the script's own events cannot be read: {error.strerror}")
        self.lookout.look()
        if self.lookout.active and self.lookout.source is not None:  # a forecast is due
            self._begin_to_learn()

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


def _reasons(unavailable: list[Unavailable]) -> list[str]:
    return [f"{u.domain} ({u.source}): {u.reason}" for u in unavailable]
