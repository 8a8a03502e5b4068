"""Builds the NVML driver library of `fake_nvml.c` and writes the state it answers from."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

SONAME = "libnvidia-ml.so.1"
A100: Mapping[str, object] = {
    "uuid": "GPU-aaaaaaaa-1111",
    "name": "NVIDIA A100-SXM4-80GB",
    "energy_mj": 1_000_000,
    "power_mw": 250_000,
    "limit_mw": 400_000,
    "memory_mib": 81_920,
    "capability": "8.0",
    "utilization": 87,
    "used_mib": 4096,
    "temperature": 61,
}


def build(folder: Path) -> Path:
    """The folder with the library, built by the machine's C compiler, or a skipped test."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler to build the NVML library with")
    source = Path(__file__).with_name("fake_nvml.c")
    flags = ["-shared", "-fPIC", "-Wall", "-Werror", f"-Wl,-soname,{SONAME}"]
    subprocess.run([compiler, *flags, "-o", folder / SONAME, source], check=True)
    return folder


class FakeNvml:
    """The machine that the library shows: cards to change in mid-run, `env` to start a process in.

    `env` holds what a child process needs on top of its own environment to load the library.
    """

    def __init__(self, library: Path, state: Path) -> None:
        self._library = library
        self._path = state
        self.env = {
            "LD_LIBRARY_PATH": os.pathsep.join(
                filter(None, [str(library), os.environ.get("LD_LIBRARY_PATH", "")])
            ),
            "FAKE_NVML_STATE": str(state),
        }
        self.machine: dict[str, object] = {}
        self.gpus: list[dict[str, object]] = []
        self.write_state()

    def write_state(self, *gpus: Mapping[str, object], **machine: object) -> None:
        """Replace the machine: one mapping a card (keys as in fake_nvml.c; None leaves one out)."""
        self.machine = dict(machine)
        self.gpus = [dict(gpu) for gpu in gpus]
        self._write()

    def update(self, index: int, **values: object) -> None:
        """Change a card in mid-run: `update(0, error=15)`."""
        self.gpus[index] |= values
        self._write()

    def load(self) -> None:
        """Put the library into this process, where nvidia-ml-py then finds it by its name."""
        import pynvml

        if pynvml.nvmlLib is None:
            ctypes.CDLL(str(self._library / SONAME), mode=ctypes.RTLD_GLOBAL)
            pynvml._LoadNvmlLibrary()
        if not hasattr(pynvml.nvmlLib, "fakeReferences"):
            pytest.skip("this process has loaded a real NVIDIA driver library")

    def references(self) -> int:
        """How many nvmlInit of this process were not undone yet."""
        import pynvml

        return int(pynvml.nvmlLib.fakeReferences())

    def _write(self) -> None:
        lines = [_line(*item) for item in self.machine.items()]
        for gpu in self.gpus:
            lines += ["gpu", *(_line(*item) for item in gpu.items() if item[1] is not None)]
        new = self._path.with_suffix(".new")
        new.write_text("\n".join(lines) + "\n")
        new.replace(self._path)  # a reader sees the old state or the new one


def _line(key: str, value: object) -> str:
    if isinstance(value, list | tuple):
        return f"{key} {','.join(map(str, value))}"
    return f"{key} {value}"
