"""Every method that forecasts a run before it starts, by name, as it is scored on finished runs.

Some learn from other runs, some only multiply. Several are given the duration of the run, as in
their publications: they predict a power and no time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..base import Prediction
from ..literature.flops_tdp import rated_duration_s, training_flops
from ..literature.green_algorithms import rated_power_w
from ..literature.pre import PreEnergy, PrePower
from ..past_run import Facts, StaticRun


class Fitted(Protocol):
    """A method that is ready to forecast."""

    def predict(self, facts: Facts, duration_s: float) -> Prediction | None:
        """Energy (J) of a run of this duration (s); None where it cannot be predicted."""


@runtime_checkable
class Timed(Fitted, Protocol):
    """A method that also forecasts the duration of a run."""

    def duration(self, facts: Facts) -> Prediction | None:
        """Duration of a run, s; None where it cannot be predicted."""


@runtime_checkable
class Learner(Fitted, Protocol):
    """A method that learned from runs; its interval comes from its errors on other runs."""

    def again(self, runs: Sequence[StaticRun]) -> Learner:
        """The same method with the same settings, fitted to other runs."""

    def error(self, run: StaticRun) -> float | None:
        """Its error on a run, in the unit in which errors are even."""

    def with_spread(self, half: float | None) -> Learner:
        """A copy whose intervals have this half-width, in the unit of `error`."""


@dataclass(frozen=True, slots=True)
class StaticMethod:
    """A method as it can be scored.

    Attributes:
        fit: learns from runs.
        missing: what is unknown of a run and needed; None where nothing is.
        given_duration: whether it is given the duration of a run.
        caveat: how its scores differ from those of the others.
    """

    fit: Callable[[Sequence[StaticRun]], Fitted]
    missing: Callable[[Facts], str | None]
    given_duration: bool = False
    caveat: str | None = None


@dataclass(frozen=True, slots=True)
class Formula:
    """A method that only multiplies; with `duration_s`, also for the duration."""

    energy_j: Callable[[Facts, float], float | None]
    duration_s: Callable[[Facts], float | None] = lambda facts: None

    def predict(self, facts: Facts, duration_s: float) -> Prediction | None:
        """Energy by the formula."""
        energy_j = self.energy_j(facts, duration_s)
        return None if energy_j is None else Prediction(energy_j)

    def duration(self, facts: Facts) -> Prediction | None:
        """Duration by its formula, if there is one."""
        duration_s = self.duration_s(facts)
        return None if duration_s is None else Prediction(duration_s)


_UNKNOWN = {
    "tdp_w": "the rated power of the GPU is unknown: add a column tdp_w, or pass --tdp",
    "ram_gb": "the memory of the machine is unknown: add a column ram_gb, or pass --ram",
    "gflops": "the FLOPs of a sample are unknown: add a column gflops",
    "samples": "the number of samples is unknown: add columns training_size,epochs, or batch,steps",
    "peak_tflops": "the peak rate of the GPU is unknown: add a column peak_tflops",
    "length": "the number of epochs is unknown: add a column epochs, or steps",
}


def static_methods() -> dict[str, StaticMethod]:
    """Those that need no model, by name; `Workloads.methods` has the others."""
    return {
        "pre-power": StaticMethod(PrePower.fit, _needs(), given_duration=True),
        "pre-energy": StaticMethod(PreEnergy.fit, _needs("length")),
        "green-algorithms": StaticMethod(
            lambda _: Formula(_green_algorithms), _needs("ram_gb", "tdp_w"), given_duration=True
        ),
        "mlco2": StaticMethod(lambda _: Formula(_mlco2), _needs("tdp_w"), given_duration=True),
        "flops-tdp": StaticMethod(
            lambda _: Formula(_flops_tdp, _at_peak),
            _needs("gflops", "samples", "peak_tflops", "tdp_w"),
        ),
    }


def _needs(*names: str) -> Callable[[Facts], str | None]:
    """A function that returns what is unknown of a run, of the facts with these names."""

    def missing(facts: Facts) -> str | None:
        unknown = (_UNKNOWN[name] for name in names if getattr(facts, name) is None)
        return next(unknown, None)

    return missing


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
