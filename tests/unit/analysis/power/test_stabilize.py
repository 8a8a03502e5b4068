"""Without a search; searches are in tests/integration/test_stabilize_traces.py."""

import sys

import numpy as np
import pytest

from joulecast.analysis.power.stabilize import MIN_SAMPLES, stabilizing_time
from joulecast.errors import MissingExtraError


def test_short_or_constant_trace():
    t = np.arange(MIN_SAMPLES, dtype=float)
    assert stabilizing_time(t[:-1], np.sin(t[:-1])) is None
    assert stabilizing_time(t, np.full_like(t, 250.0)) is None
    assert stabilizing_time(np.empty(0), np.empty(0)) is None


def test_missing_stumpy_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "stumpy", None)  # as where it is not installed
    t = np.arange(100.0)
    with pytest.raises(MissingExtraError, match="analysis"):
        stabilizing_time(t, np.sin(t))
