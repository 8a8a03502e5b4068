"""What a command prints, through the recorder, as places reached and epochs kept."""

from dataclasses import replace

import pytest

from fakes.meters import FunctionMeter, header
from joulecast.recording.events import EventTracker
from joulecast.recording.memory import MemorySink
from joulecast.recording.model import Status
from joulecast.recording.recorder import Recorder
from joulecast.recording.summary import summarize
from joulecast.run.output_progress import OutputProgress


class Run:
    """A command that draws 100 W and prints on request."""

    def __init__(self, clock, planned=None, pattern=None, command=()):
        self.clock, self.sink, self.places = clock, MemorySink(), []
        meter = FunctionMeter(clock, lambda t: 100 * t)
        known = replace(header([meter]), command=list(command))
        self.recorder = Recorder(known, [meter], self.sink, clock)
        self.printed = OutputProgress(self.recorder, self.places.append, planned, pattern)
        self.recorder.start(threads=False)

    def wait(self, seconds):
        for _ in range(round(seconds / 0.1)):
            self.clock.now += 0.1
            self.recorder.tick()
            self.printed.settle()

    def prints(self, text):
        self.printed.feed(1, text.encode(), self.clock())

    def ends(self, status=Status.FINISHED):
        self.printed.finish(succeeded=status is Status.FINISHED)
        self.recorder.stop(status)
        return summarize(self.sink.recording())


def test_headers_make_epochs_with_their_energy_and_metrics(clock):
    run = Run(clock)
    run.wait(2)  # set-up
    for epoch in range(3):
        run.prints(f"Epoch {epoch + 1}/3\n")
        run.wait(1)
        run.prints(f"Epoch {epoch + 1}/3: loss: 0.{9 - epoch}\n")
    epochs = run.ends().epochs
    assert [e.duration_s for e in epochs] == pytest.approx([1, 1, 1], abs=0.11)
    assert [e.energy.value for e in epochs] == pytest.approx([100] * 3, rel=0.11)
    assert [e.metrics["loss"] for e in epochs] == [0.9, 0.8, 0.7]
    assert [p.done for p in run.places if p.done == int(p.done)] == [0, 1, 2, 3]
    assert {(p.planned, p.source) for p in run.places} == {(3, "lines that number the epochs")}


def test_where_only_ends_are_printed_the_first_epoch_holds_all_before_it(clock):
    run = Run(clock)
    for epoch in range(4):
        run.wait(2)
        run.prints(f"Epoch {epoch + 1}/4 loss: 0.5\n")
    assert [e.duration_s for e in run.ends().epochs] == pytest.approx([2, 2, 2, 2], abs=0.11)
    assert run.places[-1].done == 4


def test_lines_that_come_at_once_are_one_place(clock):
    run = Run(clock)
    run.wait(8)
    run.prints("".join(f"Epoch {n}/8 loss: 0.5\n" for n in range(1, 5)))
    run.wait(8)
    run.prints("".join(f"Epoch {n}/8 loss: 0.5\n" for n in range(5, 9)))
    assert run.ends().epochs == []  # their starts are unknown
    assert [(p.done, p.t_s) for p in run.places] == [(4, pytest.approx(8)), (8, pytest.approx(16))]


def test_a_loop_that_begins_again_is_another_count(clock):
    run = Run(clock)
    for _fold in range(2):
        for epoch in range(3):
            run.prints(f"Epoch {epoch + 1}/3\n")
            run.wait(1)
    epochs = run.ends().epochs
    assert [(p.count, p.done) for p in run.places if p.done == int(p.done)] == [
        (count, done) for count in (0, 1) for done in range(4)
    ]
    assert [e.span.index for e in epochs] == [0, 1, 2] * 2
    assert [e.duration_s for e in epochs] == pytest.approx([1] * 6, abs=0.11)


def test_output_of_a_training_that_logs_epochs_is_not_read(clock):
    run = Run(clock)
    for epoch in EventTracker(run.recorder).epochs(3):
        run.prints(f"Epoch {epoch + 1}/3\n")
        run.wait(1)
    assert len(run.ends().epochs) == 3
    assert run.places == []


