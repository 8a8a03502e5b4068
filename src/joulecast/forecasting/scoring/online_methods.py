"""Every online forecaster by name, and what must be known of a run to build it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from ..base import History, OnlineForecaster


@dataclass(frozen=True, slots=True)
class RunContext:
    """What is known of a run before it starts; None where it is unknown.

    Attributes:
        tdp_w: rated power of all its devices together, W.
        ram_gb: memory of the machine, GB.
        usage_factor: mean load of the devices, 0 to 1.
        past: earlier runs to learn from.
    """

    tdp_w: float | None = None
    ram_gb: float | None = None
    usage_factor: float = 1.0
    past: Sequence[History] = ()


_UNKNOWN = {
    "tdp_w": "the rated power of the devices is unknown: pass --tdp, or a column tdp_w",
    "ram_gb": "the memory of the machine is unknown: pass --ram",
}


@dataclass(frozen=True, slots=True)
class OnlineMethod:
    """A forecaster that is imported when it is built.

    Attributes:
        module: where its class is, in `forecasting`.
        class_name: of that class.
        arguments: fields of `RunContext` that the class takes; it cannot be built without them.
        waits: why it may have no forecast yet.
        needs_stumpy: whether it needs the extra `analysis`.
    """

    module: str
    class_name: str
    arguments: tuple[str, ...] = ()
    waits: str | None = None
    needs_stumpy: bool = False

    def missing(self, context: RunContext) -> str | None:
        """Why the forecaster cannot be built for a run; None where it can."""
        if self.needs_stumpy and not _has_stumpy():
            return 'finding the stabilizing point needs: pip install "joulecast[analysis]"'
        unknown = [name for name in self.arguments if getattr(context, name) is None]
        return _UNKNOWN[unknown[0]] if unknown else None

    def build(self, context: RunContext) -> OnlineForecaster:
        """A forecaster for one run that nothing is `missing` of."""
        kind = getattr(import_module(f"..{self.module}", __package__), self.class_name)
        forecaster: OnlineForecaster = kind(**{n: getattr(context, n) for n in self.arguments})
        return forecaster


@cache
def _has_stumpy() -> bool:
    return find_spec("stumpy") is not None


_FIXED = "stable from epoch 10, then a window of 5 epochs: its first forecast is after epoch 15"
_TRACE = (
    "its first forecast is 5 epochs after the stabilizing point, which needs a power trace of 40 "
    "samples or more"
)
_RATED = ("tdp_w", "ram_gb", "usage_factor")

# joulecast's own forecaster is the first.
METHODS: dict[str, OnlineMethod] = {
    "online": OnlineMethod("online.forecaster", "Online", ("past",)),
    "carbontracker": OnlineMethod("literature.carbontracker", "CarbonTracker"),
    "step-energy": OnlineMethod("literature.step", "StepEnergy", waits=_FIXED),
    "step-power": OnlineMethod("literature.step", "StepPower", waits=_FIXED),
    "step-energy-fluss": OnlineMethod(
        "literature.step_fluss", "StepEnergyFluss", waits=_TRACE, needs_stumpy=True
    ),
    "step-power-fluss": OnlineMethod(
        "literature.step_fluss", "StepPowerFluss", waits=_TRACE, needs_stumpy=True
    ),
    "green-algorithms": OnlineMethod("literature.green_algorithms", "GreenAlgorithms", _RATED),
    "mlco2": OnlineMethod("literature.mlco2", "MLCO2", ("tdp_w",)),
}
