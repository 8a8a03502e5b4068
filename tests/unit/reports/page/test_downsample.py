"""Downsampling: no joule is lost, nothing is drawn where nothing was measured."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast.meters.base import ReadingKind
from joulecast.reports.page.downsample import (
    bin_edges,
    coarse_edges,
    mean_power,
    resolution_s,
    thin,
)


@given(
    powers=st.lists(st.floats(0, 1000), min_size=2, max_size=200),
    bins=st.integers(1, 50),
)
def test_the_bins_hold_all_the_energy(powers, bins):
    t = np.linspace(0, 10, len(powers))
    energy = np.concatenate([[0.0], np.cumsum(np.array(powers[:-1]) * np.diff(t))])
    edges = np.linspace(0, 10, bins + 1)
    mean = mean_power(t, energy, t, edges, counted=True)
    assert np.sum(mean * np.diff(edges)) == pytest.approx(energy[-1], abs=1e-6)


def test_a_steady_power_comes_out_as_it_is():
    t = np.arange(0, 100, 0.1)
    assert mean_power(t, 250 * t, t, bin_edges(99, 0.5), True) == pytest.approx(250)


def test_bins_before_the_first_and_after_the_last_reading_are_empty():
    t = np.array([4.0, 5.0, 6.0])
    mean = mean_power(t, 10 * (t - 4), t - 4, np.arange(11.0), True)
    assert np.isnan(mean[:4]).all()
    assert mean[4:6] == pytest.approx(10)
    assert np.isnan(mean[6:]).all()


def test_integrated_watts_in_a_bin_partly_lost_are_of_the_measured_part():
    t = np.array([0.0, 1, 2, 3, 4])
    measured = np.array([0.0, 1, 2, 3, 3])  # the last second was a gap
    energy = 20 * measured
    assert mean_power(t, energy, measured, np.array([0.0, 4]), False) == pytest.approx(20)
    assert np.isnan(mean_power(t, energy, measured, np.array([0.0, 3, 4]), False)[1])


def test_no_readings_no_power():
    assert np.isnan(
        mean_power(np.array([1.0]), np.zeros(1), np.zeros(1), np.arange(4.0), True)
    ).all()
    assert len(mean_power(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(1), True)) == 0


@pytest.mark.parametrize(
    ("duration", "finest", "most", "bins"),
    [
        (10, 1, 100, 10),
        (10, 3, 100, 3),
        (86400, 0.1, 2000, 2000),
        (0.05, 0.1, 100, 1),
        (5, 0, 7, 7),
    ],
)
def test_bins_are_neither_too_narrow_nor_too_many(duration, finest, most, bins):
    edges = bin_edges(duration, finest, most)
    assert len(edges) - 1 == bins
    assert (edges[0], edges[-1]) == (0, duration)


def test_a_run_of_no_length_has_no_bins():
    assert len(bin_edges(0.0, 0.1)) == 1


@given(bins=st.integers(1, 200), k=st.floats(0.1, 30))
def test_coarse_bins_cover_the_fine_ones_and_are_wide_enough(bins, k):
    fine = np.linspace(0, bins, bins + 1)
    edges, counts = coarse_edges(fine, k)
    assert counts.sum() == bins
    assert (edges[0], edges[-1]) == (0, bins)
    assert len(edges) == 2 or np.diff(edges).min() >= k - 1e-9


def test_counters_need_several_updates_watts_one():
    assert resolution_s(ReadingKind.COUNTER, 0.1, 0.1) == pytest.approx(0.5)
    assert resolution_s(ReadingKind.POWER, 0.1, 0.1) == pytest.approx(0.1)
    assert resolution_s(ReadingKind.COUNTER, 0.001, 0.1) == pytest.approx(0.1)


def test_thinning_keeps_both_ends():
    assert list(thin(3, 10)) == [0, 1, 2]
    kept = thin(1000, 10)
    assert (len(kept), kept[0], kept[-1]) == (10, 0, 999)
