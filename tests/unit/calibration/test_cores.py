"""What tests say of a CPU whose cores a host moves: made-up results, and a real exchange."""

import pytest

from joulecast.calibration.cores import as_usual, exchange, pace_of, unusual
from joulecast.calibration.microbench import Piece, Result
from joulecast.forecasting.physical.cpu_roofline import Pace

NEAR, FAR = 80e-6, 135e-6


def result(name, seconds, before, after=None, **changes):
    piece = Piece(name, changes.pop("group", "operator"), lambda: lambda: None)
    return Result(piece, seconds, 0.0, 9, exchange_s=(before, after or before), **changes)


def test_of_each_test_what_it_found_as_the_cores_mostly_lay():
    near, again, far = result("a", 1.0, NEAR), result("a", 1.1, 0.95 * NEAR), result("a", 1.7, FAR)
    moved, other = result("b", 1.3, NEAR, FAR), result("c", 2.0, NEAR)
    results = [far, near, moved, again, other]
    assert as_usual(results) == [near, again, moved, other]  # of b nothing else is known
    assert unusual(results) == [moved]


def test_where_nobody_looked_all_count():
    plain = Result(Piece("a", "launch", lambda: lambda: None), 1.0, 0.0, 9)
    assert as_usual([plain, plain]) == [plain, plain]
    assert unusual([plain]) == []
    assert pace_of([plain], "launch") == Pace()


def test_a_test_that_cannot_run_is_not_run_again():
    assert unusual([result("a", 0.0, FAR, skipped="no memory"), result("b", 1.0, NEAR)]) == []


def test_the_pace_is_that_of_tests_that_ran_in_both_places():
    steps = [result("s", 1.0, NEAR, group="among"), result("s", 1.6, FAR, group="among")]
    steps += [result("t", 1.0, NEAR, group="among"), result("t", 1.4, FAR, group="among")]
    moved = result("s", 9.0, NEAR, FAR, group="among")  # in neither
    others = [result(f"o{i}", 1.0, NEAR) for i in range(3)]
    found = pace_of([*steps, moved, *others], "among")
    assert (found.least, found.most) == (1.0, pytest.approx(1.5))
    assert found.mean == pytest.approx(1 + 0.5 * 5 / 16)  # far at 5 of 16 exchanges


def test_cores_that_mostly_lie_far_make_others_quicker():
    steps = [result("s", 1.6, FAR, group="among"), result("s", 1.0, NEAR, group="among")]
    found = pace_of([*steps, *(result(f"o{i}", 1.0, FAR) for i in range(4))], "among")
    assert (found.least, found.most) == (pytest.approx(1 / 1.6), 1.0)
    assert found.least < found.mean < 1.0


def test_where_no_step_tells_the_pace_is_not_guessed():
    assert pace_of([result("o", 1.0, NEAR), result("p", 1.0, FAR)], "among") == Pace()


def test_a_real_exchange_takes_some_time():
    torch = pytest.importorskip("torch")
    assert 1e-7 < exchange(torch)() < 0.1
