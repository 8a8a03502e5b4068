"""What needs no search; searches run in tests/integration/test_stabilize_traces.py."""

import sys

import numpy as np
import pytest

from joulecast.analysis.power.stabilize import LEAST_SAMPLES, stabilizing_time
from joulecast.errors import MissingExtraError


def test_too_short_or_the_same_all_along():
    t = np.arange(LEAST_SAMPLES, dtype=float)
    assert stabilizing_time(t[:-1], np.sin(t[:-1])) is None
    assert stabilizing_time(t, np.full_like(t, 250.0)) is None
    assert stabilizing_time(np.empty(0), np.empty(0)) is None


def test_without_stumpy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "stumpy", None)  # as where it is not installed
    t = np.arange(100.0)
    with pytest.raises(MissingExtraError, match=r'pip install "joulecast\[analysis\]"'):
        stabilizing_time(t, np.sin(t))
