"""From gauges to the figures of a recording: exact means, unknowns with reasons, never energy."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.gauges import FunctionGauge, gauge_samples, gauge_source, put, with_gauges
from fakes.meters import FunctionMeter, header
from fakes.recordings import training, without_samples
from joulecast.ledger.codec import decode, encode
from joulecast.meters.base import ReadingKind
from joulecast.recording.gauge_reader import GaugeReader
from joulecast.recording.memory import MemorySink
from joulecast.recording.model import Gap, Status
from joulecast.recording.recorder import Recorder
from joulecast.recording.sampler import MAX_CPU_SHARE
from joulecast.recording.summary import summarize

CPU = "cpu/utilization_pct"


def gauges(recording):
    return {gauge.name: gauge for gauge in summarize(recording).gauges}


def read(clock, gauges_of, seconds, step=0.5):
    """What a reader gathers by hand: samples and gaps."""
    gaps = []
    reader = GaugeReader(gauges_of, clock, gaps.extend)
    reader.tick()
    for _ in range(round(seconds / step)):
        clock.now += step
        reader.tick()
    assert reader.stop(seconds)
    return reader.take(), gaps


def test_gauges_are_no_energy_and_warn_of_none():
    plain, with_them = summarize(training()), summarize(with_gauges(training(), 1))
    assert with_them.total == plain.total
    assert with_them.warnings == plain.warnings
    assert [d.source.domain for d in with_them.domains] == [d.source.domain for d in plain.domains]
    assert [e.energy for e in with_them.epochs] == [e.energy for e in plain.epochs]
    assert plain.gauges == []
    assert plain.to_json()["gauges"] == []


def test_the_mean_is_weighted_by_time():
    recording = training()
    put(recording, "gpu:0/temperature_c", [0, 10, 20, 100], [40, 40, 80, 80])
    gauge = gauges(recording)["gpu:0/temperature_c"]
    # 10 s at 40, 10 s from 40 to 80, 80 s at 80
    assert gauge.mean == pytest.approx((10 * 40 + 10 * 60 + 80 * 80) / 100)
    assert (gauge.min, gauge.max, gauge.last) == (40, 80, 80)
    assert gauge.unit == "°C"
    assert gauge.reason is None


@given(
    st.lists(st.floats(1e-3, 10), min_size=2, max_size=12),
    st.integers(1, 2**40),
)
def test_the_mean_of_a_constant_is_the_constant(steps_s, constant):
    recording = training()
    t = np.cumsum([0.0, *steps_s])
    put(recording, "gpu:0/memory_bytes", t, np.full(len(t), float(constant)))
    gauge = gauges(recording)["gpu:0/memory_bytes"]
    assert gauge.min == gauge.mean == gauge.max == constant


def test_the_mean_of_cpu_time_is_exact_however_it_was_sampled():
    recording = training()
    rng = np.random.default_rng(1)
    t = np.sort(np.concatenate([[0.0], rng.uniform(0, recording.duration_s, 40)]))
    t = np.append(t, recording.duration_s)
    used_s = np.concatenate([[0.0], np.sort(rng.uniform(0, 300, len(t) - 1))])
    put(recording, CPU, t, 100 * used_s)
    gauge = gauges(recording)[CPU]
    assert gauge.mean == pytest.approx(100 * used_s[-1] / recording.duration_s)
    assert gauge.min <= gauge.mean <= gauge.max


def test_the_last_moment_of_a_run_is_no_rate_of_its_own():
    recording = training(epochs=1, epoch_s=5.0)
    end = recording.duration_s
    t = [*range(10), end - 0.004, end]  # a tick of 10 ms in the last 4 ms
    put(recording, CPU, t, [100 * x for x in range(10)] + [100 * end, 100 * end + 1])
    gauge = gauges(recording)[CPU]
    assert gauge.max < 110


def test_a_gap_does_not_count_in_the_mean():
    recording = training()
    put(recording, "gpu:0/temperature_c", [0, 10, 90, 100], [40, 40, 80, 80])
    recording.gaps.append(Gap("gpu:0/temperature_c", 10, 90, "no reading for 80 s"))
    summary = summarize(recording)
    assert summary.gauges[0].mean == pytest.approx(60)
    assert not any("temperature" in text for text in summary.warnings)
    assert recording.energy_gaps == []


def test_a_lost_gauge_keeps_its_readings_and_has_a_reason(clock):
    gauge = FunctionGauge(clock, lambda t: 50 + t, lost_after_s=4.2)
    other = FunctionGauge(clock, lambda t: 3e9, gauge_source("memory_bytes"))
    samples, gaps = read(clock, [gauge, other], 10)
    recording = training(epochs=1, epoch_s=5.0)  # 10 s
    recording.header.gauges.extend([gauge.source, other.source])
    recording.samples |= samples
    recording.gaps += gaps
    by_name = gauges(recording)
    assert "it fell off the bus" in by_name["gpu:0/temperature_c"].reason
    assert 53 <= by_name["gpu:0/temperature_c"].last <= 54.2
    assert by_name["memory_bytes"].reason is None
    assert by_name["memory_bytes"].mean == pytest.approx(3e9)
    assert gauge.closed
    assert other.closed


def test_unreadable_gauges_are_listed_with_their_reason():
    recording = with_gauges(training())
    recording.header.gauges.append(gauge_source("gpu:1/temperature_c", reason="denied"))
    recording.header.gauges.append(gauge_source("gpu:2/temperature_c"))
    by_name = gauges(recording)
    assert by_name["gpu:1/temperature_c"].mean is None
    assert by_name["gpu:1/temperature_c"].reason == "denied"
    assert by_name["gpu:2/temperature_c"].reason not in (None, "denied")
    (document,) = [
        g for g in summarize(recording).to_json()["gauges"] if g["name"] == "gpu:1/temperature_c"
    ]
    assert (document["mean"], document["reason"]) == (None, "denied")


def test_memory_of_the_whole_device_is_used_and_labeled():
    recording = training()
    recording.header.gauges.append(gauge_source("gpu:0/memory_bytes", source="own processes"))
    put(recording, "gpu:0/device_memory_bytes", [0, 100], [4e9, 4e9], source="whole device")
    (gauge,) = summarize(recording).gauges
    assert (gauge.name, gauge.source, gauge.max) == (
        "gpu:0/memory_bytes",
        "whole device",
        4e9,
    )
    recording.header.gauges.clear()
    put(recording, "gpu:0/memory_bytes", [0, 100], [1e9, 1e9], source="own processes")
    put(recording, "gpu:0/device_memory_bytes", [0, 100], [4e9, 4e9], source="whole device")
    assert [g.max for g in summarize(recording).gauges] == [1e9, 4e9]


def test_a_run_too_short_for_a_gauge():
    recording = without_samples()
    put(recording, CPU, [0.001], [0.0])
    recording.header.gauges.append(gauge_source("memory_bytes"))
    gauges = summarize(recording).gauges
    assert len(gauges) == 2
    for gauge in gauges:
        assert gauge.mean is None
        assert gauge.reason


def test_epochs_have_means_of_their_own():
    recording = training(epochs=3, epoch_s=12.0)  # of 12 s each, from second 4 on
    t = np.arange(0.0, recording.duration_s + 1)
    put(recording, CPU, t, np.interp(t, [0, 16, 100], [0, 1600, 1600 + 84 * 250]))
    epochs = summarize(recording).epochs
    assert [e.gauges[CPU] for e in epochs] == pytest.approx([100, 250, 250])
    assert summarize(recording).to_json()["epochs"][0]["gauges"][CPU] == pytest.approx(100)


def test_epochs_too_short_for_a_gauge_have_none():
    recording = with_gauges(training(epochs=3, epoch_s=2.0))
    assert [e.gauges for e in summarize(recording).epochs] == [{}] * 3


def test_they_are_read_once_a_second(clock):
    gauge = FunctionGauge(clock, lambda t: 50.0)
    samples, _ = read(clock, [gauge], 60, step=0.5)
    assert len(samples["gpu:0/temperature_c"]) in (61, 62)


def test_one_without_a_word_at_first_is_asked_again_soon(clock):
    gauge = FunctionGauge(clock, lambda t: None if t < 0.2 else 1e9, gauge_source("memory_bytes"))
    samples, gaps = read(clock, [gauge], 3, step=0.1)
    assert samples["memory_bytes"].t_s[0] == pytest.approx(0.25, abs=0.06)
    assert gaps == []


def test_gauge_and_meter_share_a_recording(clock):
    meter = FunctionMeter(clock, lambda t: 50 * t)
    gauge = FunctionGauge(clock, lambda t: 60.0)
    sink = MemorySink()
    top = header([meter], gauges=[gauge.source])
    recorder = Recorder(top, [meter], sink, time.monotonic, gauges=[gauge])
    recorder.start()
    recorder.stop(Status.FINISHED)
    recording = sink.recording()
    assert set(recording.samples) <= {"gpu:0", "gpu:0/temperature_c"}
    assert gauge.closed
    assert meter.closed


def test_a_driver_that_hangs_in_a_gauge_holds_up_no_meter():
    """With real threads the meter goes on, and the recording ends with a warning."""
    released = threading.Event()

    def hang(_):
        released.wait()

    clock = time.monotonic
    meter = FunctionMeter(clock, lambda t: 50 * t)
    gauge = FunctionGauge(clock, hang)
    sink = MemorySink()
    top = header([meter], gauges=[gauge.source], interval_s=0.01)
    recorder = Recorder(top, [meter], sink, clock, gauges=[gauge])
    recorder.start()
    while meter.reads < 10:
        time.sleep(0.01)
    recorder.stop(Status.FINISHED)
    released.set()
    recording = sink.recording()
    assert recording.status is Status.FINISHED
    assert len(recording.samples["gpu:0"]) >= 10
    assert [text for text in recording.warnings if "gauge" in text]


def test_a_silent_gauge_of_levels_is_a_gap(clock):
    gauge = FunctionGauge(clock, lambda t: None if 3 < t < 20 else 50.0)
    _, (gap,) = read(clock, [gauge], 30)
    assert gap.reason.startswith("no reading for 1")
    assert gap.domain == "gpu:0/temperature_c"
    counting = FunctionGauge(
        clock, lambda t: None if 3 < t < 20 else t, gauge_source(CPU, kind=ReadingKind.COUNTER)
    )
    assert read(clock, [counting], 30)[1] == []


def test_many_slow_gauges_cost_no_more_together_than_one_meter_may(clock):
    cpu = iter(range(10**6))  # each reading seems to take 10 ms of CPU time
    gauges_of = [
        FunctionGauge(clock, lambda t: 50.0, gauge_source(f"gpu:{i}/temperature_c"))
        for i in range(10)
    ]
    gaps: list[Gap] = []
    reader = GaugeReader(gauges_of, clock, gaps.extend, lambda: next(cpu) * 0.01)
    for _ in range(400):
        clock.now += 0.5
        reader.tick()
    reads = sum(len(samples) for samples in reader.take().values())
    assert reads * 0.01 <= 1.2 * MAX_CPU_SHARE * 200 + 2 * len(gauges_of) * 0.01
    assert gaps == []


def test_a_day_of_a_gauge_takes_little_room():
    rng = np.random.default_rng(0)
    t = np.round(np.cumsum(1 + rng.normal(0, 0.0005, 8192)), 3)
    percent = np.round(90 + rng.normal(0, 5, 8192))
    chunk = encode(gauge_samples(t, percent))
    assert len(chunk) < 2 * 8192  # bytes; of the energy of one GPU there are ten times as many
    assert np.array_equal(decode(chunk).value, percent)
