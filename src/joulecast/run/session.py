"""The recording of one run, from the meters to the ledger, with its forecast."""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from ..errors import JoulecastError
from ..hardware.environment import Environment
from ..ledger.location import locate
from ..ledger.rescue import RescueSink
from ..masking import masked
from ..meters.cpu_time import NOT_STARTED, CpuTime, OtherLoad
from ..meters.discovery import discover
from ..meters.gauges import find_gauges
from ..recording import join
from ..recording.baseline import measure_idle
from ..recording.distributed import Job
from ..recording.epochs import RunPosition
from ..recording.model import Header, Status
from ..recording.recorder import Recorder
from ..recording.summary import Summary
from ..units import format_duration, printable
from ..wall.wall_energy import summary_of
from .run_options import RunOptions

# The forecasters are loaded where a run has progress.
if TYPE_CHECKING:
    from .progress_monitor import ProgressMonitor
    from .run_state import RunState

# Load of the CPUs by other programs above which a machine is not idle.
_IDLE_LOAD = 0.1
# Past runs that the forecast uses, and their total duration: reading them takes under a second.
_PAST_RUNS, _PAST_S = 20, 86400.0


def notify(text: str) -> None:
    """Print one line for people, on stderr."""
    # stderr may be closed.
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"joulecast: {printable(text)}\n")
        sys.stderr.flush()


