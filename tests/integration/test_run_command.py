"""`joulecast run` compared with the bare command: equal in every respect a user can see."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

PYTHON = sys.executable
JOULECAST = [PYTHON, "-m", "joulecast"]


@pytest.fixture
def env(tmp_path):
    return os.environ | {"JOULECAST_LEDGER": str(tmp_path / "ledger.sqlite")}


def wrapped(*command, env, options=(), **more):
    return subprocess.run(
        [*JOULECAST, "run", *options, "--", *command],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        **more,
    )


def figures(tmp_path, *command, env, options=(), **more):
    path = tmp_path / "figures.json"
    done = wrapped(*command, env=env, options=("--json-file", str(path), *options), **more)
    return done, json.loads(path.read_text())


def test_ctrl_c_cancels_a_run_and_leaves_its_epoch_unfinished(env, tmp_path):
    script = (
        "for e in 1 2 3; do for n in 1 2 3 4; do echo Epoch [$e/6] Step [$n/4] loss 0.5;"
        " sleep 0.2; [ $e$n = 33 ] && kill -INT $$; done; done"
    )
    done, recording = figures(tmp_path, "bash", "-c", script, env=env, options=("--live",))
    assert done.returncode == -signal.SIGINT
    assert recording["status"] == "canceled"
    assert [e["complete"] for e in recording["epochs"]] == [True, True, False]
    assert recording["epochs"][2]["duration_s"] == pytest.approx(0.6, abs=0.4)
    assert recording["outside_epochs"]["after"]["duration_s"] == 0


def test_exit_code_and_figures(env, tmp_path):
    done, recording = figures(
        tmp_path, "sh", "-c", "echo out; echo err >&2; sleep 0.5; exit 7", env=env
    )
    assert done.returncode == 7
    assert done.stdout == "out\n"
    assert done.stderr.startswith("err\n")
    assert recording["schema"] == "joulecast/recording/1"
    assert next(iter(recording)) == "schema"
    assert recording["exit_code"] == 7
    assert recording["status"] == "failed"
    assert recording["duration_s"] >= 0.5
    total = recording["energy"]["total"]
    assert total["unit"] == "J"
    assert total["low"] <= total["value"] <= total["high"]
    assert recording["energy"]["above_idle"] is None
    assert recording["energy"]["domains"]
    for domain in recording["energy"]["domains"]:
        assert {"domain", "energy", "mean_power_w", "source"} <= set(domain)


def test_death_by_a_signal_is_seen_as_such(env, tmp_path):
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    bare = subprocess.run([PYTHON, "-c", code])
    done, recording = figures(tmp_path, PYTHON, "-c", code, env=env)
    assert done.returncode == bare.returncode == -signal.SIGSEGV
    assert recording["exit_code"] == 139


def test_stdin_is_the_commands_own(env):
    done = wrapped("cat", env=env, input="three\nlines\nin\n")
    assert done.stdout == "three\nlines\nin\n"


def test_nothing_is_written_to_stdout(env):
    assert wrapped("true", env=env).stdout == ""


@pytest.mark.parametrize(
    ("command", "code"), [("no-such-program", 127), ("/etc/passwd", 126), ("/etc", 126)]
)
def test_a_command_that_cannot_be_run(env, command, code):
    done = wrapped(command, env=env)
    assert done.returncode == code
    assert done.stderr.count("\n") == 1
    assert command in done.stderr


def test_multiprocessing_counts_and_behaves(env, tmp_path):
    script = tmp_path / "pool.py"
    script.write_text(
        "import multiprocessing as mp, time\n"
        "def work(i):\n"
        "    end = time.process_time() + 0.6\n"
        "    while time.process_time() < end: pass\n"
        "    return i\n"
        "if __name__ == '__main__':\n"
        "    for method in ('fork', 'spawn'):\n"
        "        with mp.get_context(method).Pool(2) as pool:\n"
        "            print(method, pool.map(work, range(2)))\n"
    )
    done, recording = figures(tmp_path, PYTHON, str(script), env=env)
    assert done.stdout == "fork [0, 1]\nspawn [0, 1]\n"
    assert done.returncode == 0
    assert recording["energy"]["total"]["value"] > 0


def in_terminal(command, env, keys=(), timeout=60):
    """Runs it on a pseudo-terminal, types `keys` ((after this text, bytes), ...); output, code."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, env)
    output, waiting = b"", list(keys)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            output += data
        if waiting and waiting[0][0] in output:
            os.write(fd, waiting.pop(0)[1])
    os.close(fd)
    _, status = os.waitpid(pid, 0)
    return output, status


