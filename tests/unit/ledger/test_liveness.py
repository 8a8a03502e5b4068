import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from joulecast.ledger.liveness import ProcessIdentity, is_interrupted, this_process
from joulecast.ledger.stored_json import dumps, loads

NOW = 1000.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with one process, number 42, whose name is meant to confuse."""
    kernel = tmp_path / "proc/sys/kernel/random"
    kernel.mkdir(parents=True)
    (kernel / "boot_id").write_text("boot-1\n")
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    (tmp_path / "proc/self/ns/pid").symlink_to("pid:[4026531836]")
    (tmp_path / "proc/self/stat").write_text("")
    write_stat(tmp_path, 42, "S", 777)
    return tmp_path


def write_stat(root: Path, pid: int, state: str, started: int) -> None:
    folder = root / "proc" / str(pid)
    folder.mkdir(exist_ok=True)
    fields = [state, *["0"] * 18, str(started), "0", "0"]
    (folder / "stat").write_text(f"{pid} (a) Z 1 (b) {' '.join(fields)}\n")


@pytest.fixture
def recorder() -> ProcessIdentity:
    return ProcessIdentity(socket.gethostname(), "boot-1 pid:[4026531836]", 42, "777")


def test_it_lives(root: Path, recorder: ProcessIdentity) -> None:
    assert not is_interrupted(recorder, NOW - 15, NOW, root)


def test_silence(root: Path, recorder: ProcessIdentity) -> None:
    assert is_interrupted(recorder, NOW - 15.1, NOW, root)


def test_a_clock_that_was_set_back_is_no_silence(root: Path, recorder: ProcessIdentity) -> None:
    assert not is_interrupted(recorder, NOW + 3600, NOW, root)


@pytest.mark.parametrize("state", ["Z", "X"])
def test_a_zombie_process_is_dead(root: Path, recorder: ProcessIdentity, state: str) -> None:
    write_stat(root, 42, state, 777)
    assert is_interrupted(recorder, NOW, NOW, root)


def test_gone(root: Path, recorder: ProcessIdentity) -> None:
    assert is_interrupted(replace(recorder, pid=43), NOW, NOW, root)


def test_its_number_was_given_to_another(root: Path, recorder: ProcessIdentity) -> None:
    write_stat(root, 42, "R", 778)
    assert is_interrupted(recorder, NOW, NOW, root)


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"boot": "boot-1 pid:[1]"}])
def test_on_another_host_only_the_heartbeat_counts(
    root: Path, recorder: ProcessIdentity, change: dict[str, str]
) -> None:
    away = replace(recorder, pid=43, **change)
    assert not is_interrupted(away, NOW - 1, NOW, root)
    assert is_interrupted(away, NOW - 16, NOW, root)


def test_nobody(root: Path) -> None:
    assert is_interrupted(None, NOW, NOW, root)


def test_this_process_lives() -> None:
    me = this_process()
    assert me.pid == os.getpid()
    assert not is_interrupted(me, NOW, NOW)
    assert loads(dumps(me), ProcessIdentity) == me


def test_without_proc_another_method_is_used(tmp_path: Path) -> None:
    """As on macOS."""
    me = this_process(tmp_path)
    assert me.boot == ""
    assert me.started != ""
    assert not is_interrupted(me, NOW, NOW, tmp_path)
    assert is_interrupted(replace(me, pid=2**22 + 1), NOW, NOW, tmp_path)
