"""Energy of a network as the sum of its layers' energies (Getzner, Charpentier, Günnemann 2023).

Each type of layer has its own linear regression on its multiply-adds and its bytes (arXiv
2304.00897). Here it is fitted to the energies of whole runs: the sums over all their layers, at
once. Coefficients cannot be negative, because no layer returns energy.

The paper fits one machine. To span several machines, the energy of a multiply-add is taken
relative to TDP over peak rate, that of a byte relative to TDP over bandwidth, and a layer's
constant relative to TDP. On a single device this changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import BadInputError, MissingExtraError
from ...recording.model import Array
from ...workload.model import Layer, Workload
from ..physical.device import Device

# Of a layer: multiply-adds, bytes of activations, bytes of parameters, a constant.
TERMS = 4
# The layer type that stands for every type without coefficients of its own.
ANY = ""
_BYTES = {"fp64": 8, "fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2, "fp8": 1, "int8": 1}
# Seconds that any device takes to start a kernel.
_START_S = 1e-5


@dataclass(frozen=True, slots=True)
class Part:
    """Equal steps of one workload; a run has a part for training and one for validation."""

    workload: Workload
    steps: float = 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """The energy (J) of whole steps on a device."""

    parts: tuple[Part, ...]
    device: Device
    energy_j: float


@dataclass(frozen=True, slots=True)
class Layerwise:
    """The fitted sum over layers: coefficients of shape (`TERMS`,) by layer type, and of `ANY`."""

    coefficients: Mapping[str, Array]

    @classmethod
    def fit(cls, measured: Sequence[Measured]) -> Layerwise:
        """Fit the coefficients to energies of whole steps.

        Raises:
            BadInputError: there are no measurements, or the rates of a device are unknown.
            MissingExtraError: scipy is not installed.
        """
        if not measured:
            raise BadInputError("layerwise: no measured steps to learn from")
        types = sorted({x.type for m in measured for part in m.parts for x in part.workload.layers})
        energy = np.array([m.energy_j for m in measured])
        by_type = [sums for m in measured if (sums := _sums_by_type(m.parts, m.device)) is not None]
        if len(by_type) < len(measured):
            raise BadInputError("layerwise: the rates of a device are unknown")
        absent = np.zeros(TERMS)
        own = np.array([np.concatenate([s.get(t, absent) for t in types]) for s in by_type])
        pooled = np.array([sum(sums.values(), absent) for sums in by_type])
        split = _non_negative(own, energy).reshape(len(types), TERMS)
        return cls(dict(zip(types, split, strict=True)) | {ANY: _non_negative(pooled, energy)})

    def energy_j(self, parts: Sequence[Part], device: Device) -> float | None:
        """Energy of these steps on a device, J; None where its rates are unknown."""
        sums = _sums_by_type(parts, device)
        if sums is None:
            return None
        other = self.coefficients[ANY]
        return math.fsum(float(self.coefficients.get(t, other) @ row) for t, row in sums.items())


def _terms(layer: Layer, workload: Workload) -> Array:
    """Multiply-adds, bytes of activations, bytes of parameters, and 1, of a layer in a step."""
    flops = layer.forward_flops + (layer.backward_flops if workload.training else 0.0)
    parameter_bytes = _BYTES.get(workload.precision, 4) * layer.parameters
    return np.array([flops / 2, layer.activation_bytes, parameter_bytes, 1.0])


def _units(workload: Workload, device: Device) -> Array | None:
    """The energy of one unit of each term by the ratings of the device, J."""
    peak_tflops = device.peak_tflops(workload.precision)
    if not peak_tflops or not device.memory_bandwidth_gb_s:
        return None
    byte_j = device.tdp_w / (1e9 * device.memory_bandwidth_gb_s)
    multiply_add_j = 2 * device.tdp_w / (1e12 * peak_tflops)
    return np.array([multiply_add_j, byte_j, byte_j, device.tdp_w * _START_S])


def _sums_by_type(parts: Sequence[Part], device: Device) -> dict[str, Array] | None:
    """The summed terms of all layers of each type, in units of the device."""
    sums: dict[str, Array] = {}
    for part in parts:
        unit = _units(part.workload, device)
        if unit is None:
            return None
        for layer in part.workload.layers:
            row = part.steps * unit * _terms(layer, part.workload)
            sums[layer.type] = sums.get(layer.type, np.zeros(TERMS)) + row
    return sums


def _non_negative(rows: Array, energy_j: Array) -> Array:
    """Non-negative coefficients with the smallest squared relative error."""
    if not (energy_j > 0).all():
        raise BadInputError("layerwise: a measured energy is not above 0 J; leave it out")
    try:
        from scipy.optimize import nnls
    except ImportError:
        raise MissingExtraError("a regression of each layer", "analysis") from None

    # Relative errors, so that large networks count no more than small ones.
    weighted = rows / energy_j[:, None]
    scale = np.abs(weighted).max(axis=0)
    scale[scale == 0] = 1.0
    solution, _ = nnls(weighted / scale, np.ones(len(energy_j)))
    return np.asarray(solution / scale, dtype=np.float64)
