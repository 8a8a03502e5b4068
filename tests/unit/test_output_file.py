"""Files are written whole or not at all, whatever their texts hold."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from joulecast.output_file import write_whole


def listed(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_text_and_bytes(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", ["é\n", b"\xff", "\udce9 \ud83d"])
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa9\n\xff\\xe9 \\x3d"
    assert listed(tmp_path) == ["a"]


def broken():
    yield "half"
    raise ValueError


@pytest.mark.parametrize("before", [None, "before"])
def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path: Path, before: str) -> None:
    path = tmp_path / "a"
    if before:
        path.write_text(before)
    with pytest.raises(ValueError):
        write_whole(path, broken())
    assert listed(tmp_path) == (["a"] if before else [])
    assert before is None or path.read_text() == before


def test_a_killed_writer_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("before")
    code = (
        "import os, sys; from joulecast.output_file import write_whole\n"
        "def pieces():\n    yield 'x' * 10**7\n    os.kill(os.getpid(), 9)\n"
        "write_whole(sys.argv[1], pieces())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], timeout=60)
    assert done.returncode == -9 and path.read_text() == "before"


def test_an_existing_file_stays_unless_it_may_be_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("before")
    with pytest.raises(FileExistsError):
        write_whole(path, ["after"], overwrite=False)
    assert path.read_text() == "before" and listed(tmp_path) == ["a"]
    write_whole(tmp_path / "b", ["new"], overwrite=False)
    assert (tmp_path / "b").read_text() == "new"


def test_permissions(tmp_path: Path) -> None:
    def mode(name: str) -> int:
        return stat.S_IMODE((tmp_path / name).stat().st_mode)

    old = os.umask(0o027)
    try:
        write_whole(tmp_path / "new", ["x"])
        (tmp_path / "old").write_text("x")
        (tmp_path / "old").chmod(0o604)
        write_whole(tmp_path / "old", ["y"])
    finally:
        os.umask(old)
    assert [mode(name) for name in ("new", "old")] == [0o600, 0o604]


def test_links_and_pipes_stay(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("before")
    (tmp_path / "link").symlink_to("target")
    write_whole(tmp_path / "link", ["after"])
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").read_text() == "after"
    os.mkfifo(tmp_path / "pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    write_whole(tmp_path / "pipe", ["through"])
    reader.join(10)
    assert read == ["through"] and listed(tmp_path) == ["link", "pipe", "target"]


def test_errors_of_the_system_are_passed_on(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "no" / "folder", ["x"])
    with pytest.raises(OSError):
        write_whole(tmp_path, ["x"])
    with pytest.raises(OSError):
        write_whole("/dev/full", ["x"])
