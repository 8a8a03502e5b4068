from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from fakes.gauges import FunctionGauge
from fakes.meters import FunctionMeter, header, source
from joulecast.errors import LedgerError
from joulecast.estimate import Provenance
from joulecast.ledger import open_ledger
from joulecast.meters.base import ReadingKind
from joulecast.recording.events import EventTracker
from joulecast.recording.memory import MemorySink
from joulecast.recording.model import Status
from joulecast.recording.recorder import Recorder
from joulecast.recording.sampler import Sampler
from joulecast.recording.summary import summarize


def advance(recorder, clock, seconds, step=0.1):
    for _ in range(round(seconds / step)):
        clock.now += step
        recorder.tick()


def record(clock, meters, **more):
    sink = MemorySink()
    epochs = []

    def reached(place):
        if place.epoch is not None:
            epochs.append(place.epoch)

    recorder = Recorder(header(meters, **more), meters, sink, clock, on_position=reached)
    recorder.start(threads=False)
    return recorder, sink, epochs


def test_two_domains_are_summed_with_independent_errors(clock):
    gpu = FunctionMeter(clock, lambda t: 100 * t)
    cpu = FunctionMeter(clock, lambda t: 20.0, source("cpu:0", ReadingKind.POWER))
    recorder, sink, _ = record(clock, [gpu, cpu])
    advance(recorder, clock, 10)
    recorder.stop(Status.FINISHED, 0)
    summary = summarize(sink.recording())
    assert summary.total.value == pytest.approx(1200)
    by_domain = {d.source.domain: d.energy.value for d in summary.domains}
    assert by_domain == {"gpu:0": pytest.approx(1000), "cpu:0": pytest.approx(200)}
    assert summary.total.high - 1200 == pytest.approx(np.hypot(200, 40), rel=0.01)
    assert summary.duration_s == pytest.approx(10)
    recorder.stop(Status.FAILED, 1)  # too late to change anything
    assert sink.recording().status is Status.FINISHED
    assert gpu.closed


def test_epochs_steps_and_phases_get_their_energy_live_and_later(clock):
    meter = FunctionMeter(clock, lambda t: 10 * t**2)
    recorder, sink, epochs = record(clock, [meter])
    for index in range(3):
        epoch = recorder.begin("epoch", f"epoch {index}", index)
        advance(recorder, clock, 1)
        phase = recorder.begin("phase", "validate", parent=epoch)
        advance(recorder, clock, 1)
        recorder.metric("accuracy", 0.5 + index / 10, phase)
        recorder.end(phase)
        recorder.metric("loss", 1.0 - index / 10, epoch)
        recorder.end(epoch)
        clock.now += 0.03  # edges between two rounds
        recorder.flush()
    advance(recorder, clock, 0.2)
    recorder.stop(Status.FINISHED)
    summary = summarize(sink.recording())
    truth = [10 * ((i * 2.03 + 2) ** 2 - (i * 2.03) ** 2) for i in range(3)]
    assert [e.energy.value for e in summary.epochs] == pytest.approx(truth, rel=0.02)
    assert [e.energy.value for e in epochs] == pytest.approx(
        [e.energy.value for e in summary.epochs]
    )
    # What was logged in a span inside an epoch belongs to the epoch too.
    assert [e.metrics for e in summary.epochs] == [
        {"loss": 1.0 - i / 10, "accuracy": 0.5 + i / 10} for i in range(3)
    ]
    assert [s.span.name for s in summary.spans] == ["validate"] * 3
    assert [s.metrics["accuracy"] for s in summary.spans] == [0.5, 0.6, 0.7]
    assert {s.span.parent for s in summary.spans} == {e.span.id for e in summary.epochs}


