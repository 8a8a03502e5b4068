"""Real process trees, as trainings make them, ended while `run_command` waits for the command."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from joulecast.recording.wrap.stop import Left, Stopped, _StopWatch

pytestmark = pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs a proc file system")

MARK = "JOULECAST_TEST_TREE"
PATIENCE_S = 30.0

# What joulecast is to the command: it waits in one thread and stops the tree in another. `READY`
# are files the tree writes, so many of them once it is set up.
DRIVER = """
import json, os, subprocess, sys, threading, time
from pathlib import Path
from joulecast.recording.wrap.command import run_command
from joulecast.recording.wrap.signals import hold_signals
from joulecast.recording.wrap.stop import Stopper

spec = json.loads(sys.argv[1])
folder = Path(spec["folder"])
held = hold_signals()
result = {}
earlier = subprocess.Popen(["sleep", "60"]) if spec["spare"] else None
named = {earlier.pid} if spec["spare"] == "named" else set()
stopper = Stopper(exclude=named)
if spec["adopt"]:
    assert stopper.adopt_orphans()

def stop():
    deadline = time.monotonic() + spec["patience"]
    while spec["ready"] and len(list(folder.glob("ready*"))) < spec["ready"]:
        if time.monotonic() > deadline:
            result["late"] = sorted(p.name for p in folder.iterdir())
            break
        stopper.tend()
        time.sleep(0.02)
    began = time.monotonic()
    stopped = stopper.stop(spec["grace"])
    result.update(terminated=stopped.terminated, killed=stopped.killed, text=str(stopped),
                  left=[[p.pid, p.name, p.reason] for p in stopped.left],
                  seconds=time.monotonic() - began)

stopping = threading.Thread(target=stop)

def on_start(pid):
    result["pid"] = pid
    stopper.follow(pid)
    if spec["drop"]:
        os.setresuid(65534, 65534, 65534)
    stopping.start()

def on_end(ended):
    stopping.join()
    result.update(code=ended.code, signal=ended.signal)

run_command(spec["command"], os.environ | spec["env"], held, on_start, on_end)
if earlier is not None:
    result["spared"] = earlier.poll() is None
    earlier.kill()
    earlier.wait()
result["children"] = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
sys.stdout.write(json.dumps(result))
"""


def alive(mark):
    """Live processes of a tree, from /proc: all of them inherit its mark."""
    commands = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                inherited = (folder / "environ").read_bytes()
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if f"{MARK}={mark}".encode() in inherited and state != "Z":
                commands.append(
                    (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:100]
                )
    return commands


@pytest.fixture
def tree(tmp_path):
    """Run a command, stop it once `ready` files are there; what became of it."""
    mark = secrets.token_hex(8)

    def run(*command, ready=1, grace=10.0, spare=None, adopt=True, drop=False):
        spec = {
            "command": [str(part) for part in command],
            "folder": str(tmp_path),
            "env": {MARK: mark, "FOLDER": str(tmp_path)},
            "ready": ready,
            "grace": grace,
            "spare": spare,
            "adopt": adopt,
            "drop": drop,
            "patience": PATIENCE_S,
        }
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, json.dumps(spec)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        outcome = json.loads(done.stdout)
        assert "late" not in outcome, (outcome["late"], done.stderr)
        outcome["alive"] = alive(mark)
        return outcome

    yield run
    for folder in Path("/proc").iterdir():  # whatever a failed test has left
        if folder.name.isdigit():
            try:
                if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                    os.kill(int(folder.name), signal.SIGKILL)
            except OSError:
                continue


def script(folder, name, text):
    path = folder / name
    path.write_text("import os, signal, sys, time\nfrom pathlib import Path\n" + text)
    return path


READY = "Path(os.environ['FOLDER'], f'ready-{os.getpid()}').touch()\n"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY + "time.sleep(60)\n"

# Saves a checkpoint on SIGTERM, slowly.
TRAINER = f"""
def save(number, frame):
    path = Path(os.environ["FOLDER"], "checkpoint")
    with path.open("w") as file:
        for part in range(5):
            time.sleep(0.1)
            file.write(f"{{part}}")
            file.flush()
    sys.exit(0)

signal.signal(signal.SIGTERM, save)
{READY}
while True:
    time.sleep(0.01)
"""


def test_a_command_alone(tree):
    outcome = tree("sh", "-c", "touch $FOLDER/ready; exec sleep 60")
    assert outcome["alive"] == []
    assert (outcome["terminated"], outcome["killed"], outcome["left"]) == (1, 0, [])
    assert (outcome["code"], outcome["signal"]) == (None, signal.SIGTERM)


def test_a_trainer_saves_its_checkpoint_within_the_grace_period(tree, tmp_path):
    outcome = tree(sys.executable, script(tmp_path, "train.py", TRAINER))
    assert (tmp_path / "checkpoint").read_text() == "01234"
    assert (outcome["alive"], outcome["killed"], outcome["code"]) == ([], 0, 0)


def test_a_trainer_still_has_its_workers_while_it_saves(tree, tmp_path):
    train = script(
        tmp_path,
        "train.py",
        f"""