def bar(n, total, label=""):
    return f"\r{label}{100 * n // total:3d}%|##  | {n}/{total} [00:01<00:02,  3.1it/s]"


def test_validation_and_what_follows_the_last_bar_lie_outside_the_epochs(clock):
    run = Run(clock)
    run.wait(1)
    for epoch in range(3):
        for n in range(5):
            run.prints(bar(n, 4, f"Train {epoch + 1}/3: ") + ("\n" if n == 4 else ""))
            run.wait(0.5)
        run.prints(bar(0, 2, "Validating: "))
        run.wait(1)
    run.wait(4)
    summary = run.ends()
    assert [e.span.index for e in summary.epochs] == [0, 1, 2]
    assert [e.duration_s for e in summary.epochs] == pytest.approx([2] * 3, abs=0.21)
    outside = summary.outside_epochs
    parts = [outside.before.duration_s, outside.between.duration_s, outside.after.duration_s]
    assert parts == pytest.approx([1, 3, 5.5], abs=0.3)
    # A line that may go on lasts until the next one; nothing follows the third.
    assert outside.phases["validation"].duration_s == pytest.approx(2, abs=0.1)
    total = sum(e.energy.value for e in summary.epochs) + outside.energy.value
    assert total == pytest.approx(summary.total.value)


def test_epochs_of_a_bar_over_the_run_are_recorded_once_they_are_certain(clock):
    run = Run(clock, planned=4)
    for n in range(41):
        run.prints(bar(n, 40, "steps: ") + ("\n" if n == 40 else ""))
        run.wait(0.1)
    assert not [p for p in run.places if p.epoch]
    run.wait(2)
    epochs = run.ends().epochs
    assert [e.duration_s for e in epochs] == pytest.approx([1] * 4, abs=0.11)
    assert [p.epoch.span.index for p in run.places if p.epoch] == [0, 1, 2, 3]


def test_steps_of_a_run_without_epochs_are_no_epoch(clock):
    run = Run(clock)
    for n in range(10, 201, 10):
        run.prints(f"Iter(train) [{n}/200] loss: 1\n")
        run.wait(0.3)
    assert run.ends().epochs == []
    assert [p.done for p in run.places] == pytest.approx([n / 200 for n in range(10, 201, 10)])


def test_epochs_of_a_resumed_training_keep_their_numbers(clock):
    run = Run(clock)
    for epoch in range(7, 10):
        for n in range(4):
            run.prints(f"Epoch [{epoch}/9], Step [{n + 1}/4], loss: 0.5\n")
            run.wait(0.5)
    assert [e.span.index for e in run.ends().epochs] == [6, 7, 8]
    assert {(p.before, p.planned) for p in run.places} == {(6, 3)}


def test_an_epoch_ends_between_two_lines_and_the_last_one_before_what_follows(clock):
    run = Run(clock)
    for epoch in range(3):
        run.wait(0.5)
        for n in (5, 15):
            run.prints(f"Train: [{epoch}/3][{n}/20] loss 0.5\n")
            run.wait(1 if n == 5 else 0.5)
    run.wait(5)
    epochs = run.ends().epochs
    # 2 s each; the first step of the first epoch is not known.
    assert [e.duration_s for e in epochs[1:]] == pytest.approx([2, 2], abs=0.25)
    assert epochs[1].energy.value == pytest.approx(200, rel=0.15)


@pytest.mark.parametrize("draws", [(34, 40, 50, 60), (33, 65, 79)])
def test_epochs_before_a_jump_of_a_resumed_bar_are_not_those_of_this_run(clock, draws):
    run = Run(clock, planned=6)
    run.prints(bar(0, 96))
    run.wait(0.1)
    for before, n in zip((draws[0], *draws), draws, strict=False):
        run.wait((n - before) / 16)
        run.prints(bar(n, 96))
    for n in range(draws[-1] + 1, 97):
        run.wait(0.1)
        run.prints(bar(n, 96) + ("\n" if n == 96 else ""))
    assert [e.span.index for e in run.ends().epochs] == [2, 3, 4, 5]


