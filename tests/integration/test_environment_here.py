"""The machine these tests run on."""

import json
import os
import subprocess
import sys

from joulecast.hardware.environment import Environment

PROGRAM = """
import json, sys, time
from joulecast.hardware.environment import Environment
import subprocess, os
def refuse(event, args):
    if event in ("subprocess.Popen", "os.system", "os.fork", "os.posix_spawn", "socket.connect"):
        raise RuntimeError(event)
sys.addaudithook(refuse)
start = time.process_time()
found = Environment.detect()
first = time.process_time() - start
json.dump([found.to_json(), first, sorted(sys.modules)], sys.stdout)
"""


def test_this_machine_as_it_is():
    e = Environment.detect()
    assert e.cpu.threads == os.cpu_count()
    assert 0 < e.effective_cpus <= os.cpu_count()
    assert e.host.ram_bytes is None or e.host.ram_bytes > 2**28
    data = json.loads(json.dumps(e.to_json()))
    assert data == e.to_json()
    assert Environment.from_json(data) == e
    assert not [note for note in e.notes if "detected" in note]


def test_affinity_bounds_what_a_process_can_use():
    code = (
        "import os; from joulecast.hardware.environment import Environment;"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "print(Environment.detect().cpu.usable_threads)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_a_fresh_process_starts_nothing_and_imports_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    data, seconds, modules = json.loads(done.stdout)
    assert not {"torch", "numpy", "sqlalchemy", "rich", "tensorflow", "jax"} & set(modules)
    assert not [note for note in data["notes"] if "RuntimeError" in note]
    assert seconds < 0.5  # about 0.03 s alone; wide, for machines that are busy
