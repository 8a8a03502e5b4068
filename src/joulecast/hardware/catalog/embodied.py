"""Emissions of making a device. Facts are in `data/embodied.toml`, each with its source."""

from dataclasses import dataclass
from functools import cache

from ...errors import UnknownHardwareError
from .data_file import data_file
from .gpus import find_gpu


@dataclass(frozen=True, slots=True)
class EmbodiedCarbon:
    """Greenhouse gases of making a device, cradle to gate, as its source states them.

    `kg` is in kg of CO2 equivalent; `per` describes how the source's figure was divided.
    """

    name: str
    kg: float
    per: str
    source: str


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long hardware is in service, and the fraction of that time in use (0 to 1)."""

    years: float
    utilization: float
    source: str


@cache
def embodied_carbon() -> tuple[EmbodiedCarbon, ...]:
    """Every device with a published figure."""
    return tuple(EmbodiedCarbon(**row) for row in data_file("embodied")["device"])


@cache
def usual_lifetime() -> Lifetime:
    """The default lifetime."""
    return Lifetime(**data_file("embodied")["lifetime"])


def embodied_carbon_of(name: str) -> EmbodiedCarbon | None:
    """The figure of a GPU, by any of its names; None if the GPU or its figure is unknown."""
    try:
        gpu = find_gpu(name)
    except UnknownHardwareError:
        return None
    return next((device for device in embodied_carbon() if device.name == gpu.name), None)
