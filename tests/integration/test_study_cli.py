"""`joulecast study`, as a person types it: real processes, kills and all."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from fakes.command_line import joulecast
from fakes.nvml import A100, FakeNvml
from joulecast.ledger import claims, open_ledger, studies
from joulecast.ledger.liveness import this_process
from joulecast.ledger.study_model import Trial, TrialStatus
from joulecast.recording.model import Status
from joulecast.study.entry import check_entry, inspect_entry
from joulecast.study.order import ordered
from joulecast.study.plan import read_study
from joulecast.study.planning import store_plan
from joulecast.study.results import load_results
from joulecast.study.running.runner import Runner, RunnerContext
from joulecast.study.running.study_progress import StudyListener

TRAIN = '''
import os, signal, sys, time
from pathlib import Path

def busy(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass

def by_yield(size, seed, epochs=2, mode="ok"):
    """A generator."""
    print("seed", seed, flush=True)
    for epoch in range(epochs):
        busy(0.1 * size)
        if mode == "raise" and epoch == 1:
            raise ValueError("no such thing")
        if mode == "memory":
            import resource
            resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
            hog = bytearray(1 << 31)
        if mode == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if mode == "exit":
            sys.exit(4)
        yield {"accuracy": 0.5 + epoch / 10, "val_loss": float("nan"), "f1": None}
    time.sleep(0.1)

def by_run(size, run, epochs):
    for epoch in run.epochs():
        busy(0.1)
        run.log(val_loss=1.0, accuracy=size)

def by_return(size):
    busy(0.1)
    return {"accuracy": 0.25}

def by_hoard(size):
    """Megabytes, each page of them written to."""
    hoard = []
    for _ in range(size):
        hoard.append(bytearray(b"x") * 10**6)
    return {"accuracy": 0.5}

def by_talk(size):
    for line in range(size):
        print("and so on, and so on", flush=True)

def slow(size, note, seconds=60):
    with open(note, "a") as file:
        file.write(f"{size}\\n")
    for epoch in range(int(seconds * 10)):
        time.sleep(0.1)
        yield {"accuracy": 0.1}
'''
PLAN = 'name = "s"\nentry = "train.py:{function}"\n{more}\n[factors]\nsize = {sizes}\n'


class Place:
    """A folder with a training, a ledger, and joulecast at hand."""

    def __init__(self, folder: Path, ledger: str) -> None:
        self.folder, self.ledger = folder, ledger
        (folder / "train.py").write_text(TRAIN)
        self.env = os.environ | {"JOULECAST_LEDGER": ledger, "OMP_NUM_THREADS": "1"}

    def plan(self, function: str, sizes: str = "[1]", more: str = "", below: str = "") -> Path:
        path = self.folder / "study.toml"
        path.write_text(PLAN.format(function=function, sizes=sizes, more=more) + below)
        return path

    def start(self, *arguments: object, **env: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "joulecast", *map(str, arguments)],
            env=self.env | env,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: object, code: int = 0, **env: str) -> str:
        if arguments[1] == "status":
            env |= {"JOULECAST_LEDGER": self.ledger}
            done = joulecast(*arguments, cwd=self.folder, env=env, code=code)
            return done.stdout + done.stderr
        process = self.start(*arguments, **env)
        out, err = process.communicate(timeout=150)
        assert process.returncode == code, err
        assert "Traceback" not in err
        return out + err

    def json(self, *arguments: object, code: int = 0) -> dict[str, Any]:
        printed = self(*arguments, "--json", code=code)
        document: dict[str, Any] = json.JSONDecoder().raw_decode(printed)[0]
        return document

    def trials(self) -> list[Trial]:
        with open_ledger(self.ledger) as ledger:
            return studies.trials(ledger, "s")

    def until(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not ready():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def wait_for_run(self) -> Trial:
        """The trial that runs, its recording begun."""

        def running() -> list[Trial]:
            with open_ledger(self.ledger) as ledger:
                if not studies.listed(ledger):
                    return []
                return [
                    t
                    for t in studies.trials(ledger, "s")
                    if t.status is TrialStatus.RUNNING and t.run_id
                ]

        self.until(lambda: bool(running()))
        return running()[0]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, str(tmp_path / "ledger.sqlite"))


@pytest.fixture
def either(tmp_path: Path, where: str) -> Place:
    """The same, once on each database."""
    return Place(tmp_path, where)


def test_generators_and_how_their_trials_end(place: Place) -> None:
    below = 'mode = ["ok", "raise", "memory", "segfault", "exit"]\n[quality]\nmetric = "accuracy"\n'
    path = place.plan("by_yield", more="epochs = 2", below=below)
    document = place.json("study", "run", path, code=1)
    assert document["schema"] == "joulecast/study-run/1"
    assert document["ended"] == "complete"
    trials = [ended["trial"] for ended in document["trials"]]
    by_mode = {trial["factors"]["mode"]: trial for trial in trials}
    assert {m: t["status"] for m, t in by_mode.items()} == {
        "ok": "finished",
        "raise": "failed",
        "memory": "out_of_memory",
        "segfault": "failed",
        "exit": "failed",
    }
    assert by_mode["raise"]["error"] == "ValueError: no such thing"
    assert by_mode["segfault"]["error"] == "killed by SIGSEGV"
    assert by_mode["exit"]["error"] == "SystemExit: 4"
    with open_ledger(place.ledger) as ledger:
        recording = ledger.load(by_mode["ok"]["run_id"])
        stored = load_results(ledger, "s")
        computed = load_results(ledger, "s", refresh=True)
    tags = recording.header.tags
    assert (tags["study"], tags["mode"], tags["size"]) == ("s", "ok", "1")
    assert tags["seed"] == str(by_mode["ok"]["seed"])
    epochs = [span for span in recording.spans if span.kind == "epoch"]
    assert [span.index for span in epochs] == [0, 1]
    assert {(m.name, m.value) for m in recording.metrics} == {("accuracy", 0.5), ("accuracy", 0.6)}
    warnings = " ".join(recording.warnings)
    assert "val_loss" in warnings and "f1" in warnings
    assert computed.table.columns == stored.table.columns
    assert len(stored.table) == 5
    row = stored.table.cells("mode").index("ok")
    assert stored.table.numbers("accuracy")[row] == 0.6
    assert stored.table.numbers("epochs")[row] == 2
    assert stored.table.cells("energy_j")[row] == by_mode["ok"]["energy"]["value"]
    status = place.json("study", "status", "s")
    assert status["schema"] == "joulecast/study-status/1"
    assert status["counts"]["finished"] == 1
    assert status["energy"]["used_j"] == pytest.approx(document["energy_j"])
    log = place("study", "status", "s", "--trial", by_mode["raise"]["trial_id"])
    assert f"seed {by_mode['raise']['seed']}" in log
    assert "ValueError" in log


def test_failed_trials_are_run_again_if_the_plan_agrees(place: Place) -> None:
    training = place.folder / "train.py"
    mended = TRAIN + "\n\ndef fails(size):\n    return {'accuracy': 0.5}\n"
    training.write_text(mended.replace("return {'accuracy': 0.5}", "raise ValueError(size)"))
    path = place.plan("fails", "[1, 2]")
    place("study", "run", path, code=1)
    training.write_text(mended)
    path.write_text(path.read_text() + "other = 1\n")  # another plan
    place("study", "resume", path, "--retry-failed", code=2)
    assert [trial.status for trial in place.trials()] == ["failed", "failed"]
    assert "2 failed trials" in place("study", "resume", "s", "--retry-failed")
    assert [trial.status for trial in place.trials()] == ["finished", "finished"]


def test_plain_functions(place: Place) -> None:
    path = place.plan("by_run", more='epochs = 9\nearly_stopping = "val_loss:patience=2"')
    (ended,) = place.json("study", "run", path)["trials"]
    with open_ledger(place.ledger) as ledger:
        recording = ledger.load(ended["trial"]["run_id"])
    # Stopped by the rule.
    assert sum(span.kind == "epoch" for span in recording.spans) == 3
    assert ended["metrics"] == {"val_loss": 1.0, "accuracy": 1.0}
    path.write_text(path.read_text().replace('"s"', '"t"').replace("by_run", "by_return"))
    path.write_text("".join(path.read_text().splitlines(True)[:2]) + "[factors]\nsize = 1\n")
    (ended,) = place.json("study", "run", path)["trials"]
    assert ended["metrics"] == {"accuracy": 0.25}


def test_a_mistake_in_a_plan_is_refused_before_anything_runs(place: Place) -> None:
    # Each message has the mistake, and the nearest name where there is one.
    for plan, named in (
        (("by_yield", {"below": "moed = ['ok']\n"}), ("factors.moed", "mode?")),
        (("by_yeild", {}), ("by_yeild", "by_yield?")),
        (("by_yield", {"below": "[factor]\n"}), ("factor", "factors?")),
        (("by_yield", {"more": 'order = "blokced"'}), ("blokced", "blocked?")),
        (("by_yield", {"more": "limits = {energy = '3 apples'}"}), ("energy", "apples")),
    ):
        entry, parts = plan
        stderr = place("study", "run", place.plan(entry, **parts), code=2)
        assert all(name in stderr for name in named), stderr
    for verb in ("run", "resume"):
        assert "studdy.toml" in place("study", verb, "studdy.toml", code=2)
    path = place.plan("by_yield")
    (place.folder / "train.py").write_text("import nothing_of_this_name\n")
    assert "nothing_of_this_name" in place("study", "run", path, code=2)
    assert not Path(place.ledger).exists()


def test_another_plan_of_the_same_name_is_refused_and_more_repetitions_are_not(
    place: Place,
) -> None:
    place("study", "run", place.plan("by_return"))
    assert "seed" in place("study", "run", place.plan("by_return", more="seed = 3"), code=2)
    document = place.json("study", "run", place.plan("by_return", more="repetitions = 2"))
    assert [ended["trial"]["repetition"] for ended in document["trials"]] == [1]
    assert document["counts"]["finished"] == 2


def test_a_runner_that_is_killed_loses_one_attempt_and_no_trial(either: Place) -> None:
    note = either.folder / "note"
    below = f'note = ["{note}"]\nseconds = [3]\n'
    path = either.plan("slow", sizes="[1, 2, 3]", below=below)
    runner = either.start("study", "run", path)
    either.until(lambda: note.exists() and len(note.read_text().split()) == 2)
    running = either.wait_for_run()
    trial = psutil.Process(runner.pid).children()
    runner.kill()
    runner.communicate()
    assert psutil.wait_procs(trial, timeout=30)[1] == []
    assert {t.status for t in either.trials()} == {"finished", "running", "pending"}
    assert either.json("study", "status", "s")["orphans"] == [running.trial_id]
    before = {t.trial_id: t.run_id for t in either.trials() if t.status == "finished"}
    assert running.trial_id in either("study", "resume", "s")
    after = {t.trial_id: t for t in either.trials()}
    assert {t.status for t in after.values()} == {"finished"}
    assert all(after[trial].run_id == run for trial, run in before.items())
    lines = note.read_text().split()
    # Three trials, and the attempt that was killed.
    assert len(lines) == 4
    with open_ledger(either.ledger) as ledger:
        assert running.run_id is not None
        assert ledger.load(running.run_id).status is Status.INTERRUPTED
        table = load_results(ledger, "s").table
    assert len(table) == 3
    assert running.run_id not in table.cells("run_id")


def test_ctrl_c_stops_in_order_and_leaves_nothing_behind(place: Place) -> None:
    below = f'note = ["{place.folder / "note"}"]\n'
    runner = place.start("study", "run", place.plan("slow", below=below))
    running = place.wait_for_run()
    runner.send_signal(signal.SIGINT)
    _, err = runner.communicate(timeout=60)
    assert runner.returncode == 130
    assert "stopping" in err
    assert [t.status for t in place.trials()] == ["pending"]
    with open_ledger(place.ledger) as ledger:
        assert running.run_id is not None
        assert ledger.load(running.run_id).status is Status.STOPPED


def test_three_runners_never_run_the_same_trial(either: Place) -> None:
    note, sizes = either.folder / "note", [*range(10, 22)]
    below = f'note = ["{note}"]\nseconds = [0]\n'
    path = either.plan("slow", sizes=str(sizes), below=below)
    runners = [either.start("study", "run", path, "--json") for _ in range(3)]
    done = [json.loads(runner.communicate(timeout=300)[0]) for runner in runners]
    ran = [ended["trial"]["trial_id"] for document in done for ended in document["trials"]]
    # One that starts late may find nothing to do.
    assert len(done) == 3 and sum(len(document["trials"]) > 0 for document in done) > 1
    assert sorted(ran) == sorted(t.trial_id for t in either.trials())
    assert sorted(map(int, note.read_text().split())) == sizes
    assert {t.status for t in either.trials()} == {"finished"}
    with open_ledger(either.ledger) as ledger:
        assert len(ledger.runs(tags={"study": "s"})) == len(sizes)


def test_a_machine_without_heartbeat_loses_its_trial(place: Place) -> None:
    below = f'note = ["{place.folder / "note"}"]\nseconds = [4]\n'
    path = place.plan("slow", sizes="[1, 2]", below=below)
    study = read_study(path)
    almost = claims.LOST_S - 2
    with open_ledger(place.ledger, clock=lambda: time.time() - almost) as ledger:
        store_plan(ledger, study, path.parent)
        taken = claims.claim(ledger, "s", replace(this_process(), host="another"))
    assert taken is not None
    assert f"{taken.trial_id} was interrupted" in place("study", "run", path)
    assert {t.status for t in place.trials()} == {"finished"}


def test_a_result_outlives_an_outage_of_the_ledger(
    tmp_path: Path, postgres: str, postgres_server: str
) -> None:
    import psycopg

    place, name = Place(tmp_path, postgres), postgres.rpartition("/")[2]
    note = tmp_path / "note"
    path = place.plan("slow", sizes="[1, 2]", below=f'note = ["{note}"]\nseconds = [3]\n')
    runner = place.start("study", "run", path)
    place.wait_for_run()
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        place.until(lambda: not psutil.Process(runner.pid).children())  # the trial has ended
        time.sleep(1)
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    _, err = runner.communicate(timeout=150)
    assert runner.returncode == 0, err
    assert "15 min" in err
    # Nothing is run twice.
    assert len(note.read_text().split()) == 2
    with open_ledger(postgres) as ledger:
        table = load_results(ledger, "s").table
    assert table.cells("status") == ["finished"] * 2
    assert (table.numbers("energy_j") > 0).all()


def memory_limit(group: Path) -> Path:
    """The file that limits the memory of a control group, of either version."""
    names = ("memory.max", "memory.limit_in_bytes")
    return next((group / name for name in names if (group / name).exists()), group / names[0])


@pytest.fixture
def little_memory() -> Iterator[Path]:
    """A control group of 400 MB, into which a process can be moved."""
    roots = [Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")]
    root = next((r for r in roots if r.is_dir()), roots[0])
    group = root / f"joulecast-test-{os.getpid()}"
    try:
        group.mkdir()
        memory_limit(group).write_text(str(400 * 10**6))
    except OSError as error:
        with suppress(OSError):
            group.rmdir()
        pytest.skip(f"no control group of memory can be made here: {error}")
    yield group
    deadline = time.monotonic() + 30
    while True:
        try:
            group.rmdir()
            return
        except OSError:  # the kernel still counts its last process
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_a_trial_that_the_kernel_kills_is_out_of_memory(place: Place, little_memory: Path) -> None:
    path = place.plan("by_hoard", sizes="[5, 2000]")
    runner = f"""
