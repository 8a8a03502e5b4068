"""Estimates: their intervals, provenance and sums; and how they read."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast import serialize
from joulecast.estimate import (
    Z90,
    Estimate,
    Provenance,
    add_independent,
    add_up,
    estimate_texts,
    format_estimate,
    provenance_of_sum,
    weakest,
)


def test_an_estimate_reads_as_value_and_bounds_in_one_unit():
    assert format_estimate(Estimate(12300, 11900, 12700)) == "12.3 kJ (11.9 to 12.7)"
    wide = Estimate(95.9e-6, 4.7e-6, 0.137)  # of a run too short for the tick of its CPU time
    assert format_estimate(wide) == "95.9 µJ (4.70 µJ to 137 mJ)"


def test_an_estimate_holds_its_value_between_its_bounds():
    with pytest.raises(ValueError, match="6, 5, 7"):
        Estimate(5, 6, 7)


def test_sums_take_the_weakest_provenance():
    measured = Estimate(1, 1, 1, "J", Provenance.MEASURED)
    assumed = Estimate(1, 0.5, 2, "J", Provenance.ASSUMED)
    assert add_independent([measured, assumed]).provenance is Provenance.ASSUMED
    assert weakest([Provenance.MODELLED, Provenance.MEASURED]) is Provenance.MODELLED
    assert add_independent([]) is None
    with pytest.raises(ValueError, match="units"):
        add_independent([measured, Estimate(1, 1, 1, "s")])


finite = st.floats(0, 1e12)


@given(st.lists(st.tuples(finite, st.floats(0, 1), st.floats(0, 3)), min_size=1, max_size=9))
def test_a_sum_is_narrower_than_the_sum_of_widths_and_wider_than_any_part(parts):
    estimates = [Estimate(v, v * (1 - lo), v * (1 + hi)) for v, lo, hi in parts]
    total = add_independent(estimates)
    assert total.value == pytest.approx(math.fsum(v for v, _, _ in parts))
    widths = [e.high - e.low for e in estimates]
    slack = 1e-6 * (1 + total.value)
    assert max(widths) * 0.99 - slack <= (total.high - total.low) * math.sqrt(2)
    assert total.high - total.low <= math.fsum(widths) + slack


@given(finite, st.floats(0, 1), st.floats(0, 3))
def test_json_and_back(value, low, high):
    e = Estimate(value, value * (1 - low), value * (1 + high), "J", Provenance.MODELLED)
    assert serialize.read(serialize.to_builtins(e), Estimate) == e


def test_a_sum_is_called_by_most_of_it_and_shows_its_mix():
    gpu = Estimate(90.0, 80.0, 100.0)
    ram = Estimate(10.0, 1.0, 20.0, provenance=Provenance.ASSUMED)
    total = add_independent([gpu, ram])
    assert total.provenance is Provenance.MEASURED
    assert total.mix == {"measured": 0.9, "assumed": 0.1}
    more = add_independent([total, Estimate(100.0, 90.0, 110.0, provenance=Provenance.MODELLED)])
    assert more.provenance is Provenance.MODELLED
    assert more.mix == pytest.approx({"measured": 0.45, "modelled": 0.5, "assumed": 0.05})
    assert add_independent([gpu, gpu]).mix == {}


def test_of_two_equal_parts_the_weaker_names_the_sum():
    equal = [Estimate(5.0, 5.0, 5.0, provenance=p) for p in Provenance]
    assert add_independent(equal[:2]).provenance is Provenance.MODELLED


def test_scaled_estimate_has_the_weaker_provenance_part_by_part():
    energy = Estimate(2.0, 1.0, 4.0, mix={"measured": 0.75, "assumed": 0.25})
    assert energy.scaled(3.0).mix == energy.mix
    modelled = energy.scaled(0.5, "W", Provenance.MODELLED)
    assert (modelled.value, modelled.low, modelled.high, modelled.unit) == (1.0, 0.5, 2.0, "W")
    assert modelled.provenance is Provenance.MODELLED
    assert modelled.mix == {"modelled": 0.75, "assumed": 0.25}
    assert energy.scaled(1.0, provenance=Provenance.ASSUMED).mix == {}
    kept_apart = Estimate(2.0, 1.0, 4.0, own_low=1.5, own_high=3.0).scaled(2.0)
    assert (kept_apart.own_low, kept_apart.own_high) == (3.0, 6.0)


CPU = Estimate(100, 55, 185, own_low=97, own_high=104).by_meter("a cpu")
"""Shared: 44.9 below and 84.9 above."""


def swing(e: Estimate) -> tuple[float, float]:
    """Of one whose shared error is that of one meter."""
    (change,) = e.shared.values()
    return change


def sides(e: Estimate) -> tuple[float, float]:
    return e.value - e.low, e.high - e.value


def test_where_nothing_is_known_to_be_shared_all_error_is_its_own():
    whole = Estimate(100, 90, 120)
    assert (whole.own_low, whole.own_high, whole.own_sides) == (90, 120, (10, 20))
    assert whole.shared == {} and not whole.is_apart
    assert whole == Estimate(100, 90, 120, own_low=90, own_high=120)
    with pytest.raises(ValueError, match="own 101, 120"):
        Estimate(100, 90, 120, own_low=101, own_high=120)
    with pytest.raises(ValueError, match="own 90, 99"):
        Estimate(100, 90, 120, own_low=90, own_high=99)


def test_the_shared_error_is_what_the_own_leaves_of_the_whole():
    assert CPU.own_sides == (3, 4)
    assert swing(CPU) == pytest.approx((-math.sqrt(45**2 - 9), math.sqrt(85**2 - 16)))
    assert list(CPU.shared) == ["a cpu"]
    one_sided = Estimate(100, 90, 110, own_low=90, own_high=105)
    assert swing(one_sided) == (0.0, pytest.approx(math.sqrt(75)))
    # An own error that is larger than the whole leaves nothing.
    assert Estimate(100, 90, 110, own_low=80, own_high=120).shared == {}


def test_errors_of_meters_add_in_quadrature_to_the_own():
    e = Estimate.of_errors(10, (3, 5), {"a": (-4, 12), "b": (0, 0)}, unit="W")
    assert (e.low, e.value, e.high, e.own_low, e.own_high, e.unit) == (5, 10, 23, 7, 15, "W")
    # A value that falls where the scale is at its high end.
    falling = Estimate.of_errors(10, (0, 0), {"a": (6, -3)})
    assert (falling.low, falling.high) == (7, 16)
    rising_twice = Estimate.of_errors(10, (0, 0), {"a": (2, 3)})
    assert (rising_twice.low, rising_twice.high) == (10, 13)
    sinking_twice = Estimate.of_errors(10, (0, 0), {"a": (-2, -3)})
    assert (sinking_twice.low, sinking_twice.high) == (7, 10)


def test_of_one_meter_the_scale_cancels_in_a_difference():
    idle = Estimate(60, 33, 111, own_low=59, own_high=62).by_meter("a cpu")
    left = CPU.minus(idle)
    assert left.value == 40
    assert left.own_sides == pytest.approx((math.hypot(3, 2), math.hypot(4, 1)))
    expected = [x - y for x, y in zip(swing(CPU), swing(idle), strict=True)]
    assert swing(left) == pytest.approx(expected)
    assert sides(left)[0] == pytest.approx(math.hypot(3, 2, expected[0]))
    assert sides(left)[1] == pytest.approx(math.hypot(4, 1, expected[1]))
    same = CPU.minus(CPU)
    assert sides(same) == (5, 5)
    # Read from JSON, both are taken to be of one meter.
    stored = serialize.read(serialize.to_builtins(CPU), Estimate)
    assert sides(stored.minus(stored)) == (5, 5)


def test_of_two_meters_nothing_cancels_in_a_difference():
    other = CPU.by_meter("b cpu")
    left = CPU.minus(other)
    assert left.shared == {"a cpu": swing(CPU), "b cpu": tuple(-x for x in swing(CPU))}
    assert sides(left)[0] == pytest.approx(math.hypot(45, 85))
    assert sides(left)[1] == pytest.approx(math.hypot(85, 45))
    assert left.own_sides == (5, 5)


def test_a_difference_of_errors_that_are_not_kept_apart_has_both():
    left = Estimate(1000, 995, 1005).minus(Estimate(990, 990, 990))
    assert (left.low, left.value, left.high) == (5, 10, 15)
    below_nothing = Estimate(10, 9, 11).minus(Estimate(14, 13, 16))
    assert below_nothing.low == pytest.approx(-4 - math.hypot(1, 2))
    assert below_nothing.high == pytest.approx(-4 + math.hypot(1, 1))
    assert Estimate(0, 0, 1).minus(Estimate(0, 0, 0)).high == 1
    kept = Estimate(5, 4, 6, "W", Provenance.ASSUMED, {"measured": 0.4, "assumed": 0.6}, reason="x")
    left = kept.minus(kept)
    assert (left.unit, left.provenance, left.mix, left.reason) == (
        *("W", Provenance.ASSUMED, kept.mix, "x"),
    )


def test_of_one_meter_the_scale_cancels_in_a_ratio():
    after = CPU.scaled(0.8)
    ratio = after.ratio(CPU)
    assert (ratio.value, ratio.unit) == (0.8, "")
    assert swing(ratio) == pytest.approx((0, 0))
    assert ratio.own_low == pytest.approx(0.8 - math.hypot(0.8 * 0.03, 0.8 - 80 / 104))
    assert ratio.own_high == pytest.approx(0.8 + math.hypot(0.8 * 0.04, 80 / 97 - 0.8))
    assert (ratio.low, ratio.high) == pytest.approx((ratio.own_low, ratio.own_high))
    modelled = CPU.ratio(Estimate(5, 4, 6, provenance=Provenance.MODELLED))
    assert modelled.provenance is Provenance.MODELLED


def test_of_two_meters_nothing_cancels_in_a_ratio():
    ratio = CPU.ratio(CPU.by_meter("b cpu").scaled(2.0))
    low, high = swing(CPU)
    here, there = ratio.shared["a cpu"], ratio.shared["b cpu"]
    assert here == pytest.approx((low / 200, high / 200))
    assert there == pytest.approx((100 / (200 + 2 * low) - 0.5, 100 / (200 + 2 * high) - 0.5))
    assert there[0] > 0 > there[1]


def test_there_is_no_ratio_to_what_may_be_nothing():
    with pytest.raises(ValueError, match="reaches zero"):
        CPU.ratio(Estimate(1, 0, 2))
    assert CPU.ratio(Estimate(1, 0.5, 2)).value == 100


def test_sums_keep_the_meters_of_their_parts():
    gpu = Estimate(50, 45, 56, own_low=49, own_high=52).by_meter("a gpu")
    total = add_independent([CPU, gpu])
    assert total.own_sides == pytest.approx((math.hypot(3, 1), math.hypot(4, 2)))
    assert total.shared == {"a cpu": swing(CPU), "a gpu": swing(gpu)}
    assert sides(total) == pytest.approx((math.hypot(45, 5), math.hypot(85, 6)))
    again = add_independent([total, CPU])
    assert again.shared["a cpu"] == pytest.approx(tuple(2 * x for x in swing(CPU)))
    assert again.shared["a gpu"] == swing(gpu)
    # Without names they are of different meters here.
    nameless = [Estimate(100, 80, 130, own_low=97, own_high=104)] * 2
    assert sides(add_independent(nameless)) == pytest.approx((20 * 2**0.5, 30 * 2**0.5))


def test_runs_by_one_meter_add_up_and_those_by_two_in_quadrature():
    both = add_up([CPU, CPU])
    assert (both.value, both.own_sides) == (200, (6, 8))
    assert swing(both) == pytest.approx(tuple(2 * x for x in swing(CPU)))
    assert sides(both) == pytest.approx((90, 170))
    apart = add_up([CPU, CPU.by_meter("b cpu")])
    assert apart.own_sides == (6, 8)
    assert sides(apart)[0] == pytest.approx(math.hypot(6, *2 * [swing(CPU)[0]]))
    whole = Estimate(100, 90, 120)
    assert sides(add_up([whole, whole])) == (20, 40)
    with pytest.raises(ValueError, match="different units"):
        add_up([CPU, Estimate(1, 1, 1, "W")])
    mixed = add_up([CPU, Estimate(300, 300, 300, provenance=Provenance.ASSUMED)])
    assert (mixed.provenance, mixed.mix) == (
        *(Provenance.ASSUMED, {"measured": 0.25, "assumed": 0.75}),
    )


def test_a_forecast_has_the_relative_errors_of_what_it_was_made_from():
    whole = Estimate(400, 380, 430, provenance=Provenance.MODELLED).metered_by(CPU)
    assert whole.own_sides == pytest.approx((math.hypot(20, 12), math.hypot(30, 16)))
    assert swing(whole) == pytest.approx(tuple(4 * x for x in swing(CPU)))
    assert list(whole.shared) == ["a cpu"]
    assert whole.provenance is Provenance.MODELLED


def test_no_bound_of_a_whole_is_below_that_of_its_part():
    whole = Estimate(110, 50, 300, own_low=80, own_high=120).at_least(CPU)
    assert (whole.low, whole.own_low, whole.high) == (55, 97, 300)
    assert Estimate(110, 60, 300, own_low=99, own_high=120).at_least(CPU).own_low == 99
    nearly = Estimate(90, 85, 95).at_least(Estimate(95, 93, 96))
    assert (nearly.low, nearly.own_low) == (90, 90)


def test_a_scaled_estimate_and_one_with_other_fields_keep_their_meters():
    half = CPU.scaled(0.5, "W")
    assert half.shared == {"a cpu": pytest.approx(tuple(x / 2 for x in swing(CPU)))}
    assert (half.own_low, half.own_high, half.low, half.high) == pytest.approx(
        (48.5, 52, 27.5, 92.5)
    )
    changed = CPU.changed(reason="x")
    assert (changed.reason, changed.shared, changed.low) == ("x", CPU.shared, 55)
    assert Estimate(1, 1, 1, reason="y").scaled(2).reason == "y"


def test_as_metered_has_the_own_error_alone():
    alone = CPU.as_metered
    assert (alone.low, alone.high, alone.own_low, alone.own_high) == (97, 104, 97, 104)
    assert alone.shared == {} and not alone.is_apart
    odd = Estimate(1, 0, 2, "W", Provenance.ASSUMED, {"a": 1.0}, 1, 1, "x").as_metered
    assert (odd.unit, odd.provenance, odd.mix, odd.reason) == (
        "W",
        Provenance.ASSUMED,
        {"a": 1.0},
        "x",
    )


@pytest.mark.parametrize(
    ("estimate", "text", "short"),
    [
        (
            Estimate(397, 217, 736, own_low=389, own_high=406),
            "397 J (389 to 406 as metered; 217 to 736 in all)",
            "397 J (389 to 406 as metered)",
        ),
        # A measured GPU.
        (Estimate(1000, 950, 1050, own_low=980, own_high=1020), "1.00 kJ (0.95 to 1.05)", None),
        (
            Estimate(100, 87.9, 101, own_low=98, own_high=101),
            "100 J (98.0 to 101 as metered; 87.9 to 101 in all)",
            "100 J (98.0 to 101 as metered)",
        ),
        (Estimate(100, 88.1, 101, own_low=98, own_high=101), "100 J (88.1 to 101)", None),
        (
            Estimate(100, 98, 112.1, own_low=98, own_high=102),
            "100 J (98.0 to 102 as metered; 98.0 to 112 in all)",
            "100 J (98.0 to 102 as metered)",
        ),
        (
            Estimate(1e-3, 0, 100, own_low=1e-3, own_high=1e-3),
            "1.00 mJ (1.00 to 1.00 as metered; 0.00 J to 100 J in all)",
            "1.00 mJ (1.00 to 1.00 as metered)",
        ),
        (Estimate(0.8, 0.7, 0.9, ""), "0.80 (0.70 to 0.90)", None),
        (Estimate(90, 80, 100, "s"), "90.0 s (80.0 s to 1 min 40 s)", None),
    ],
)
def test_both_intervals_are_shown_where_much_is_shared(estimate, text, short):
    assert format_estimate(estimate) == text
    assert format_estimate(estimate, short=True) == (short or text)


def test_the_bounds_of_a_text_have_its_unit():
    assert estimate_texts(Estimate(1200, 1000, 1400)) == ("1.20 kJ", "1.00 to 1.40", "kJ")
    assert estimate_texts(Estimate(1e-3, 0, 100)) == ("1.00 mJ", "0.00 J to 100 J", "")
    assert estimate_texts(Estimate(90, 80, 100, "s"))[2] == ""


def test_independent_errors_add_in_quadrature_on_each_side():
    # 3-4-5 below, 5-12-13 above: added linearly they would be 7 and 17.
    total = add_independent([Estimate(100, 97, 105), Estimate(50, 46, 62)])
    assert (total.low, total.value, total.high, total.unit) == (145, 150, 163, "J")
    assert add_independent([Estimate(1, 1, 1, "W")]).unit == "W"


def test_half_width_of_a_90_percent_interval():
    # Of a standard normal, 5 % lie above it.
    assert 0.5 * math.erfc(Z90 / math.sqrt(2)) == pytest.approx(0.05, rel=1e-9)


def test_ranks_of_provenance():
    assert [p.rank for p in Provenance] == [0, 1, 2]
    assert weakest(Provenance) is Provenance.ASSUMED


def test_bounds_may_lie_on_the_value():
    assert Estimate(5, 5, 5).low == 5
    with pytest.raises(ValueError, match="7, 9, 8"):
        Estimate(9, 7, 8)


def test_a_sum_of_nothing_has_the_weakest_provenance():
    nothing = [Estimate(0, 0, 0), Estimate(0, 0, 0, provenance=Provenance.MODELLED)]
    assert provenance_of_sum(nothing) == (Provenance.MODELLED, {})
    # A part of zero has no share; parts that cancel still have both.
    one = Estimate(2, 2, 2)
    assert provenance_of_sum([one, nothing[1]]) == (Provenance.MEASURED, {})
    taken = Estimate(-2, -2, -2, provenance=Provenance.ASSUMED)
    assert provenance_of_sum([one, taken]) == (
        Provenance.ASSUMED,
        {"measured": 0.5, "assumed": 0.5},
    )
    endless = Estimate(math.inf, 0, math.inf, provenance=Provenance.ASSUMED)
    assert provenance_of_sum([one, endless]) == (Provenance.ASSUMED, {})


def test_scaling_merges_shares_that_become_one_kind():
    energy = Estimate(1, 1, 1, mix={"measured": 0.5, "modelled": 0.25, "assumed": 0.25})
    assert energy.scaled(2, provenance=Provenance.MODELLED).mix == {
        "modelled": 0.75,
        "assumed": 0.25,
    }
    assert energy.scaled(2).unit == "J"


def test_bounds_of_an_estimate_are_in_its_unit_up_to_ten_thousand():
    assert format_estimate(Estimate(1, 0.5, 9999)) == "1.00 J (0.50 to 9999)"
    assert format_estimate(Estimate(1, 0.5, 10_000)) == "1.00 J (500 mJ to 10.0 kJ)"
    assert format_estimate(Estimate(0, 0, 0.25)) == "0.00 mJ (0.00 to 250)"
    assert format_estimate(Estimate(90, 60, 120, "s")) == "90.0 s (60.0 s to 2 min 00 s)"
    assert str(Estimate(2, 1, 3, "W")) == "2.00 W (1.00 to 3.00)"
