"""One line kept at the bottom of a terminal that a command writes to: which bytes to write when.

The last row is taken out of the scroll region (DECSTBM), as apt does, so that the command's output
scrolls above it wherever its cursor was left. Pure: bytes and sizes in, bytes out. The sequences
are those of ECMA-48 and the VT100 (https://vt100.net/docs/vt510-rm/).
"""

import re
import unicodedata

SMALLEST = (5, 40)
"""Rows and columns below which a terminal has no room for the line."""

# Time for which a cursor position that the command saved is left alone.
_HOLD_S = 1.0

_SEQUENCE = re.compile(
    rb"\x1b(?:\[(?P<args>[0-?]*)(?P<middle>[ -/]*)(?P<final>[@-~])"  # CSI
    rb"|[\]PX^_][^\x07\x18\x1a\x1b]*(?:[\x07\x18\x1a]|\x1b\\)"  # OSC and the other strings
    rb"|[ -/]*(?P<single>[0-OQ-WYZ\\`-~]))"
)
_BEGUN = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x18\x1a\x1b]*\x1b?|[ -/]*)")
_ALTERNATE = re.compile(rb"\?(?:.*;)?(?:47|1047|1049)(?:;.*)?")


def fit(text: str, columns: int) -> str:
    """One line of printable characters no wider than `columns`; what does not fit is cut, with …"""
    shown, width = "", 0
    for character in text:
        if unicodedata.category(character) in ("Cf", "Cs", "Cn", "Co"):
            # Marks that reorder or hide the text around them are left out.
            continue
        plain = " " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        if width + _width(plain) > columns:
            break
        shown += plain
        width += _width(plain)
    else:
        return shown
    while shown and width > columns - 1:
        shown, last = shown[:-1], shown[-1]
        width -= _width(last)
    return shown + "…"


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def unfinished(text: bytes) -> bytes:
    """The character or escape sequence that `text` ends inside of, b"" where it ends between two.

    Of a long string (a window's title, an image) only its beginning.
    """
    start = text.rfind(b"\x1b")
    # It may be the end of a string.
    if start > 0 and text[start:] == b"\x1b":
        opened = text.rfind(b"\x1b", 0, start)
        if opened >= 0 and _BEGUN.fullmatch(text, opened):
            start = opened
    if start >= 0 and _BEGUN.fullmatch(text, start):
        tail = text[start:]
        is_string = tail[1:2] in (b"]", b"P", b"X", b"^", b"_")
        if not is_string:
            return tail
        return tail[:2] + (b"\x1b" if tail.endswith(b"\x1b") else b"")
    for back in range(1, min(3, len(text)) + 1):
        byte = text[-back]
        # This byte is inside a character of UTF-8.
        if byte & 0xC0 == 0x80:
            continue
        needed = 2 if byte >> 5 == 0b110 else 3 if byte >> 4 == 0b1110 else 4
        return text[-back:] if byte >= 0xC0 and byte < 0xF8 and needed > back else b""
    return b""