import os, runpy, sys
open({str(little_memory / "cgroup.procs")!r}, "w").write(str(os.getpid()))
sys.argv = ["joulecast", "study", "run", {str(path)!r}, "--json"]
runpy.run_module("joulecast", run_name="__main__")
"""
    done = subprocess.run(
        [sys.executable, "-c", runner], env=place.env, capture_output=True, text=True, timeout=150
    )
    assert done.returncode == 0, done.stderr
    trials = [ended["trial"] for ended in json.loads(done.stdout)["trials"]]
    by_size = {t["factors"]["size"]: t for t in trials}
    assert by_size[5]["status"] == "finished"
    assert by_size[2000]["status"] == "out_of_memory"
    assert by_size[2000]["error"]


def test_the_energy_limit_ends_it_with_code_3(place: Place) -> None:
    below = '[limits]\nenergy = "1 J"\n'
    path = place.plan("by_yield", sizes="[8]", more="repetitions = 3", below=below)
    document = place.json("study", "run", path, code=3)
    assert document["ended"] == "energy limit"
    assert document["counts"]["finished"] < 3
    assert document["counts"]["running"] == 0
    path.write_text(path.read_text().replace("1 J", "30 kJ"))
    assert place.json("study", "run", path)["counts"]["finished"] == 3


def test_the_time_limit_starts_no_trial_that_would_pass_it(place: Place) -> None:
    below = f'note = ["{place.folder / "note"}"]\nseconds = [1]\n[limits]\nduration = "1.9s"\n'
    path = place.plan("slow", sizes="[1, 2]", below=below)
    document = place.json("study", "run", path)
    assert document["ended"] == "time limit"
    assert document["counts"]["finished"] == 1


@pytest.mark.parametrize(
    ("limit", "ended", "code"),
    [('duration = "1ms"', "time limit", 0), ('energy = "1e-6 J"', "energy limit", 3)],
)
def test_a_limit_that_the_last_trial_passed_is_reported(
    place: Place, limit: str, ended: str, code: int
) -> None:
    path = place.plan("by_return", below=f"[limits]\n{limit}\n")
    document = place.json("study", "run", path, code=code)
    assert document["ended"] == ended and document["counts"]["finished"] == 1
    (only,) = document["trials"]
    assert only["trial"]["started_at"] < only["trial"]["ended_at"] <= time.time()


def test_energy_used_is_the_same_figure_everywhere_without_a_finished_trial(place: Place) -> None:
    path = place.plan("by_yield", sizes="[20, 21]", below='[limits]\nenergy = "1 mJ"\n')
    text = place("study", "run", path, code=3)
    assert (used := re.search(r"1.00 mJ .*\((.+) used\)", text))
    assert text.count(used[1]) == 2
    # By a runner that has measured nothing.
    assert place("study", "run", path, code=3).count(used[1]) == 2
    assert used[1] in place("study", "status", "s")


def test_warm_up_and_pauses_are_no_part_of_the_results(place: Place) -> None:
    below = '[conditions]\nwarm_up = "4s"\ncool_down = "0.2s"\ncool_to = 45\n'
    text = place("study", "run", place.plan("by_yield", sizes="[1, 2]", below=below))
    # One line of the warm-up, and one of the temperature that no GPU here reports.
    assert "warming up" in text and "temperature" in text
    with open_ledger(place.ledger) as ledger:
        assert len(ledger.runs(tags={"warm_up": "s"})) >= 1
        assert all("trial" in run.tags for run in ledger.runs(tags={"study": "s"}))
        assert len(load_results(ledger, "s").table) == 2
        energies = [t.energy.value for t in studies.trials(ledger, "s") if t.energy]
        # The warm-up is part of the energy used.
        assert energies and studies.used(ledger, "s")[0] > sum(energies)


def test_the_next_trial_waits_for_a_hot_gpu(place: Place, fake_nvml: FakeNvml) -> None:
    # At 61 degrees.
    fake_nvml.write_state(A100)
    below = '[conditions]\ncool_to = 45\ncool_longest = "1s"\n'
    path = place.plan("by_return", sizes="[1, 2]", below=below)
    text = place("study", "run", path, **fake_nvml.env)
    assert "1.00 s" in text and "61 °C" in text


def test_a_study_run_from_python(place: Place) -> None:
    script = """