def test_ctrl_c_reaches_the_command_once_and_its_answer_counts(env, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import signal, sys, time\n"
        "count = 0\n"
        "def stop(*_):\n"
        "    global count; count += 1\n"
        "signal.signal(signal.SIGINT, stop)\n"
        "print('ready', flush=True)\n"
        "end = time.monotonic() + 1.5\n"
        "while time.monotonic() < end: time.sleep(0.05)\n"
        "print('interrupted', count, flush=True)\n"
        "sys.exit(9)\n"
    )
    bare = in_terminal([PYTHON, str(script)], env, [(b"ready", b"\x03")])
    ours = in_terminal([*JOULECAST, "run", "--", PYTHON, str(script)], env, [(b"ready", b"\x03")])
    assert b"interrupted 1" in bare[0]
    assert b"interrupted 1" in ours[0]
    assert os.waitstatus_to_exitcode(ours[1]) == os.waitstatus_to_exitcode(bare[1]) == 9


def test_ctrl_c_on_a_command_that_dies_of_it(env):
    code = "import time; print('ready', flush=True); time.sleep(30)"
    bare = in_terminal([PYTHON, "-c", code], env, [(b"ready", b"\x03")])
    ours = in_terminal([*JOULECAST, "run", "--", PYTHON, "-c", code], env, [(b"ready", b"\x03")])
    assert os.waitstatus_to_exitcode(ours[1]) == os.waitstatus_to_exitcode(bare[1])
    assert b"KeyboardInterrupt" in ours[0]
    assert b"joulecast" in ours[0], "the recording is summed up all the same"


