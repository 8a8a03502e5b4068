"""The catalog of GPUs: power, memory and peak rates of boards. Facts are in `data/gpus.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from ...errors import UnknownHardwareError, UsageError
from .data_file import data_file
from .names import match, normalize

PRECISIONS = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "int8", "fp4")
_SPELLINGS = {
    "double": "fp64",
    "float64": "fp64",
    "float": "fp32",
    "float32": "fp32",
    "tensorfloat32": "tf32",
    "half": "fp16",
    "float16": "fp16",
    "bfloat16": "bf16",
    "float8": "fp8",
    "float4": "fp4",
}


@dataclass(frozen=True, slots=True)
class GpuModel:
    """A board as it is sold; each row of the catalog names its source.

    Attributes:
        compute_capability: CUDA compute capability, or the gfx target of an AMD GPU.
        vector: dense peak rates of the ordinary cores by precision, TFLOP/s (integers: TOP/s).
        tensor: the same of the tensor or matrix cores, with FP32 accumulation where fp16 or fp8
            have two rates. The head of `data/gpus.toml` has the details.
        processors: streaming multiprocessors or compute units.
        cores: CUDA cores or stream processors.
        devices: how many GPUs the driver lists for one board.
    """

    name: str
    vendor: str
    architecture: str
    year: int
    compute_capability: str
    tdp_w: float
    memory_gb: float
    memory_bandwidth_gb_s: float
    vector: Mapping[str, float] = field(hash=False)
    source: str
    tensor: Mapping[str, float] = field(default_factory=dict, hash=False)
    aliases: tuple[str, ...] = ()
    processors: int | None = None
    cores: int | None = None
    boost_mhz: float | None = None
    devices: int = 1
    note: str = ""

    def peak_tflops(self, precision: str, tensor_cores: bool = True) -> float | None:
        """Dense peak rate in TFLOP/s (TOP/s for int8); None if not supported or not published.

        Args:
            precision: one of `PRECISIONS`, or a framework's spelling of it ("float16").
            tensor_cores: the rate of the tensor or matrix cores where they support the precision;
                otherwise that of the ordinary cores.

        Raises:
            UsageError: the precision is unknown.
        """
        wanted = precision.strip().lower().removeprefix("torch.")
        key = _SPELLINGS.get(wanted, wanted)
        if key not in PRECISIONS:
            names = ", ".join(PRECISIONS)
            raise UsageError(f"{precision!r} is not a precision: use one of {names}")
        if tensor_cores and key in self.tensor:
            return self.tensor[key]
        return self.vector.get(key)

    def per_device(self) -> GpuModel:
        """One GPU as the driver lists it: an equal part of a board that holds several."""
        if self.devices == 1:
            return self
        n = self.devices
        return replace(
            self,
            tdp_w=self.tdp_w / n,
            memory_gb=self.memory_gb / n,
            memory_bandwidth_gb_s=self.memory_bandwidth_gb_s / n,
            vector={precision: rate / n for precision, rate in self.vector.items()},
            tensor={precision: rate / n for precision, rate in self.tensor.items()},
            processors=None if self.processors is None else self.processors // n,
            cores=None if self.cores is None else self.cores // n,
            devices=1,
        )


@cache
def gpus() -> tuple[GpuModel, ...]:
    """Every GPU of the catalog, by vendor and age."""
    rows = data_file("gpus")["gpu"]
    return tuple(GpuModel(**(row | {"aliases": tuple(row.get("aliases", ()))})) for row in rows)


@cache
def _candidates() -> dict[str, GpuModel]:
    """Every name of each GPU, its canonical name first."""
    rows = gpus()
    names = {gpu.name: gpu for gpu in rows}
    for gpu in rows:
        names |= {f"{gpu.vendor} {alias}": gpu for alias in gpu.aliases}
    # "RTX 3090 24GB", except where that is the name of another row.
    for gpu in rows:
        if "GB" not in gpu.name:
            names.setdefault(f"{gpu.name} {gpu.memory_gb:g}GB", gpu)
    return names


def find_gpu(name: str) -> GpuModel:
    """The GPU with this name, as a driver, a vendor or a person writes it.

    Raises:
        UnknownHardwareError: no board fits, or several do ("A100" is four boards of 250 to 400 W;
            a vGPU or MIG slice is not its board). The text lists the nearest names.

    Examples:
        >>> find_gpu("RTX 3090").tdp_w
        350
    """
    return match(name, _candidates(), "GPU")


def gpu_variants(name: str) -> tuple[GpuModel, ...]:
    """All boards that `name` fits: "A100" is boards with HBM2 and HBM2e, on PCIe and SXM.

    Raises:
        UnknownHardwareError: none fits; the text lists the nearest names.
    """
    try:
        return (find_gpu(name),)
    except UnknownHardwareError:
        tokens = set(normalize(name))
        boards = [gpu for gpu in gpus() if tokens and tokens <= set(normalize(gpu.name))]
        if not boards:
            raise
        return tuple(boards)
