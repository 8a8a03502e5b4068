"""Bytes into terminal lines: redrawn, escaped, cut anywhere, endless, binary."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joulecast.recording.progress.formats import NEEDLES
from joulecast.recording.progress.lines import MAX_LINE, Lines
from joulecast.recording.progress.reader import Reader


def lines(*chunks: bytes, every_line: bool = True) -> list[tuple[str, str]]:
    splitter = Lines(NEEDLES)
    splitter.every_line = every_line
    return [line for chunk in chunks for line in splitter.feed(chunk)]


def ended(*chunks: bytes) -> list[tuple[str, str]]:
    return [line for line in lines(*chunks) if line[1]]


def test_line_ends():
    assert lines(b"one\ntwo\r\nthree\rfour") == [
        ("one", "\n"),
        ("two", "\n"),
        ("three", "\r"),
        ("four", ""),
    ]


def test_a_line_that_grows_is_shown_each_time():
    assert lines(b"ab", b"cd", b"\n") == [("ab", ""), ("abcd", ""), ("abcd", "\n")]


def test_a_line_end_cut_in_two():
    assert ended(b"one\r", b"\ntwo\r", b"three\n") == [
        ("one", "\n"),
        ("two", "\r"),
        ("three", "\n"),
    ]


def test_colors_titles_and_cursor_moves():
    assert ended(b"\x1b[1m3/5\x1b[0m \x1b]0;title\x07go\x1b[2K\n") == [("3/5 go", "\n")]
    assert ended(b"outer\x1b[A\x1b[2Kinner\x1b[1B", b"\x1b[?25hlast\n") == [
        ("outer", "\r"),
        ("inner", "\r"),
        ("last", "\n"),
    ]


def test_backspaces_redraw():
    assert ended(b"1/2\b\b\b2/2\n") == [("1/2", "\r"), ("2/2", "\n")]


def test_a_character_cut_in_two():
    block = "█".encode()
    assert ended(b"a" + block[:1], block[1:] + b"\n") == [("a█", "\n")]


def test_only_lines_with_a_needle():
    text = b"one\nEpoch 2\nthree\n\r 4%\nfive"
    assert lines(text, every_line=False) == [("Epoch 2", "\n"), (" 4%", "\n")]


def test_a_long_line_is_cut_and_the_next_one_whole():
    assert ended(b"x" * 3 * MAX_LINE, b"x" * MAX_LINE + b"\nnext\n") == [
        ("x" * MAX_LINE, "\n"),
        ("next", "\n"),
    ]


def test_memory_stays_bounded():
    reader = Reader()
    chunk = b"Epoch 1/3 without an end " * 4000
    reader.feed(1, chunk)
    tracemalloc.start()
    for _ in range(200):  # 20 MB in one line
        reader.feed(1, chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_streams_do_not_mix():
    reader = Reader()
    assert reader.feed(1, b"Epoch 1") == []
    assert reader.feed(2, b"nothing\n") == []
    (sighting,) = reader.feed(1, b"/5\n")
    assert (sighting.epoch, sighting.epochs) == (1, 5)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=8))
def test_any_bytes(chunks):
    reader = Reader()
    for chunk in chunks:
        reader.feed(1, chunk)
    splitter = Lines(NEEDLES)
    for chunk in chunks:
        for text, end in splitter.feed(chunk):
            assert len(text) <= MAX_LINE
            assert end in ("", "\r", "\n")


PIECES = [
    "Epoch 3/30",
    "\n",
    "\r",
    "\x1b[A",
    " 45%|██ | 45/100 [00:01<00:02, 3it/s]",
    "loss: 0.3",
    "x",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.integers(1, 7))
def test_ended_lines_do_not_depend_on_the_cuts(text, size):
    data = text.encode() + b"\n"
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    assert ended(*cut) == ended(data)


@pytest.mark.parametrize("size", [1, 10, 1000])
def test_hints_do_not_depend_on_the_cuts(size):
    data = (b"some text\n" * 30 + b"Epoch 1/4\r\n" + b"more text\n" * 30 + b" 9%|# |\n") * 3
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    whole = [line for line in lines(data, every_line=False) if line[1]]
    assert [line for line in lines(*cut, every_line=False) if line[1]] == whole
    assert len(whole) == 6
