import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast.analysis.tradeoff.labels import LABELS, label, label_ranges, why_no_labels


def test_equal_steps_of_the_logarithm():
    ranges = label_ranges([1.0, 128.0, 5.0])
    assert [r.low for r in ranges] == pytest.approx([1, 2, 4, 8, 16, 32, 64])
    assert [r.high for r in ranges] == pytest.approx([2, 4, 8, 16, 32, 64, 128])
    assert [label(c, ranges) for c in (1.0, 1.9, 2.1, 5.0, 100.0, 128.0)] == list("AABCGG")


@given(st.lists(st.floats(1e-6, 1e12), min_size=2, max_size=30))
def test_lowest_cost_is_a_and_highest_g(costs):
    ranges = label_ranges(costs)
    if ranges is None:
        assert max(costs) < 1.01 * min(costs)
        return
    labels = [label(c, ranges) for c in sorted(costs)]
    assert (labels[0], labels[-1]) == ("A", "G")
    assert labels == sorted(labels)
    assert set(labels) <= set(LABELS)


@pytest.mark.parametrize("costs", [[5.0], [5.0, 5.0, 5.01]])
def test_no_labels_without_a_range(costs):
    assert label_ranges(costs) is None
    assert why_no_labels(costs) is not None
    assert why_no_labels([5.0, 6.0]) is None
