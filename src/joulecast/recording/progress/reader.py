"""From the bytes of a run's streams to sightings."""

import re
from dataclasses import replace

from .epoch_table import EpochTable
from .formats import NEEDLES, parse
from .lines import Lines
from .pattern import ProgressPattern
from .sighting import Sighting


class Reader:
    """Finds lines that may report progress in the bytes of one or several streams.

    `pattern` is a regular expression that replaces all known forms. Its groups may be named epoch,
    epochs, step, steps, fraction or percent; of unnamed groups the first is the epoch and the
    second the number of epochs. Raises `UsageError` where it is not valid.
    """

    def __init__(self, pattern: str | None = None) -> None:
        self._pattern = None if pattern is None else ProgressPattern(pattern)
        self._lines: dict[int, Lines] = {}
        self._tables: dict[int, EpochTable] = {}
        self._lightning = False

    def feed(self, stream: int, data: bytes) -> list[Sighting]:
        """The sightings in the next bytes of a stream. Cheap where there are none."""
        lines = self._lines.get(stream)
        if lines is None:
            lines = self._lines[stream] = Lines(NEEDLES)
            lines.every_line = self._pattern is not None
            self._tables[stream] = EpochTable()
        sightings: list[Sighting] = []
        for text, end in lines.feed(data):
            sighting = self._read(stream, text, end)
            if sighting is not None and (not sightings or sightings[-1] != sighting):
                sightings.append(sighting)
        return sightings

    def _read(self, stream: int, text: str, end: str) -> Sighting | None:
        if self._pattern is not None:
            return self._pattern.parse(text, end)
        if _BINARY.search(text):
            return None
        sighting, table = parse(text, end), self._tables[stream]
        if sighting is None and end == "\n":
            sighting = table.parse(text)
            self._lines[stream].every_line = table.open
        self._lightning = self._lightning or any(words in text for words in _LIGHTNING)
        if sighting is not None and self._lightning and sighting.tool in ("tqdm", "rich"):
            return replace(sighting, tool="lightning")
        return sighting


# Characters may be cut.
_BINARY = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f]|\ufffd(?!\ufffd*$)")
# Lightning draws its bars with tqdm or rich, and prints these words.
_LIGHTNING = ("Sanity Checking", "Validation DataLoader")
