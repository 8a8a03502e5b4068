"""What is known of a GPU, whoever made it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DetectedGpu:
    """One physical GPU."""

    index: int  # in the list of its vendor's driver
    vendor: str  # "NVIDIA", "AMD", "Apple"
    name: str | None = None
    uuid: str | None = None
    pci_bus: str | None = None  # "0000:3b:00.0"
    memory_bytes: int | None = None
    power_limit_w: float | None = None  # in force
    default_power_limit_w: float | None = None
    max_power_limit_w: float | None = None  # the highest that may be set
    compute_capability: str | None = None  # NVIDIA: "8.0"; AMD: "gfx90a"
    mig: bool | None = None  # NVIDIA: whether it is cut into MIG devices
    mig_uuids: tuple[str, ...] = ()
    visible: bool = True  # to this process, by the variables of its environment


@dataclass(frozen=True, slots=True)
class GpuReport:
    """The GPUs of one vendor, and the software under them."""

    gpus: tuple[DetectedGpu, ...] = ()
    restricted_by: str | None = None  # the variables that hide GPUs, for people
    driver: str | None = None
    cuda_driver: str | None = None  # the newest CUDA that the driver serves