def test_a_lost_meter_is_marked_and_the_rest_goes_on(clock):
    lost = FunctionMeter(clock, lambda t: 100 * t, lost_after_s=4.0)
    kept = FunctionMeter(clock, lambda t: 10 * t, source("cpu:0"))
    recorder, sink, _ = record(clock, [lost, kept])
    advance(recorder, clock, 10)
    recorder.stop(Status.FINISHED)
    recording = sink.recording()
    assert [(g.domain, g.end_s, g.reason) for g in recording.gaps] == [
        ("gpu:0", None, "it fell off the bus")
    ]
    summary = summarize(recording)
    gpu = next(d for d in summary.domains if d.source.domain == "gpu:0")
    assert gpu.energy.value == pytest.approx(400, rel=0.03)
    assert gpu.energy.high > 900, "what was not seen may have gone on at the same power"
    assert gpu.mean_power_w == pytest.approx(100, rel=0.03)
    assert any("it fell off the bus" in w for w in summary.warnings)
    assert lost.closed


def test_a_fault_in_a_driver_loses_the_meter_not_the_recording(clock):
    def broken(t):
        if t > 1:
            raise ZeroDivisionError("a driver's fault")
        return t

    recorder, sink, _ = record(clock, [FunctionMeter(clock, broken)])
    advance(recorder, clock, 3)
    recorder.stop(Status.FINISHED)
    assert "ZeroDivisionError" in sink.recording().gaps[0].reason


def test_a_silent_power_meter_leaves_a_gap_and_a_counter_does_not(clock):
    power = FunctionMeter(clock, lambda t: 50.0, source("gpu:0", ReadingKind.POWER))
    counter = FunctionMeter(clock, lambda t: 50 * t, source("cpu:0"))
    recorder, sink, _ = record(clock, [power, counter])
    advance(recorder, clock, 2)
    clock.now += 30  # the machine hung
    recorder.tick()
    advance(recorder, clock, 2)
    recorder.stop(Status.FINISHED)
    summary = summarize(sink.recording())
    energies = {d.source.domain: d.energy.value for d in summary.domains}
    assert energies["cpu:0"] == pytest.approx(34 * 50, rel=0.01)
    assert energies["gpu:0"] == pytest.approx(4 * 50, rel=0.01)
    assert [g.domain for g in summary.recording.gaps] == ["gpu:0"]


def test_notes_of_a_meter_are_marked(clock):
    meter = FunctionMeter(clock, lambda t: 50 * t)
    recorder, sink, _ = record(clock, [meter])
    meter.notes.append("the counter was reset")
    advance(recorder, clock, 1)
    recorder.stop(Status.FINISHED)
    assert [g.reason for g in sink.recording().gaps] == ["the counter was reset"]


def test_energy_above_idle_by_domain_and_for_the_whole_machine(clock):
    def run(**more):
        clock.now = 0.0
        gpu = FunctionMeter(clock, lambda t: 100 * t)
        cpu = FunctionMeter(clock, lambda t: 20 * t, source("cpu:0"))
        recorder, sink, _ = record(clock, [gpu, cpu], **more)
        advance(recorder, clock, 10)
        recorder.stop(Status.FINISHED)
        return summarize(sink.recording())

    assert run().above_idle is None
    both = run(idle_power_w={"gpu:0": 30.0, "cpu:0": 5.0})
    assert both.above_idle.value == pytest.approx(1200 - 350)
    assert run(idle_power_w={"total": 40.0}).above_idle.value == pytest.approx(1200 - 400)
    half = run(idle_power_w={"gpu:0": 30.0})
    assert half.above_idle is None
    assert any("cpu:0" in w for w in half.warnings)
    assert not any("cpu:0" in w for w in both.warnings)


def test_a_sink_that_cannot_store_does_not_stop_the_recorder(clock):
    class FullDisk(MemorySink):
        def flush(self, *_):
            raise LedgerError("no space left")

    recorder = Recorder(header([]), [], FullDisk(), clock)
    recorder.start(threads=False)
    recorder.flush()
    recorder.tick()
    recorder.stop(Status.FINISHED)
    assert "no space left" in recorder.warnings[0]


