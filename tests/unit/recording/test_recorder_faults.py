"""Errors of meters, threads and callbacks must not end a recording."""

import threading

import pytest

from fakes.meters import FunctionMeter, header, source
from joulecast.meters.base import ReadingKind
from joulecast.recording.memory import MemorySink
from joulecast.recording.model import Status
from joulecast.recording.recorder import Recorder
from joulecast.recording.summary import summarize


def advance(recorder, clock, seconds, step=0.1):
    for _ in range(round(seconds / step)):
        clock.now += step
        recorder.tick()


def record(clock, meters):
    sink = MemorySink()
    recorder = Recorder(header(meters), meters, sink, clock)
    recorder.start(threads=False)
    return recorder, sink


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("until", [2.3, 8.0])
def test_readings_that_are_no_numbers_are_left_out(clock, value, until):
    meter = FunctionMeter(
        clock, lambda t: value if 2 < t < until else 50.0, source(kind=ReadingKind.POWER)
    )
    recorder, sink = record(clock, [meter])
    advance(recorder, clock, 10)
    recorder.stop(Status.FINISHED)
    summary = summarize(sink.recording())
    seen = 10 if until < 3 else 10 - 6
    assert summary.total.value == pytest.approx(seen * 50, rel=0.03)
    assert len(summary.recording.gaps) == (until > 3)


def test_a_meter_that_cannot_even_be_closed_ends_nothing(clock):
    class Stuck(FunctionMeter):
        def close(self):
            raise RuntimeError("the handle is gone")

    lost = Stuck(clock, lambda t: t, source("gpu:0"), lost_after_s=1.0)
    open_ = Stuck(clock, lambda t: t, source("gpu:1"))
    recorder, sink = record(clock, [lost, open_])
    advance(recorder, clock, 3)
    recorder.stop(Status.FINISHED)
    assert "the handle is gone" in sink.recording().gaps[0].reason
    assert any("gpu:1" in w and "the handle is gone" in w for w in sink.recording().warnings)


def test_errors_of_callbacks_end_nothing(clock):
    def fault(*_):
        raise KeyError("a fault")

    meter, sink = FunctionMeter(clock, lambda t: t), MemorySink()
    recorder = Recorder(header([meter]), [meter], sink, clock, on_position=fault, on_tick=fault)
    recorder.start(threads=False)
    recorder.end(recorder.begin("epoch", "", 0))
    advance(recorder, clock, 1)
    recorder.stop(Status.FINISHED)
    assert meter.reads == 12
    assert any("a fault" in w for w in sink.recording().warnings)


def test_a_driver_that_hangs_holds_up_neither_the_end_nor_the_figures(clock):
    entered, release = threading.Event(), threading.Event()

    class Hanging(FunctionMeter):
        def read(self):
            if self.reads == 3:
                entered.set()
                release.wait()
            return super().read()

    hanging = Hanging(clock, lambda t: t)
    meter, sink = FunctionMeter(clock, lambda t: t, source("cpu:0")), MemorySink()
    recorder = Recorder(header([meter, hanging]), [meter, hanging], sink, clock)
    recorder.start()
    span = recorder.begin("phase", "x")
    while not entered.wait(0.02):
        clock.now += 0.1
    clock.now += 4
    assert recorder.energy is not None
    assert recorder._sampler.hanging() is None  # it may still come
    clock.now += 4
    recorder.stop(Status.FINISHED)
    sampling = recorder._sampling
    release.set()
    sampling.join()
    recording = sink.recording()
    assert any(w.startswith("gpu:0: ") for w in recording.warnings)
    assert {g.domain for g in recording.gaps} == {"gpu:0", "cpu:0"}
    assert [(s.id, s.end_s) for s in recording.spans] == [(span, recording.duration_s)]
    assert meter.closed
    assert hanging.closed


def test_where_no_thread_can_be_started_the_run_goes_on(clock, monkeypatch):
    def start(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    meter, sink = FunctionMeter(clock, lambda t: 10 * t), MemorySink()
    recorder = Recorder(header([meter]), [meter], sink, clock)
    recorder.start()
    clock.now += 10
    recorder.stop(Status.FINISHED)
    assert summarize(sink.recording()).total.value == pytest.approx(100)
    assert any("can't start new thread" in w for w in sink.recording().warnings)
