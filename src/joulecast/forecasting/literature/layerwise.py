"""Energy of a network as the sum of its layers' (Getzner, Charpentier, Günnemann 2023).

Each type of layer has a linear regression of its own, on its multiply-adds and on what it holds
(arXiv 2304.00897). Coefficients cannot be negative: no layer gives energy back. Two kinds of
measurement teach it: the energy of single layers, as in the paper, or the energy of whole steps,
of which the sum over all layers is fitted at once.

The paper fits one machine. To span several, the energy of a multiply-add is taken relative to what
the device is rated at, TDP over peak rate, that of a byte to TDP over bandwidth, and a layer's
constant part to the TDP: on a single device that changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...errors import BadInputError, MissingExtraError
from ..base import Prediction
from ..conformal import Spread
from ..physical.device import Device, StaticForecaster, StepForecast

if TYPE_CHECKING:
    from ...workload.model import Layer, Workload

TERMS = 4
"""Of a layer: multiply-adds, bytes of activations, bytes of parameters, a constant."""
ANY = ""
"""The type that stands for layers whose own was not among those fitted."""
_BYTES = {"fp64": 8, "fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2, "fp8": 1, "int8": 1}

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Part:
    """So many steps of a workload; a run is some of training and some of validation."""

    workload: Workload
    steps: float = 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What whole steps on a device cost together, J."""

    parts: tuple[Part, ...]
    device: Device
    energy_j: float


class Layerwise(StaticForecaster):
    """The sum over layers. Made by `fit` or `fit_layers`."""

    name = "layerwise"

    def __init__(
        self,
        coefficients: dict[str, Array],
        clock: StaticForecaster | None = None,
        spread: Spread | None = None,
    ) -> None:
        """Of coefficients by layer type (and `ANY`), each of shape (`TERMS`,).

        `clock` gives the time of a step, which this method does not predict; without one, a step
        is said to draw the rated power. `spread` is its 90 % interval.
        """
        self.coefficients, self._clock, self._spread = coefficients, clock, spread

    @classmethod
    def fit(cls, measured: Sequence[Measured]) -> Layerwise:
        """From energies of whole steps: the sums over all layers, at once.

        Raises:
            BadInputError: nothing to learn from, or the rates of a device are not known.
            MissingExtraError: scipy is not installed.
        """
        if not measured:
            raise BadInputError(f"{cls.name} learns from measured steps, and there are none")
        types = sorted({x.type for m in measured for part in m.parts for x in part.workload.layers})
        energy = np.array([m.energy_j for m in measured])
        rows = [_summed(m.parts, m.device) for m in measured]
        if any(row is None for row in rows):
            raise BadInputError(f"{cls.name}: the rates of a device are not known")
        terms = [row for row in rows if row is not None]
        own = np.array([np.concatenate([r.get(t, np.zeros(TERMS)) for t in types]) for r in terms])
        pooled = np.array([sum(row.values(), np.zeros(TERMS)) for row in terms])
        split = _non_negative(own, energy).reshape(len(types), TERMS)
        found = dict(zip(types, split, strict=True)) | {ANY: _non_negative(pooled, energy)}
        return cls(found)

    @classmethod
    def fit_layers(cls, measured: Iterable[tuple[Layer, Workload, Device, float]]) -> Layerwise:
        """From the energy (J) of single layers in a step of a workload on a device.

        Raises:
            BadInputError: nothing to learn from, or the rates of a device are not known.
            MissingExtraError: scipy is not installed.
        """
        rows: dict[str, list[tuple[Array, float]]] = {}
        for layer, workload, device, energy_j in measured:
            unit = _units(workload, device)
            if unit is None:
                raise BadInputError(f"{cls.name}: the rates of {device.name} are not known")
            row = _terms(layer, workload) * unit
            for kind in (layer.type, ANY):
                rows.setdefault(kind, []).append((row, energy_j))
        if not rows:
            raise BadInputError(f"{cls.name} learns from measured layers, and there are none")
        return cls(
            {
                kind: _non_negative(
                    np.array([r for r, _ in found]), np.array([e for _, e in found])
                )
                for kind, found in rows.items()
            }
        )

    def with_clock(self, clock: StaticForecaster, spread: Spread | None = None) -> Layerwise:
        """A copy that takes the time of a step from another method, and has an interval."""
        return Layerwise(self.coefficients, clock, spread)

    def energy_j(self, parts: Sequence[Part], device: Device) -> float | None:
        """Of these steps on a device; None where its rates are not known."""
        rows = _summed(parts, device)
        if rows is None:
            return None
        other = self.coefficients[ANY]
        return math.fsum(float(self.coefficients.get(kind, other) @ r) for kind, r in rows.items())

    def of_layers(self, workload: Workload, device: Device) -> dict[str, float]:
        """Energy of each layer of a step, J, by name; empty where rates are not known."""
        unit = _units(workload, device)
        if unit is None:
            return {}
        other = self.coefficients[ANY]
        return {
            x.name: float(self.coefficients.get(x.type, other) @ (_terms(x, workload) * unit))
            for x in workload.layers
        }

    def step(self, workload: Workload, device: Device) -> StepForecast | None:
        """One step, or None where the rates of the device are not known."""
        energy_j = self.energy_j([Part(workload)], device)
        if energy_j is None:
            return None
        strange = sorted({x.type for x in workload.layers} - self.coefficients.keys())
        notes = [f"layers not fitted are taken as any other: {', '.join(strange)}"] * bool(strange)
        timed = None if self._clock is None else self._clock.step(workload, device)
        if timed is None:
            power = Prediction(device.limit_w * device.devices)
            duration = Prediction(energy_j / power.value)
            notes.append("the time is that at rated power")
        else:
            duration = timed.duration
            power = Prediction(energy_j / duration.value) if duration.value > 0 else timed.power
            notes.append(f"the time of a step is that of {timed.method}")
        energy = Prediction(energy_j) if self._spread is None else self._spread.around(energy_j)
        return StepForecast(duration, energy, power, None, self.name, "catalog", tuple(notes))