@pytest.mark.parametrize("threads", [False, True])
def test_the_time_to_open_the_sink_is_no_part_of_the_run(clock, threads):
    class Slow(MemorySink):
        def open(self, header):
            clock.now += 3
            super().open(header)

    gpu, load = FunctionMeter(clock, lambda t: 100 * t), FunctionGauge(clock, lambda t: t)
    sink = Slow()
    recorder = Recorder(header([gpu], gauges=[load.source]), [gpu], sink, clock, gauges=[load])
    before = recorder.header.started_at
    recorder.start(threads=threads)
    for _ in range(20):
        clock.now += 0.1
        if not threads:
            recorder.tick()
    recorder.stop(Status.FINISHED, 0)
    recording = sink.recording()
    summary = summarize(recording)
    assert summary.duration_s == pytest.approx(2)
    assert summary.total.value == pytest.approx(200)
    assert recording.header.started_at == recorder.header.started_at == before + 3
    assert recording.samples[load.source.domain].t_s[-1] <= summary.duration_s + 0.1


def test_without_meters_the_energy_is_unknown_not_zero(clock):
    recorder, sink, _ = record(clock, [])
    advance(recorder, clock, 2)
    recorder.stop(Status.FINISHED)
    summary = summarize(sink.recording())
    assert summary.total is None
    assert summary.to_json()["energy"]["total"] is None
    assert any("doctor" in w for w in summary.warnings)


def test_slow_meters_are_read_less_often(clock):
    """One that takes 5 ms of CPU time a read must stay under 1 % of a core."""
    cpu = {"s": 0.0}

    def slow(t):
        cpu["s"] += 0.005
        return t

    meter = FunctionMeter(clock, slow, source(period_s=0.001))
    quick = FunctionMeter(clock, lambda t: t, source("cpu:0", period_s=0.001))
    sampler = Sampler([meter, quick], clock, 0.1, cpu_clock=lambda: cpu["s"])
    for _ in range(1000):
        clock.now += 0.1
        sampler.tick()
    assert cpu["s"] / 100 < 0.01
    assert quick.reads > 900
    assert 50 < meter.reads < 200


def test_a_meter_is_read_no_faster_than_it_updates(clock):
    meter = FunctionMeter(clock, lambda t: t, source(period_s=0.5))
    sampler = Sampler([meter], clock, 0.01, cpu_clock=lambda: 0.0)
    for _ in range(1000):
        clock.now += 0.01
        sampler.tick()
    assert meter.reads == pytest.approx(20, abs=2)


def test_long_runs_keep_little_in_memory_and_stay_right(clock):
    meter = FunctionMeter(clock, lambda t: 10 * t)
    recorder, sink, epochs = record(clock, [meter])
    for index in range(20):
        span = recorder.begin("epoch", "", index)
        advance(recorder, clock, 20)
        recorder.end(span)
        recorder.flush()
    recorder.stop(Status.FINISHED)
    assert [e.energy.value for e in epochs] == pytest.approx([200] * 20, rel=1e-6)
    assert summarize(sink.recording()).total.value == pytest.approx(4000, rel=1e-6)


def test_the_planned_epochs_are_those_begun_and_those_still_to_come(clock):
    recorder, _, _ = record(clock, [], planned_epochs=30)
    assert recorder.planned_epochs == 30
    tracker = EventTracker(recorder)
    for _ in tracker.epochs(30, start=24):  # a training that was resumed
        assert recorder.planned_epochs == 6
    for epoch in tracker.epochs(3):  # another fold, stopped early
        assert recorder.planned_epochs == 9
        if epoch == 1:
            break
    assert list(tracker.epochs(2)) == [0, 1]
    assert recorder.planned_epochs == 10


def test_ranks_that_log_the_same_epochs_plan_them_once(clock):
    recorder, _, _ = record(clock, [])
    for rank in (7, 8):
        recorder.plan(3, origin=rank)
        for index in range(2):
            recorder.end(recorder.begin("epoch", "", index, origin=rank))
    assert recorder.planned_epochs == 3


def test_a_meter_that_took_long_once_is_not_read_less_often(clock):
    cpu = {"s": 0.0}

    def once_slow(t):
        cpu["s"] += 0.05 if 1.0 < t < 1.1 else 0.0
        return t

    meter = FunctionMeter(clock, once_slow, source(kind=ReadingKind.POWER))
    sampler = Sampler([meter], clock, 0.1, cpu_clock=lambda: cpu["s"])
    for _ in range(100):
        clock.now += 0.1
        sampler.tick()
    assert meter.reads == 100
    assert sampler.gaps == []


