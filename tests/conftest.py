"""Fixtures that several rooms share: the fakes at the lowest edge, and a clock set by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the fakes, whatever the import mode

from fakes.powercap import Powercap


class HandClock:
    """A clock that stands still until it is set: `clock.now += 0.1`."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    """A clock to set by hand."""
    return HandClock()


@pytest.fixture
def powercap(tmp_path: Path) -> Powercap:
    """An empty /sys under tmp_path; `powercap.server()` fills in a two-socket server."""
    return Powercap(tmp_path / "sys" / "class" / "powercap")
