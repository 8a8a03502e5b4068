"""Which frameworks are installed, from package metadata alone: none is imported."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

PACKAGES = (
    *("joulecast", "numpy", "scikit-learn", "xgboost", "lightgbm"),
    *("torch", "torchvision", "triton", "lightning", "pytorch-lightning", "accelerate"),
    *("deepspeed", "transformers", "timm", "vllm"),
    *("tensorflow", "keras", "jax", "jaxlib", "flax", "mlx"),
    *("onnx", "onnxruntime", "onnxruntime-gpu"),
)
"""Packages whose versions are part of an environment."""

# the wheels of CUDA 13 on carry no number in their name
_CUDA_RUNTIMES = ("nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime-cu11")


@dataclass(frozen=True, slots=True)
class Software:
    """The Python interpreter, its packages, and what they were built for."""

    python: str | None = None
    packages: dict[str, str] = field(default_factory=dict)  # only those installed
    cuda_runtime: str | None = None  # that the packages bring with them: "12.6"
    rocm_runtime: str | None = None
    nvidia_driver: str | None = None  # "550.54.14"
    cuda_driver: str | None = None  # the newest CUDA that the driver serves: "12.4"


def detect_software(path: Sequence[str] | None = None) -> Software:
    """Versions of `PACKAGES` on `path` (`sys.path` by default); the driver's are left out."""
    versions = {name: version for name in PACKAGES if (version := _version(name, path))}
    build = versions.get("torch", "").partition("+")[2]  # "2.6.0+cu126", "+rocm6.2.4", "+cpu"
    cuda = re.fullmatch(r"cu(\d+)(\d)", build)
    rocm = re.fullmatch(r"rocm([\d.]+)", build)
    runtime = f"{cuda[1]}.{cuda[2]}" if cuda else None
    if runtime is None:  # PyPI's own builds carry no such mark, but depend on the runtime's wheel
        wheel = next((v for name in _CUDA_RUNTIMES if (v := _version(name, path))), None)
        runtime = ".".join(wheel.split(".")[:2]) if wheel else None
    return Software(
        python=platform.python_version(),
        packages=versions,
        cuda_runtime=runtime,
        rocm_runtime=rocm[1] if rocm else None,
    )


def _version(name: str, path: Sequence[str] | None) -> str | None:
    from importlib.metadata import Distribution  # late: half of what detection costs

    where = sys.path if path is None else list(path)
    for distribution in Distribution.discover(name=name, path=where):
        try:
            if distribution.version:
                return str(distribution.version)
        except Exception:  # a folder left behind without metadata: the next one may be whole
            continue
    return None