import multiprocessing

def work(pipe):
    {READY}
    while True:
        pipe.send(pipe.recv() + 1)

def save(number, frame):
    total = 0
    for ours in pipes:
        time.sleep(0.2)
        ours.send(20)
        total += ours.recv()
    Path(os.environ["FOLDER"], "checkpoint").write_text(str(total))
    os._exit(0)  # leaves its workers behind

if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    pipes = []
    for _ in range(2):
        ours, theirs = multiprocessing.Pipe()
        multiprocessing.Process(target=work, args=(theirs,)).start()
        pipes.append(ours)
    signal.signal(signal.SIGTERM, save)
    {READY}
    while True:
        time.sleep(0.01)
""",
    )
    outcome = tree(sys.executable, train, ready=3)
    assert (tmp_path / "checkpoint").read_text() == "42"
    assert (outcome["alive"], outcome["code"], outcome["killed"]) == ([], 0, 0)
    assert outcome["terminated"] == 3


def test_workers_that_ignore_sigterm_and_a_daemon_are_gone_too(tree, tmp_path):
    daemon = script(tmp_path, "daemon.py", STUBBORN)
    train = script(
        tmp_path,
        "train.py",
        f"""
import multiprocessing, subprocess

def work():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    {READY}
    time.sleep(60)

if __name__ == "__main__":
    for _ in range(3):
        multiprocessing.Process(target=work).start()
    subprocess.run(["sh", "-c", "setsid nohup {sys.executable} {daemon} >/dev/null 2>&1 &"])
    {READY}
    time.sleep(60)
""",
    )
    outcome = tree(sys.executable, train, ready=5, grace=0.5)
    assert outcome["alive"] == []
    assert outcome["killed"] >= 4  # the interpreter's own helpers ignore it as well
    assert (outcome["left"], outcome["signal"]) == ([], signal.SIGTERM)


def test_a_shell_leaves_its_trainer_which_saves_nonetheless(tree, tmp_path):
    train = script(tmp_path, "train.py", TRAINER)
    outcome = tree("sh", "-c", f"{sys.executable} {train}; touch $FOLDER/went_on")
    assert (tmp_path / "checkpoint").read_text() == "01234"
    assert not (tmp_path / "went_on").exists()
    assert (outcome["alive"], outcome["killed"], outcome["signal"]) == ([], 0, signal.SIGTERM)


def test_a_shell_whose_trap_waits_for_the_trainer_lets_both_clean_up(tree, tmp_path):
    train = script(tmp_path, "train.py", TRAINER)
    text = f"trap 'touch $FOLDER/trapped; exit 9' TERM; {sys.executable} {train}; :"
    outcome = tree("sh", "-c", text, grace=2.0)
    assert (tmp_path / "checkpoint").read_text() == "01234"
    assert (tmp_path / "trapped").exists()
    assert (outcome["alive"], outcome["killed"], outcome["code"]) == ([], 0, 9)


def test_a_pipeline(tree):
    outcome = tree(
        "sh", "-c", "yes | cat | while read line; do touch $FOLDER/ready; sleep 0.01; done"
    )
    assert (outcome["alive"], outcome["left"]) == ([], [])


def test_a_child_forked_on_sigterm_is_stopped_too(tree, tmp_path):
    child = script(tmp_path, "child.py", STUBBORN)
    parent = script(
        tmp_path,
        "parent.py",
        f"""
import subprocess

def fork(number, frame):
    subprocess.Popen([sys.executable, "{child}"], start_new_session=True)
    time.sleep(0.3)
    os._exit(4)

signal.signal(signal.SIGTERM, fork)
{READY}
while True:
    time.sleep(0.01)
""",
    )
    outcome = tree(sys.executable, parent, grace=1.5)
    assert len(list(tmp_path.glob("ready-*"))) == 2
    assert (outcome["alive"], outcome["killed"], outcome["code"]) == ([], 1, 4)


def test_a_process_that_always_forks_a_successor_is_killed(tree, tmp_path):
    """Each process ends on SIGTERM after it has forked another one."""
    heir = script(
        tmp_path,
        "heir.py",
        f"""
def fork(number, frame):
    if os.fork():
        os._exit(0)

signal.signal(signal.SIGTERM, fork)
{READY}
while True:
    time.sleep(0.01)
