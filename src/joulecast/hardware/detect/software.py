"""Installed frameworks, from package metadata alone: none is imported."""

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

# Since CUDA 13 the wheel's name has no number.
_CUDA_RUNTIMES = ("nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime-cu11")


@dataclass(frozen=True, slots=True)
class Software:
    """The Python interpreter, its packages, and what they were built for.

    Attributes:
        packages: versions of those of `PACKAGES` that are installed.
        cuda_runtime: version of CUDA that comes with the packages: "12.6".
        nvidia_driver: version of the driver: "550.54.14".
        cuda_driver: newest version of CUDA that the driver supports: "12.4".
    """

    python: str | None = None
    packages: dict[str, str] = field(default_factory=dict)
    cuda_runtime: str | None = None
    rocm_runtime: str | None = None
    nvidia_driver: str | None = None
    cuda_driver: str | None = None


def detect_software(path: Sequence[str] | None = None) -> Software:
    """Versions of `PACKAGES` on `path` (`sys.path` by default), without those of drivers."""
    versions = {name: version for name in PACKAGES if (version := _version(name, path))}
    # "2.6.0+cu126", "2.6.0+rocm6.2.4", "2.6.0+cpu". PyPI's own builds have no such suffix, but
    # depend on the wheel of the runtime.
    build = versions.get("torch", "").partition("+")[2]
    cuda = re.fullmatch(r"cu(\d+)(\d)", build)
    rocm = re.fullmatch(r"rocm([\d.]+)", build)
    runtime = f"{cuda[1]}.{cuda[2]}" if cuda else None
    if runtime is None:
        wheel = next((v for name in _CUDA_RUNTIMES if (v := _version(name, path))), None)
        runtime = ".".join(wheel.split(".")[:2]) if wheel else None
    return Software(
        python=platform.python_version(),
        packages=versions,
        cuda_runtime=runtime,
        rocm_runtime=rocm[1] if rocm else None,
    )


def _version(name: str, path: Sequence[str] | None) -> str | None:
    # Late: it takes half the time of detection.
    from importlib.metadata import Distribution

    where = sys.path if path is None else list(path)
    for distribution in Distribution.discover(name=name, path=where):
        try:
            # Parsing all of it takes as long as the search.
            text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
        except (OSError, ValueError):
            continue
        # In a folder that an uninstallation left without metadata there is none: the next one may
        # be complete.
        version = re.search(r"^Version: *(\S+)", text, re.MULTILINE)
        if version is not None:
            return version[1]
    return None
