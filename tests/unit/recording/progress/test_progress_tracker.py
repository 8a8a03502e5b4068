"""Sightings into positions: what is believed, and what a restart or a nested loop does."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joulecast.recording.progress.position import Counted, Position
from joulecast.recording.progress.reader import Reader
from joulecast.recording.progress.tracker import ProgressTracker

Line = tuple[float, str]  # when, and what is printed


def run(
    *lines: Line, planned: int | None = None, clock: bool = True, pattern: str | None = None
) -> tuple[list[Position[float]], ProgressTracker[float]]:
    reader = Reader(pattern)
    tracker: ProgressTracker[float] = ProgressTracker(planned, (lambda t: t) if clock else None)
    positions = []
    for t, text in lines:
        for sighting in reader.feed(1, f"{text}\n".encode()):
            positions += tracker.see(sighting, t)
    return positions, tracker


def places(positions: list[Position[float]]) -> list[tuple[float, float]]:
    return [(p.stamp, p.done) for p in positions]


def bar(n: int, total: int, label: str = "", more: str = "") -> str:
    return f"{label}{100 * n // total:3d}%|##   | {n}/{total} [00:01<00:02,  3.1it/s{more}]"


# --- start or end -----------------------------------------------------------------------------


def test_a_header_begins_an_epoch_and_a_result_ends_it():
    positions, _ = run(
        (1, "Epoch 1/3"),
        (11, "Epoch 1/3 - loss: 0.9"),
        (11.1, "Epoch 2/3"),
        (21, "Epoch 2/3 - loss: 0.5"),
    )
    assert places(positions) == [(1, 0), (11, 1), (11.1, 1), (21, 2)]


def test_results_long_before_an_epoch_can_be_over_head_it():
    lines = [(0.5 + 10 * k, f"Epoch {k + 1}/5 - loss: 0.5") for k in range(5)]
    positions, tracker = run(*lines)
    assert places(positions)[1:] == [(10.5, 1), (20.5, 2), (30.5, 3), (40.5, 4)]
    assert places(tracker.finish(50)) == [(50, 5)]
    positions, tracker = run(*lines, clock=False)  # by the words alone: ends
    assert places(positions)[-1] == (40.5, 5)
    assert tracker.finish(50) == []


def test_results_along_an_epoch_are_not_its_end():
    lines = [(10 * k + i, f"Epoch {k + 1} loss 0.5") for k in range(4) for i in (2, 5, 8)]
    positions, _ = run(*lines, planned=4)
    done = dict(places(positions))
    assert done[22] == 2  # a first wrong guess is over by then
    assert done[32] == 3


def test_each_rank_prints_the_end():
    lines = [(10 * k + i / 10, f"Epoch {k}/4 loss 0.5") for k in range(1, 5) for i in range(8)]
    positions, _ = run(*lines)
    assert places(positions) == [(10, 1), (20, 2), (30, 3), (40, 4)]


BOTH = ((0, "train"), (3, "val"))


def test_training_and_validation_lines_of_an_epoch():
    lines = [
        (10 * k + at, f"Epoch {k}/4 {part} loss 0.5") for k in range(1, 5) for at, part in BOTH
    ]
    positions, tracker = run(*lines)
    assert places(positions) == [(10, 1), (20, 2), (30, 3), (40, 4)]
    assert "val loss" in tracker.metrics[4]


# --- where the numbers start ------------------------------------------------------------------


@pytest.mark.parametrize(("printed", "epochs"), [(29, 30), (30, 30), (9, 10), (16, 16), (99, 100)])
def test_totals_of_a_count_from_zero(printed, epochs):
    positions, tracker = run((1, f"Epoch 0/{printed}"), (9, f"Epoch 1/{printed}"))
    assert places(positions) == [(1, 0), (9, 1)]
    assert tracker.planned == epochs


def test_a_count_from_zero_that_reaches_its_total():
    _, tracker = run(*((k, f"Epoch {k}/6") for k in range(7)))
    assert tracker.planned == 7
    assert tracker.finish(8) == [Position(7, 7, 8)]


def test_every_tenth_epoch():
    positions, _ = run(*((k, f"Epoch {k}/100 loss 0.1") for k in (10, 20, 30)))
    assert places(positions) == [(10, 10), (20, 20), (30, 30)]
    positions, _ = run(*((k + 1, f"Epoch {k} loss 0.1") for k in (0, 10, 20)), planned=100)
    assert places(positions) == [(1, 1), (11, 11), (21, 21)]


@pytest.mark.parametrize("planned", [None, 30])
def test_a_resumed_run_has_only_its_rest_before_it(planned):
    positions, tracker = run(
        (1, "resumed from epoch 12"),
        *((k, f"Epoch {k}/30 loss 0.1") for k in (13, 14, 15)),
        planned=planned,
    )
    assert places(positions) == [(13, 1), (14, 2), (15, 3)]
    assert tracker.planned == 18
    _, tracker = run(*((k, f"Epoch {k}/30 loss 0.1") for k in (13, 14)), planned=18)
    assert tracker.planned == 18


# --- what is believed -------------------------------------------------------------------------


def test_one_line_without_a_total_is_not_enough():
    assert run((1, "Epoch 1: loss 0.5"))[0] == []
    positions, _ = run((1, "Epoch 1: loss 0.5"), (2, "Epoch 2: loss 0.4"))
    assert places(positions) == [(1, 1), (2, 2)]  # the first with its own stamp
    assert {p.planned for p in positions} == {None}


def test_talk_about_epochs():
    positions, tracker = run(
        (0, "loading epoch definitions"),
        (0, "epoch 1700000000 seconds"),
        (1, "Epoch 1/3"),
        (2, "best epoch 7"),
        (3, "Epoch 2/3"),
        (4, "best epoch 1, resumed from epoch 2"),
        (5, "Epoch 3/3"),
        (6, "loaded the model of epoch 1"),
    )
    assert places(positions) == [(1, 0), (3, 1), (5, 2)]
    assert tracker.source == "lines that number the epochs"
    assert tracker.restarts == 0


def test_nothing_seen():
    positions, tracker = run((1, "hello"), planned=30)
    assert (positions, tracker.source, tracker.finish(2), tracker.metrics) == ([], None, [], {})


def test_downloads_and_preparation_do_not_count():
    positions, tracker = run(
        *((n, bar(n, 9, "Downloading: ")) for n in range(10)),
        *((10 + n, bar(n, 9, "Map: ")) for n in range(10)),
        (20, "Epoch 1/2"),
        *((21 + n, bar(n, 9)) for n in range(10)),
        (31, "Epoch 2/2"),
    )
    assert places(positions)[0] == (20, 0)
    assert places(positions)[-1] == (31, 1)
    assert tracker.restarts == 0


def test_an_unnamed_bar_before_the_epochs_is_given_up_for_them():
    positions, tracker = run(
        *((n, bar(n, 9)) for n in range(10)),
        *((20 + k, f"Epoch {k}/4") for k in range(1, 5)),
    )
    assert tracker.restarts == 1
    assert places(positions)[-4:] == [(21, 0), (22, 1), (23, 2), (24, 3)]
    assert positions[-1].planned == 4


def test_a_printed_total_outranks_an_earlier_guess():
    positions, tracker = run(
        *((k, f"[{k}]\ttrain-rmse:0.{k}") for k in range(6)),
        *((10 + k, f"Epoch {k}/30 loss 0.1") for k in range(1, 4)),
    )
    assert positions[-1] == Position(3, 30, 13)
    assert tracker.source == "lines that number the epochs"


# --- steps within epochs ----------------------------------------------------------------------


def test_headers_with_unnamed_bars_and_shorter_ones_for_validation():
    lines: list[Line] = []
    for k in range(3):
        lines += [(20 * k, f"Epoch {k + 1}/3")]
        lines += [(20 * k + n + 1, bar(n, 10)) for n in range(11)]
        lines += [(20 * k + 12 + n, bar(n, 5)) for n in range(6)]
    positions, tracker = run(*lines)
    done = dict(places(positions))
    assert done[6] == 0.5
    assert done[26] == 1.5
    assert all(a.done < b.done for a, b in pairwise(positions))
    assert max(value for t, value in done.items() if t < 20) < 1  # the last step is not the end
    assert tracker.finish(60)[-1] == Position(3, 3, 51)  # but that of the run's last epoch is


def test_a_bar_drawn_again_after_the_epoch_does_not_fill_the_next():
    positions, _ = run(
        (0, bar(0, 3, "Epochs: ")), (1, bar(5, 10)), (2, bar(10, 10)),
        (3, bar(1, 3, "Epochs: ")), (3.1, bar(10, 10)), (4, bar(1, 10)), (5, bar(6, 10)),
    )  # fmt: skip
    assert [at for at, _ in places(positions)] == [0, 1, 2, 3, 4, 4, 5]
    assert [done for _, done in places(positions)] == pytest.approx(
        [0, 0.5, 1, 1, 1, 1.1, 1.6], abs=0.01
    )


def test_validation_bars_with_the_epoch_in_their_name():
    positions, _ = run(
        *((n, bar(n, 10, "Epoch 1/2: ")) for n in range(11)),
        *((11 + n, bar(n, 5, "Epoch 1/2 [val]: ")) for n in range(6)),
        (20, bar(0, 10, "Epoch 2/2: ")),
    )
    whole = [place for place in places(positions) if place[1] == 1]
    # It ends with its bar, and the next one begins with the next bar; validation lies between.
    assert (whole[0], whole[-1]) == ((10, 1), (20, 1))


# --- the whole run, or an epoch of it ---------------------------------------------------------


def test_steps_of_the_whole_run():
    positions, tracker = run(*((s, f"step {s}/1000: loss 2.0") for s in (100, 200, 1000)))
    assert [(p.done, p.planned) for p in positions] == [(0.1, 1), (0.2, 1), (1, 1)]
    positions, _ = run(*((s, f"step {s}/1000: loss 2.0") for s in (100, 200, 1000)), planned=10)
    assert [(p.done, p.planned) for p in positions] == [(1, 10), (2, 10), (10, 10)]
    assert tracker.source == "lines like 'step 100/5000'"


def test_percentages():
    assert run((1, "100%"), planned=30)[0] == []  # of a download, of anything
    positions, tracker = run(*((k, f"Progress: {k}%") for k in (10, 50)), planned=30)
    assert [(p.done, p.planned) for p in positions] == [(3, 30), (15, 30)]
    assert tracker.source == "percentages"


def test_a_bar_that_does_not_divide_into_epochs_waits_for_its_second_round():
    first = [(n, bar(n, 10)) for n in range(11)]
    positions, tracker = run(*first, planned=3)
    assert positions == []
    positions, tracker = run(*first, (11, bar(0, 10)), (16, bar(5, 10)), planned=3)
    assert places(positions)[0] == (0, 0)
    assert places(positions)[-1] == (16, 1.5)
    assert (5, 0.5) in places(positions)
    assert tracker.restarts == 0


def test_a_bar_of_as_many_steps_as_epochs_counts_them():
    positions, _ = run(*((60 * n, bar(n, 30)) for n in range(3)), planned=30)
    assert places(positions) == [(0, 0), (60, 1), (120, 2)]


# --- again from the beginning -----------------------------------------------------------------


def test_a_second_fit_is_a_new_count_once_it_is_sure():
    fit = ["Epoch 1/3", "Epoch 2/3", "Epoch 3/3"]
    positions, tracker = run(*enumerate([*fit, "Epoch 1/3"]))
    assert tracker.restarts == 0
    assert places(positions) == [(0, 0), (1, 1), (2, 2)]
    positions, tracker = run(*enumerate([*fit, *fit]))
    assert tracker.restarts == 1
    assert places(positions) == [(0, 0), (1, 1), (2, 2), (3, 0), (4, 1), (5, 2)]
    assert tracker.planned == 3


def test_epochs_done_again_after_a_crash_wait_until_they_are_new():
    numbers = [1, 2, 3, 4, 5, 3, 4, 5, 6]
    positions, tracker = run(*((t, f"Epoch {k}/9 loss 1.0") for t, k in enumerate(numbers, 1)))
    assert tracker.restarts == 0
    assert places(positions) == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (9, 6)]


@pytest.mark.parametrize("planned", [1, 4])
def test_epochs_beyond_those_planned_are_epochs_too(planned):
    positions, tracker = run(*((k, f"Epoch {k} loss 0.1") for k in range(1, 9)), planned=planned)
    assert max(p.done for p in positions) == 8
    assert all(p.done <= p.planned for p in positions)
    positions, tracker = run(*((k, f"Epoch {k}/8 loss 0.1") for k in range(1, 6)), planned=planned)
    assert positions[-1].done == 5
    assert [p.planned for p in positions] == [
        planned if p.done <= planned else 8 for p in positions
    ]
    assert tracker.planned == 8


@pytest.mark.parametrize("total", ["/6", ""])
def test_headers_of_epochs_beyond_those_planned_are_epochs_too(total):
    lines = [
        line
        for k in range(6)
        for line in (
            (10 * k + 1, f"Epoch {k + 1}{total}"),
            (10 * k + 5, "5/10 ━━━━━ 1s 100ms/step - loss: 0.5"),
            (10 * k + 10, "10/10 ━━━━━━━━━━ 1s 100ms/step - loss: 0.5 - val_loss: 0.6"),
        )
    ]
    positions, tracker = run(*lines, planned=5)
    positions += tracker.finish(61)
    assert (60, 6) in places(positions)
    assert all(p.planned == 6 for p in positions if p.done > 5)
    assert tracker.planned == 6


def test_endless_epochs():
    positions, tracker = run(*((k, f"Epoch {k} loss 0.1") for k in range(1, 3000)))
    assert positions[-1].done == 2999
    assert {p.planned for p in positions} == {None}
    assert len(tracker.metrics) == 2999


# --- the end ----------------------------------------------------------------------------------


def test_the_end_of_a_run_ends_its_last_epoch():
    _, tracker = run((1, "Epoch 1/3"), (2, "Epoch 2/3"))
    assert tracker.finish(3) == [Position(2, 3, 3)]  # stopped early, after the second
    assert tracker.finish(4) == []
    _, tracker = run((1, "Epoch 1/3 loss 0.3"))
    assert tracker.finish(3) == []
    _, tracker = run((1, "step 400/1000"))
    # Nothing but the end of the whole run was printed.
    assert tracker.finish(3) == []
    _, tracker = run((1, "step 990/1000"))
    assert tracker.finish(3) == [Position(1, 1, 3, unit=Counted.RUN)]


def test_a_pattern_is_the_only_source():
    positions, tracker = run(
        (1, "Epoch 1/9"), (2, "round 1 of 4"), (3, "Epoch 2/9"), (4, "round 2 of 4"),
        pattern=r"round (\d+) of (\d+)",
    )  # fmt: skip
    assert places(positions) == [(2, 0), (4, 1)]
    assert (tracker.planned, tracker.source) == (4, "the progress pattern")


# --- anything at all --------------------------------------------------------------------------

TEXTS = st.one_of(
    st.builds("Epoch {}/{}".format, st.integers(0, 9), st.integers(0, 9)),
    st.builds("Epoch {}/{} loss 0.1".format, st.integers(0, 9), st.integers(0, 9)),
    st.builds("Epoch {} loss 0.5".format, st.integers(0, 20)),
    st.builds(lambda n, total: bar(min(n, total), total), st.integers(0, 30), st.integers(9, 10)),
    st.builds(lambda n: bar(n, 30), st.integers(0, 30)),
    st.builds(lambda n: bar(n, 6, "Epochs: "), st.integers(0, 6)),
    st.builds("{{'loss': 0.1, 'epoch': {}}}".format, st.floats(0, 9)),
    st.builds("Progress: {}%".format, st.integers(0, 100)),
    st.builds("{}/8 ━━━━━━━━━ 1s 3ms/step - loss: 0.3".format, st.integers(0, 8)),
    st.builds("[{}]\ttrain-rmse:0.3".format, st.integers(0, 9)),
    st.builds("step {}/40".format, st.integers(0, 40)),
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.lists(TEXTS, max_size=40), st.sampled_from([None, 1, 3, 6, 10]), st.booleans())
def test_any_lines_give_consistent_positions(texts, planned, clock):
    reader = Reader()
    tracker: ProgressTracker[float] = ProgressTracker(planned, (lambda t: t) if clock else None)
    last, restarts = -1.0, 0
    for t, text in enumerate([*texts, None]):
        positions: list[Position[float]] = []
        for sighting in [] if text is None else reader.feed(1, f"{text}\n".encode()):
            positions += tracker.see(sighting, t)
            if tracker.restarts != restarts:
                last, restarts = -1.0, tracker.restarts
            for place in positions:
                place_of_all = place.done + place.before
                assert place.done > last or (place.done == last and place_of_all.is_integer())
                last = place.done
            positions = []
        if text is None:
            positions = tracker.finish(t)
            last = -1.0 if tracker.restarts != restarts else last
        for place in positions:
            assert place.done > last
            last = place.done
        for place in positions:
            assert place.stamp <= t
            assert place.planned is None or 0 <= place.done <= place.planned
    assert (tracker.source is None) == (last < 0)


# --- what bars mean ---------------------------------------------------------------------------


def drawn(*events, planned=None):
    """Positions of (when, text, whether its line is left) as a terminal gets them."""
    reader, positions = Reader(), []
    tracker: ProgressTracker[float] = ProgressTracker(planned, lambda t: t)
    for t, text, left in events:
        for sighting in reader.feed(2, f"\r{text}{chr(10) if left else ''}".encode()):
            positions += tracker.see(sighting, t)
    return positions, tracker


def test_steps_that_run_across_epochs_do_not_fill_the_first_one():
    lines = [(0, bar(0, 200, "steps: "), False)]
    for epoch in range(5):
        lines.append((epoch * 40, f"epoch {epoch + 1}/5", True))
        lines += [
            (n, bar(n, 200, "steps: "), False) for n in range(epoch * 40 + 1, epoch * 40 + 41)
        ]
    positions, _ = drawn(*lines)
    done = {p.stamp: p.done for p in positions}
    assert done[34] == pytest.approx(0.85)
    assert done[100] == pytest.approx(2.5, abs=0.01)
    assert {p.planned for p in positions if p.stamp > 0} == {5}
    # Known from the first end of an epoch on, too, where the number of epochs is not printed.
    without = [(t, text.replace("/5", ""), left) for t, text, left in lines]
    positions, _ = drawn(*without, planned=5)
    assert {p.stamp: p.done for p in positions}[100] == pytest.approx(2.5, abs=0.01)


def test_steps_of_each_epoch_fill_it_though_their_number_divides():
    lines = []
    for epoch in range(5):
        lines.append((epoch * 20, f"epoch {epoch + 1}/5", True))
        lines += [(epoch * 20 + n / 2, bar(n, 40), n == 40) for n in range(41)]
    positions, _ = drawn(*lines)
    assert {p.stamp: p.done for p in positions}[10] == pytest.approx(0.5)
    assert {p.stamp: p.done for p in positions}[50] == pytest.approx(2.5)


def test_a_bar_without_a_total_is_within_its_epoch():
    lines = [
        (40 * epoch + n, f"Epoch {epoch}: |      | {n}/? [00:01<00:00, 9.8it/s]", False)
        for epoch in range(5)
        for n in range(40)
    ]
    positions, _ = drawn(*lines, planned=5)
    assert max(p.done for p in positions if p.stamp < 40) == 0
    assert [p.stamp for p in positions if p.done == 1] == [40]
    # The first epoch shows how many steps the others have.
    assert {p.stamp: p.done for p in positions}[60] == pytest.approx(1.5, abs=0.05)
    assert max(p.done for p in positions) < 5


def test_an_epoch_ends_once_when_its_bar_closes():
    lines = []
    for k in range(3):
        lines += [(10 * k + n, bar(n, 8, f"Train {k + 1}/3: "), False) for n in range(9)]
        lines += [(10 * k + 9, bar(8, 8, f"Train {k + 1}/3: "), True)]
    positions, tracker = drawn(*lines)
    assert [(p.stamp, p.done) for p in positions if p.done == int(p.done)] == [
        (0, 0), (9, 1), (10, 1), (19, 2), (20, 2), (29, 3)
    ]  # fmt: skip
    assert {p.planned for p in positions} == {3}
    assert tracker.finish(100) == []
    assert tracker.restarts == 0


def test_a_full_bar_that_is_cleared_ends_the_last_epoch():
    lines = [
        (10 * k + n, bar(n, 8, f"Train {k + 1}/3: "), False) for k in range(3) for n in range(9)
    ]
    positions, tracker = drawn(*lines)
    assert [p.stamp for p in positions if p.done == 2] == [20]
    (last,) = tracker.finish(100)
    assert (last.done, last.stamp) == (3, 28)


def test_validation_lies_between_epochs():
    lines = []
    for k in range(2):
        lines += [(20 * k + n, bar(n, 8, f"Epoch {k + 1}/2: "), n == 8) for n in range(9)]
        lines += [(20 * k + 9 + n, bar(n, 5, "Validating: "), n == 5) for n in range(6)]
    positions, tracker = drawn(*lines)
    ends = [(p.stamp, p.done) for p in positions if p.done in (1, 2)]
    assert ends[0] == (8, 1)
    assert [stamp for stamp, done in ends if done == 1][-1] == 20
    assert next(stamp for stamp, done in ends if done == 2) == 28
    assert tracker.finish(90) == []


@pytest.mark.parametrize("first", [[(0, 150)], [(0, 0), (0.2, 151)]])
def test_steps_done_before_this_run_are_no_work_of_it(first):
    lines = [(t, bar(n, 200), False) for t, n in [*first, (1, 152), (2, 153), (26, 175), (50, 199)]]
    positions, tracker = drawn(*lines)
    done = {p.stamp: p.done / p.planned for p in positions}
    assert done[26] == pytest.approx(0.5, abs=0.02)
    assert tracker.source == "tqdm's bar"
    positions, _ = drawn(*lines, planned=4)
    last = positions[-1]
    assert (last.before, last.planned) == (pytest.approx(3, abs=0.05), pytest.approx(1, abs=0.05))


def test_a_resumed_bar_continues_with_its_epoch():
    lines = [
        (10 * k + n, bar(n, 8, f"Epoch {k + 7}/10: "), False) for k in range(4) for n in range(9)
    ]
    positions, _ = drawn(*lines)
    assert {(p.planned, p.before) for p in positions} == {(4, 6)}
    assert {p.stamp: p.done for p in positions}[14] == pytest.approx(1.5)


@pytest.mark.parametrize(("first", "before"), [(0, 2), (5, 1)])
def test_logs_from_step_0_count_epochs_from_0(first, before):
    lines = [
        (10 * k + n, f"Epoch: [{k + 2}]  [ {n}/16]  eta: 0:00:00  loss: 1.4 (1.4)")
        for k in range(4)
        for n in range(first, 16, 5)
    ]
    positions, _ = run(*lines, planned=6)
    assert {(p.before, p.planned) for p in positions} == {(before, 6 - before)}


def test_a_validation_bar_under_the_label_of_its_epoch():
    lines = []
    for k in range(3):
        for total, start in ((16, 0), (6, 16)):
            lines += [
                (30 * k + start + n, f"Epoch {k + 1}/3 : |##-| 1.0% [{n}/{total} 00:01<00:01]", 0)
                for n in range(total + 1)
            ]
    positions, tracker = drawn(*lines)
    done = {p.stamp: p.done for p in positions}
    assert (done[8], done[38], done[76]) == (0.5, 1.5, pytest.approx(3, abs=0.01))
    assert not [stamp for stamp in done if 17 <= stamp < 30]
    assert tracker.source == "fastai's bar"


def test_the_length_of_the_first_epoch_is_that_of_bars_without_a_total():
    lines = [
        (20 * k + n, f"Epoch {k}: {n}it [00:04, 9.8it/s]", 0) for k in range(3) for n in range(17)
    ]
    positions, _ = drawn(*lines, planned=3)
    assert {p.stamp: p.done for p in positions}[28] == pytest.approx(1.5, abs=0.05)


def test_log_lines_of_a_resumed_run():
    positions, _ = run(*((s, f"Iter(train) [{1500 + 10 * s}/2000] loss: 1") for s in range(1, 51)))
    done = {p.stamp: p.done / p.planned for p in positions}
    assert done[25] == pytest.approx(0.5, abs=0.02)


def test_announced_totals_are_those_of_lines_without_one():
    positions, _ = run(
        (0, "train_cfg = dict(max_epochs=4, type='EpochBasedTrainLoop')"),
        *(
            (10 * k + n, f"Epoch(train) [{k + 1}][{n}/10] loss: 1")
            for k in range(4)
            for n in (5, 10)
        ),
    )
    assert {p.planned for p in positions} == {4}
    positions, _ = run(
        (0, "Overriding: max_iters = 200"), *((n, f"iter {n}: loss 2.1") for n in range(0, 201, 10))
    )
    assert {p.stamp: p.done for p in positions}[100] == pytest.approx(0.5)


def test_steps_beyond_those_of_an_epoch_show_that_there_are_none():
    lines = [(n, f"Epoch(train) [1][{n}/16] loss: 1") for n in range(5, 96, 5)]
    _, tracker = run(*lines)
    assert (tracker.source, tracker.finish(100)) == (None, [])
    assert run(*lines[:3])[1].source is not None


def test_a_bar_inside_epochs_that_show_their_steps_is_a_phase():
    lines = []
    for k in range(2):
        lines += [(10 * k + n, bar(n, 6, f"Epoch {k + 1}/2: "), n == 6) for n in range(7)]
        lines += [(10 * k + 7, bar(1, 1), True)]
    positions, _ = drawn(*lines)
    assert {p.stamp: p.done for p in positions}[13] == pytest.approx(1.5)


def test_a_bar_with_as_many_steps_as_epochs_inside_the_run_is_a_phase():
    lines = []
    for k in range(6):
        lines += [(20 * k + n, bar(16 * k + n, 96), False) for n in range(17)]
        lines += [(20 * k + 17, bar(n, 6), n == 6) for n in range(7)]
    positions, tracker = drawn(*lines, planned=6)
    assert tracker.restarts == 0
    assert {p.stamp: p.done for p in positions}[28] == pytest.approx(1.5)


def test_a_jump_is_known_by_its_speed():
    lines = [(t, bar(n, 96), False) for t, n in [(2, 0), (2.1, 34), (4, 62), (5, 75)]]
    positions, _ = drawn(*lines)
    assert positions[-1].done / positions[-1].planned == pytest.approx((75 - 34) / (96 - 34))
