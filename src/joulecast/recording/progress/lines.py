"""Splits the bytes of a stream into lines that may report progress, in bounded memory.

A terminal line is redrawn in many ways (carriage return, backspaces, cursor moves). Each redrawing
is a line here, so that no terminal is emulated.
"""

import re
from collections.abc import Iterator, Sequence

# Maximum bytes of a line; the rest is ignored.
MAX_LINE = 2048

_BREAK = re.compile(rb"[\r\n\b]|\x1b\[[\d;]*[ABEFGHfJ]")
_SPACES = re.compile(rb" {2,}")
_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_=>])")


class Lines:
    """The lines of one stream that contain one of the needles (or all, with `every_line`)."""

    def __init__(self, needles: Sequence[bytes]) -> None:
        # May be changed between two lines.
        self.every_line = False
        self._needles = needles
        self._hint = re.compile(b"|".join(re.escape(needle) for needle in needles))
        # The beginning of an unfinished line, at most MAX_LINE bytes.
        self._rest = b""
        # Whether that line is longer.
        self._cut = False

    def feed(self, data: bytes) -> Iterator[tuple[str, str]]:
        """Lines as (text, end): the end is `\\n`, `\\r` (redrawn), or empty (it may continue)."""
        if self._cut:
            if (line_break := _BREAK.search(data)) is None:
                return
            data = data[line_break.start() :]
        data, self._rest, self._cut = self._rest + data, b"", False
        at = 0
        # Far faster than the regular expression for most output, which has no needle.
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
            line_break = _BREAK.search(data, hit)
            # It may be the first half of a line end.
            if line_break is None or data[line_break.start() :] == b"\r":
                break
            if line_break.end() > at + 1 and hit - at <= MAX_LINE:
                is_line = data.startswith((b"\n", b"\r\n"), line_break.start())
                text = _text(data[at : min(line_break.start(), at + MAX_LINE)])
                yield text, "\n" if is_line else "\r"
            at = line_break.end()
        self._keep(data, at)
        if self._rest and (self.every_line or self._hint.search(self._rest)):
            yield _text(self._rest), ""

    def _keep(self, data: bytes, at: int) -> None:
        start = _line_start(data, at, len(data) - data.endswith(b"\r"))
        self._cut = len(data) - start > MAX_LINE
        self._rest = data[start : start + MAX_LINE]


def _line_start(data: bytes, low: int, at: int) -> int:
    """Start of the line that contains `at`, not before `low`."""
    start = max(data.rfind(b"\n", low, at), data.rfind(b"\r", low, at), data.rfind(b"\b", low, at))
    start = max(start + 1, low)
    for move in _BREAK.finditer(data, max(start, at - MAX_LINE), at):
        start = move.end()
    return start


def _text(line: bytes) -> str:
    if b"\x1b" in line:
        line = _ESCAPE.sub(b"", line)
    # Padding makes regular expressions slow.
    if b"  " in line:
        line = _SPACES.sub(b" ", line)
    return line.decode("utf-8", "replace").rstrip()
