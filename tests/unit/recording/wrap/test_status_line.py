"""The status line's bytes, on a terminal that pyte plays."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast.recording.wrap.status_line import StatusLine, fit, unfinished


class Terminal:
    """A terminal of 24 x 80 with a status line, and a command that writes to it."""

    def __init__(self, rows=24, columns=80):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.line = StatusLine(rows, columns)
        self.now_s = 100.0

    def command(self, data):
        self.stream.feed(self.line.output(data, self.now_s).replace(b"\n", b"\r\n"))

    def show(self, text):
        self.line.text = text
        self.refresh()

    def refresh(self):
        self.stream.feed(self.line.refresh(self.now_s))

    def hide(self):
        self.stream.feed(self.line.hide())

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        self.stream.feed(self.line.resize(rows, columns))

    @property
    def rows(self):
        return [row.rstrip() for row in self.screen.display]

    @property
    def output(self):
        return [row for row in self.rows[:-1] if row]


@pytest.fixture
def terminal():
    return Terminal()


def test_the_line_stands_below_and_the_cursor_stays(terminal):
    terminal.command(b"Epoch 1: ")
    before = (terminal.screen.cursor.y, terminal.screen.cursor.x)
    terminal.show("12 kJ so far")
    assert (terminal.screen.cursor.y, terminal.screen.cursor.x) == before
    terminal.command(b"loss 0.3\n")
    assert terminal.rows[0] == "Epoch 1: loss 0.3"
    assert terminal.rows[-1] == "12 kJ so far"


def test_output_scrolls_above_the_line(terminal):
    terminal.show("status")
    terminal.command(b"".join(b"line %d\n" % n for n in range(100)))
    assert terminal.rows[:-2] == [f"line {n}" for n in range(78, 100)]
    assert terminal.rows[-2] == ""
    assert terminal.rows[-1] == "status"


def test_a_cursor_on_the_last_row_is_lifted_with_its_text(terminal):
    terminal.command(b"".join(b"line %d\n" % n for n in range(40)) + b"a bar")
    terminal.show("status")
    terminal.command(b" goes on")
    assert terminal.rows[-2:] == ["a bar goes on", "status"]
    assert terminal.rows[-3] == "line 39"


def test_hiding_leaves_the_whole_screen_as_if_it_had_not_been(terminal):
    terminal.command(b"one\ntwo")
    terminal.show("status")
    terminal.hide()
    assert terminal.rows == ["one", "two", *[""] * 22]
    assert terminal.screen.margins in (None, pyte.screens.Margins(0, 23))
    terminal.command(b" and three\n")
    assert terminal.rows[1] == "two and three"


def test_colors_are_the_commands_own(terminal):
    terminal.command(b"\x1b[31mred ")
    terminal.show("status")
    terminal.command(b"still")
    assert terminal.screen.buffer[0][5].fg == "red"
    assert terminal.screen.buffer[23][0].fg == "default"


def test_the_same_text_is_not_written_twice(terminal):
    terminal.show("status")
    assert not terminal.line.stale
    assert terminal.line.refresh(terminal.now_s) == b""
    terminal.line.text = "other"
    assert terminal.line.stale


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        ("é".encode()[:1], "é".encode()[1:]),
        ("🔥".encode()[:3], "🔥".encode()[3:]),
        (b"\x1b", b"[31m"),
        (b"\x1b[", b"1;31m"),
        (b"\x1b[38;5;1", b"2m"),
        (b"\x1b]0;a tit", b"le\x07"),
        (b"\x1b]0;title\x1b", b"\\"),
        (b"\x1bP" + b"x" * 5000, b"\x1b\\"),
        (b"\x1b(", b"B"),
    ],
)
def test_it_never_cuts_into_a_character_or_a_sequence(terminal, first, rest):
    terminal.command(b"text " + first)
    terminal.line.text = "status"
    assert terminal.line.refresh(terminal.now_s) == b""
    terminal.command(rest + b"more")
    terminal.refresh()
    assert terminal.rows[-1] == "status"


@pytest.mark.parametrize(
    "whole",
    ["é".encode(), b"\xff\xfe", b"a\x80\x80\x80", b"\x1b[0m", b"\x1b]0;t\x07", b"\x1bc", b""],
)
def test_complete_output_may_be_followed_by_a_line(whole):
    assert unfinished(whole) == b""


@given(st.text(), st.integers(0, 400))
def test_a_split_anywhere_in_text_is_seen(text, at):
    data = text.replace("\x1b", "").encode(errors="ignore")
    part = data[:at]
    try:
        part.decode()
        whole = True
    except UnicodeDecodeError:
        whole = False
    assert (unfinished(part) == b"") == whole


@given(st.lists(st.binary(max_size=12)))
def test_every_byte_of_the_command_is_kept_in_order(pieces):
    line = StatusLine(24, 80)
    line.text = "status"
    for piece in pieces:
        line.refresh(0.0)
        written = line.output(piece, 0.0)
        rest = iter(written)
        assert all(byte in rest for byte in piece)


SEQUENCES = [
    b"\x1b[r",
    b"\x1bc",
    b"\x1b[2J",
    b"\x1b[?1049h",
    b"\x1b[?1049l",
    b"\x1b[3;9r",
    b"\x1b7",
]


@given(st.lists(st.sampled_from([*SEQUENCES, b"text\n", "é".encode()])), st.integers(1, 5))
def test_added_text_does_not_depend_on_chunks_of_output(pieces, step):
    """Repairs stand directly behind the sequence they are for, wherever the reads happen to end."""
    data = b"".join(pieces)
    written = []
    for size in (len(data) or 1, step):
        line = StatusLine(24, 80)
        line.text = "status"
        line.refresh(0.0)
        cut = [data[at : at + size] for at in range(0, len(data), size)]
        written.append(b"".join(line.output(piece, 0.0) for piece in cut))
    assert written[0] == written[1]


@pytest.mark.parametrize("clear", [b"\x1b[2J\x1b[H", b"\x1b[H\x1b[J", b"\x1b[3J\x1b[2J", b"\x1bc"])
def test_it_comes_back_on_a_cleared_screen(terminal, clear):
    terminal.show("status")
    terminal.command(clear + b"fresh")
    assert terminal.line.stale
    terminal.refresh()
    assert terminal.rows[0] == "fresh"
    assert terminal.rows[-1] == "status"
    terminal.command(b"\n" * 50 + b"end")
    assert terminal.rows[-2:] == ["end", "status"]


def test_a_region_that_is_reset_is_taken_again_at_once(terminal):
    terminal.show("status")
    terminal.command(b"\x1b[r" + b"\n" * 40 + b"end")
    assert terminal.rows[-2:] == ["end", "status"]


def test_a_region_of_the_commands_own_is_left_alone(terminal):
    terminal.show("status")
    terminal.command(b"\x1b[2;5r\x1b[5;1Ha\nb\nc")
    terminal.show("other")
    terminal.command(b"\nd")
    assert terminal.rows[1:5] == ["a", "b", "c", "d"]
    assert terminal.rows[-1] == "other"
    terminal.command(b"\x1b[r\x1b[23;1Hx\ny")
    assert terminal.rows[-3:] == ["x", "y", "other"]


def test_a_full_screen_program_has_the_screen_to_itself(terminal):
    terminal.show("status")
    entered = terminal.line.output(b"\x1b[?1049h", terminal.now_s)
    assert entered == b"\x1b[?1049h\x1b7\x1b[r\x1b8", "the whole region is its own"
    terminal.show("other")
    assert not terminal.line.stale
    assert terminal.line.hide() == b""
    terminal.command(b"\x1b[?1049l")
    assert terminal.line.stale
    terminal.refresh()
    assert terminal.rows[-1] == "other"


def test_a_cursor_the_command_has_saved_is_not_overwritten(terminal):
    terminal.command(b"one\x1b7 two")
    terminal.show("status")
    assert terminal.rows[-1] == ""
    terminal.command(b"\x1b8X")
    terminal.refresh()
    assert terminal.rows[0] == "oneXtwo"
    assert terminal.rows[-1] == "status"


def test_a_saved_cursor_that_is_never_restored_does_not_hold_it_up_for_long(terminal):
    terminal.command(b"\x1b[s")
    terminal.show("status")
    assert terminal.rows[-1] == ""
    terminal.now_s += 1.5
    terminal.refresh()
    assert terminal.rows[-1] == "status"


@pytest.mark.parametrize(("rows", "columns"), [(30, 100), (12, 60), (24, 50)])
def test_it_follows_the_size(terminal, rows, columns):
    terminal.command(b"".join(b"line %d\n" % n for n in range(40)) + b"bar")
    terminal.show("status")
    terminal.resize(rows, columns)
    terminal.refresh()
    assert sum("status" in row for row in terminal.rows) == 1
    assert terminal.rows[-1] == "status"
    terminal.command(b"\n" * rows + b"end")
    assert terminal.rows[-2:] == ["end", "status"]
    assert terminal.line.command_rows == rows - 1


def test_a_terminal_too_small_has_no_line(terminal):
    terminal.show("status")
    terminal.resize(4, 80)
    terminal.refresh()
    assert "status" not in terminal.rows
    assert terminal.line.command_rows == 4
    terminal.resize(24, 80)
    terminal.refresh()
    assert terminal.rows[-1] == "status"


def test_an_erased_line_is_gone(terminal):
    terminal.show("status")
    terminal.show(None)
    assert terminal.rows == [""] * 24
    terminal.command(b"\n" * 23 + b"end")
    assert terminal.rows[-1] == "end", "the last row is the command's again"


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("12 kJ", 10, "12 kJ"),
        ("12 kJ of 40", 8, "12 kJ o…"),
        ("消費電力", 8, "消費電力"),
        ("消費電力", 7, "消費電…"),
        ("消費電力", 6, "消費…"),
        ("e\u0301" * 4, 4, "e\u0301" * 4),
        ("a\x1b[31m\nb\u202e", 20, "a [31m b"),
        ("x", 0, "…"),
    ],
)
def test_fit(text, columns, expected):
    assert fit(text, columns) == expected


@given(st.text(), st.integers(1, 60))
def test_nothing_wider_than_the_terminal_is_drawn(text, columns):
    screen = pyte.Screen(columns, 3)
    stream = pyte.Stream(screen)
    stream.feed(fit(text, columns))
    assert screen.cursor.y == 0
