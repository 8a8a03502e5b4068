"""Processes of trials whose runner was killed."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

from joulecast.ledger.liveness import this_process
from joulecast.ledger.stored_json import dumps
from joulecast.study.running.leftovers import VARIABLE, end_leftovers, runner_variable

SLEEPS = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]


def test_only_processes_of_dead_runners_are_ended():
    me = this_process()
    values = {
        "dead": dumps(replace(me, started="1")),
        "alive": runner_variable()[VARIABLE],
        "elsewhere": dumps(replace(me, host="another", started="1")),
        "odd": "1",
    }
    processes = {
        name: subprocess.Popen(SLEEPS, env=os.environ | {VARIABLE: value}, stdout=subprocess.PIPE)
        for name, value in values.items()
    }
    try:
        for process in processes.values():
            assert process.stdout is not None
            process.stdout.readline()
        assert end_leftovers() == 1
        assert processes["dead"].wait(timeout=30) == -signal.SIGKILL
        assert [p.poll() for name, p in processes.items() if name != "dead"] == [None] * 3
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()
