"""The power of a step, and the clock that a power limit leaves.

`power = TDP * (awake + d * compute * u_c * clock**gamma + memory * u_m + latency * u_l)`, with u
the shares of the step's time that the device computes, moves data, and
starts kernels. What a device draws awake, clocks up but nothing to do, is mostly its memory's:
stacked (HBM) draws little. Where that is above the limit, the driver lowers the clock until it
fits, and the computing part of the step takes longer: time and power are computed together.
(Dynamic power is proportional to clock times voltage squared, and voltage falls with the clock:
gamma between 1 and 3.)

Chips of one generation spend about the same energy on an operation, so that `d`, the power of full
use, follows how many operations per second a board has for each watt of its limit, relative to what
is usual in its generation: a T4 or an L4 has twice as many as it can feed, and always lowers its
clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .device import Device
from .roofline import Array, Busy

# Share of the full clock below which drivers do not go.
SLOWEST_CLOCK = 0.15
HALVINGS = 20


@dataclass(frozen=True, slots=True)
class Draw:
    """Shares of the TDP; `awake_*` by the kind of memory.

    `sustained` is the mean power under a limit, as a share of the limit; `density` the exponent
    of a board's operations per watt, relative to its generation's.
    """

    awake_hbm: float
    awake_gddr: float
    compute_vector: float
    compute_tensor: float
    memory: float
    latency: float
    gamma: float
    sustained: float
    density: float = 1.0


@dataclass(frozen=True, slots=True)
class Running:
    """One step as it runs: its time, its mean power, and the clock as a share of the full one."""

    step_s: Array
    power_w: Array
    clock: Array


def run(
    at_work: Busy,
    draw: Draw,
    corner: float,
    tdp_w: Array | float,
    limit_w: Array | float,
    awake_w: Array | float,
    dynamic: Array | float = 1.0,
    relative_density: Array | float = 1.0,
) -> Running:
    """Time and power of a step under a limit.

    `dynamic` scales what work adds to `awake_w`; `relative_density` are the board's operations per
    watt, relative to its generation's.
    """
    tdp, limit = np.asarray(tdp_w, float), np.asarray(limit_w, float) * draw.sustained

    def at(clock: Array) -> tuple[Array, Array]:
        step = at_work.step(corner, clock)
        vector = at_work.compute - at_work.tensor
        joules = (draw.compute_vector * vector + draw.compute_tensor * at_work.tensor) / clock
        joules = joules * clock**draw.gamma * relative_density**draw.density
        joules = joules + draw.memory * at_work.memory + draw.latency * at_work.latency
        return step, np.asarray(awake_w + tdp * dynamic * joules / step)

    shape = np.broadcast(at_work.compute, tdp, limit, np.asarray(awake_w)).shape
    low, high = np.full(shape, SLOWEST_CLOCK), np.ones(shape)
    full = at(high)[1] <= limit
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        fits = at(middle)[1] <= limit
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    clock = np.where(full, 1.0, low)
    step, watts = at(clock)
    return Running(step, watts, clock)


def relative_density(device: Device, usual: Mapping[str, Mapping[str, float]]) -> float:
    """A board's TFLOP/s in fp32 per watt of its TDP, relative to what is usual.

    `usual` is by the kind of memory (`"stacked"`, `"unstacked"`) and the architecture; a board of
    another architecture counts as usual.
    """
    own = device.vector.get("fp32", 0.0) / device.tdp_w
    common = usual["stacked" if device.stacked_memory else "unstacked"].get(device.architecture)
    return own / common if own and common else 1.0


def awake_w(draw: Draw, tdp_w: float, stacked_memory: bool) -> float:
    """What a device draws while a job has it but gives it no work, W."""
    return tdp_w * (draw.awake_hbm if stacked_memory else draw.awake_gddr)