class Session:
    """The recording of one run, from the meters to the ledger.

    Args:
        options: how it is recorded.
        command: that is recorded.
        root_pid: the process whose tree is the run; None where it is started later, see `follow`.
        job: the place of this process in a distributed job.
        env: environment variables; those of this process by default.
        clock: monotonic seconds.
        notify: is given one line for people at a time.
        sleep: waits for so many seconds.
        show: see `ProgressMonitor`.
        on_exceeded: see `ProgressMonitor`.
    """

    def __init__(
        self,
        options: RunOptions,
        command: list[str],
        root_pid: int | None,
        job: Job,
        env: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        notify: Callable[[str], None] = notify,
        sleep: Callable[[float], None] = time.sleep,
        *,
        show: Callable[[RunState, str | None], None] | None = None,
        on_exceeded: Callable[[], None] | None = None,
    ) -> None:
        env = os.environ if env is None else env
        self._env, self._notify, self._where = env, notify, options.ledger
        # Warnings that the user has read already.
        self._messages: list[str] = []
        self._uses_histories = False
        environment = Environment.detect(env=env)
        # In a command's run its own packages are recorded, not those of this process.
        if root_pid is None:
            environment = environment.of_program(command[0])
        warnings: list[str] = []
        idle = self._idle(options, environment, env, clock, sleep, warnings)
        follows = None if options.scope == "machine" else (root_pid or NOT_STARTED)
        self._cpu_time = CpuTime(clock, follows)
        discovered = discover(
            options.scope, clock, env=env, cpu_time=self._cpu_time, environment=environment
        )
        warnings += discovered.warnings
        if not discovered.meters:
            warnings += [f"{u.domain} ({u.source}): {u.reason}" for u in discovered.unavailable]
        gauges = find_gauges(options.scope, clock, self._cpu_time, discovered.meters)
        header = Header(
            run_id=secrets.token_hex(8),
            name=options.name,
            started_at=time.time(),
            command=command,
            scope=options.scope,
            interval_s=options.interval_s,
            environment=masked(environment.to_json()),
            sources=[meter.source for meter in discovered.meters],
            group=job.group,
            tags=dict(options.tags),
            planned_epochs=options.epochs,
            idle_power_w=idle,
            warnings=warnings,
            gauges=gauges.sources,
        )
        self._sink = RescueSink(options.ledger, self._trouble, env)
        self._join = join.JoinFile()
        self.recorder = Recorder(
            header,
            discovered.meters,
            self._sink,
            clock,
            gauges=gauges.open,
            lacking=discovered.lacking,
            on_position=self._on_position,
            on_tick=self._tick,
        )
        self._monitoring = (options, self.recorder, notify, show, on_exceeded)
        if show is not None or options.is_followed:
            # Raises `UsageError` for a pattern that is not valid.
            _ = self.monitor

    def _idle(
        self,
        options: RunOptions,
        environment: Environment,
        env: Mapping[str, str],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        warnings: list[str],
    ) -> dict[str, float] | None:
        if options.idle_power_w is not None:
            return dict(options.idle_power_w)
        if not options.idle_s:
            return None
        self._notify(f"measuring the idle machine for {format_duration(options.idle_s)}")
        # Idle power is drawn by the whole machine, not by a process tree.
        machine = CpuTime(clock, None)
        whole = discover("machine", clock, env=env, cpu_time=machine, environment=environment)
        load = OtherLoad(clock)
        try:
            return measure_idle(whole.meters, options.idle_s, clock, sleep)
        finally:
            if (share := load.others() or 0.0) > _IDLE_LOAD:
                warnings.append(
                    f"the machine was not idle during the baseline: other programs took "
                    f"{100 * share:.0f} % of the CPU time, which makes energy above idle too low"
                )
            for meter in whole.meters:
                meter.close()

    @cached_property
    def monitor(self) -> ProgressMonitor:
        """Follows the run's progress, from the first time that something asks for it."""
        from .progress_monitor import ProgressMonitor

        return ProgressMonitor(*self._monitoring)

    @property
    def follower(self) -> ProgressMonitor | None:
        """`monitor`, if anything has asked for it: the run has no progress so far otherwise."""
        return self.monitor if "monitor" in self.__dict__ else None

    @property
    def join_file(self) -> join.JoinFile:
        """The file through which scripts inside this run join it."""
        return self._join

    def start(self) -> None:
        """Start sampling."""
        self.recorder.start()

    @property
    def messages(self) -> list[str]:
        """Warnings that the user has read already."""
        return [*self._messages, *(self.follower.messages if self.follower else [])]

    def state(self) -> RunState:
        """The state of the run now."""
        self._start_using_histories()
        return self.monitor.state()

    def _start_using_histories(self) -> None:
        if self._uses_histories:
            return
        self._uses_histories = True
        reading = threading.Thread(target=self._read_histories, name="joulecast-past", daemon=True)
        # Where no thread can be started the forecast does without past runs.
        with suppress(RuntimeError):
            reading.start()

    def _read_histories(self) -> None:
        """Give past runs on this machine to the forecast; none where the ledger cannot be read."""
        from ..forecasting.online.histories import histories
        from ..ledger import open_ledger

        header = self.recorder.header
        with suppress(JoulecastError), open_ledger(self._where, self._env, create=False) as ledger:
            self.monitor.use_record(ledger.forecast_record())
            self.monitor.use_histories(
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
        """End the recording and return its figures."""
        self.recorder.stop(status, exit_code)
        self._join.close()
        try:
            return summary_of(self._sink.recording(), self._sink.ledger)
        finally:
            self._sink.release()

    def _on_position(self, position: RunPosition) -> None:
        self.monitor.update(position)

    def _tick(self) -> None:
        try:
            self._join.tail.pump(self.recorder)
        except OSError as error:
            self.recorder.warn(f"the script's own events cannot be read: {error.strerror}")
        if self.follower is None:
            return
        self.follower.poll()
        forecasts = self.follower.active and self.follower.source is not None
        if forecasts:
            self._start_using_histories()

    @property
    def ledger(self) -> str | None:
        """What to pass to `--ledger` to find the run; None where it is the default."""
        place = self._sink.place
        try:
            return None if place == str(locate(None, self._env)) else place
        except JoulecastError:
            # Without a home folder there is no default ledger.
            return place

    def _trouble(self, text: str) -> None:
        self._messages.append(text)
        self._notify(text)
        self.recorder.warn(text)
