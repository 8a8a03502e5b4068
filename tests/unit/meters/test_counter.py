import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast.meters.counter import Unwrap


def unwrap(**kwargs) -> Unwrap:
    return Unwrap(**({"joules_per_count": 1e-6, "update_period_s": 1e-3} | kwargs))


def test_the_first_value_is_the_base():
    counter = unwrap()
    assert counter.advance(123_000_000, 0.0) == 0.0
    assert counter.advance(124_500_000, 1.0) == pytest.approx(1.5)
    assert counter.note() is None


def test_a_wrap_counts_the_way_round():
    counter = unwrap(wraps_at=1_000_000_000)
    counter.advance(999_000_000, 0.0)
    assert counter.advance(4_000_000, 0.1) == pytest.approx(5.0)
    assert counter.note() is None


def test_a_fall_too_big_for_a_wrap_is_a_reset():
    counter = unwrap(wraps_at=262_143_328_850)
    counter.advance(10_000_000, 0.0)
    assert counter.advance(20_000_000, 1.0) == pytest.approx(10.0)
    # as a wrap this would be 262 kJ in a second
    assert counter.advance(5_000_000, 2.0) == pytest.approx(10.0)
    note = counter.note()
    assert note is not None
    assert "reset" in note
    assert "not counted" in note
    assert counter.note() is None, "a note is handed over once"
    assert counter.advance(6_000_000, 3.0) == pytest.approx(11.0)


def test_a_counter_that_never_wraps_takes_every_fall_for_a_reset():
    counter = unwrap(joules_per_count=1e-3, update_period_s=0.1)
    counter.advance(1000, 0.0)
    assert counter.advance(900, 1.0) == 0.0
    assert counter.note()


def test_a_leap_no_device_could_draw_is_no_energy():
    counter = unwrap(joules_per_count=1e-3, update_period_s=0.1)
    counter.advance(1000, 0.0)
    assert counter.advance(1000 + 10_000_000, 1.0) == 0.0  # 10 kJ in a second
    assert counter.note()


def test_a_slow_counter_read_fast_may_deliver_a_whole_period_at_once():
    counter = unwrap(joules_per_count=1e-3, update_period_s=0.1)
    counter.advance(0, 0.0)
    assert counter.advance(70_000, 0.01) == pytest.approx(70.0)  # 700 W over the last 100 ms
    assert counter.note() is None


def test_an_interval_that_may_hide_a_wrap_is_noted():
    counter = unwrap(wraps_at=1_000_000_000)  # 1 kJ
    counter.advance(0, 0.0)
    counter.advance(100_000_000, 1.0)  # 100 W: a round in 10 s
    counter.advance(200_000_000, 61.0)
    assert "lower bound" in (counter.note() or "")


@given(st.lists(st.integers(0, 300_000_000), min_size=1, max_size=50), st.integers(0, 10**9))
def test_any_chain_of_steps_within_a_round_is_summed(steps, start):
    wraps_at = 1_000_000_000
    counter = unwrap(wraps_at=wraps_at)
    raw, t_s, total = start % wraps_at, 0.0, 0
    counter.advance(raw, t_s)
    for step in steps:
        raw, t_s, total = (raw + step) % wraps_at, t_s + 0.1, total + step
        assert counter.advance(raw, t_s) == pytest.approx(total * 1e-6)


@given(st.lists(st.integers(0, 2**40), min_size=2, max_size=50), st.booleans())
def test_the_total_never_falls(values, wraps):
    counter = unwrap(wraps_at=2**40 if wraps else None)
    joules = [counter.advance(raw, t_s * 0.1) for t_s, raw in enumerate(values)]
    assert joules == sorted(joules)


def test_the_largest_plausible_step_is_energy_and_one_more_count_is_not():
    # 100 W for the second since the last reading and the second that it may be late.
    for step, joules in ((200, 200.0), (201, 0.0)):
        counter = unwrap(joules_per_count=1, update_period_s=1, max_power_w=100)
        counter.advance(7, 10.0)
        assert counter.advance(7 + step, 11.0) == joules
        assert (counter.note() is None) == (joules > 0)


def test_no_package_draws_more_than_five_kilowatts():
    for step, joules in ((5000, 5000.0), (5001, 0.0)):
        counter = unwrap(joules_per_count=1, update_period_s=0)
        counter.advance(0, 0.0)
        assert counter.advance(step, 1.0) == joules


def test_a_clock_that_steps_back_is_no_time():
    counter = unwrap(joules_per_count=1, update_period_s=1, max_power_w=100)
    counter.advance(0, 10.0)
    assert counter.advance(100, 9.0) == 100.0
    assert counter.note() is None


def test_a_counter_that_stands_still_is_no_reset():
    for wraps_at in (None, 100):
        counter = unwrap(joules_per_count=1, update_period_s=0, wraps_at=wraps_at)
        counter.advance(5, 0.0)
        assert counter.advance(5, 1.0) == 0.0
        assert counter.note() is None


def test_a_fall_by_one_count_is_a_wrap_or_a_reset():
    for wraps_at, joules in ((100, 99.0), (None, 0.0)):
        counter = unwrap(joules_per_count=1, wraps_at=wraps_at)
        counter.advance(5, 0.0)
        assert counter.advance(4, 1.0) == joules
        assert (counter.note() is None) == (wraps_at is not None)


def test_a_wrap_to_zero_counts_what_was_left_of_the_round():
    counter = unwrap(joules_per_count=0.5, wraps_at=100)
    counter.advance(90, 0.0)
    assert counter.advance(0, 1.0) == 5.0


def test_two_resets_are_one_note_with_their_figures():
    counter = unwrap(joules_per_count=0.5, update_period_s=0)
    counter.advance(100, 0.0)
    counter.advance(20, 1.5)
    counter.advance(10, 2.0)
    first, second = counter.note().split("; ")
    assert "from 50 J to 10 J within 1.5 s" in first
    assert "from 10 J to 5 J within 0.5 s" in second


@pytest.mark.parametrize(("pause_s", "noted"), [(10.0, False), (11.0, True)])
def test_a_pause_longer_than_a_round_at_the_mean_power_is_noted(pause_s, noted):
    counter = unwrap(joules_per_count=1, wraps_at=1000)
    counter.advance(0, 50.0)
    counter.advance(200, 52.0)  # 100 W: a round in 10 s
    counter.advance(300, 52.0 + pause_s)
    note = counter.note()
    assert (note is not None) == noted
    assert note is None or f"for {pause_s:.0f} s" in note


def test_without_a_mean_power_or_a_range_no_wrap_is_suspected():
    early = unwrap(joules_per_count=1, wraps_at=1000)
    early.advance(0, 0.0)
    early.advance(900, 3600.0)
    assert early.note() is None
    endless = unwrap(joules_per_count=1)
    for t_s in (0.0, 1.0, 3600.0):
        endless.advance(int(100 * t_s), t_s)
    assert endless.note() is None


def test_half_a_second_gives_a_mean_power_too():
    counter = unwrap(joules_per_count=1, wraps_at=1000)
    counter.advance(0, 0.0)
    counter.advance(100, 0.5)  # 200 W: a round in 5 s
    counter.advance(200, 6.0)
    assert "lower bound" in counter.note()