def _terms(layer: Layer, workload: Workload) -> Array:
    """Multiply-adds, bytes of activations and of parameters, and 1, of a layer in a step."""
    flops = layer.forward_flops + (layer.backward_flops if workload.training else 0.0)
    held = _BYTES.get(workload.precision, 4) * layer.parameters
    return np.array([flops / 2, layer.activation_bytes, held, 1.0])


def _units(workload: Workload, device: Device) -> Array | None:
    """The energy that each term stands for by the rating of the device, J."""
    peak_tflops = device.peak_tflops(workload.precision)
    if not peak_tflops or not device.memory_bandwidth_gb_s:
        return None
    byte_j = device.tdp_w / (1e9 * device.memory_bandwidth_gb_s)
    constant_j = device.tdp_w * 1e-5  # of a time that any device takes to start a kernel
    return np.array([2 * device.tdp_w / (1e12 * peak_tflops), byte_j, byte_j, constant_j])


def _summed(parts: Sequence[Part], device: Device) -> dict[str, Array] | None:
    """The terms of all layers of a type, in units of the device."""
    found: dict[str, Array] = {}
    for part in parts:
        unit = _units(part.workload, device)
        if unit is None:
            return None
        for layer in part.workload.layers:
            row = part.steps * unit * _terms(layer, part.workload)
            found[layer.type] = found.get(layer.type, np.zeros(TERMS)) + row
    return found


def _non_negative(rows: Array, energy_j: Array) -> Array:
    """Coefficients, none negative, of least squared relative error."""
    if not (energy_j > 0).all():
        raise BadInputError("layerwise: a measured energy is not above 0 J; leave it out")
    try:
        from scipy.optimize import nnls
    except ImportError:
        raise MissingExtraError("a regression of each layer", "analysis") from None

    weighted = rows / energy_j[:, None]  # large networks count no more than small ones
    scale = np.abs(weighted).max(axis=0)
    scale[scale == 0] = 1.0
    solution, _ = nnls(weighted / scale, np.ones(len(energy_j)))
    return np.asarray(solution / scale, dtype=np.float64)
