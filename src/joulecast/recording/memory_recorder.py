"""A recorder whose recording is kept in memory: for a measurement that is no run."""

import os
import time
from collections.abc import Mapping

from ..hardware.environment import Environment
from ..meters.cpu_time import CpuTime
from ..meters.discovery import discover
from .memory import MemorySink
from .model import Header
from .recorder import Recorder


def recorder_in_memory(
    scope: str, environment: Environment, env: Mapping[str, str] | None = None
) -> tuple[Recorder, MemorySink]:
    """A recorder of this process, or of the machine, to be started; and where its recording is."""
    clock = time.monotonic
    cpu_time = CpuTime(clock, None if scope == "machine" else os.getpid())
    meters = discover(scope, clock, env=env, cpu_time=cpu_time, environment=environment).meters
    header = Header(
        run_id="memory",
        name="memory",
        started_at=time.time(),
        command=[],
        scope=scope,
        interval_s=0.1,
        environment={},
        sources=[meter.source for meter in meters],
    )
    sink = MemorySink()
    return Recorder(header, meters, sink, clock), sink