@pytest.mark.parametrize("kind", ReadingKind)
def test_live_epochs_are_right_with_a_slow_and_a_quick_meter(clock, kind):
    quick = FunctionMeter(clock, lambda t: 100 * t, source("gpu:0", period_s=0.01))
    slow = FunctionMeter(
        clock, lambda t: 50 * t if kind is ReadingKind.COUNTER else 50, source("node")
    )
    slow.source = source("node", kind, 2.0)
    recorder, sink, epochs = record(clock, [quick, slow], interval_s=0.01)
    for index in range(6):
        span = recorder.begin("epoch", "", index)
        advance(recorder, clock, 2.6, step=0.01)
        recorder.end(span)
    recorder.flush()
    recorder.stop(Status.FINISHED)
    assert [e.energy.value for e in epochs] == pytest.approx([150 * 2.6] * 6, rel=0.01)
    summary = summarize(sink.recording())
    assert [e.energy.value for e in epochs] == pytest.approx(
        [e.energy.value for e in summary.epochs]
    )


def test_live_epochs_leave_gaps_out_as_the_summary_does(clock):
    meter = FunctionMeter(clock, lambda t: 50.0, source(kind=ReadingKind.POWER))
    recorder, sink, epochs = record(clock, [meter])
    for index in range(8):
        span = recorder.begin("epoch", "", index)
        advance(recorder, clock, 5)
        if index % 2:
            clock.now += 30  # the machine hung
        recorder.end(span)
    recorder.stop(Status.FINISHED)
    summary = summarize(sink.recording())
    assert len(summary.recording.gaps) == 4
    assert [e.energy.value for e in epochs] == pytest.approx(
        [e.energy.value for e in summary.epochs]
    )


def test_epochs_do_not_wait_for_a_meter_that_fell_silent(clock):
    mute = FunctionMeter(clock, lambda t: t if t < 1 else float("nan"))
    meter = FunctionMeter(clock, lambda t: 10 * t, source("cpu:0"))
    recorder, sink, epochs = record(clock, [mute, meter])
    for index in range(5):
        span = recorder.begin("epoch", "", index)
        advance(recorder, clock, 4)
        recorder.end(span)
    assert len(epochs) == 4
    recorder.stop(Status.FINISHED)
    (gap,) = sink.recording().gaps
    assert (gap.domain, gap.end_s) == ("gpu:0", None)
    assert gap.start_s == pytest.approx(0.9, abs=0.11)


def test_many_spans_and_metrics_leave_nothing_behind(clock):
    recorder, _, _ = record(clock, [FunctionMeter(clock, lambda t: t)])
    for index in range(50):
        span = recorder.begin("epoch" if index % 2 else "step", "", index)
        recorder.metric("loss", 1.0, span)
        recorder.end(span)
        advance(recorder, clock, 0.5)
        recorder.flush()
    kept = [v for v in vars(recorder).values() if isinstance(v, dict | list)]
    assert kept and all(len(v) <= 2 for v in kept)


def test_a_zero_that_only_means_too_short_is_unknown(clock):
    idle = FunctionMeter(clock, lambda t: 0.0, source("dram:0", period_s=0.2))
    busy = FunctionMeter(clock, lambda t: 10 * t, source("cpu:0", period_s=0.2))
    recorder, sink, _ = record(clock, [idle, busy])
    advance(recorder, clock, 0.5)
    recorder.stop(Status.FINISHED)
    summary = summarize(sink.recording())
    assert [d.source.domain for d in summary.domains] == ["cpu:0"]
    assert any("cpu:0: " in w and "500 ms" in w for w in summary.warnings)


def test_a_span_that_seems_to_have_used_nothing_may_have_used_something(clock):
    meter = FunctionMeter(clock, lambda t: 10.0 * (t > 5) * (t - 5), source(period_s=0.2))
    recorder, sink, _ = record(clock, [meter])
    span = recorder.begin("phase", "idle")
    advance(recorder, clock, 1)
    recorder.end(span)
    advance(recorder, clock, 9)
    recorder.stop(Status.FINISHED)
    (idle,) = summarize(sink.recording()).spans
    assert idle.energy.value == 0
    assert idle.energy.high > 0


