"""Bytes of a stream into the lines that may hold progress, cheaply and in bounded memory.

A terminal line is redrawn in many ways (carriage return, backspaces, cursor moves); each redrawing
counts as a line here, so nothing need be emulated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

LONGEST = 2048  # bytes of a line that are looked at

_BREAK = re.compile(rb"[\r\n\b]|\x1b\[[\d;]*[ABEFGHfJ]")
_SPACES = re.compile(rb" {2,}")
_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_=>])")


class Lines:
    """The lines of one stream that contain one of the needles (or all, with `every_line`)."""

    def __init__(self, needles: Sequence[bytes]) -> None:
        self.every_line = False  # may be changed between two lines
        self._needles = needles
        self._hint = re.compile(b"|".join(re.escape(needle) for needle in needles))
        self._rest = b""  # of a line not ended yet, at most LONGEST
        self._cut = False  # that line is longer already

    def feed(self, data: bytes) -> Iterator[tuple[str, str]]:
        """Lines as (text, how it ended): `\\n`, `\\r` (redrawn), or nothing (it may go on)."""
        if self._cut:
            if (found := _BREAK.search(data)) is None:
                return
            data = data[found.start() :]
        data, self._rest, self._cut = self._rest + data, b"", False
        at = 0
        # Far faster than the regular expression where there is none, as in most output.
        if not self.every_line and not any(needle in data for needle in self._needles):
            self._keep(data, 0)
            return
        while at < len(data):
            hit = at
            if not self.every_line:
                if (match := self._hint.search(data, at)) is None:
                    break
                hit = match.start()
                at = _line_start(data, at, hit)
            found = _BREAK.search(data, hit)
            if found is None or data[found.start() :] == b"\r":  # half of a line end, perhaps
                break
            if found.end() > at + 1 and hit - at <= LONGEST:
                end = "\n" if data[found.start()] == 0x0A or _ends_line(data, found) else "\r"
                yield _text(data[at : min(found.start(), at + LONGEST)]), end
            at = found.end()
        self._keep(data, at)
        if self._rest and (self.every_line or self._hint.search(self._rest)):
            yield _text(self._rest), ""

    def _keep(self, data: bytes, at: int) -> None:
        start = _line_start(data, at, len(data) - data.endswith(b"\r"))
        self._cut = len(data) - start > LONGEST
        self._rest = data[start : start + LONGEST]


def _line_start(data: bytes, low: int, at: int) -> int:
    """Where the line that holds `at` begins, not before `low`."""
    start = max(data.rfind(b"\n", low, at), data.rfind(b"\r", low, at), data.rfind(b"\b", low, at))
    start = max(start + 1, low)
    for move in _BREAK.finditer(data, max(start, at - LONGEST), at):
        start = move.end()
    return start


def _ends_line(data: bytes, found: re.Match[bytes]) -> bool:
    return data[found.start() : found.start() + 2] == b"\r\n"


def _text(line: bytes) -> str:
    if b"\x1b" in line:
        line = _ESCAPE.sub(b"", line)
    if b"  " in line:  # columns and padding; expressions would try each of many blanks
        line = _SPACES.sub(b" ", line)
    return line.decode("utf-8", "replace").rstrip()