def test_a_signal_sent_to_joulecast_alone_is_passed_on(env):
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "print('ready', flush=True); time.sleep(30)"
    )
    process = subprocess.Popen(
        [*JOULECAST, "run", "--", PYTHON, "-c", code], env=env, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 5
    process.stdout.close()


def test_a_bar_is_painted_as_without_us(env, tmp_path):
    """tqdm asks the terminal for its size and paints with carriage returns, on stderr."""
    script = tmp_path / "bar.py"
    script.write_text(
        "import sys, tqdm\n"
        "print(sys.stdout.isatty(), sys.stderr.isatty(), sys.stdin.isatty())\n"
        "for _ in tqdm.tqdm(range(5), mininterval=0, bar_format='{l_bar}{bar}|{n}/{total}'): pass\n"
    )
    bare, _ = in_terminal([PYTHON, str(script)], env)
    ours, _ = in_terminal([*JOULECAST, "run", "--quiet", "--", PYTHON, str(script)], env)
    assert b"True True True" in bare
    assert ours == bare


def test_a_broken_pipe_kills_the_command_as_it_should(env):
    """Python ignores SIGPIPE for itself; the command must not inherit that."""
    bare = subprocess.run("yes | head -1; echo ${PIPESTATUS[0]}", **_bash(env))
    ours = subprocess.run(
        f"{PYTHON} -m joulecast run -q -- yes | head -1; echo ${{PIPESTATUS[0]}}", **_bash(env)
    )
    assert ours.stdout == bare.stdout == "y\n141\n"


def _bash(env):
    return {
        "shell": True,
        "executable": "/bin/bash",
        "env": env,
        "capture_output": True,
        "text": True,
        "timeout": 60,
    }


def test_a_signal_that_was_ignored_stays_ignored(env):
    """`nohup joulecast run ...` must leave the command deaf to SIGHUP."""
    code = (
        "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, "
        "signal.getsignal(signal.SIGINT) == signal.default_int_handler, "
        "signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    )
    done = subprocess.run(
        f"trap '' HUP; exec {PYTHON} -m joulecast run -q -- {PYTHON} -c '{code}'", **_bash(env)
    )
    assert done.stdout == "True True set()\n"


def test_file_descriptors_given_by_the_shell_arrive(env, tmp_path):
    target = tmp_path / "third"
    subprocess.run(
        f"{PYTHON} -m joulecast run -q -- sh -c 'echo hello >&3' 3>{target}", **_bash(env)
    )
    assert target.read_text() == "hello\n"


@pytest.mark.parametrize(
    "options",
    [
        ("--json-file", "no/such/folder.json"),
        ("--interval", "5s"),
        ("--interval", "1ms"),
        ("--tag", "novalue"),
        ("--idle-power", "x"),
    ],
)
def test_misuse_is_one_line_and_runs_nothing(env, options, tmp_path):
    target = tmp_path / "ran"
    done = wrapped("touch", str(target), env=env, options=options)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert not target.exists()


def test_a_script_that_records_itself_joins(env, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import joulecast, time\n"
        "with joulecast.record('inner', epochs=3) as run:\n"
        "    assert not run.recording\n"
        "    for epoch in run.epochs():\n"
        "        time.sleep(0.25)\n"
        "        with run.span('validate'):\n"
        "            run.log(accuracy=epoch / 10)\n"
        "        run.log(loss=1.0)\n"
    )
    done, recording = figures(tmp_path, PYTHON, str(script), env=env, options=("--live",))
    assert done.returncode == 0, done.stderr
    assert [e["index"] for e in recording["epochs"]] == [0, 1, 2]
    assert recording["epochs"][0]["metrics"] == {"loss": 1.0, "accuracy": 0.0}
    assert all(e["energy"]["value"] >= 0 for e in recording["epochs"])
    assert [s["name"] for s in recording["spans"]] == ["inner", *["validate"] * 3]
    assert recording["metrics"]["accuracy"] == 0.2
    assert done.stderr.count("joulecast: epoch ") == 3
    runs = json.loads(subprocess.check_output([*JOULECAST, "runs", "--json"], env=env))
    assert len(runs["runs"]) == 1


def test_only_one_rank_of_a_node_records(env, tmp_path):
    ranks = [
        wrapped("true", env=env | {"LOCAL_RANK": rank, "TORCHELASTIC_RUN_ID": "j"})
        for rank in ("0", "1")
    ]
    assert [r.returncode for r in ranks] == [0, 0]
    assert [bool(r.stderr) for r in ranks] == [True, False]
    runs = json.loads(subprocess.check_output([*JOULECAST, "runs", "--json"], env=env))["runs"]
    assert len(runs) == 1


def test_the_energy_of_the_commands_cpu_time_is_counted_and_no_other(env, tmp_path):
    """The process scope: a busy neighbor does not raise our bill by its own CPU time."""
    busy = [PYTHON, "-c", "import time\nend = time.time() + 4\nwhile time.time() < end: pass"]
    neighbor = subprocess.Popen(busy)
    try:
        _, idle = figures(tmp_path, "sleep", "1.5", env=env)
        _, work = figures(
            tmp_path,
            PYTHON,
            "-c",
            "import time\nend = time.process_time() + 1\nwhile time.process_time() < end: pass",
            env=env,
        )
    finally:
        neighbor.kill()
        neighbor.wait()
    cpu = [
        next(d for d in f["energy"]["domains"] if d["domain"] == "cpu:0")["energy"]["value"]
        for f in (idle, work)
    ]
    assert cpu[0] < 0.2 * cpu[1]


def test_a_busy_machine_during_the_idle_baseline_is_a_warning(env, tmp_path):
    loops = [
        subprocess.Popen([PYTHON, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)
    ]
    try:
        _, busy = figures(tmp_path, "sleep", "0.3", env=env, options=("--idle", "2s"))
        _, without = figures(tmp_path, "sleep", "0.3", env=env)
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    assert len([w for w in busy["warnings"] if "not idle" in w]) == 1
    assert not any("not idle" in w for w in without["warnings"])


def test_a_kill_of_the_recorder_shows_the_run_as_interrupted(env, tmp_path):
    process = subprocess.Popen(
        [*JOULECAST, "run", "--name", "victim", "--", "sleep", "60"], env=env, cwd=tmp_path
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    # The recorder has begun; a busy machine may take seconds until then.
    while not children.read_text():
        time.sleep(0.05)
    time.sleep(5)
    child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait()
    for pid in child:
        os.kill(int(pid), signal.SIGKILL)
    runs = json.loads(subprocess.check_output([*JOULECAST, "runs", "--json"], env=env))["runs"]
    assert [(r["name"], r["status"]) for r in runs] == [("victim", "interrupted")]
    shown = json.loads(subprocess.check_output([*JOULECAST, "show", "victim", "--json"], env=env))
    assert shown["duration_s"] > 2.5
    assert shown["energy"]["total"]["value"] > 0


def recorded(env):
    document = json.loads(subprocess.check_output([*JOULECAST, "runs", "--json"], env=env))
    return document["runs"]


def started(*command, env, options=(), **more):
    """Under way, its first line of output read."""
    process = subprocess.Popen(
        [*JOULECAST, "run", *options, "--", *command],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def within(seconds, process):
    """Its exit code; it must not take longer."""
    try:
        return process.wait(timeout=seconds)
    finally:
        process.kill()
        process.communicate()


# A trainer that counts a signal for a while.
COUNT = """
import os, signal, sys, time
count = 0
def heard(*_):
    global count; count += 1
number = getattr(signal, sys.argv[1], None) or signal.SIGRTMIN + 1
signal.signal(number, heard)
print('ready', flush=True)
end = time.monotonic() + 1.5
while time.monotonic() < end:
    time.sleep(0.05)
    if sys.argv[2:] and count < 5:
        os.killpg(0, number)
sys.exit(count)
"""


def test_a_script_without_an_interpreter_is_run_by_sh(env, tmp_path):
    script = tmp_path / "train"
    script.write_text("echo $1; exit 3\n")
    script.chmod(0o755)
    for options in ((), ("--tag", "a=b")):
        done = wrapped(str(script), "hello", env=env, options=options)
        assert (done.returncode, done.stdout) == (3, "hello\n")


def test_sigchld_ignored_by_whoever_started_us(env):
    code = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
        "os.execvp(sys.argv[1], sys.argv[1:])"
    )
    done = subprocess.run(
        [PYTHON, "-c", code, *JOULECAST, "run", "--", "sh", "-c", "exit 3"],
        env=env,
        capture_output=True,
        timeout=30,
    )
    assert done.returncode == 3


@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&-", "2>/dev/full", "2> >(exit 0)"])
@pytest.mark.parametrize("command", ["sh -c 'sleep 0.3; exit 7'", "no-such-program"])
def test_the_exit_code_survives_streams_that_take_nothing(env, streams, command):
    script = f"{PYTHON} -m joulecast run -- {command} {streams}; exit $?"
    done = subprocess.run(script, **_bash(env))
    assert done.returncode == (7 if "7" in command else 127)


def test_the_exit_code_survives_a_terminal_that_is_gone(env, tmp_path):
    target = tmp_path / "figures.json"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*JOULECAST, "run", "--json-file", str(target), "--", "sh", "-c", "sleep 1; exit 7"],
        env=env,
        stderr=theirs,
    )
    os.close(theirs)
    os.close(ours)
    assert process.wait(timeout=30) == 7
    assert json.loads(target.read_text())["exit_code"] == 7


def test_a_window_that_is_closed_hangs_up_the_command(env, tmp_path):
    """The kernel signals only the leader of the session, which is joulecast itself."""
    target = tmp_path / "figures.json"
    command = [
        *JOULECAST,
        "run",
        "--json-file",
        str(target),
        "--",
        "sh",
        "-c",
        "echo ready; sleep 20",
    ]
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, env)
    assert b"ready" in os.read(fd, 100)
    os.close(fd)
    began = time.monotonic()
    _, status = os.waitpid(pid, 0)
    assert time.monotonic() - began < 10
    assert os.waitstatus_to_exitcode(status) == -signal.SIGHUP
    assert json.loads(target.read_text())["exit_code"] == 128 + signal.SIGHUP


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_idling_ends_joulecast_and_starts_nothing(env, tmp_path, number):
    target = tmp_path / "ran"
    process = subprocess.Popen(
        [*JOULECAST, "run", "--idle", "20s", "--", "touch", str(target)],
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "idle" in process.stderr.readline()
    process.send_signal(number)
    assert within(5, process) == -number
    assert not target.exists()


def test_a_signal_during_the_start_up_starts_nothing(env, tmp_path):
    """Sent as soon as it is held: the preparations end, and the command is not begun."""
    target = tmp_path / "ran"
    process = subprocess.Popen([*JOULECAST, "run", "--", "touch", str(target)], env=env)
    status = Path(f"/proc/{process.pid}/status")
    held = 1 << (signal.SIGTERM - 1)
    while not int(status.read_text().partition("SigBlk:")[2].split()[0], 16) & held:
        time.sleep(0.001)
    process.send_signal(signal.SIGTERM)
    assert within(20, process) == -signal.SIGTERM
    assert not target.exists()


def test_a_signal_while_the_recording_is_stored_ends_the_wait(env):
    wrapped("true", env=env)  # makes the ledger
    process = started("sh", "-c", "echo ready; sleep 3; exit 5", env=env, options=("--name", "x"))
    time.sleep(2)
    lock = sqlite3.connect(env["JOULECAST_LEDGER"], isolation_level=None, timeout=20)
    lock.execute("BEGIN EXCLUSIVE")
    time.sleep(2.5)
    assert process.poll() is None, "it waits for the ledger"
    process.send_signal(signal.SIGTERM)
    assert within(3, process) == 5
    lock.rollback()
    lock.close()
    assert {r["name"]: r["status"] for r in recorded(env)}["x"] == "interrupted"


def test_a_process_of_another_user_cannot_be_signalled_and_that_is_no_fault():
    code = (
        "import os\n"
        "from joulecast.recording.wrap.signals import Received\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try: os.kill(1, 0)\n"
        "except PermissionError: Received(15, 0, False).pass_on(1); print('kept calm')\n"
    )
    assert subprocess.check_output([PYTHON, "-c", code]) == b"kept calm\n"


@pytest.mark.parametrize("name", ["SIGABRT", "SIGXCPU", "SIGUSR2", "SIGCONT", "SIGRTMIN+1"])
def test_every_signal_sent_to_joulecast_alone_arrives_once(env, name):
    process = started(PYTHON, "-c", COUNT, name, env=env)
    process.send_signal(getattr(signal, name, None) or signal.SIGRTMIN + 1)
    assert within(20, process) == 1


@pytest.mark.parametrize("name", ["SIGUSR1", "SIGTERM", "SIGRTMIN+1"])
def test_a_signal_the_command_sends_to_its_group_arrives_once(env, name):
    bare = subprocess.run([PYTHON, "-c", COUNT, name, "group"], start_new_session=True)
    done = wrapped(PYTHON, "-c", COUNT, name, "group", env=env, start_new_session=True)
    assert done.returncode == bare.returncode == 5


def test_an_alarm_set_before_us_reaches_the_command(env):
    """`perl -e 'alarm 5; exec @ARGV' joulecast run ...` is a common way to set a time limit."""
    code = "import os, signal, sys; signal.alarm(3); os.execvp(sys.argv[1], sys.argv[1:])"
    began = time.monotonic()
    done = subprocess.run(
        [PYTHON, "-c", code, *JOULECAST, "run", "-q", "--", "sleep", "20"], env=env, timeout=30
    )
    assert done.returncode == -signal.SIGALRM
    assert time.monotonic() - began < 15


def stops(pid):
    """Wait until it stops; by which signal, or None where it ended instead."""
    _, status = os.waitpid(pid, os.WUNTRACED)
    return os.WSTOPSIG(status) if os.WIFSTOPPED(status) else None


@pytest.mark.parametrize("wake_group", [True, False])
def test_a_command_that_stops_itself_stops_joulecast(env, wake_group):
    process = subprocess.Popen(
        [*JOULECAST, "run", "-q", "--", "sh", "-c", "kill -STOP $$; exit 5"],
        env=env,
        process_group=0,
    )
    assert stops(process.pid) == signal.SIGSTOP
    (os.killpg if wake_group else os.kill)(process.pid, signal.SIGCONT)
    assert process.wait(timeout=20) == 5


SLOW = "import sys, time; print('ready', flush=True); time.sleep(1); sys.exit(5)"


@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_tstp_stops_both_once(env, send):
    process = started(PYTHON, "-c", SLOW, env=env, process_group=0)
    send(process.pid, signal.SIGTSTP)
    assert stops(process.pid) == signal.SIGTSTP
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    states = [Path(f"/proc/{child}/stat").read_text().split()[2] for child in children]
    assert states == ["T"]
    send(process.pid, signal.SIGCONT)
    assert within(20, process) == 5


def test_ctrl_z_and_fg_in_a_shell(env, tmp_path):
    script = tmp_path / "train.py"  # a shell could be stopped amid a vfork, which hangs it
    script.write_text(SLOW)
    command = f"{PYTHON} -m joulecast run -q -- {PYTHON} {script}\n"
    keys = [
        (b"$ ", command.encode()),
        (b"ready", b"\x1a"),
        (b"Stopped", b"fg; echo code=$?\n"),
        (b"code=5", b"exit\n"),
    ]
    shell = ["bash", "--norc", "--noprofile", "-i"]
    output, _ = in_terminal(shell, env | {"PS1": "$ "}, keys)
    assert b"Stopped" in output
    assert b"code=5" in output


def test_variables_that_cannot_be_passed_on_are_left_out(env):
    done = subprocess.run(["env", "=x=y", *JOULECAST, "run", "-q", "--", "true"], env=env)
    assert done.returncode == 0


FAULTY = """
import sys, threading, tempfile
from joulecast.run import session
{fault}
sys.argv = ["joulecast", "run", "--", "sh", "-c", "echo ran; exit 5"]
from joulecast.cli import main
main()
"""
NO_HOME = """
from joulecast.errors import LedgerError
def refuse(*_): raise LedgerError("no home folder")
session.RescueSink = refuse
"""


@pytest.mark.parametrize(
    "fault",
    [
        "session.Session.start = lambda self: threading.Thread(target=1).start(2)",
        "tempfile.tempdir = '/nowhere'",
        NO_HOME,
    ],
)
def test_a_fault_of_ours_costs_the_recording_only(env, fault):
    done = subprocess.run(
        [PYTHON, "-c", FAULTY.format(fault=fault)],
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (5, "ran\n")
    assert done.stderr.count("\n") == 1
    assert "not recording" in done.stderr


@pytest.mark.parametrize("limit_kb", [150_000, 60_000])
def test_a_limit_of_memory_costs_the_recording_only(env, limit_kb):
    command = f"ulimit -v {limit_kb}; exec {PYTHON} -m joulecast run -- sh -c 'echo ran; exit 5'"
    done = subprocess.run(
        ["sh", "-c", command], env=env, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (5, "ran\n")
    assert done.stderr.count("\n") == 1


STORED = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
for table in ("runs", "chunks"):
    print(database.execute(f"SELECT count(*) FROM joulecast_{table}").fetchone()[0])
"""


def test_a_run_and_its_first_readings_are_stored_when_its_command_begins(env):
    done = wrapped(PYTHON, "-c", STORED, env["JOULECAST_LEDGER"], env=env)
    runs, chunks = map(int, done.stdout.split())
    assert runs == 1
    assert chunks >= 1


HANDLES_LATE = """
import os, signal, time
def leave(number, frame):
    os._exit(9)
signal.signal(signal.SIGINT, leave)
print("ready", flush=True)
time.sleep(30)
"""


def test_a_signal_that_is_ignored_first_and_handled_later_is_passed_on(env):
    ignoring = f"trap '' INT; echo ignored; exec {PYTHON} -m joulecast run -q -- sleep 30"
    process = subprocess.Popen(["sh", "-c", ignoring], env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ignored\n"
    os.kill(process.pid, signal.SIGINT)
    handles = ["sh", "-c", f"trap '' INT; exec {PYTHON} -m joulecast run -q -- {PYTHON} -c \"$0\""]
    late = subprocess.Popen(
        [*handles, HANDLES_LATE],
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert late.stdout.readline() == "ready\n"
        os.kill(late.pid, signal.SIGINT)
        assert late.wait(timeout=30) == 9
        # The other ignores it, and so does its command.
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(timeout=30) == -signal.SIGTERM
        process.stdout.close()
        late.kill()
        late.stdout.close()


def test_one_inside_another_is_part_of_it(env, tmp_path):
    target = tmp_path / "inner.json"
    inner = [*JOULECAST, "run", "--json-file", str(target), "--", "sh", "-c", "exit 4"]
    done = wrapped(*inner, env=env)
    assert done.returncode == 4
    assert str(target) in done.stderr and not target.exists()
    assert len(recorded(env)) == 1


def test_a_join_file_that_is_gone_is_no_run(env, tmp_path):
    gone = str(tmp_path / "gone")
    assert wrapped("true", env=env | {"JOULECAST_JOIN": gone}).returncode == 0
    assert len(recorded(env)) == 1