def test_positions_are_reported_with_the_energy_so_far(clock):
    meter = FunctionMeter(clock, lambda t: 100 * t)
    places, asked = [], []
    sink = MemorySink()
    recorder = Recorder(
        header([meter], planned_epochs=2), [meter], sink, clock, on_position=places.append
    )
    recorder.start(threads=False)
    advance(recorder, clock, 1)  # set-up
    tracker = EventTracker(recorder)
    for _ in tracker.epochs(2):
        advance(recorder, clock, 1)
        recorder.step(0.5)
        recorder.when_read(recorder.now(), asked.append)
        advance(recorder, clock, 1)
    recorder.stop(Status.FINISHED)
    assert [(p.done, p.planned) for p in places] == [
        (0, 2),
        (0.5, 2),
        (1, 2),
        (1, 2),
        (1.5, 2),
        (2, 2),
    ]
    assert [p.t_s for p in places] == pytest.approx([1, 2, 3, 3, 4, 5])
    assert [p.energy.value for p in places] == pytest.approx([100, 200, 300, 300, 400, 500])
    assert [i.energy.value for i in asked] == pytest.approx([200, 400])


def test_steps_without_epochs_are_parts_of_the_run(clock):
    places = []
    recorder = Recorder(header([]), [], MemorySink(), clock, on_position=places.append)
    recorder.start(threads=False)
    clock.now += 5
    recorder.step(0.25)
    recorder.stop(Status.FINISHED)
    assert [(p.done, p.planned, p.t_s, p.energy) for p in places] == [(0.25, 1.0, 5, None)]


def test_steps_of_another_rank_are_not_counted_twice(clock):
    places = []
    recorder = Recorder(header([]), [], MemorySink(), clock, on_position=places.append)
    recorder.start(threads=False)
    recorder.begin("epoch", "epoch 0", 0, origin=11)
    recorder.begin("epoch", "epoch 0", 0, origin=12)
    recorder.step(0.5, origin=11)
    recorder.step(0.6, origin=12)
    recorder.stop(Status.FINISHED)
    assert [p.done for p in places] == [0, 0.5, 1]


def test_an_epoch_added_after_its_end_is_kept(clock):
    meter = FunctionMeter(clock, lambda t: 100 * t)
    recorder, sink, _ = record(clock, [meter])
    instants = []
    recorder.when_read(1.0, instants.append)
    recorder.when_read(3.0, instants.append)
    advance(recorder, clock, 4)
    live = recorder.add_epoch(0, *instants, {"loss": 0.5})
    recorder.stop(Status.FINISHED)
    (epoch,) = summarize(sink.recording()).epochs
    assert epoch.span.index == 0 and epoch.duration_s == pytest.approx(2)
    assert epoch.energy.value == pytest.approx(200) == live.energy.value
    assert epoch.metrics == {"loss": 0.5}


def test_epochs_beyond_those_planned_raise_the_plan(clock):
    recorder, _, _ = record(clock, [], planned_epochs=1)
    planned = []
    for index in range(3):
        recorder.end(recorder.begin("epoch", "", index))
        planned.append(recorder.planned_epochs)
    assert planned == [1, 2, 3]


def test_a_domain_that_cannot_be_read_is_a_gap_and_the_total_lacks_it(clock):
    meter = FunctionMeter(clock, lambda t: 100 * t)
    sink = MemorySink()
    lacking = {"gpu:1": "no permission"}
    recorder = Recorder(header([meter]), [meter], sink, clock, lacking=lacking)
    recorder.start(threads=False)
    epoch = recorder.begin("epoch", "epoch 0", 0)
    advance(recorder, clock, 10)
    recorder.end(epoch)
    recorder.stop(Status.FINISHED, 0)
    recording = sink.recording()
    (gap,) = recording.gaps
    assert (gap.domain, gap.start_s, gap.end_s, gap.reason) == ("gpu:1", 0.0, None, "no permission")
    summary = summarize(recording)
    for energy in (summary.total, summary.epochs[0].energy, recording.footer.total):
        assert energy.value == pytest.approx(1000)
        assert energy.provenance is Provenance.ASSUMED
        assert energy.reason == "without gpu:1"
    assert summary.domains[0].energy.provenance is Provenance.MEASURED


