import gc
import json
import os
import subprocess
import sys

import pytest

from fakes.meters import header
from joulecast.recording import join
from joulecast.recording.join import VARIABLE, EventTail, EventWriter, JoinFile, outer_file
from joulecast.recording.memory import MemorySink
from joulecast.recording.model import Status
from joulecast.recording.recorder import Recorder


@pytest.fixture
def outer(clock):
    sink = MemorySink()
    recorder = Recorder(header([]), [], sink, clock)
    recorder.start(threads=False)
    return recorder, sink


def finish(recorder, sink):
    recorder.stop(Status.FINISHED)
    return sink.recording()


def test_spans_and_metrics_of_an_inner_script_appear_in_the_outer_run(outer, clock):
    recorder, sink = outer
    file = JoinFile()
    assert file.path.stat().st_mode & 0o077 == 0
    assert file.path.parent.stat().st_mode & 0o077 == 0
    writer = EventWriter(file.path)
    writer.plan(3)
    epoch = writer.begin("epoch", "epoch 0", 0, None)
    phase = writer.begin("phase", "validate", None, epoch)
    writer.metric("accuracy", 0.75, phase)
    writer.end(phase)
    writer.end(epoch)
    file.tail.pump(recorder)
    file.close()
    recording = finish(recorder, sink)
    assert recorder.planned_epochs == 3
    by_name = {span.name: span for span in recording.spans}
    assert by_name["validate"].parent == by_name["epoch 0"].id
    assert by_name["epoch 0"].origin == os.getpid()
    assert [(m.name, m.value, m.span) for m in recording.metrics] == [
        ("accuracy", 0.75, by_name["validate"].id)
    ]
    assert not file.path.exists()


def test_warnings_of_an_inner_script_reach_the_outer_run(outer):
    recorder, sink = outer
    file = JoinFile()
    EventWriter(file.path).warn("\U0001f525" * 1000)
    file.tail.pump(recorder)
    file.close()
    assert finish(recorder, sink).warnings == ["\U0001f525" * 500]


def test_a_closed_writer_writes_nothing(outer):
    recorder, sink = outer
    file = JoinFile()
    writer = EventWriter(file.path)
    writer.end(writer.begin("phase", "a", None, None))
    writer.close()
    writer.close()
    writer.end(writer.begin("phase", "b", None, None))
    file.tail.pump(recorder)
    file.close()
    assert [span.name for span in finish(recorder, sink).spans] == ["a"]


def test_a_forked_child_leaves_the_folder_to_its_parent():
    file = JoinFile()
    child = os.fork()
    if child == 0:
        file.close()
        del file
        gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
    assert file.path.exists()
    file.close()
    assert not file.path.parent.exists()


def test_a_burst_is_read_in_parts_and_all_of_it_at_the_end(clock):
    file, sink = JoinFile(), MemorySink()
    recorder = Recorder(header([]), [], sink, clock, on_tick=lambda: file.tail.pump(recorder))
    recorder.start(threads=False)
    writer = EventWriter(file.path)
    for index in range(5000):
        writer.end(writer.begin("step", "step", index, None))
    recorder.tick()
    recorder.flush()
    assert 0 < len(sink.recording().spans) < 5000
    spans = finish(recorder, sink).spans
    file.close()
    assert [span.index for span in spans] == list(range(5000))
    assert all(span.end_s is not None for span in spans)
    assert file.tail._spans == {}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can free the front of a file")
def test_lines_already_read_take_no_disk_space(outer):
    recorder, sink = outer
    file = JoinFile()
    writer = EventWriter(file.path)
    line = json.dumps({"op": "end", "id": 1, "pid": 7, "t": 0.0, "x": "x" * 7000}) + "\n"
    with file.path.open("a") as out:
        out.writelines(line for _ in range(3000))
    full = file.path.stat().st_blocks
    while file.tail._offset < file.path.stat().st_size:
        file.tail.pump(recorder)
    assert file.path.stat().st_blocks < full / 2
    writer.plan(4)
    file.tail.pump(recorder)
    file.close()
    assert recorder.planned_epochs == 4
    assert finish(recorder, sink).warnings == []


def test_times_are_those_of_the_event_not_of_its_arrival(outer, clock, tmp_path):
    recorder, sink = outer
    path = tmp_path / "events"
    begin = {"op": "begin", "pid": 7, "id": 1, "kind": "epoch", "name": "e", "index": 0}
    path.write_text(
        json.dumps(begin | {"parent": None, "t": clock.now + 1.0})
        + "\n"
        + json.dumps({"op": "end", "pid": 7, "id": 1, "t": clock.now + 3.5})
        + "\n"
    )
    clock.now += 10
    EventTail(path, clock).pump(recorder)
    (span,) = finish(recorder, sink).spans
    assert (span.start_s, span.end_s) == (pytest.approx(1.0), pytest.approx(3.5))


