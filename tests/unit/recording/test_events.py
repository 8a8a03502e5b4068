import threading

import pytest

from joulecast.errors import UsageError
from joulecast.recording.events import EventTracker, NoEvents


class Journal(NoEvents):
    def __init__(self):
        self.entries, self.count, self.lock = [], 0, threading.Lock()

    def begin(self, kind, name, index, parent):
        with self.lock:
            self.count += 1
            self.entries.append(("begin", self.count, kind, name, index, parent))
            return self.count

    def end(self, span):
        self.entries.append(("end", span))

    def metric(self, name, value, span):
        self.entries.append(("metric", name, value, span))

    def plan(self, epochs):
        self.entries.append(("plan", epochs))

    def warn(self, text):
        self.entries.append(("warn", text))


def tracker():
    journal = Journal()
    return EventTracker(journal), journal


def test_epochs_are_planned_numbered_and_closed_also_when_left_early():
    t, journal = tracker()
    for epoch in t.epochs(5):
        if epoch == 1:
            break
    assert journal.entries == [
        ("plan", 5),
        ("begin", 1, "epoch", "epoch 0", 0, None),
        ("end", 1),
        ("begin", 2, "epoch", "epoch 1", 1, None),
        ("end", 2),
    ]


@pytest.mark.parametrize(("n", "start", "numbers"), [(0, 0, []), (3, 1, [1, 2]), (2, 5, [])])
def test_no_epochs_and_resumed_ones(n, start, numbers):
    t, journal = tracker()
    assert list(t.epochs(n, start)) == numbers
    assert journal.entries[0] == ("plan", len(numbers))


def test_endless_epochs():
    t, journal = tracker()
    for epoch in t.epochs():
        if epoch == 50:
            break
    assert not [e for e in journal.entries if e[0] == "plan"]


def test_spans_nest_and_metrics_go_to_the_innermost():
    t, journal = tracker()
    for _ in t.epochs(1):
        with t.span("validate"):
            t.log(accuracy=0.5)
        t.log(loss=1)
    t.log(final=2)
    assert ("begin", 2, "phase", "validate", None, 1) in journal.entries
    metrics = [e for e in journal.entries if e[0] == "metric"]
    assert metrics == [
        ("metric", "accuracy", 0.5, 2),
        ("metric", "loss", 1.0, 1),
        ("metric", "final", 2.0, None),
    ]


def test_a_span_is_closed_when_its_block_raises():
    t, journal = tracker()
    with pytest.raises(KeyError), t.span("broken"):
        raise KeyError
    assert journal.entries[-1] == ("end", 1)


def test_threads_nest_by_themselves_and_stand_in_the_main_threads_span():
    t, journal = tracker()
    barrier = threading.Barrier(8)

    def work(i):
        t.log(early=i)
        with t.span(f"thread {i}"):
            barrier.wait()
            t.log(inside=i)

    with t.span("outer"):
        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    begun = {e[3]: e for e in journal.entries if e[0] == "begin"}
    assert {begun[f"thread {i}"][5] for i in range(8)} == {begun["outer"][1]}
    for i in range(8):
        assert ("metric", "early", float(i), begun["outer"][1]) in journal.entries
        assert ("metric", "inside", float(i), begun[f"thread {i}"][1]) in journal.entries


def test_metrics_that_are_no_number_are_refused_and_nan_is_dropped():
    t, journal = tracker()
    for bad in ("good", None, 10**400, 10**9000):
        with pytest.raises(UsageError, match="accuracy"):
            t.log(accuracy=bad)
    t.log(loss=float("nan"))
    ((kind, message),) = journal.entries
    assert kind == "warn" and "loss" in message and "nan" in message


def test_steps_report_the_part_of_the_epoch_done(clock):
    parts = []

    class Events(NoEvents):
        def step(self, part):
            parts.append(part)

    tracker = EventTracker(Events(), clock)
    for _ in tracker.steps(range(8)):
        clock.now += 0.06
    assert parts == [0.25, 0.5, 0.75]  # no more often than ten times a second
    # Of an iterator of unknown length nothing is reported.
    assert list(tracker.steps(iter("abc"))) == ["a", "b", "c"]
    assert parts == [0.25, 0.5, 0.75]
    assert list(tracker.steps([])) == []


def test_redirected_it_keeps_what_is_open():
    t, journal = tracker()
    with t.span("call", "run"):
        t.redirect(later := Journal())
        later.count = 10
        with t.span("epoch 0", "epoch", 0):
            t.log(accuracy=0.5)
    assert journal.entries == [("begin", 1, "run", "call", None, None)]
    assert later.entries == [
        ("begin", 11, "epoch", "epoch 0", 0, 1),
        ("metric", "accuracy", 0.5, 11),
        ("end", 11),
        ("end", 1),
    ]
