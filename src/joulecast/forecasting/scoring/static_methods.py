"""Every method that forecasts a run before it starts, by name, as it is scored on past runs.

Some learn from other runs, some only multiply. Several are told how long the run took, as those
who published them tell them: they predict a power, and a time is beyond them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ..base import Prediction
from ..literature.flops_tdp import rated_duration_s, training_flops
from ..literature.green_algorithms import rated_power_w
from ..past_run import Facts, StaticRun

if TYPE_CHECKING:
    from .static_workloads import Workloads


class Fitted(Protocol):
    """A method that is ready to forecast."""

    def predict(self, facts: Facts, duration_s: float) -> Prediction | None:
        """Energy (J) of a run of which this is known, and how long it takes; None: cannot tell."""


@runtime_checkable
class Clocked(Fitted, Protocol):
    """One that forecasts how long a run takes as well."""

    def duration(self, facts: Facts) -> Prediction | None:
        """Duration (s) of a run of which this is known; None: cannot tell."""


@runtime_checkable
class Learner(Fitted, Protocol):
    """One that has learnt from runs; its interval is that of its errors on runs held out."""

    def again(self, runs: Sequence[StaticRun]) -> Learner:
        """The same with the settings it has, taught by other runs."""

    def error(self, run: StaticRun) -> float | None:
        """How far off it is of a run, in the unit in which its errors are even."""

    def with_spread(self, half: float | None) -> Learner:
        """A copy whose intervals are so wide to each side, in the unit of `error`."""


Fit = Callable[[Sequence[StaticRun]], Fitted]


@dataclass(frozen=True, slots=True)
class StaticMethod:
    """A method as it can be scored.

    `lacks` says what is missing of a run for it to be used. `timed`: it is told how long a run
    took. `caveat`: what its figures are not, where its name does not say it.
    """

    fit: Fit
    lacks: Callable[[Facts], str | None]
    timed: bool = False
    caveat: str | None = None

    @property
    def unclocked(self) -> str:
        """Why it has no duration to be scored, where it forecasts none."""
        if self.timed:
            return "it is told how long a run took"
        return "it forecasts an energy, and no time"


@dataclass(frozen=True, slots=True)
class Formula:
    """What multiplies, and learns nothing."""

    energy_j: Callable[[Facts, float], float | None]
    duration_s: Callable[[Facts], float | None] | None = None

    def predict(self, facts: Facts, duration_s: float) -> Prediction | None:
        """What the formula gives."""
        energy_j = self.energy_j(facts, duration_s)
        return None if energy_j is None else Prediction(energy_j)

    def duration(self, facts: Facts) -> Prediction | None:
        """What the formula of the time gives, where it has one."""
        duration_s = None if self.duration_s is None else self.duration_s(facts)
        return None if duration_s is None else Prediction(duration_s)


def _mlco2(facts: Facts, duration_s: float) -> float | None:
    return None if facts.tdp_w is None else rated_power_w(facts.tdp_w) * duration_s


def _green_algorithms(facts: Facts, duration_s: float) -> float | None:
    if facts.tdp_w is None or facts.ram_gb is None:
        return None
    utilization = 1.0 if facts.utilization is None else facts.utilization
    return rated_power_w(facts.tdp_w, facts.ram_gb, utilization) * duration_s


def _flops_tdp(facts: Facts, _: float = 0.0) -> float | None:
    duration_s = _at_peak(facts)
    return None if duration_s is None or facts.tdp_w is None else facts.tdp_w * duration_s


def _at_peak(facts: Facts) -> float | None:
    if facts.gflops is None or facts.samples is None or facts.peak_tflops is None:
        return None
    flops = training_flops(facts.gflops, facts.samples, facts.validated)
    return rated_duration_s(flops, facts.peak_tflops)


def _fit_pre_power(runs: Sequence[StaticRun]) -> Fitted:
    from ..literature.pre import PrePower

    return PrePower.fit(runs)


def _fit_pre_energy(runs: Sequence[StaticRun]) -> Fitted:
    from ..literature.pre import PreEnergy

    return PreEnergy.fit(runs)


def _without_power(facts: Facts) -> str | None:
    if facts.tdp_w is not None:
        return None
    return "the rated power of the GPU is not known (a column tdp_w, or --tdp)"


def _without_memory(facts: Facts) -> str | None:
    if facts.ram_gb is None:
        return "the memory of the machine is not known (a column ram_gb, or --ram)"
    return _without_power(facts)


def _without_work(facts: Facts) -> str | None:
    if facts.gflops is None:
        return "the FLOPs of a sample are not known (a column gflops)"
    if facts.samples is None:
        return "how much was computed is not known (columns training_size,epochs or batch,steps)"
    if facts.peak_tflops is None:
        return "the peak rate of the GPU is not known (a column peak_tflops)"
    return _without_power(facts)


def _without_length(facts: Facts) -> str | None:
    if facts.epochs is None and facts.steps is None:
        return "the epochs of the run are not known (a column epochs, or steps)"
    return None


def static_methods(workloads: Workloads | None = None) -> dict[str, StaticMethod]:
    """By name. `workloads` builds models, for the methods that need them."""
    found = {
        "pre-power": StaticMethod(_fit_pre_power, lambda _: None, timed=True),
        "pre-energy": StaticMethod(_fit_pre_energy, _without_length),
        "green-algorithms": _formula(_green_algorithms, _without_memory, timed=True),
        "mlco2": _formula(_mlco2, _without_power, timed=True),
        "flops-tdp": StaticMethod(lambda _: Formula(_flops_tdp, _at_peak), _without_work),
    }
    if workloads is None:
        return found
    return workloads.methods() | found


def _formula(
    energy_j: Callable[[Facts, float], float | None],
    lacks: Callable[[Facts], str | None],
    timed: bool = False,
) -> StaticMethod:
    return StaticMethod(lambda _: Formula(energy_j), lacks, timed=timed)
