import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast.analysis.tradeoff.labels import LABELS, label, label_bounds, why_no_labels


def test_equal_steps_of_the_logarithm():
    bounds = label_bounds([1.0, 128.0, 5.0])
    assert bounds == pytest.approx([1, 2, 4, 8, 16, 32, 64, 128])
    assert [label(c, bounds) for c in (1.0, 1.9, 2.1, 5.0, 100.0, 128.0)] == list("AABCGG")


@given(st.lists(st.floats(1e-6, 1e12), min_size=2, max_size=30))
def test_the_cheapest_is_a_the_dearest_is_g(costs):
    bounds = label_bounds(costs)
    if bounds is None:
        assert why_no_labels(costs) == "all configurations cost the same, within 1 %"
        return
    found = [label(c, bounds) for c in sorted(costs)]
    assert (found[0], found[-1]) == ("A", "G")
    assert found == sorted(found)
    assert set(found) <= set(LABELS)


def test_no_range_no_labels():
    assert label_bounds([5.0]) is None
    assert "one configuration" in str(why_no_labels([5.0]))
    assert label_bounds([5.0, 5.0, 5.01]) is None
    assert "the same" in str(why_no_labels([5.0, 5.0]))
    assert why_no_labels([5.0, 6.0]) is None