def test_a_counter_that_stood_still_is_unknown_not_0(clock):
    still = FunctionMeter(clock, lambda t: 0.0)
    moving = FunctionMeter(clock, lambda t: 50 * t, source("cpu:0"))
    recorder, sink, _ = record(clock, [still, moving])
    advance(recorder, clock, 10)
    recorder.stop(Status.FINISHED, 0)
    summary = summarize(sink.recording())
    assert [d.source.domain for d in summary.domains] == ["cpu:0"]
    assert summary.total.reason == "without gpu:0"
    assert any(text.startswith("gpu:0: ") for text in summary.warnings)


@pytest.mark.parametrize("provenance", [Provenance.MODELLED, Provenance.ASSUMED])
def test_a_recorder_that_stood_still_leaves_a_gap_in_what_is_modelled(clock, provenance):
    modelled = replace(source("cpu:0"), provenance=provenance)
    meters = [
        FunctionMeter(clock, lambda t: 20.0 * t, modelled),
        FunctionMeter(clock, lambda t: 100.0 * t),
        FunctionMeter(clock, lambda t: 5.0, source("dram:0", ReadingKind.POWER)),
    ]
    recorder, sink, _ = record(clock, meters)
    advance(recorder, clock, 3)
    clock.now += 10
    advance(recorder, clock, 3)
    recorder.stop(Status.FINISHED, 0)
    recording = sink.recording()
    gaps = {g.domain: (g.start_s, g.end_s) for g in recording.gaps}
    # A counter that measures has gone on counting.
    assert gaps == {
        "cpu:0": (pytest.approx(3.0), pytest.approx(13.1)),
        "dram:0": (pytest.approx(3.0), pytest.approx(13.1)),
    }
    cpu, gpu, dram = summarize(recording).domains
    assert (cpu.energy.value, gpu.energy.value) == pytest.approx((320.0, 1600.0), rel=0.01)
    assert dram.energy.value == pytest.approx(30.0, rel=0.05)
    # What the model did not see may have cost as much again.
    assert cpu.energy.high > 320 * 1.2 + 190


@pytest.mark.parametrize("silence_s", [0.5, 2.9])
def test_a_short_delay_is_no_gap_of_what_is_modelled(clock, silence_s):
    modelled = replace(source("cpu:0"), provenance=Provenance.MODELLED)
    recorder, sink, _ = record(clock, [FunctionMeter(clock, lambda t: 20.0 * t, modelled)])
    advance(recorder, clock, 3)
    clock.now += silence_s
    advance(recorder, clock, 3)
    recorder.stop(Status.FINISHED, 0)
    assert sink.recording().gaps == []


def test_a_slow_model_is_silent_without_a_gap(clock):
    cpu = {"s": 0.0}

    def joules(t):
        cpu["s"] += 0.023
        return 20.0 * t

    modelled = replace(source("cpu:0"), provenance=Provenance.MODELLED)
    meter = FunctionMeter(clock, joules, modelled)
    sampler = Sampler([meter], clock, 0.1, cpu_clock=lambda: cpu["s"])
    for _ in range(600):
        sampler.tick()
        clock.now += 0.1
    assert 10 < meter.reads < 20
    assert sampler.gaps == []


def test_a_warning_of_a_meter_is_kept_from_its_time_on(clock):
    class Doubted(FunctionMeter):
        texts: ClassVar = []

        def warning(self):
            return self.texts.pop() if self.texts else None

    meter = Doubted(clock, lambda t: 100.0 * t)
    recorder, sink, _ = record(clock, [meter])
    advance(recorder, clock, 5)
    Doubted.texts.append("its counter is not believed")
    advance(recorder, clock, 5)
    recorder.stop(Status.FINISHED, 0)
    (gap,) = sink.recording().gaps
    assert gap.start_s == gap.end_s == pytest.approx(5.1)
    summary = summarize(sink.recording())
    assert "its counter is not believed" in summary.warnings[0]
    assert (summary.total.provenance, summary.total.reason) == (Provenance.MEASURED, None)
    assert summary.domains[0].energy.high == pytest.approx(1200, rel=0.01)
    assert summary.domains[0].measured_s == pytest.approx(10.0)


