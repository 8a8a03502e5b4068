import gzip

import numpy as np
import pytest

from joulecast.errors import BadInputError, MeterLostError
from joulecast.meters.base import ReadingKind
from joulecast.meters.replay import ReplayMeter, read_trace
from joulecast.recording.integrate import energy_between
from joulecast.recording.sampler import Sampler, max_gap_s

TRACE = "t_s,power_w\n5,100\n6,200\n8,50\n"


def write(tmp_path, text, name="trace.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_reads_plain_and_gzip_and_other_columns(tmp_path):
    gz = tmp_path / "trace.csv.gz"
    gz.write_bytes(
        gzip.compress(b"\xef\xbb\xbft_s,note, Power_W\r\n5,a,100\r\n\r\n6,b,200\r\n8,c,50\r\n")
    )
    for path in (write(tmp_path, TRACE), gz):
        t_s, power_w = read_trace(path)
        assert t_s.tolist() == [5, 6, 8]
        assert power_w.tolist() == [100, 200, 50]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("\n", 1),
        ("t_s;power_w\n1;2\n", 1),
        ("t_s\tpower_w\n1\t2\n", 1),
        ("t_s,watts\n1,2\n", 1),
        ("t_s,power_w\n1,2\n2, \n", 3),
        ("t_s,power_w\n1,2\n2,x\n", 3),
        ("t_s,power_w\n1,2\n2,nan\n", 3),
        ("t_s,power_w\n1,2\n2,inf\n", 3),
        ("t_s,power_w\n1,2\n2,-3\n", 3),
        ("t_s,power_w\n1,2\n1,3\n", 3),
        ("t_s,power_w\n1,2\n2\n", 3),
        ("t_s,power_w\n1,2\n", 2),
    ],
)
def test_a_problem_names_its_line(tmp_path, text, line):
    path = write(tmp_path, text)
    with pytest.raises(BadInputError) as caught:
        read_trace(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")


def test_files_that_are_no_text(tmp_path):
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00\x01" * 10)
    not_gzip = write(tmp_path, TRACE, "trace.csv.gz")
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(TRACE.encode() * 100)[:-12])
    for path in (binary, not_gzip, cut, tmp_path / "absent.csv", tmp_path):
        with pytest.raises(BadInputError, match=str(path)):
            read_trace(path)


def test_power_between_points_is_linear_and_the_end_is_the_end(tmp_path, clock):
    meter = ReplayMeter(write(tmp_path, TRACE), clock)
    start = clock.now
    assert meter.source.kind is ReadingKind.POWER
    assert meter.source.domain == "gpu:0"
    seen = []
    for after_s in (0.0, 0.25, 1.0, 2.0, 3.0):
        clock.now = start + after_s
        seen.append(meter.read().value)
    assert seen == pytest.approx([100, 125, 200, 125, 50])
    assert meter.read().held_s == pytest.approx(3.0)
    clock.now = start + 3.001
    with pytest.raises(MeterLostError, match=r"trace\.csv, 8 s$"):
        meter.read()


def test_speed_moves_through_the_trace_faster(clock):
    meter = ReplayMeter([(0, 0), (100, 1000)], clock, speed=20.0, domain="node")
    clock.now += 2.5
    assert meter.read().value == pytest.approx(500.0)
    assert meter.source.update_period_s == pytest.approx(5.0)
    assert meter.source.domain == "node"


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_a_hole_in_the_trace_is_a_gap_of_the_recording(clock, speed):
    rows = [(t, 251.0) for t in (*range(100), *range(400, 500))]
    meter = ReplayMeter(rows, clock, speed=speed)
    sampler = Sampler([meter], clock, 0.1 / speed, cpu_clock=lambda: 0.0)
    start = clock.now
    for step in range(int(499 / 0.13)):
        clock.now = start + step * 0.13 / speed
        sampler.tick()
    (gap,) = sampler.take_gaps()
    samples = sampler.take()["gpu:0"]
    assert gap.start_s * speed == pytest.approx(99)
    assert gap.end_s * speed == pytest.approx(400, abs=0.2)
    assert gap.reason.endswith(" 5 min 01 s")
    assert not np.any((samples.t_s > gap.start_s) & (samples.t_s < gap.end_s))
    energy = energy_between(samples, meter.source, 0, 499 / speed, [gap])
    assert energy.value * speed == pytest.approx(251 * 198, rel=0.003)


def test_in_a_hole_there_is_nothing_new_to_read(clock):
    meter = ReplayMeter([(0, 10), (1, 20), (2, 30), (20, 40), (21, 50)], clock)
    start = clock.now
    meter.read()
    seen = []
    for after_s in (5, 19.9, 20.5):
        clock.now = start + after_s
        seen.append((meter.read(), meter.note()))
    (at_start, early), (still, late), (after, note) = seen
    assert at_start == still
    assert (at_start.t_s - start, at_start.value, at_start.held_s) == (2, 30, 2)
    assert early is late is None
    assert after.value == 45
    assert note.endswith(" 18.0 s")
    assert meter.note() is None


def test_a_hole_is_longer_than_the_max_gap_of_a_recording(clock):
    for period_s in (0.1, 1.0, 30.0):
        times = [period_s * i for i in range(10)]
        longest = max_gap_s(ReplayMeter([(t, 1) for t in times], clock).source, period_s)
        for silence_s, is_hole in ((longest * 0.99, False), (longest * 1.01, True)):
            clock.now = 0.0
            meter = ReplayMeter([(t, 1) for t in (*times, times[-1] + silence_s)], clock)
            clock.now = times[-1] + silence_s
            meter.read()
            assert bool(meter.note()) is is_hole


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_speed_that_makes_no_sense(clock, speed):
    with pytest.raises(BadInputError, match="speed"):
        ReplayMeter([(0, 1), (1, 1)], clock, speed=speed)


def test_rows_are_checked_too(clock):
    with pytest.raises(BadInputError):
        ReplayMeter([(0, 1), (0, 2)], clock)
    assert ReplayMeter(np.array([[0.0, 7.0], [1.0, 7.0]]), clock).read().value == 7.0
