"""Fixtures that several rooms share: the fakes at the lowest edge, and a clock set by hand."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import hypothesis
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the fakes, whatever the import mode
# pytest-xdist sets it, and commands would be as wide as that instead of as wide as a pipe.
os.environ.pop("COLUMNS", None)

from fakes.nvml import FakeNvml, build
from fakes.powercap import Powercap

# On a busy machine an example takes longer than hypothesis' 200 ms.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")

BENCHMARKS = Path(__file__).parent / "benchmarks"


class HandClock:
    """A clock that stands still until it is set: `clock.now += 0.1`."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="session", autouse=True)
def _signals_of_a_terminal() -> None:
    """Commands inherit what is ignored: under `nohup` or in the background, Ctrl-C and hang-ups."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)


@pytest.fixture
def clock() -> HandClock:
    """A clock to set by hand."""
    return HandClock()


@pytest.fixture
def powercap(tmp_path: Path) -> Powercap:
    """An empty /sys under tmp_path; `powercap.server()` fills in a two-socket server."""
    return Powercap(tmp_path / "sys" / "class" / "powercap")


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a libnvidia-ml.so.1 built for this session."""
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def fake_nvml(nvml_library: Path, tmp_path: Path) -> FakeNvml:
    """An NVIDIA machine for child processes: start them with `fake_nvml.env`."""
    return FakeNvml(nvml_library, tmp_path / "nvml.state")


@pytest.fixture
def nvml_here(fake_nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """The same machine for this process; for other tests of it no driver is installed."""
    monkeypatch.setenv("FAKE_NVML_STATE", fake_nvml.env["FAKE_NVML_STATE"])
    fake_nvml.load()
    return fake_nvml


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of benchmarks; skip, with the reason, what needs a GPU where there is none."""
    for item in items:
        if BENCHMARKS in item.path.parents:
            item.add_marker(pytest.mark.data)
    needy = [item for item in items if item.get_closest_marker("gpu")]
    if needy and not _has_cuda():
        for item in needy:
            item.add_marker(pytest.mark.skip(reason="no CUDA device here"))


def _has_cuda() -> bool:
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())
