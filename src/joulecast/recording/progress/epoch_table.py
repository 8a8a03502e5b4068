"""Tables with a row for each epoch, as skorch and fastai print them."""

import re

from .sighting import Moment, Sighting, metrics_in

_RULE = re.compile(r"[\s\-=+|─━]*")
_CLOCK = re.compile(r"\d+(?::\d+)+")


class EpochTable:
    """The table in one stream; `open` while rows may follow."""

    def __init__(self) -> None:
        self.open = False
        self._columns: list[str] = []

    def parse(self, line: str) -> Sighting | None:
        """The epoch of a row. A header that starts with "epoch" opens the table."""
        words = line.replace("|", " ").split()
        if words and words[0].lower() == "epoch" and len(words) > 2 and not re.search(r"\d", line):
            self.open, self._columns = True, words
            return None
        if not self.open or _RULE.fullmatch(line):
            return None
        values = [None if _CLOCK.fullmatch(word) else _value(word) for word in words[1:]]
        if not (words and words[0].isdecimal() and len(words[0]) < 8) or all(
            value is None for value in values
        ):
            self.open = False
            return None
        named = zip(self._columns[1:], values, strict=False)
        text = " ".join(f"{name}: {value}" for name, value in named if value is not None)
        return Sighting(
            "table", "table", Moment.END, float(words[0]), shape="row", metrics=metrics_in(text)
        )


def _value(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
