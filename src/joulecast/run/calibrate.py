"""Calibrates a machine: runs its tests, meters them, and has its constants fitted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from .._version import __version__
from ..forecast.static import StaticForecaster
from ..hardware.environment import Environment
from ..meters.cpu_time import CpuTime
from ..meters.discovery import discover
from ..recording.baseline import measure_idle
from ..recording.integrate import is_resolved
from ..recording.summary import Summary
from ..units import weakest
from . import microbench
from .calibrated import Calibrated, Idle
from .calibration_fit import fit, input_constants
from .cpu_fit import fit_costs
from .cpu_pieces import cpu_pieces, settle
from .cpu_steps import AMONG
from .microbench import Result
from .targets import Target

IDLE_S = 10.0  # at most, without work
_IDLE_SHARE = 0.1  # of the time
_INPUT_SHARE = 0.08
_QUIET = 0.15  # of the processors' time that others may take while the machine is to be idle


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

    def act(tracker: Any) -> None:
        span: Callable[[str], AbstractContextManager[object]] = tracker.span
        results.extend(microbench.run_pieces(tests, wait, left, clock=clock, span=span, told=told))

    summary = measure(act, clock, env)
    others = load.others()
    results = [
        replace(r, power_w=power_of(summary, {r.test.name}, target.domains)) for r in results
    ]
    whole_steps = {r.test.name for r in results if r.test.group == AMONG}
    work_w = power_of(summary, whole_steps, target.domains)
    operators = fit_costs(results, work_w) if device.type == "cpu" else None
    sources = [d.source for d in summary.domains if _belongs(d.source.domain, target.domains)]
    notes = [] if others is None or others < _QUIET else [_crowded(others)]
    if not sources:
        notes.append(f"no meter of {target.device} here: joulecast doctor says why")
    notes += [f"{r.test.name}: not run: {r.skipped}" for r in results if r.skipped]
    return Calibrated(
        device=target.device,
        name=target.facts.name,
        constants=fit(results, idle, target.facts, forecaster, operators),
        results=tuple(results),
        notes=tuple(notes),
        power_provenance=weakest(s.provenance for s in sources) if sources else None,
        input_s=input_s,
        seconds=clock() - begun,
        versions={"joulecast": __version__, "torch": str(torch.__version__)},
        operators=operators,
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
    if domains.startswith("cpu") and others is not None and others > _QUIET:
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


def _crowded(others: float) -> str:
    return f"other programs took {100 * others:.0f} % of the processors' time"
