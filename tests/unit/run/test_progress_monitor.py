"""Messages during a run: its epochs, its budget, its early stopping."""

import re

import pytest

from fakes.meters import FunctionMeter, header
from joulecast.forecasting.early_stopping.rule import EarlyStopping
from joulecast.recording.events import EventTracker
from joulecast.recording.made_forecasts import ForecastRecord
from joulecast.recording.memory import MemorySink
from joulecast.recording.model import Status
from joulecast.recording.recorder import Recorder
from joulecast.run.budget import Budget
from joulecast.run.progress_monitor import ProgressMonitor
from joulecast.run.run_options import RunOptions


class Run:
    """A training that draws 100 W, and its messages."""

    def __init__(self, clock, **options):
        self.clock, self.lines, self.shown, self.stops = clock, [], [], 0
        meter = FunctionMeter(clock, lambda t: 100 * t)
        self.recorder = Recorder(
            header([meter]),
            *([meter], MemorySink(), clock),
            on_position=self._on_position,
            on_tick=self._tick,
        )
        self.monitor = ProgressMonitor(
            *(RunOptions("a run", **options), self.recorder, self.lines.append),
            lambda state, budget: self.shown.append((state, budget)),
            self.stop,
        )
        self.recorder.start(threads=False)

    def _on_position(self, position):
        self.monitor.update(position)

    def _tick(self):
        self.monitor.poll()

    def stop(self):
        self.stops += 1

    def wait(self, seconds):
        for _ in range(round(seconds / 0.1)):
            self.clock.now += 0.1
            self.recorder.tick()

    def epochs(self, n, metrics=None):
        tracker = EventTracker(self.recorder)
        for _ in tracker.epochs(n):
            self.wait(1)
            tracker.log(**(metrics or {}))
        self.wait(0.2)


def test_a_line_for_each_epoch_where_it_is_live(clock):
    run = Run(clock, live=True)
    run.epochs(3)
    assert [line.split(":")[0] for line in run.lines] == [
        "epoch 1 of 3",
        "epoch 2 of 3",
        "epoch 3 of 3",
    ]
    assert ["; forecast " in line for line in run.lines] == [True, True, False]


def test_early_stopping_by_a_metric_never_logged_is_one_warning(clock):
    run = Run(clock, live=True, early_stopping=EarlyStopping("val_los", 2))
    run.epochs(5, {"val_loss": 1.0, "lr": 0.1})
    (warning,) = [line for line in run.lines if "early stopping" in line]
    assert re.findall(r"val_\w+|\blr\b", warning) == ["val_los", "lr", "val_loss"]
    assert not any("may stop" in line for line in run.lines)
    assert run.monitor.state().early_stop is None
    assert warning in run.recorder.warnings


def test_early_stopping_is_foreseen_until_the_last_epoch(clock):
    run = Run(clock, live=True, early_stopping=EarlyStopping("val_loss", 2))
    run.epochs(4, {"val_loss": 1.0})
    assert ["may stop" in line for line in run.lines] == [True, True, True, False]


def test_a_budget_exceeded_shortly_before_the_end_is_reported_at_the_end(clock):
    run = Run(clock, budget=Budget("10J"))
    run.wait(0.3)
    assert not run.lines
    run.recorder.stop(Status.FINISHED)
    assert run.lines == run.monitor.messages == run.recorder.warnings
    assert re.findall(r"[\d.]+ J", run.lines[0])[0] == "10 J"
    assert run.stops == 1


def test_the_power_shown_is_that_of_the_meters_from_the_first_update_on(clock):
    run = Run(clock)
    run.wait(3.05)
    watts = [state.power_w for state, _ in run.shown if state.power_w is not None]
    assert watts == pytest.approx([100] * len(watts)) and len(watts) >= 5


class Printed(Run):
    """The same, whose output is read."""

    def __init__(self, clock, **options):
        super().__init__(clock, live=True, reads_output=True, **options)

    def prints(self, text):
        self.monitor.read_output(1, f"{text}\n".encode(), self.clock())
        self.wait(0.5)

    def ends(self):
        self.monitor.finish()
        self.recorder.stop(Status.FINISHED)
        return self.monitor.remark


def test_no_progress_in_the_output_is_one_remark(clock):
    run = Printed(clock)
    run.prints("working")
    remark = run.ends()
    assert "--progress-pattern" in remark
    assert run.recorder.warnings == [remark]


def test_the_forecast_of_a_run_without_epochs_is_printed_at_each_quarter(clock):
    run = Printed(clock)
    for n in range(10, 101, 10):
        run.prints(f"step {n}/100: loss 2.0")
    assert [line.split(" %")[0] for line in run.lines] == ["30", "50", "80"]
    assert all("; forecast " in line for line in run.lines)
    remark = run.ends()
    assert "step 100/5000" in remark and run.recorder.warnings == [remark]


def test_the_source_of_epochs_is_stated_where_there_are_some(clock):
    run = Printed(clock)
    for epoch in range(3):
        run.prints(f"Epoch {epoch + 1}/3 - loss: 0.3")
    assert run.ends() is None
    assert ["number the epochs" in w for w in run.recorder.warnings] == [True]
    assert [line.split(":")[0] for line in run.lines][-1] == "epoch 3 of 3"


def test_the_forecast_after_each_epoch_is_kept(clock):
    run = Run(clock)
    run.epochs(5)
    kept = run.recorder.forecasts
    assert [f.done for f in kept] == [1, 2, 3, 4]
    assert [f.planned for f in kept] == [5] * 4
    assert all(f.low < f.value < f.high for f in kept)
    assert kept[-1].value == pytest.approx(500, rel=0.05)
    assert [f.width for f in kept] == [1] * 4


def test_intervals_follow_the_record_of_earlier_runs(clock):
    run = Run(clock)
    tracker = EventTracker(run.recorder)
    epochs = tracker.epochs(6)
    for _ in range(3):
        next(epochs)
        run.wait(1)
    before = run.monitor.state()
    run.monitor.use_record(None)
    assert run.monitor.state() == before
    run.monitor.use_record(ForecastRecord(50, 35, 2.0))
    after = run.monitor.state()
    # The meter's own error is added to both.
    assert after.total_energy.high - after.total_energy.value > 1.2 * (
        before.total_energy.high - before.total_energy.value
    )
    assert after.total_energy.value == before.total_energy.value
    assert any("2.00 times as wide" in note for note in after.notes)
    assert after.total_duration == before.total_duration
