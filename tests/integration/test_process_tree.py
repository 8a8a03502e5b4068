"""CPU time of real process trees against what the kernel says of them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from joulecast.meters.cpu_time import CpuTime

linux = pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs a proc file system")

SPIN = "import time; t = time.process_time()\nwhile time.process_time() - t < {s}: pass\n"


def watch(script, *, scan=False, seconds=20.0):
    """Follow a real tree while it lives; the totals seen, and what the kernel says of it."""
    child = subprocess.Popen([sys.executable, "-c", script])
    cpu = CpuTime(time.monotonic, child.pid)
    if scan:
        cpu._reader._children_files = False
    totals = []
    deadline = time.monotonic() + seconds
    status = 0
    while time.monotonic() < deadline:
        totals.append(cpu.sample().tree_cpu_s)
        ended, status, usage = os.wait4(child.pid, os.WNOHANG)
        if ended:
            child.returncode = status
            break
        time.sleep(0.03)
    else:
        child.kill()
        pytest.fail("the tree did not end")
    assert status == 0
    assert totals == sorted(totals)
    return totals, usage.ru_utime + usage.ru_stime


@linux
@pytest.mark.parametrize("scan", [False, True])
def test_a_fork_tree_agrees_with_the_kernel(scan):
    leaf = SPIN.format(s=0.3)
    script = (
        "import subprocess, sys\n"
        f"leaf = [sys.executable, '-c', {leaf!r}]\n"
        "mid = f'import subprocess; subprocess.run({leaf!r})'\n"
        "ps = [subprocess.Popen(leaf), subprocess.Popen([sys.executable, '-c', mid])]\n"
        "[p.wait() for p in ps]\n" + SPIN.format(s=0.2)
    )
    totals, used = watch(script, scan=scan)
    assert totals[-1] == pytest.approx(used, abs=0.12)


@linux
def test_short_children_count_through_their_parent():
    script = (
        "import os, time\n"
        "for _ in range(8):\n"
        "    if not (pid := os.fork()):\n"
        "        t = time.process_time()\n"
        "        while time.process_time() - t < 0.06: pass\n"
        "        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
        "time.sleep(0.3)\n"
    )
    totals, used = watch(script)
    assert totals[-1] == pytest.approx(used, abs=0.1)


@linux
def test_children_never_waited_for_are_kept():
    script = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    t = time.process_time()\n"
        "    while time.process_time() - t < 0.6: pass\n"
        # Its time is read while it lives, on a busy machine, too.
        "    time.sleep(1)\n"
        "    os._exit(0)\n"
        "while os.path.exists(f'/proc/{child}'): time.sleep(0.05)\n"
    )
    totals, used = watch(script)
    assert used < 0.4  # the kernel itself has forgotten the child
    assert totals[-1] == pytest.approx(used + 0.6, abs=0.12)


@linux
def test_a_daemon_once_seen_is_followed():
    script = (
        "import os, time\n"
        "if not os.fork():\n"
        "    os.setsid()\n"
        "    if not os.fork():\n"
        "        t = time.process_time()\n"
        "        while time.process_time() - t < 1.0: pass\n"
        "        os._exit(0)\n"
        "    time.sleep(0.4)\n"  # it is seen before its parent leaves it
        "    os._exit(0)\n"
        "os.wait()\n"
        "time.sleep(1.5)\n"
    )
    totals, used = watch(script)
    assert totals[-1] == pytest.approx(used + 1.0, abs=0.15)


@linux
def test_a_root_that_is_gone_is_an_empty_tree():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert CpuTime(time.monotonic, child.pid).sample().tree_cpu_s == 0.0
