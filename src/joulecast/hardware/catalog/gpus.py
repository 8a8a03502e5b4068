"""The catalog of GPUs: what a board may draw, hold and compute. Facts live in `data/gpus.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from ...errors import UnknownHardwareError, UsageError
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

    `vector` and `tensor` hold dense peak rates by precision, in TFLOP/s (integers: TOP/s), of the
    ordinary cores and of the tensor or matrix cores; never with sparsity, and with FP32
    accumulation where fp16 or fp8 know both. The head of `data/gpus.toml` has the details.
    """

    name: str
    vendor: str
    architecture: str
    year: int
    compute_capability: str  # CUDA compute capability, or the gfx target of an AMD GPU
    tdp_w: float
    memory_gb: float
    memory_bandwidth_gb_s: float
    vector: Mapping[str, float] = field(hash=False)
    source: str
    tensor: Mapping[str, float] = field(default_factory=dict, hash=False)
    aliases: tuple[str, ...] = ()
    processors: int | None = None  # streaming multiprocessors or compute units
    cores: int | None = None  # CUDA cores or stream processors
    boost_mhz: float | None = None
    devices: int = 1  # how many GPUs the driver lists for one board
    note: str = ""

    def peak_tflops(self, precision: str, tensor_cores: bool = True) -> float | None:
        """Dense peak rate in TFLOP/s (TOP/s for int8), or None: not supported or not published.

        With `tensor_cores`, the rate of the tensor or matrix cores where they know the precision
        and else of the ordinary cores; without, of the ordinary cores alone. `precision` is one
        of `PRECISIONS` or a framework's spelling of it ("float16"). Raises `UsageError`.
        """
        wanted = precision.strip().lower().removeprefix("torch.")
        key = _SPELLINGS.get(wanted, wanted)
        if key not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise UsageError(f"{precision!r} is not a precision: use one of {known}")
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
    """Every GPU of the catalog, by vendor and age. Read once."""
    import tomllib  # late: a run that looks nothing up does not pay for them
    from importlib.resources import files

    text = files(__package__).joinpath("data", "gpus.toml").read_text(encoding="utf-8")
    return tuple(_gpu(row) for row in tomllib.loads(text)["gpu"])


def _gpu(row: dict[str, Any]) -> GpuModel:
    return GpuModel(**(row | {"aliases": tuple(row.get("aliases", ()))}))


@cache
def _candidates() -> dict[str, GpuModel]:
    """Every name a GPU goes by, canonical name first."""
    rows = gpus()
    names = {gpu.name: gpu for gpu in rows}
    for gpu in rows:
        names |= {f"{gpu.vendor} {alias}": gpu for alias in gpu.aliases}
    for gpu in rows:  # "RTX 3090 24GB", save where that is another row's name
        if "GB" not in gpu.name:
            names.setdefault(f"{gpu.name} {gpu.memory_gb:g}GB", gpu)
    return names


def find_gpu(name: str) -> GpuModel:
    """The GPU that a driver's, a vendor's or a person's `name` means.

    Raises `UnknownHardwareError`, with the nearest names, where no board or more than one fits:
    "A100" is four boards of 250 to 400 W, and a vGPU or MIG slice is not its board.
    """
    return match(name, _candidates(), "GPU")


def gpu_variants(name: str) -> tuple[GpuModel, ...]:
    """The boards that `name` may mean: one where it is exact, all those that are called so else.

    "A100" is boards with HBM2 and HBM2e, on PCIe and SXM. Raises `UnknownHardwareError`, with the
    nearest names, where there is none.
    """
    try:
        return (find_gpu(name),)
    except UnknownHardwareError:
        asked = set(normalize(name))
        rows = [gpu for gpu in gpus() if asked and asked <= set(normalize(gpu.name))]
        if not rows:
            raise
        return tuple(rows)
