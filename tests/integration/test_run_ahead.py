"""`joulecast run` looking ahead: progress of unchanged scripts, the live line, budgets."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pyte
import pytest

PYTHON = sys.executable
JOULECAST = [PYTHON, "-m", "joulecast"]

EPOCHS = """
import sys, time
for epoch in range(int(sys.argv[1])):
    print(f"Epoch {epoch + 1}/{sys.argv[1]}")
    time.sleep(float(sys.argv[2]))
    print(f"Epoch {epoch + 1}/{sys.argv[1]}: loss: {1 / (epoch + 1):.3f}")
"""
BAR = """
import time
from tqdm import tqdm
for epoch in range(5):
    for batch in tqdm(range(20), desc=f"Epoch {epoch}"):
        time.sleep(0.03)
"""


@pytest.fixture
def env(tmp_path):
    """A GPU that draws 100 W all the time, replayed from a trace."""
    trace = tmp_path / "power.csv"
    trace.write_text("t_s,power_w\n" + "".join(f"{t / 10},100\n" for t in range(6000)))
    return os.environ | {
        "JOULECAST_LEDGER": str(tmp_path / "ledger.sqlite"),
        "JOULECAST_REPLAY": f"{trace}:gpu:0",
        "TERM": "xterm-256color",
    }


def run(*command, env, options=(), **more):
    return subprocess.run(
        [*JOULECAST, "run", *options, "--", *command],
        **{"env": env, "capture_output": True, "text": True, "timeout": 90} | more,
    )


def script(tmp_path, text):
    path = tmp_path / "train.py"
    path.write_text(text)
    return str(path)


def last(env):
    shown = subprocess.run([*JOULECAST, "show", "last", "--json"], env=env, capture_output=True)
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)


def test_epochs_of_an_unchanged_script_are_read_forecast_and_kept(env, tmp_path):
    train = script(tmp_path, EPOCHS)
    done = run(PYTHON, train, "6", "0.4", env=env, options=("--epochs", "6", "--live"))
    bare = subprocess.run([PYTHON, train, "6", "0.4"], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout == bare.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith("joulecast: epoch ")]
    assert len(lines) == 6
    assert all("; forecast " in line and " remaining" in line for line in lines[:-1])
    assert "6 epochs" in done.stderr and "number the epochs" in done.stderr
    figures = last(env)
    assert [e["index"] for e in figures["epochs"]] == list(range(6))
    for epoch in figures["epochs"]:
        assert epoch["energy"]["value"] == pytest.approx(40, rel=0.35)
        assert epoch["metrics"]["loss"] == pytest.approx(1 / (epoch["index"] + 1), abs=0.001)
    assert any("number the epochs" in warning for warning in figures["warnings"])


def test_without_a_terminal_only_the_summary_is_printed(env, tmp_path):
    train = script(tmp_path, EPOCHS)
    done = run(PYTHON, train, "3", "0.3", env=env, options=("--epochs", "3"))
    assert done.stderr.startswith("joulecast: ") and "finished" in done.stderr.splitlines()[0]


def test_a_tqdm_bar_is_read(env, tmp_path):
    done = run(PYTHON, script(tmp_path, BAR), env=env, options=("--epochs", "5"))
    assert "5 epochs" in done.stderr and "tqdm" in done.stderr


def test_a_pattern_of_the_users_own(env, tmp_path):
    train = script(
        tmp_path,
        "import time\nfor i in range(4):\n    time.sleep(0.4)\n    print('done with lap', i + 1)\n",
    )
    pattern = r"lap (?P<epoch>\d+)"
    options = ("--epochs", "4", "--progress-pattern", pattern)
    done = run(PYTHON, train, env=env, options=options)
    assert "progress pattern" in done.stderr
    assert len(last(env)["epochs"]) >= 2


def test_an_invalid_pattern_is_misuse(env):
    done = run("true", env=env, options=("--progress-pattern", "lap ("))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "lap (" in done.stderr


def test_epochs_that_a_script_reports_count_before_printed_ones(env, tmp_path):
    train = script(
        tmp_path,
        "import joulecast, time\n"
        "with joulecast.record('inner') as run:\n"
        "    for epoch in run.epochs(3):\n"
        "        print(f'Epoch {epoch + 1}/3', flush=True)\n"
        "        time.sleep(0.5)\n",
    )
    done = run(PYTHON, train, env=env, options=("--epochs", "3"))
    assert "number the epochs" not in done.stderr
    assert [e["index"] for e in last(env)["epochs"]] == [0, 1, 2]


def test_without_progress_the_option_for_a_pattern_is_named(env):
    done = run("echo", "the epoch of Augustus", env=env, options=("--epochs", "3"))
    assert done.returncode == 0
    assert "--progress-pattern" in done.stderr
    assert last(env)["epochs"] == []


def test_the_rhythm_of_the_power_replaces_missing_progress(env, tmp_path):
    trace = tmp_path / "rhythm.csv"
    rows = "".join(f"{t / 10},{200 if t % 10 < 7 else 60}\n" for t in range(6000))
    trace.write_text("t_s,power_w\n" + rows)
    replay = env | {"JOULECAST_REPLAY": f"{trace}:gpu:0"}
    done = run("sleep", "11", env=replay, options=("--epochs", "11"))
    assert "--progress-pattern" not in done.stderr
    assert any("rhythm" in warning for warning in last(env)["warnings"])


# --- budgets -------------------------------------------------------------------------------------


def test_an_exceeded_budget_stops_the_command_and_all_it_started(env, tmp_path):
    pids = tmp_path / "pids"
    train = script(
        tmp_path,
        "import os, signal, subprocess, sys, time\n"
        "worker = subprocess.Popen([sys.executable, '-c', 'import signal, time; "
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)'])\n"
        "stray = subprocess.Popen(['setsid', 'sleep', '600'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{worker.pid}} {{stray.pid}}')\n"
        + EPOCHS,
    )
    options = ("--epochs", "100", "--budget", "150 J", "--grace", "1s")
    done = run(PYTHON, train, "100", "0.3", env=env, options=options)
    assert done.returncode == 3
    assert "budget of 150 J" in done.stderr
    for pid in pids.read_text().split():
        assert not Path(f"/proc/{pid}").exists()
    figures = last(env)
    assert figures["status"] == "stopped"
    assert figures["duration_s"] >= 1.5
    assert figures["energy"]["total"]["value"] >= 150
    assert len(figures["epochs"]) >= 3
    # All output of the command is passed on.
    assert done.stdout.count("Epoch ") >= 4


def test_a_forecast_over_the_budget_warns_before_the_budget_is_exceeded(env, tmp_path):
    options = ("--epochs", "8", "--budget", "200J", "--on-budget", "warn")
    done = run(PYTHON, script(tmp_path, EPOCHS), "8", "0.5", env=env, options=options)
    assert done.returncode == 0
    warnings = [line for line in done.stderr.splitlines() if "budget of 200 J" in line]
    assert "forecast" in warnings[0] and "exceeded" in warnings[1]
    assert last(env)["status"] == "finished"


def test_budgets_in_co2_and_money_name_their_factor(env):
    options = ("--budget", "0.001 gCO2", "--region", "DE", "--grace", "1s")
    done = run("sleep", "30", env=env, options=options)
    assert done.returncode == 3
    assert "g CO2e/kWh" in done.stderr and "Germany" in done.stderr
    options = ("--budget", "0.00001EUR", "--tariff", "0.30EUR/kWh", "--grace", "1s")
    done = run("sleep", "30", env=env, options=options)
    assert done.returncode == 3 and "EUR" in done.stderr


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (("--budget", "5EUR"), "--tariff"),
        (("--budget", "lots"), "50kJ"),
        (("--budget", "0J"), "budget"),
        (("--budget", "3gCO2", "--region", "Atlantis"), "Atlantis"),
        (("--early-stopping", "val_loss:pace=3"), "patience"),
    ],
)
def test_misuse_is_one_line_with_the_remedy_before_anything_runs(env, tmp_path, options, remedy):
    ran = tmp_path / "ran"
    done = run("touch", str(ran), env=env, options=options)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and remedy in done.stderr
    assert not ran.exists()


def test_a_budget_from_python_ends_the_training_after_an_epoch(env, tmp_path):
    train = script(
        tmp_path,
        "import joulecast, time\n"
        "try:\n"
        "    with joulecast.record('mine', epochs=50, budget='100J', quiet=True) as run:\n"
        "        for epoch in run.epochs():\n"
        "            time.sleep(0.3)\n"
        "            done = epoch\n"
        "except joulecast.BudgetExceeded as error:\n"
        "    print(done, error.exit_code, error.energy.value)\n",
    )
    done = subprocess.run([PYTHON, train], env=env, capture_output=True, text=True, timeout=60)
    epoch, code, energy_j = done.stdout.split()
    assert 2 <= int(epoch) <= 8 and code == "3" and float(energy_j) > 100
    assert last(env)["status"] == "stopped"


def test_a_callback_may_decide_instead(env, tmp_path):
    train = script(
        tmp_path,
        "import joulecast, time\n"
        "asked = []\n"
        "def decide(status):\n"
        "    asked.append(status.energy.value)\n"
        "    return len(asked) < 3\n"
        "try:\n"
        "    budget = joulecast.Budget(50, decide)\n"
        "    with joulecast.record(epochs=50, budget=budget, quiet=True) as run:\n"
        "        for epoch in run.epochs():\n"
        "            time.sleep(0.3)\n"
        "except joulecast.BudgetExceeded:\n"
        "    print(len(asked), asked == sorted(asked), asked[0] > 50)\n",
    )
    done = subprocess.run([PYTHON, train], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["3", "True", "True"], done.stderr


def test_an_inner_loop_keeps_the_budget_of_the_run_around_it(env, tmp_path):
    train = script(
        tmp_path,
        "import joulecast, time\n"
        "try:\n"
        "    with joulecast.record('outer', budget='50J', quiet=True):\n"
        "        with joulecast.record('inner') as run:\n"
        "            for epoch in run.epochs(20):\n"
        "                time.sleep(0.3)\n"
        "except joulecast.BudgetExceeded:\n"
        "    print(epoch)\n",
    )
    done = subprocess.run([PYTHON, train], env=env, capture_output=True, text=True, timeout=60)
    assert 1 <= int(done.stdout) < 10, done.stderr
    assert last(env)["status"] == "stopped"


def test_the_exit_code_and_the_status_agree_where_the_end_and_the_stop_meet(env):
    done = run("sleep", "0.3", env=env, options=("--budget", "5J"))
    assert "budget of 5 J" in done.stderr
    assert (done.returncode, last(env)["status"]) in {(0, "finished"), (3, "stopped")}


# --- the terminal --------------------------------------------------------------------------------


def on_terminal(command, env, columns=100, rows=12):
    """What the screen showed: every state of it, and the exit code."""
    pid, fd = pty.fork()
    if pid == 0:
        # Here, so that the command never sees a terminal of unknown size.
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execvpe(command[0], command, env)
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)
    states = []
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        ready, _, _ = select.select([fd], [], [], 1.0)
        if not ready:
            continue
        try:
            data = os.read(fd, 65536)
        except OSError:  # the other side is closed
            break
        if not data:
            break
        stream.feed(data)
        states.append([line.rstrip() for line in screen.display])
    os.close(fd)
    return states, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize(
    ("end", "below"), [("", True), ("\r", True), ("\n", False), ("\n\x1b[?25h", False)]
)
def test_the_summary_begins_on_a_line_of_its_own(env, tmp_path, end, below):
    train = script(tmp_path, f"import sys; sys.stderr.write('40% |##  | 8/20' + {end!r})")
    done = run(PYTHON, train, env=env, options=("--epochs", "5"), text=False)
    expected = f"40% |##  | 8/20{end}" + "\n" * below + "joulecast: "
    assert done.stderr.decode().startswith(expected)
    quiet = run(PYTHON, train, env=env, options=("--epochs", "5", "--quiet"), text=False)
    assert quiet.stderr.decode() == f"40% |##  | 8/20{end}"


def test_an_unfinished_line_of_stdout_needs_no_line_feed_on_another_stderr(env):
    done = run("printf", "words", env=env, options=("--epochs", "5"))
    assert done.stdout == "words" and done.stderr.startswith("joulecast: ")


def test_the_summary_stands_below_a_broken_off_bar_on_a_terminal(env):
    command = [*JOULECAST, "run", "--epochs", "5", "--", "printf", "40%% |##  | 8/20"]
    states, code = on_terminal(command, env)
    assert code == 0, states[-1:]
    assert states[-1][0] == "40% |##  | 8/20" and states[-1][1].startswith("joulecast: ")


def test_the_live_line_stands_below_the_output_and_leaves_nothing_behind(env, tmp_path):
    command = [*JOULECAST, "run", "--epochs", "5", "--", PYTHON, script(tmp_path, BAR)]
    states, code = on_terminal(command, env)
    assert code == 0, states[-1:]
    live = [state[-1] for state in states if " remaining | " in state[-1]]
    assert live
    assert all(re.match(r"[\d.]+ J, [\d.]+ W \| forecast ", line) for line in live), live
    end = [line for line in states[-1] if line]
    bars = [line for line in end if line.startswith("Epoch 4: 100%")]
    assert len(bars) == 1
    assert end.index(bars[0]) < next(i for i, line in enumerate(end) if "finished" in line)
    assert not any(" remaining | " in line for line in end)


def test_no_live_line_with_the_option_no_live(env, tmp_path):
    command = [*JOULECAST, "run", "--epochs", "5", "--no-live", "--", PYTHON]
    states, code = on_terminal([*command, script(tmp_path, BAR)], env)
    assert code == 0, states[-1:]
    assert not any(" remaining | " in line for state in states for line in state)
    assert any("tqdm" in line for line in states[-1])