""",
    )
    outcome = tree(sys.executable, heir, grace=0.5)
    assert (outcome["alive"], outcome["left"]) == ([], [])
    assert outcome["killed"] >= 1


def test_a_suspended_process_handles_sigterm(tree, tmp_path):
    train = script(tmp_path, "train.py", TRAINER)
    text = f"{sys.executable} {train} & pid=$!; while [ ! -e $FOLDER/ready-$pid ]; do sleep 0.05; "
    text += "done; kill -STOP $pid; touch $FOLDER/ready; wait"
    outcome = tree("sh", "-c", text, ready=2)
    assert (tmp_path / "checkpoint").read_text() == "01234"
    assert (outcome["alive"], outcome["killed"]) == ([], 0)


def test_a_grace_of_zero_kills_at_once(tree, tmp_path):
    outcome = tree(sys.executable, script(tmp_path, "stubborn.py", STUBBORN), grace=0.0)
    assert (outcome["alive"], outcome["killed"], outcome["signal"]) == ([], 1, signal.SIGKILL)
    assert outcome["text"] == "1 process had to be killed"


def test_daemons_of_an_ended_command_are_stopped(tree):
    command = "(setsid sleep 60 >/dev/null 2>&1 &); trap '' TERM; touch $FOLDER/ready; exit 7"
    outcome = tree("sh", "-c", command)
    assert (outcome["alive"], outcome["code"], outcome["killed"]) == ([], 7, 0)
    # The shell may get a signal too, if it has not quite ended.
    assert outcome["terminated"] in (1, 2)


def test_nothing_is_stopped_after_the_whole_tree_ended(tree):
    outcome = tree("sh", "-c", "trap '' TERM; touch $FOLDER/ready; exit 7", grace=60.0)
    assert (outcome["alive"], outcome["code"], outcome["killed"]) == ([], 7, 0)
    assert outcome["seconds"] < 30


def test_orphans_are_collected_and_the_exit_code_stays(tree, tmp_path):
    """Each inner shell ends before its child, so that fifty processes have no parent to wait."""
    outcome = tree(
        "sh",
        "-c",
        "children() { cat /proc/$PPID/task/*/children | wc -w; }; "
        "for i in $(seq 50); do sh -c 'sleep 0.5 &' >/dev/null; done; children > $FOLDER/most; "
        "until [ $(children) = 1 ]; do sleep 0.05; done; "  # the command itself
        "trap 'exit 7' TERM; touch $FOLDER/ready; while :; do sleep 0.1; done",
    )
    assert int((tmp_path / "most").read_text()) > 1
    assert (outcome["alive"], outcome["code"], outcome["children"]) == ([], 7, [])


@pytest.mark.parametrize(("spare", "adopt"), [("before", True), ("named", False)])
def test_what_was_there_before_or_is_named_is_spared(tree, spare, adopt):
    outcome = tree("sh", "-c", "sleep 60 & touch $FOLDER/ready; wait", spare=spare, adopt=adopt)
    assert (outcome["alive"], outcome["terminated"]) == ([], 2)
    assert outcome["spared"] is True


def test_without_adoption_those_who_were_seen_are_ended(tree, tmp_path):
    """As on macOS: an orphan is known because it was seen while its parent lived."""
    orphan = script(tmp_path, "orphan.py", READY + "time.sleep(60)")
    outcome = tree(
        "sh",
        "-c",
        f"sh -c 'setsid {sys.executable} {orphan} & sleep 0.5; touch $FOLDER/ready'; sleep 60",
        ready=2,
        adopt=False,
    )
    assert outcome["alive"] == []
    assert (outcome["left"], outcome["killed"]) == ([], 0)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become someone without the right")
def test_what_belongs_to_another_user_is_named_and_left(tree):
    outcome = tree("sleep", "2", ready=0, drop=True, grace=60.0)
    assert [[name, reason] for _, name, reason in outcome["left"]] == [
        ["sleep", "it belongs to root"]
    ]
    assert outcome["text"] == f"sleep (pid {outcome['pid']}) still runs: it belongs to root"
    assert outcome["seconds"] < 30
    assert (outcome["code"], outcome["alive"]) == (0, [])  # it has ended by itself since


def test_in_words():
    assert str(Stopped(0, 0)) == "it had ended already"
    assert str(Stopped(3, 1)) == "3 processes ended, 1 process had to be killed"
    left = Left(7, "sudo", "it belongs to root")
    assert str(Stopped(1, 0, (left,))) == (
        "1 process ended, sudo (pid 7) still runs: it belongs to root"
    )


def test_time_in_which_we_were_stopped_ourselves_is_no_grace(clock):
    watch = _StopWatch(clock)
    clock.now += 0.5
    assert watch.read() == 0.5
    clock.now += 3600  # Ctrl-Z, lunch, fg
    assert watch.read() == 1.5


def test_the_deadline_follows_the_clock_alone():
    watch = _StopWatch(time.monotonic)
    assert watch.read() < PATIENCE_S
