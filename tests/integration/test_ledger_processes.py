"""Many processes at once, and one that is killed: real recorders on both databases."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from fakes import stored_runs
from joulecast.ledger import open_ledger
from joulecast.recording.model import Status

# Imports first, then waits: all processes begin to create and migrate the ledger at once.
RECORDER = """
import sys, time
from pathlib import Path
from fakes.stored_runs import header, samples
from joulecast.ledger.store import open_ledger
from joulecast.recording.model import Footer, Span, Status
from joulecast.ledger.migrations import migrate

where, run_id, go, flushes, pause = sys.argv[1:]
print("ready", flush=True)
while not Path(go).exists():
    time.sleep(0.01)
with open_ledger(where) as ledger:
    sink = ledger.sink()
    sink.open(header(run_id, f"run {run_id}"))
    for second in range(int(flushes)):
        open_span = Span(second, None, "epoch", "epoch", float(second), None, second, 1)
        sink.flush({"gpu:0": samples(1, start=second)}, [open_span], [], [])
        print(second + 1, flush=True)
        time.sleep(float(pause))
    sink.close(Footer(Status.FINISHED, float(flushes), 0))
"""


def recorder(where: str, run_id: str, go: Path, flushes: int, pause: float) -> subprocess.Popen:
    tests = Path(stored_runs.__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "-c", RECORDER, where, run_id, str(go), str(flushes), str(pause)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(tests), "PATH": ""},
    )


def test_fifty_at_once_into_a_fresh_ledger(where: str, tmp_path: Path) -> None:
    go = tmp_path / "go"
    processes = [recorder(where, f"{i:016x}", go, 8, 0.05) for i in range(50)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        go.touch()
        for process in processes:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            process.kill()
    with open_ledger(where) as ledger:
        runs = ledger.runs()
        assert sorted(run.run_id for run in runs) == [f"{i:016x}" for i in range(50)]
        assert {run.status for run in runs} == {Status.FINISHED}
        for run in runs:
            loaded = ledger.load(run.run_id)
            np.testing.assert_allclose(loaded.samples["gpu:0"].t_s, np.arange(80) / 10, atol=1e-6)
            assert len(loaded.spans) == 8


def test_a_killed_recorder_loses_at_most_the_second_it_was_in(where: str, tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.touch()
    process = recorder(where, "deadbeef", go, 1000, 0.02)
    assert process.stdout is not None
    flushed = 0
    for line in process.stdout:
        flushed = int(line) if line != "ready\n" else 0
        if flushed == 70:  # past the first joining of chunks
            break
    with open_ledger(where) as ledger:
        assert ledger.runs()[0].status is Status.RUNNING
        process.send_signal(signal.SIGKILL)
        # A process that ended counts as ended even before its parent collects it.
        deadline = time.monotonic() + 10
        while ledger.runs()[0].status is Status.RUNNING and time.monotonic() < deadline:
            time.sleep(0.01)
        loaded = ledger.load("deadbeef")
    rest, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors
    reported = [flushed, *map(int, rest.split())][-1]
    assert loaded.status is Status.INTERRUPTED
    assert loaded.footer is None
    stored = len(loaded.samples["gpu:0"])
    # The last second may have been stored but not yet reported.
    assert stored in (reported * 10, (reported + 1) * 10)
    np.testing.assert_allclose(loaded.samples["gpu:0"].t_s, np.arange(stored) / 10, atol=1e-6)
    assert [span.end_s for span in loaded.spans] == [None] * (stored // 10)


def test_readers_do_not_wait_for_the_writer(where: str, tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.touch()
    process = recorder(where, "cafe", go, 100, 0.005)
    assert process.stdout is not None
    for line in process.stdout:
        if line == "1\n":
            break
    seen = []
    with open_ledger(where) as ledger:
        while process.poll() is None:
            seen.append(len(ledger.load("cafe").samples["gpu:0"]))
    assert process.communicate()[1] == ""
    assert seen and seen == sorted(seen)
    assert all(count % 10 == 0 for count in seen)