def test_phases_are_spans_from_their_first_line_to_their_last(clock):
    run = Run(clock)
    for epoch in range(2):
        for n in range(5):
            run.prints(bar(n, 4, f"Train {epoch + 1}/2: ") + ("\n" if n == 4 else ""))
            run.wait(0.5)
        for n in range(3):
            run.prints(bar(n, 2, "Valid: ") + ("\n" if n == 2 else ""))
            run.wait(1)
    run.prints("Epoch(test) [2/2] accuracy: 0.9\n")
    run.wait(1)
    summary = run.ends()
    names = [(s.span.kind, s.span.name) for s in summary.spans]
    assert names == [("phase", "validation"), ("phase", "validation"), ("phase", "test")]
    # A phase whose first line shows work lasts since the line before it.
    assert [s.duration_s for s in summary.spans] == pytest.approx([2, 2, 1], abs=0.01)
    phases = summary.outside_epochs.phases
    assert phases["validation"].energy.value == pytest.approx(400, rel=0.05)
    assert list(phases) == ["validation", "test"]


def header_and_steps(run, epochs, steps=5):
    for epoch in range(epochs):
        for n in range(5 if epoch < epochs - 1 else steps):
            run.prints(bar(n, 4, f"Train {epoch + 1}/6: ") + ("\n" if n == 4 else ""))
            run.wait(0.5)


@pytest.mark.parametrize("status", [Status.CANCELED, Status.STOPPED, Status.FAILED])
def test_an_epoch_that_is_broken_off_has_no_end(clock, status):
    run = Run(clock)
    header_and_steps(run, 3, steps=3)
    summary = run.ends(status)
    assert [(e.span.index, e.span.end_s is None) for e in summary.epochs] == [
        (0, False), (1, False), (2, True)
    ]  # fmt: skip
    assert len(summary.complete_epochs) == 2
    assert summary.epochs[2].energy.value == pytest.approx(150, rel=0.1)
    assert summary.outside_epochs.after.duration_s == 0
    assert not [p for p in run.places if p.epoch and p.epoch.span.index == 2]


def test_a_run_that_is_stopped_between_epochs_leaves_none_unfinished(clock):
    run = Run(clock)
    header_and_steps(run, 3)
    for n in range(2):
        run.prints(bar(n, 4, "Valid: "))
        run.wait(0.5)
    summary = run.ends(Status.CANCELED)
    assert [(e.span.index, e.span.end_s is None) for e in summary.epochs] == [
        (0, False), (1, False), (2, False)
    ]  # fmt: skip
    run = Run(clock)
    header_and_steps(run, 6)
    run.wait(2)
    summary = run.ends(Status.CANCELED)
    assert len(summary.epochs) == len(summary.complete_epochs) == 6


@pytest.mark.parametrize("option", [["model.max_iters=200"], ["--max-iters", "200"]])
def test_totals_among_the_options_of_the_command(clock, option):
    run = Run(clock, command=["python", "main.py", "--epochs", "4", "--warmup-epochs=2"])
    for epoch in range(2):
        for n in (5, 10):
            run.prints(f"Epoch: [{epoch}][{n}/10] Loss 1.0\n")
            run.wait(0.5)
    assert {p.planned for p in run.places} == {4}
    run = Run(clock, command=["python", "train.py", *option])
    for n in range(0, 101, 10):
        run.prints(f"iter {n}: loss 2.1, time 30.0ms\n")
        run.wait(0.5)
    assert run.places[-1].done == pytest.approx(0.5)


def test_steps_without_a_total_are_counted(clock):
    run = Run(clock)
    assert run.printed.steps is None
    for n in range(1000, 1101, 10):
        run.prints(f"iter {n}: loss 2.1, time 30.0ms\n")
        run.wait(0.5)
    assert run.places == []
    assert run.printed.steps == (1100, pytest.approx(20, rel=0.05))


def test_a_phase_that_meters_do_not_resolve_is_none(clock):
    run = Run(clock)
    header_and_steps(run, 2)
    run.prints(bar(0, 2, "Valid: "))
    clock.now += 0.05
    run.prints(bar(2, 2, "Valid: ") + "\n")
    run.wait(1)
    assert run.ends().spans == []