def test_a_line_that_comes_in_two_pieces_is_one(outer, tmp_path, clock):
    recorder, sink = outer
    path = tmp_path / "events"
    line = json.dumps({"op": "plan", "pid": 7, "epochs": 9, "t": clock.now})
    tail = EventTail(path, clock)
    path.write_text(line[:10])
    tail.pump(recorder)
    path.write_text(line + "\n")
    tail.pump(recorder)
    assert recorder.planned_epochs == 9
    assert finish(recorder, sink).warnings == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff\n",
        b"[]\n",
        b"{}\n",
        b'{"op": "end"}\n',
        b'{"op":"begin","pid":"x"}\n',
        b"1\n",
        b"[" * 7900 + b"\n",
        b'{"op":"plan","pid":7,"t":0,"epochs":Infinity}\n',
        (
            b'{"op":"begin","id":1,"kind":"epoch","name":"x","parent":null,"pid":7,"t":0,'
            b'"index":100000000000000000000}\n'
        ),
        b'{"op":"plan","pid":100000000000000000000,"t":0,"epochs":3}\n',
    ],
)
def test_garbage_is_warned_of_and_loses_nothing_else(outer, tmp_path, clock, garbage):
    recorder, sink = outer
    path = tmp_path / "events"
    good = json.dumps({"op": "plan", "pid": 7, "epochs": 9, "t": clock.now}) + "\n"
    path.write_bytes(garbage + good.encode())
    EventTail(path, clock).pump(recorder)
    assert recorder.planned_epochs == 9
    assert any("damaged" in w for w in finish(recorder, sink).warnings)


def test_a_span_whose_process_died_ends_with_the_run(outer, clock):
    recorder, sink = outer
    file = JoinFile()
    EventWriter(file.path).begin("epoch", "epoch 0", 0, None)
    file.tail.pump(recorder)
    file.close()
    clock.now += 5
    (span,) = finish(recorder, sink).spans
    assert span.end_s == pytest.approx(5, abs=0.5)


def test_two_processes_may_use_the_same_numbers(outer, clock, tmp_path):
    recorder, sink = outer
    path = tmp_path / "events"
    lines = []
    for pid in (7, 8):
        event = {"op": "begin", "pid": pid, "id": 1, "kind": "phase", "name": f"p{pid}"}
        lines.append(event | {"index": None, "parent": None, "t": clock.now})
    lines.append({"op": "end", "pid": 7, "id": 1, "t": clock.now})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    EventTail(path, clock).pump(recorder)
    clock.now += 5
    ends = {span.name: span.end_s for span in finish(recorder, sink).spans}
    assert ends["p7"] < 1 < ends["p8"]


def test_a_recording_is_joined_only_while_its_recorder_lives():
    assert outer_file({}) is None
    file = JoinFile()
    assert outer_file({VARIABLE: file.variable}) == file.path
    dead = subprocess.Popen(["true"])
    dead.wait()
    for left_over in (f"{dead.pid}:{file.path}", str(file.path), "x:y", f"{10**30}:{file.path}"):
        assert outer_file({VARIABLE: left_over}) is None
    file.close()
    assert outer_file({VARIABLE: file.variable}) is None


def test_folders_of_killed_recorders_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(join.tempfile, "tempdir", str(tmp_path))
    live = JoinFile()
    killed, new = tmp_path / "joulecast-run-killed", tmp_path / "joulecast-run-new"
    for folder in (killed, new):
        folder.mkdir()
        (folder / "events.jsonl").touch()
    others = tmp_path / "joulecast-run-without-events"
    others.mkdir()
    for folder in (killed, live.path.parent, others):
        os.utime(folder, (1e9, 1e9))
    JoinFile().close()
    assert set(tmp_path.iterdir()) == {live.path.parent, new, others}
    live.close()
    assert not live.path.parent.exists()


def test_a_script_whose_loop_is_left_leaves_its_own_epoch(outer, clock):
    recorder, sink = outer
    file = JoinFile()
    writer = EventWriter(file.path)
    epoch = writer.begin("epoch", "epoch 0", 0, None)
    writer.leave()
    writer.end(epoch)
    file.tail.pump(recorder)
    recorder.stop(Status.CANCELED)
    assert [span.end_s for span in sink.recording().spans] == [None]
    file.close()
