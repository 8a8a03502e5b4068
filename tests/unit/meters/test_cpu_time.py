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


class ManyProcesses:
    """/proc of a root with children, each with its CPU ticks, and how often each was read."""

    def __init__(self, folder, children):
        self.folder = folder
        self.ticks = {1: 0} | dict.fromkeys(range(2, children + 2), 0)
        self.waited = 0
        for pid in self.ticks:
            (folder / str(pid) / "task" / str(pid)).mkdir(parents=True)
            (folder / str(pid) / "task" / str(pid) / "children").write_text("")
        (folder / "thread-self").mkdir()
        (folder / "thread-self" / "children").write_text("")
        listed = " ".join(str(pid) for pid in self.ticks if pid != 1)
        (folder / "1" / "task" / "1" / "children").write_text(listed)
        for pid in self.ticks:
            self.run(pid, 0)

    def run(self, pid, ticks):
        self.ticks[pid] += ticks
        waited = self.waited if pid == 1 else 0
        # From proc(5), "stat": parent, ..., utime, stime, cutime, cstime, ..., threads, ..., start.
        fields = ["S", 0 if pid == 1 else 1, *[0] * 9, self.ticks[pid], 0, waited, 0]
        fields += [0, 0, 1, 0, 7, 0, 100]
        text = f"{pid} (x) {' '.join(map(str, fields))}\n"
        (self.folder / str(pid) / "stat").write_text(text)

    def end(self, pid):
        """A child ends, and the root waits for it."""
        self.waited += self.ticks.pop(pid)
        (self.folder / str(pid) / "stat").unlink()
        self.run(1, 0)

    def total_s(self):
        return (sum(self.ticks.values()) + self.waited) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def many(tmp_path):
    return ManyProcesses(tmp_path, 200)


def test_a_large_tree_is_read_in_part_and_nothing_is_lost(many):
    reader, account = ProcTreeReader(1, many.folder), TreeAccount()
    assert len(reader.read(0.0)) == 201
    for pid in list(many.ticks):
        many.run(pid, 10)
    asked = []
    for i in range(1, 15):
        before = account.update(reader.read(i * 0.1))
        asked.append(before)
    # Each reading adds the time of a few, until that of all is counted.
    assert asked[0] < many.total_s() / 4
    assert asked == sorted(asked)
    assert asked[-1] == pytest.approx(many.total_s())


def test_the_busy_members_of_a_large_tree_are_read_each_time(many):
    reader, account = ProcTreeReader(1, many.folder), TreeAccount()
    for i in range(12):
        many.run(150, 5)
        counted = account.update(reader.read(i * 0.1))
    before = many.total_s()
    assert counted == pytest.approx(before)
    for i in range(12, 20):
        many.run(150, 5)
        assert account.update(reader.read(i * 0.1)) == pytest.approx(many.total_s())


def test_children_of_a_large_tree_that_end_count_once(many):
    reader, account = ProcTreeReader(1, many.folder), TreeAccount()
    for pid in list(many.ticks):
        many.run(pid, 10)
    account.update(reader.read(0.0))
    # Their parent shows what it received before and after they are found to be gone.
    for i, pid in enumerate(range(2, 200, 9)):
        many.end(pid)
        for step in range(3):
            total = account.update(reader.read(1 + i + 0.1 * step))
            assert total <= many.total_s() + 1e-9
    for i in range(10):
        total = account.update(reader.read(100 + 0.1 * i))
    assert total == pytest.approx(many.total_s())


def test_new_members_of_a_large_tree_are_searched_less_often(many):
    reader = ProcTreeReader(1, many.folder)
    reader.read(0.0)
    reader.read(0.1)
    new = many.folder / "900" / "task" / "900"
    new.mkdir(parents=True)
    (new / "children").write_text("")
    many.ticks[900] = 0
    many.run(900, 3)
    (many.folder / "1" / "task" / "1" / "children").write_text("900")
    seen = [900 in {p.pid for p in reader.read(t)} for t in (0.3, 0.7, 0.9)]
    assert seen == [False, False, True]
