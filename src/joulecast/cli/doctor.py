"""`joulecast doctor`: what can be measured here, what cannot and why, and how sure it will be."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from ..errors import MeterLostError
from ..meters.base import Gauge, Meter, Reading

if TYPE_CHECKING:
    from ..run.checkup import Checkup

WATCH_S = 1.0
"""How long power is read; longer for slow meters, which need `UPDATES_TO_RESOLVE` updates."""

LONGEST_S = 3.0
_STEP_S = 0.1


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--scope",
    type=click.Choice(["process", "machine"]),
    default="machine",
    show_default=True,
    help="Look at the whole machine, or as `joulecast run` looks at its command.",
)
def command(as_json: bool, scope: str) -> None:
    """Say what can be measured here, what cannot and why, and what to do about it."""
    checkup = examine(scope)
    if as_json:
        click.echo(json.dumps(checkup.to_json(), indent=2))
        return
    from rich.console import Console

    from ..reports.terminal.doctor import render_doctor

    render_doctor(checkup, Console(highlight=False))


def examine(scope: str) -> Checkup:
    """Find this machine's meters and read them for a second or a little more."""
    import os

    from ..hardware.environment import Environment
    from ..meters.cpu_time import CpuTime
    from ..meters.discovery import discover
    from ..meters.gauges import find_gauges
    from ..run.checkup import Checkup, gauge_now, power_now

    clock = time.monotonic
    environment = Environment.detect()
    cpu_time = CpuTime(clock, None if scope == "machine" else os.getpid())
    found = discover(scope, clock, cpu_time=cpu_time, environment=environment)
    gauges = find_gauges(scope, clock, cpu_time, found.meters)
    warnings = list(found.warnings)
    try:
        start = clock()
        before = read_once(gauges.open)
        readings = watch(found.meters, watch_s(found.meters), clock, time.sleep, warnings)
        watched_s = clock() - start
        if not found.meters:
            time.sleep(_STEP_S)  # two readings of what counts
        after = read_once(gauges.open)
    finally:
        for gauge in gauges.open:
            gauge.close()
        for meter in found.meters:
            meter.close()
    said = [[r for r in both if r is not None] for both in zip(before, after, strict=True)]
    return Checkup(
        scope=scope,
        watched_s=watched_s if found.meters else 0.0,
        domains=[
            power_now(meter.source, taken)
            for meter, taken in zip(found.meters, readings, strict=True)
        ],
        unavailable=found.unavailable,
        warnings=warnings,
        environment=environment.to_json(),
        gauges=[
            *(gauge_now(g.source, taken) for g, taken in zip(gauges.open, said, strict=True)),
            *(gauge_now(source, []) for source in gauges.missing),
        ],
    )


def read_once(gauges: Sequence[Gauge]) -> list[Reading | None]:
    """What each says now; None where it has nothing to say, or is gone."""
    found: list[Reading | None] = []
    for gauge in gauges:
        try:
            found.append(gauge.read())
        except MeterLostError:
            found.append(None)
    return found


def watch_s(meters: Sequence[Meter]) -> float:
    """Long enough for the slowest meter to be resolved, within `WATCH_S` and `LONGEST_S`."""
    from ..recording.integrate import UPDATES_TO_RESOLVE

    if not meters:
        return 0.0
    slowest = max(UPDATES_TO_RESOLVE * meter.source.update_period_s for meter in meters)
    return min(max(WATCH_S, slowest), LONGEST_S)


def watch(
    meters: Sequence[Meter],
    duration_s: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    warnings: list[str],
) -> list[list[Reading]]:
    """Readings of each meter over a while; what goes wrong is added to `warnings`."""
    readings: list[list[Reading]] = [[] for _ in meters]
    lost: set[int] = set()
    end = clock() + duration_s
    while len(lost) < len(meters):
        for i, meter in enumerate(meters):
            if i in lost:
                continue
            try:
                readings[i].append(meter.read())
            except MeterLostError as error:
                lost.add(i)
                warnings.append(f"{meter.source.domain}: {error}")
            note = meter.note()
            if note:
                warnings.append(f"{meter.source.domain}: {note}")
        left = end - clock()
        if left <= 0:
            break
        sleep(min(_STEP_S, left))
    return readings
