"""CPU time of the machine; the books of a process tree on invented members."""

import os
import time
from pathlib import Path

import pytest

from joulecast.meters.cpu_time import CpuTime, machine_times
from joulecast.meters.process_tree import (
    ProcessTimes,
    ProcTreeReader,
    PsutilTreeReader,
    TreeAccount,
)

linux = pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs a proc file system")


def proc(pid, parent, own, waited=0.0, started=0.0):
    return ProcessTimes(pid, parent, started, own, waited)


class TestTreeAccount:
    def test_sums_live_members(self):
        assert TreeAccount().update([proc(1, 0, 2.0), proc(2, 1, 3.0)]) == 5.0

    def test_a_child_waited_for_counts_once(self):
        account = TreeAccount()
        account.update([proc(1, 0, 2.0), proc(2, 1, 3.0)])
        assert account.update([proc(1, 0, 2.0, waited=3.5)]) == 5.5

    def test_a_child_that_is_not_waited_for_is_kept(self):
        account = TreeAccount()
        account.update([proc(1, 0, 2.0), proc(2, 1, 3.0)])
        assert account.update([proc(1, 0, 2.0)]) == 5.0

    def test_a_chain_that_ends_at_once_goes_to_the_nearest_live_ancestor(self):
        account = TreeAccount()
        account.update([proc(1, 0, 1.0), proc(2, 1, 2.0), proc(3, 2, 4.0)])
        assert account.update([proc(1, 0, 1.0, waited=6.5)]) == 7.5

    def test_a_reparented_member_is_kept_though_its_old_ancestor_waits_for_others(self):
        account = TreeAccount()
        account.update([proc(1, 0, 1.0), proc(2, 1, 1.0), proc(3, 2, 4.0)])
        account.update([proc(1, 0, 1.0, waited=1.0), proc(3, 999, 5.0)])
        assert account.update([proc(1, 0, 1.0, waited=9.0)]) == 1 + 9 + 5

    def test_the_root_itself_ends(self):
        account = TreeAccount()
        account.update([proc(1, 0, 2.0, waited=1.0)])
        assert account.update([]) == 3.0

    def test_a_reused_pid_is_another_process(self):
        account = TreeAccount()
        account.update([proc(1, 0, 1.0), proc(2, 1, 8.0, started=5.0)])
        assert account.update([proc(1, 0, 1.0), proc(2, 1, 0.5, started=9.0)]) == 9.5

    def test_never_falls(self):
        account = TreeAccount()
        account.update([proc(1, 0, 5.0)])
        assert account.update([proc(1, 0, 4.9)]) == 5.0


def test_machine_times_from_a_file(tmp_path):
    tick = os.sysconf("SC_CLK_TCK")
    stat = tmp_path / "stat"
    stat.write_text(f"cpu  {2 * tick} {tick} {tick} {5 * tick} {tick} 0 0 {3 * tick} 7 7\ncpu0 1\n")
    assert machine_times(stat) == (4.0, 13.0)


def test_meters_in_one_tick_share_a_reading(tmp_path):
    now = [0.0]
    tick = os.sysconf("SC_CLK_TCK")
    (tmp_path / "stat").write_text(f"cpu  {tick} 0 0 0 0 0 0 0\n")
    cpu = CpuTime(lambda: now[0], None, proc=tmp_path)
    first = cpu.sample()
    (tmp_path / "stat").write_text(f"cpu  {9 * tick} 0 0 0 0 0 0 0\n")
    now[0] = 0.01
    assert cpu.sample() is first
    now[0] = 0.03
    assert cpu.sample().machine_busy_s == 9.0
    assert first.tree_cpu_s is None


def test_without_proc_psutil_answers(tmp_path):
    sample = CpuTime(time.monotonic, os.getpid(), proc=tmp_path / "none").sample()
    assert sample.machine_total_s > sample.machine_busy_s > 0
    assert sample.tree_cpu_s > 0
    assert sample.tree_rss_bytes > 1e6


@linux
def test_both_readers_agree_on_this_process():
    ours = next(p for p in ProcTreeReader(os.getpid(), Path("/proc")).read(0.0))
    theirs = next(p for p in PsutilTreeReader(os.getpid()).read(0.0) if p.pid == os.getpid())
    assert ours.own_s == pytest.approx(theirs.own_s, abs=0.1)
    assert ours.rss_bytes == pytest.approx(theirs.rss_bytes, rel=0.2)
    assert ours.parent == theirs.parent == os.getppid()


@linux
def test_a_name_with_brackets_does_not_shift_the_fields(tmp_path):
    real = Path(f"/proc/{os.getpid()}/stat").read_text()
    folder = tmp_path / "77"
    folder.mkdir()
    (folder / "stat").write_text("77 (a ) b) S 5 " + real[real.rfind(")") + 2 :].split(" ", 2)[2])
    (process,) = ProcTreeReader(77, tmp_path).read(0.0)
    assert (process.pid, process.parent) == (77, 5)
