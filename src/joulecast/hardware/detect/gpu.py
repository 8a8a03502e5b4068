"""Facts of a GPU, from any vendor."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DetectedGpu:
    """One physical GPU of this machine.

    Attributes:
        index: position in the list of its vendor's driver.
        vendor: "NVIDIA", "AMD" or "Apple".
        pci_bus: PCI address: "0000:3b:00.0".
        power_limit_w: the limit in force, W.
        max_power_limit_w: the maximum that can be set, W.
        compute_capability: NVIDIA: "8.0"; AMD: "gfx90a".
        mig: NVIDIA: whether it is divided into MIG devices.
        visible: to this process, by its environment variables.
    """

    index: int
    vendor: str
    name: str | None = None
    uuid: str | None = None
    pci_bus: str | None = None
    memory_bytes: int | None = None
    power_limit_w: float | None = None
    default_power_limit_w: float | None = None
    max_power_limit_w: float | None = None
    compute_capability: str | None = None
    mig: bool | None = None
    mig_uuids: tuple[str, ...] = ()
    visible: bool = True


@dataclass(frozen=True, slots=True)
class GpuReport:
    """The GPUs of one vendor and their driver.

    `restricted_by` are the environment variables that hide GPUs, for people; `cuda_driver` is the
    newest CUDA version that the driver supports.
    """

    gpus: tuple[DetectedGpu, ...] = ()
    restricted_by: str | None = None
    driver: str | None = None
    cuda_driver: str | None = None
