"""Calibrates a machine: runs its tests, meters them, and has its constants fitted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any

from .._version import __version__
from ..forecasting.physical.cpu_roofline import Pace
from ..forecasting.physical.device import StaticForecaster
from ..hardware.environment import Environment
from ..meters.cpu_time import CpuTime
from ..meters.discovery import discover
from ..recording.baseline import measure_idle
from ..recording.integrate import is_resolved
from ..recording.summary import Summary
from ..units import weakest
from . import cores, microbench
from .constants_fit import fit, input_constants
from .cpu_fit import fit_costs
from .cpu_pieces import cpu_pieces, settle
from .cpu_steps import AMONG
from .microbench import Result
from .stored_constants import QUIET, Calibrated, Idle
from .targets import Target

IDLE_S = 10.0  # at most, without work
_IDLE_SHARE = 0.1  # of the time
_INPUT_SHARE = 0.08
_FIRST = 0.8  # of the time: the rest is for tests during which the cores were moved
_MORE = 3  # times that such a test is run again at most


def calibrate(
    target: Target,
    forecaster: StaticForecaster,
    environment: Environment,
    input_s: tuple[float, float] | None,
    *,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    env: Mapping[str, str] | None = None,
    told: Callable[[str], None] = lambda what: None,
) -> Calibrated:
    """Run a device's tests, about `seconds` in all, and fit its constants.

    Raises `MissingExtraError` without torch.
    """
    from .probe import measure

    env = os.environ if env is None else env
    torch = microbench.framework()
    device = torch.device(target.torch)
    begun = clock()
    if device.type == "cuda":
        torch.ones(1, device=device)  # holds the device: its idle power is that of a job's
    told("idle")
    idle = idle_power(
        target.domains, min(IDLE_S, _IDLE_SHARE * seconds), environment, clock, sleep, env
    )
    results: list[Result] = []
    tests = microbench.device_pieces(torch, device)
    if device.type == "cpu":
        settle(torch)
        tests += cpu_pieces(torch)
    wait = microbench.waiter(torch, device)
    left = max(1.0, seconds - (clock() - begun))
    load = _Load(clock)
    exchange = cores.exchange(torch) if device.type == "cpu" else None

    def act(tracker: Any) -> None:
        span: Callable[[str], AbstractContextManager[object]] = tracker.span
        run = partial(microbench.run_pieces, wait=wait, clock=clock, span=span, told=told)
        first = left if exchange is None else _FIRST * left
        results.extend(run(tests, seconds=first, exchange=exchange))
        for _ in range(_MORE):
            again = [result.test for result in cores.unusual(results)]
            share = min(len(again) / len(tests), (1 - _FIRST) / _FIRST / _MORE)
            if again:
                results.extend(run(again, seconds=first * share, exchange=exchange))

    summary = measure(act, clock, env)
    others = load.others()
    results = [
        replace(r, power_w=power_of(summary, {r.test.name}, target.domains)) for r in results
    ]
    whole_steps = {r.test.name for r in results if r.test.group == AMONG}
    work_w = power_of(summary, whole_steps, target.domains)
    usual = cores.as_usual(results)
    operators = fit_costs(usual, work_w) if device.type == "cpu" else None
    crowded = others is not None and others >= QUIET
    if operators is not None and not crowded:  # beside others, exchanges take longer, too
        operators = replace(operators, pace=cores.pace_of(results, AMONG))
    sources = [d.source for d in summary.domains if _belongs(d.source.domain, target.domains)]
    notes = [_crowded(others)] if others is not None and crowded else []
    if operators is not None and operators.pace.least < operators.pace.most:
        notes.append(_moved(operators.pace))
    if not sources:
        notes.append(f"no meter of {target.device} here: joulecast doctor says why")
    notes += [f"{r.test.name}: not run: {r.skipped}" for r in results if r.skipped]
    return Calibrated(
        device=target.device,
        name=target.facts.name,
        constants=fit(usual, idle, target.facts, forecaster, operators),
        results=tuple(results),
        notes=tuple(notes),
        power_provenance=weakest(s.provenance for s in sources) if sources else None,
        input_s=input_s,
        seconds=clock() - begun,
        versions={"joulecast": __version__, "torch": str(torch.__version__)},
        operators=operators,
        others=others,
    )


def input_pipeline(
    seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    told: Callable[[str], None] = lambda what: None,
) -> tuple[tuple[float, float] | None, tuple[Result, ...]]:
    """What the host takes for samples, and the tests that say so. Raises `MissingExtraError`."""
    tests = microbench.input_pieces(microbench.framework())
    found = tuple(microbench.run_pieces(tests, lambda: None, seconds, clock=clock, told=told))
    return input_constants(found), found


def input_seconds(seconds: float) -> float:
    """The part of the whole time that goes to the host's pipeline."""
    return _INPUT_SHARE * seconds


def idle_power(
    domains: str,
    seconds: float,
    environment: Environment,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    env: Mapping[str, str],
) -> Idle:
    """Power of the domains while this process does nothing: the least of three stretches."""
    whole = discover(
        "machine", clock, env=env, cpu_time=CpuTime(clock, None), environment=environment
    )
    meters = [m for m in whole.meters if _belongs(m.source.domain, domains)]
    try:
        if not meters:
            return Idle(None, reason="no meter of the device here")
        load = _Load(clock)
        stretches = [measure_idle(meters, seconds / 3, clock, sleep) for _ in range(3)]
        others = load.others()
    finally:
        for meter in whole.meters:
            meter.close()
    watts = [sum(found.values()) for found in stretches if len(found) == len(meters)]
    if not watts or min(watts) <= 0:
        return Idle(None, reason="the meters gave no reading in the time: take more seconds")
    if domains.startswith("cpu") and others is not None and others > QUIET:
        return Idle(None, reason=f"{_crowded(others)}: it was not idle")
    return Idle(min(watts), (max(watts) - min(watts)) / 2 / min(watts))


def power_of(summary: Summary, spans: Collection[str], domains: str) -> float | None:
    """Mean power of the device in spans of these names, W; None where meters cannot resolve it.

    Spans that are each too short for a meter may together be long enough.
    """
    sources = {d.source.domain: d.source for d in summary.domains}
    energy_j = duration_s = 0.0
    seen: set[str] = set()
    for found in summary.spans:
        parts = {d: e for d, e in found.domains.items() if _belongs(d, domains) and d in sources}
        if found.span.name in spans and parts:
            energy_j += sum(e.value for e in parts.values())
            duration_s += found.duration_s
            seen |= set(parts)
    if not seen or not all(is_resolved(duration_s, sources[d]) for d in seen):
        return None
    return energy_j / duration_s


def _belongs(domain: str, domains: str) -> bool:
    return domain.startswith(domains) if domains.endswith(":") else domain == domains


class _Load:
    """How much of the processors' time others took since it was made."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._times = CpuTime(clock, os.getpid())
        self._before = self._times.sample()

    def others(self) -> float | None:
        now, before = self._times.sample(), self._before
        total = now.machine_total_s - before.machine_total_s
        if total <= 0 or now.tree_cpu_s is None or before.tree_cpu_s is None:
            return None
        busy = now.machine_busy_s - before.machine_busy_s
        return max(0.0, busy - (now.tree_cpu_s - before.tree_cpu_s)) / total


def _moved(pace: Pace) -> str:
    return (
        "the host moved the cores of this machine meanwhile: steps then took "
        f"{pace.least if pace.least < 1 else pace.most:.2f} times as long as at most times"
    )


def _crowded(others: float) -> str:
    return f"other programs took {100 * others:.0f} % of the processors' time"