import sys, joulecast
study = joulecast.Study("s", "train.py:by_return", {"size": [1, 2]}, repetitions=2)
outcome = joulecast.run_study(study, folder=sys.argv[1])
table = joulecast.study_results("s").table
assert all(e.trial.started_at < e.trial.ended_at for e in outcome.trials)
findings = joulecast.findings("s")
assert findings.counts["finished"] == 4 and len(findings.recordings.runs) == 2
assert joulecast.report(findings).name == "s-study.html"
assert len(joulecast.write_paper(findings, "paper")) > 4
assert "s" in repr(outcome) and "s" in repr(joulecast.study_status("s"))
print(outcome.ended, len(outcome.trials), sorted(table.numbers("size")), set(table.cells("status")))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, place.folder],
        cwd=place.folder,
        env=place.env,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("complete 4 [")
    assert "{'finished'}" in done.stdout


class ClosedOutput(StudyListener):
    def output(self, data: bytes) -> None:
        raise BrokenPipeError


def test_a_trial_continues_when_its_output_is_closed(place: Place) -> None:
    study = read_study(place.plan("by_talk", sizes="[20_000]"))
    with open_ledger(place.ledger) as ledger:
        store_plan(ledger, study, place.folder)
        context = RunnerContext(env=place.env, listener=ClosedOutput(), verbose=True)
        (ended,) = Runner(ledger, study, place.folder, context).run().trials
    assert (ended.trial.status, ended.trial.error) == ("finished", None)


def test_the_plan_of_the_example_matches_its_function() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    file = Path(__file__).parents[2] / "examples/study_digits/study.toml"
    study = read_study(file)
    check_entry(study, inspect_entry(study, file.parent), str(file))
    assert len(ordered(study)) == 60


def test_no_studies_and_unknown_ones(place: Place) -> None:
    place("study", "run", place.plan("by_return"))
    assert "1 finished" in place("study", "status")
    (summary,) = place.json("study", "status")["studies"]
    assert summary["counts"] == {"finished": 1}
    for verb in ("resume", "status", "report"):
        assert "'zzz'" in place("study", verb, "zzz", code=2)
    assert "'zzz'" in place("study", "status", "s", "--trial", "zzz", code=2)
    assert "zzz.csv" in place("study", "report", "zzz.csv", code=2)
