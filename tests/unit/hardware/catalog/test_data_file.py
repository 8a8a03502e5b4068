"""The cache of the catalogs' files."""

import json
import os
import sys
from pathlib import Path

import pytest

from joulecast.hardware.catalog.data_file import read_cached


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "facts.toml"
    path.write_text("[[row]]\nname = 'a'\nwatts = 1.5\n")
    return path


def cached(file: Path) -> list[Path]:
    return sorted(file.parent.glob("__pycache__/*"))


def test_the_second_reading_is_of_the_cache(file: Path) -> None:
    content = {"row": [{"name": "a", "watts": 1.5}]}
    assert read_cached(file) == content
    (cache,) = cached(file)
    assert json.loads(cache.read_text()) == content
    cache.write_text('{"from": "cache"}')
    assert read_cached(file) == {"from": "cache"}


def test_an_installed_file_is_never_parsed(file: Path) -> None:
    file.with_suffix(".json").write_text('{"from": "wheel"}')
    file.write_text("no TOML")
    assert read_cached(file) == {"from": "wheel"}
    assert cached(file) == []


def test_a_changed_file_is_parsed_again(file: Path) -> None:
    read_cached(file)
    file.write_text("[[row]]\nname = 'b'\nwatts = 1.5\n")
    os.utime(file, ns=(1, 1))
    assert read_cached(file)["row"][0]["name"] == "b"


def test_a_damaged_cache_and_a_folder_that_cannot_be_written_do_no_harm(file: Path) -> None:
    read_cached(file)
    (cache,) = cached(file)
    cache.write_text('{"row": [')
    assert read_cached(file)["row"][0]["watts"] == 1.5
    cache.unlink()
    cache.parent.rmdir()
    cache.parent.write_text("in the way")
    assert read_cached(file)["row"][0]["watts"] == 1.5


def test_nothing_is_written_where_python_writes_no_byte_code(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    read_cached(file)
    assert cached(file) == []