def test_a_number_that_fits_no_database_costs_only_itself(clock, tmp_path):
    recorder, sink, _ = record(clock, [])
    recorder.end(recorder.begin("epoch", "a", 10**20, origin=10**20))
    recorder.end(recorder.begin("epoch", "b", 3, origin=7))
    recorder.stop(Status.FINISHED, 0)
    spans = sink.recording().spans
    assert [(s.index, s.origin) for s in spans] == [(None, 0), (3, 7)]
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.add(sink.recording())
        assert ledger.load("last").spans == spans


class FourRounds:
    """In place of the event that ends a recorder: it waits by the clock, four times."""

    def __init__(self, clock):
        self.clock, self.waited_s = clock, []

    def wait(self, seconds):
        self.waited_s.append(seconds)
        self.clock.now += seconds
        return len(self.waited_s) == 4


@pytest.mark.parametrize(
    ("takes_s", "waited_s"), [(0.25, [0.75, 0.5, 0.5, 0.5]), (2.0, [0.75, 0.0, 0.0, 0.0])]
)
def test_rounds_are_due_however_long_one_takes(clock, takes_s, waited_s):
    recorder = record(clock, [])[0]
    recorder._stop = FourRounds(clock)

    def act():
        clock.now += takes_s

    recorder._repeat(act, 0.75)
    assert recorder._stop.waited_s == waited_s


def epochs_left(recorder, clock, after_s, status):
    """Three epochs, in the last of which the loop is left; the run ends `after_s` later."""
    loop = EventTracker(recorder).epochs(5)
    for _ in range(3):
        next(loop)
        advance(recorder, clock, 1)
    loop.close()
    advance(recorder, clock, after_s)
    recorder.stop(status)


@pytest.mark.parametrize(
    ("after_s", "status", "open_"),
    [
        (1, Status.CANCELED, True),
        (1, Status.FAILED, True),
        # `break`, and a fault long afterwards.
        (20, Status.FAILED, False),
        (1, Status.FINISHED, False),
    ],
)
def test_an_epoch_that_an_exception_leaves_has_no_end(clock, after_s, status, open_):
    recorder, sink, _ = record(clock, [FunctionMeter(clock, lambda t: 100 * t)])
    epochs_left(recorder, clock, after_s, status)
    epochs = summarize(sink.recording()).epochs
    assert [e.span.end_s is None for e in epochs] == [False, False, open_]


def test_an_epoch_that_runs_at_the_end_of_a_canceled_run_has_no_end(clock):
    recorder, sink, reached = record(clock, [FunctionMeter(clock, lambda t: 100 * t)])
    loop = EventTracker(recorder).epochs(5)
    for _ in range(3):
        next(loop)
        advance(recorder, clock, 1)
    recorder.stop(Status.CANCELED)
    summary = summarize(sink.recording())
    assert [e.span.index for e in summary.complete_epochs] == [0, 1]
    assert summary.epochs[2].energy.value == pytest.approx(100, rel=0.1)
    assert len(reached) == 2


def test_a_loop_that_another_one_follows_has_left_its_epoch_in_order(clock):
    recorder, sink, _ = record(clock, [FunctionMeter(clock, lambda t: 100 * t)])
    tracker = EventTracker(recorder)
    for _ in range(2):
        loop = tracker.epochs(5)
        next(loop)
        advance(recorder, clock, 1)
        loop.close()
    recorder.stop(Status.CANCELED)
    assert [s.end_s is None for s in sink.recording().spans] == [False, True]
    recorder, sink, _ = record(clock, [FunctionMeter(clock, lambda t: 100 * t)])
    tracker = EventTracker(recorder)
    loop = tracker.epochs(5)
    next(loop)
    loop.close()
    assert list(tracker.epochs(2)) == [0, 1]
    advance(recorder, clock, 1)
    recorder.stop(Status.CANCELED)
    assert [s.end_s is None for s in sink.recording().spans] == [False] * 3
