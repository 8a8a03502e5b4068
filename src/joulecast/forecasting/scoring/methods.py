"""Every online forecaster by name, and what each must know beforehand. Loaded when built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

from ..base import History, OnlineForecaster


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a run before it starts; None where it is not."""

    tdp_w: float | None = None  # thermal design power of all its devices together, W
    ram_gb: float | None = None  # memory of the machine, GB
    utilization: float = 1.0  # of the devices, 0 to 1
    past: Sequence[History] = ()  # runs of before, to learn from


@dataclass(frozen=True, slots=True)
class Method:
    """A forecaster as it can be asked for.

    `lacks` names what is missing of the known for it to be built, `silent` says of a method that
    has to wait why it does.
    """

    build: Callable[[Known], OnlineForecaster]
    lacks: Callable[[Known], str | None] = lambda known: None
    silent: str | None = None


def _online(known: Known) -> OnlineForecaster:
    from ..online.forecaster import Online

    return Online(past=known.past)


def _carbontracker(_: Known) -> OnlineForecaster:
    from ..literature.carbontracker import CarbonTracker

    return CarbonTracker()


def _step_energy(_: Known) -> OnlineForecaster:
    from ..literature.step import StepEnergy

    return StepEnergy()


def _step_power(_: Known) -> OnlineForecaster:
    from ..literature.step import StepPower

    return StepPower()


def _step_energy_fluss(_: Known) -> OnlineForecaster:
    from ..literature.step_fluss import StepEnergyFluss

    return StepEnergyFluss()


def _step_power_fluss(_: Known) -> OnlineForecaster:
    from ..literature.step_fluss import StepPowerFluss

    return StepPowerFluss()


def _green_algorithms(known: Known) -> OnlineForecaster:
    from ..literature.green_algorithms import GreenAlgorithms

    if known.tdp_w is None or known.ram_gb is None:
        raise ValueError(_without_memory(known))
    return GreenAlgorithms(known.tdp_w, known.ram_gb, known.utilization)


def _mlco2(known: Known) -> OnlineForecaster:
    from ..literature.mlco2 import MLCO2

    if known.tdp_w is None:
        raise ValueError(_without_power(known))
    return MLCO2(known.tdp_w)


def _without_power(known: Known) -> str | None:
    return (
        None if known.tdp_w is not None else "the rated power of the devices is not known (--tdp)"
    )


def _without_memory(known: Known) -> str | None:
    if known.ram_gb is not None:
        return _without_power(known)
    return _without_power(known) or "the memory of the machine is not known (--ram)"


@cache
def _has_stumpy() -> bool:
    return find_spec("stumpy") is not None


def _without_stumpy(_: Known) -> str | None:
    if _has_stumpy():
        return None
    return 'finding the stabilizing point needs an extra: pip install "joulecast[analysis]"'


_FIXED = "stable from epoch 10, then a window of 5: it speaks once 15 epochs are done"
_TRACE = (
    "the stabilizing point is found on a power trace of 40 samples or more, "
    "and a window of 5 epochs must follow it"
)

METHODS: dict[str, Method] = {
    "online": Method(_online),
    "carbontracker": Method(_carbontracker),
    "step-energy": Method(_step_energy, silent=_FIXED),
    "step-power": Method(_step_power, silent=_FIXED),
    "step-energy-fluss": Method(_step_energy_fluss, _without_stumpy, _TRACE),
    "step-power-fluss": Method(_step_power_fluss, _without_stumpy, _TRACE),
    "green-algorithms": Method(_green_algorithms, _without_memory),
    "mlco2": Method(_mlco2, _without_power),
}
"""By the name that they have everywhere; our own first."""