class StatusLine:
    """The bytes that keep a status line in the terminal's last row, among the command's output.

    The command's terminal must be one row smaller (`command_rows`). Bytes that methods return must
    be written, in the order of the calls.
    """

    def __init__(self, rows: int, columns: int) -> None:
        self.text: str | None = None
        """The text to show; None for no line."""
        self._rows, self._columns = rows, columns
        # The scroll region is ours.
        self._reserved = False
        # Text that the last row shows.
        self._drawn: str | None = None
        # The command has a scroll region of its own.
        self._foreign = False
        # The command shows the alternate screen.
        self._aside = False
        # Since when the command has a saved cursor, which a redraw would overwrite.
        self._saved_s: float | None = None
        self._unfinished = b""

    @property
    def fits(self) -> bool:
        """Whether the terminal is large enough for a line."""
        return self._rows >= SMALLEST[0] and self._columns >= SMALLEST[1]

    @property
    def command_rows(self) -> int:
        """Rows of the terminal for the command."""
        return self._rows - 1 if self.fits else self._rows

    @property
    def stale(self) -> bool:
        """Whether the terminal does not show the current text."""
        if self._aside:
            return False
        wanted = self._wanted()
        return wanted != self._drawn or (wanted is not None and not self._guarded)

    @property
    def between(self) -> bool:
        """Whether the output so far ends between two characters, outside escape sequences."""
        return not self._unfinished

    @property
    def shown(self) -> bool:
        """Whether the line is in the terminal's last row."""
        return self._reserved or self._drawn is not None

    @property
    def _guarded(self) -> bool:
        return self._reserved or self._foreign

    def _wanted(self) -> str | None:
        return fit(self.text, self._columns - 1) if self.text is not None and self.fits else None

    def output(self, data: bytes, now_s: float) -> bytes:
        """The bytes to write for `data` of the command: `data`, with repairs of the line."""
        before = len(self._unfinished)
        text = self._unfinished + data
        pieces, done = [], 0
        for match in _SEQUENCE.finditer(text):
            repair = self._follow(match, now_s)
            if repair:
                at = match.end() - before
                pieces += [data[done:at], repair]
                done = at
        self._unfinished = unfinished(text)
        return b"".join([*pieces, data[done:]])

    def _follow(self, match: re.Match[bytes], now_s: float) -> bytes:
        """Follow one escape sequence of the command. Returns the bytes that repair the line."""
        single, final, args = match["single"], match["final"], match["args"]
        if single == b"c":
            self._drawn, self._aside, self._foreign, self._saved_s = None, False, False, None
            return self._region_again()
        if single == b"7" or (final == b"s" and not args):
            self._saved_s = now_s
        elif single == b"8" or (final == b"u" and not args):
            self._saved_s = None
        elif final == b"J":
            self._drawn = None
        elif final == b"p" and match["middle"] == b"!":
            return self._region_again()
        elif final == b"r" and args[:1] != b"?":
            self._foreign = not self._whole(args)
            return b"" if self._foreign else self._region_again()
        elif final in (b"h", b"l") and _ALTERNATE.fullmatch(args):
            return self._switch(final == b"h")
        return b""

    def _whole(self, args: bytes) -> bool:
        """Whether a scroll region is the whole screen of the command."""
        top, _, bottom = args.partition(b";")
        first = int(top) if top.isdigit() else 1
        last = int(bottom) if bottom.isdigit() else 0
        return first <= 1 and (last == 0 or last >= self.command_rows)

    def _switch(self, alternate: bool) -> bytes:
        """A full-screen program gets the whole screen."""
        was_reserved, self._aside = self._reserved, alternate
        self._reserved = self._foreign = False
        if alternate:
            return _kept(b"\x1b[r") if was_reserved else b""
        # What was there may have come back.
        self._drawn = None if self._drawn is None else ""
        return b""

    def _region_again(self) -> bytes:
        return _kept(self._region()) if self._reserved else b""

    def _region(self) -> bytes:
        return b"\x1b[1;%dr" % (self._rows - 1)

    def refresh(self, now_s: float) -> bytes:
        """Draw the line; b"" where it is current, or where the output must not be interrupted."""
        cursor_saved = self._saved_s is not None and now_s - self._saved_s < _HOLD_S
        if not self.between or cursor_saved or not self.stale:
            return b""
        wanted = self._wanted()
        if wanted is None:
            return self.hide()
        reserve = b""
        if not self._guarded:
            # Down and up: this scrolls the screen on the last row, and does nothing elsewhere.
            reserve = b"\x1bD\x1b[A" + _kept(self._region())
            self._reserved = True
        self._drawn = wanted
        return reserve + _kept(self._row() + wanted.encode())

    def _row(self) -> bytes:
        """Go to the last row, without colors, and clear it."""
        return b"\x1b[%d;1H\x1b[0m\x1b[2K" % self._rows

    def hide(self) -> bytes:
        """Clear the line: when the command ends, is stopped, or goes to the background.

        Must be called where `between` is true, except at the end. `refresh` shows the line again.
        """
        if not self.shown or self._aside:
            return b""
        self._reserved, self._drawn = False, None
        return _kept((b"" if self._foreign else b"\x1b[r") + self._row())

    def resize(self, rows: int, columns: int) -> bytes:
        """The terminal has another size; what that does to the old line differs between terminals.

        Everything below the cursor is erased; a progress bar there is drawn again by its program.
        """
        shown = self.shown
        self._rows, self._columns = rows, columns
        self._reserved, self._foreign, self._drawn = False, False, None
        return _kept(b"\x1b[r") + b"\x1b[J" if shown and not self._aside else b""


def _kept(sequence: bytes) -> bytes:
    """`sequence`, which leaves the cursor and its colors unchanged."""
    return b"\x1b7" + sequence + b"\x1b8"
