"""`joulecast.record` in real scripts: workers, ranks, threads, failures, notebooks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap

import pytest


@pytest.fixture
def script(tmp_path):
    """Runs Python code in a process of its own; returns what it printed and what the ledger has."""

    def run(code, *, launcher=(sys.executable,), code_expected=0, **more_env):
        path = tmp_path / "script.py"
        path.write_text(textwrap.dedent(code))
        env = os.environ | {"JOULECAST_LEDGER": str(tmp_path / "ledger.sqlite")} | more_env
        done = subprocess.run(
            [*launcher, str(path)], env=env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == code_expected, done.stderr
        listed = subprocess.check_output(
            [sys.executable, "-m", "joulecast", "runs", "--json"], env=env
        )
        shown = [
            json.loads(
                subprocess.check_output(
                    [sys.executable, "-m", "joulecast", "show", r["run_id"], "--json"], env=env
                )
            )
            for r in json.loads(listed)["runs"]
        ]
        return done, shown

    return run


def test_a_training_with_epochs_spans_and_metrics(script):
    done, (run,) = script(
        """
        import time, joulecast
        with joulecast.record("digits", epochs=3, tags={"lr": "0.1"}) as run:
            assert run.recording
            for epoch in run.epochs():
                time.sleep(0.3)
                with run.span("validate"):
                    run.log(accuracy=0.5 + epoch / 10)
            assert run.energy.value >= 0
        assert [e.span.index for e in run.summary.epochs] == [0, 1, 2]
        assert run.summary.total == run.energy
        """
    )
    assert (run["name"], run["tags"], run["status"]) == ("digits", {"lr": "0.1"}, "finished")
    assert [e["index"] for e in run["epochs"]] == [0, 1, 2]
    assert all(0.25 < e["duration_s"] < 2 for e in run["epochs"])
    assert run["metrics"] == {"accuracy": 0.7}
    assert "digits" in done.stderr
    assert done.stdout == ""


def test_a_decorated_function_is_a_run_each_time(script):
    _, runs = script(
        """
        import joulecast
        @joulecast.record("job", quiet=True)
        def job(x):
            return x + 1
        assert [job(1), job(2)] == [2, 3]
        """
    )
    assert [r["name"] for r in runs] == ["job", "job"]


def test_a_decorator_without_brackets(script):
    _, (run,) = script(
        """
        import joulecast
        @joulecast.record
        def train(x):
            return x + 1
        assert train(1) == 2
        """
    )
    assert run["name"] == "train"


def test_cells_of_a_notebook(script):
    _, (run,) = script(
        """
        import joulecast
        run = joulecast.record("cells").start()
        for epoch in run.epochs(2):
            pass
        assert run.stop() is run.stop()
        """
    )
    assert run["status"] == "finished"
    assert len(run["epochs"]) == 2


def test_a_run_never_stopped_is_kept_when_python_ends(script):
    _, (run,) = script("import joulecast; run = joulecast.record('forgotten').start()")
    assert run["status"] == "finished"


def test_an_exception_passes_and_the_run_is_shown_as_failed(script):
    done, (run,) = script(
        """
        import joulecast
        with joulecast.record("broken") as run:
            for epoch in run.epochs(3):
                raise ValueError("my own error")
        """,
        code_expected=1,
    )
    assert done.stderr.rstrip().splitlines()[-1].startswith("ValueError: ")
    assert run["status"] == "failed"
    assert any("ValueError" in w for w in run["warnings"])
    assert len(run["epochs"]) == 1


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_do_not_record_twice_and_their_spans_arrive(script, method):
    _, (run,) = script(
        f"""
        import multiprocessing as mp, os, time, joulecast

        def work(i):
            with joulecast.record("worker") as inner:
                assert not inner.recording
                with inner.span(f"part {{i}}"):
                    inner.log(value=i)
                    time.sleep(0.2)

        if __name__ == "__main__":
            with joulecast.record("outer") as run:
                with run.span("parallel"):
                    workers = [mp.get_context("{method}").Process(target=work, args=(i,))
                               for i in range(3)]
                    [w.start() for w in workers]
                    [w.join() for w in workers]
                    assert all(w.exitcode == 0 for w in workers)
            assert run.summary is not None
        """
    )
    names = [s["name"] for s in run["spans"]]
    assert sorted(n for n in names if n.startswith("part")) == ["part 0", "part 1", "part 2"]
    assert names.count("worker") == 3
    assert run["name"] == "outer"


def test_a_fork_inside_an_epoch_leaves_the_parents_spans_alone(script):
    _, (run,) = script(
        """
        import os, time, joulecast
        with joulecast.record("outer") as run:
            for epoch in run.epochs(2):
                if os.fork() == 0:
                    run.log(child=epoch)
                    continue  # the child runs on through the loop and leaves the block
                os.wait()
                time.sleep(0.3)
            child = os.getpid() != run._pid
        """
    )
    assert [e["index"] for e in run["epochs"]] == [0, 1]
    assert all(e["duration_s"] > 0.25 for e in run["epochs"])


def test_pytorch_data_loader_workers(script):
    _, (run,) = script(
        """
        import torch, joulecast
        from torch.utils.data import DataLoader, TensorDataset
        data = DataLoader(TensorDataset(torch.zeros(64, 2)), 8, num_workers=2)
        with joulecast.record("loader", epochs=2) as run:
            for epoch in run.epochs():
                for batch in data:
                    pass
                run.log(loss=torch.tensor(0.5))
        """
    )
    assert len(run["epochs"]) == 2
    assert run["epochs"][0]["metrics"] == {"loss": 0.5}


def test_torchrun_records_once_a_node_with_a_group(script):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    _, (run,) = script(
        """
        import os, time, joulecast
        with joulecast.record("ranks", epochs=2) as run:
            assert run.recording == (os.environ["LOCAL_RANK"] == "0")
            for epoch in run.epochs():
                end = time.process_time() + 0.3
                while time.process_time() < end: pass
                run.log(rank=int(os.environ["LOCAL_RANK"]))
        """,
        launcher=[*launcher, "--nproc-per-node", "2"],
    )
    assert run["group"].startswith("torchrun-")
    assert len(run["epochs"]) == 2
    assert run["metrics"] == {"rank": 0.0}


def test_a_record_inside_a_record_is_a_span_of_it(script):
    _, (run,) = script(
        """
        import joulecast
        with joulecast.record("outer") as outer:
            with joulecast.record("inner", epochs=1) as inner:
                for epoch in inner.epochs():
                    outer.log(a=1)
                    inner.log(b=2)
        """
    )
    assert run["name"] == "outer"
    assert [s["name"] for s in run["spans"]] == ["inner"]
    assert run["epochs"][0]["metrics"] == {"a": 1.0, "b": 2.0}


def test_many_threads(script):
    _, (run,) = script(
        """
        import threading, joulecast
        with joulecast.record("threads") as run:
            def work(i):
                for k in range(50):
                    with run.span(f"t{i}"):
                        run.log(k=k)
            threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
            [t.start() for t in threads]
            [t.join() for t in threads]
        """
    )
    assert len(run["spans"]) == 400
    assert all(s["complete"] for s in run["spans"])


def test_a_clean_exit_is_no_failure(script):
    _, (run,) = script(
        """
        import sys, joulecast
        with joulecast.record("exits"):
            sys.exit(0)
        """
    )
    assert run["status"] == "finished"


def test_coroutines_are_recorded_to_their_end_and_generators_refused(script):
    _, (run,) = script(
        """
        import asyncio, joulecast
        @joulecast.record("async")
        async def job():
            await asyncio.sleep(1.2)
            return 7
        assert asyncio.run(job()) == 7
        try:
            @joulecast.record("generator")
            def steps():
                yield 1
        except joulecast.JoulecastError as error:
            assert "steps" in str(error)
        else:
            raise SystemExit("not refused")
        """
    )
    assert run["duration_s"] > 1.1


def test_threads_that_start_at_once_make_one_run(script):
    _, runs = script(
        """
        import threading, time, joulecast
        def job(i):
            with joulecast.record(f"job {i}", quiet=True):
                time.sleep(1.5)
        threads = [threading.Thread(target=job, args=(i,)) for i in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        """
    )
    assert len(runs) == 1
    assert len(runs[0]["spans"]) == 3


def test_a_notebook_cell_run_again_ends_its_earlier_run(script):
    done, runs = script(
        """
        import joulecast
        for _ in range(2):
            joulecast.record("cell").start()  # not even bound to a name
        """
    )
    assert [r["status"] for r in runs] == ["finished", "finished"]
    assert "cell" in done.stderr


def test_many_short_runs_that_join_leave_no_files_open(script):
    """The outer recording is that of `joulecast run`, in another process."""
    outer = [sys.executable, "-m", "joulecast", "run", "--name", "outer", "--", sys.executable]
    _, (run,) = script(
        """
        import os, joulecast
        @joulecast.record("inner")
        def job():
            return len(os.listdir("/proc/self/fd"))
        files = [job() for _ in range(60)]
        assert files[-1] <= files[0], files
        """,
        launcher=outer,
    )
    assert run["name"] == "outer"
    assert [s["name"] for s in run["spans"]] == ["inner"] * 60


def test_without_a_home_folder_the_training_continues(tmp_path):
    code = "import joulecast\nwith joulecast.record('x') as run: print('trained')"
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become a user without a home folder")
    nobody = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"]
    nobody += ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    tmp_path.chmod(0o777)
    done = subprocess.run(
        [*nobody, sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "trained\n"
    assert "JOULECAST_LEDGER" in done.stderr


@pytest.mark.parametrize(
    "call",
    [
        *("interval=5", "interval='1ms'", "interval=None", "scope='world'"),
        *("epochs=-1", "epochs=2.5", "epochs='x'", "tags=['a']", "ledger=5"),
        *("idle=-1", "idle_power=-1", "idle_power=[3]", "idle=1, idle_power=3"),
    ],
)
def test_misuse_is_refused_before_the_training_starts(script, call):
    _, runs = script(
        f"""
        import joulecast
        try:
            joulecast.record("x", {call})
        except joulecast.JoulecastError as error:
            assert "\\n" not in str(error)
        else:
            raise SystemExit("not refused")
        """
    )
    assert runs == []


def test_importing_costs_nothing_heavy():
    heavy = ("torch", "rich", "sqlalchemy", "numpy")
    code = f"import joulecast, sys; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
