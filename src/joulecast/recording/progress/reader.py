"""From the bytes of a run's streams to sightings."""

import re
from dataclasses import replace

from ...errors import UsageError
from .epoch_table import EpochTable
from .formats import NEEDLES, in_range, parse
from .lines import Lines
from .sighting import Moment, Sighting, metrics_in


class Reader:
    """Finds lines that may report progress in the bytes of one or several streams.

    `pattern` is a regular expression that replaces all known forms. Its groups may be named epoch,
    epochs, step, steps, fraction or percent; of unnamed groups the first is the epoch and the
    second the number of epochs. Raises `UsageError` where it is not valid.
    """

    def __init__(self, pattern: str | None = None) -> None:
        self._pattern = None if pattern is None else _Pattern(pattern)
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
_GROUPS = {"epoch", "epochs", "step", "steps", "fraction", "percent"}


class _Pattern:
    """`--progress-pattern`."""

    def __init__(self, pattern: str) -> None:
        try:
            self._regex = re.compile(pattern)
        except re.error as error:
            where = "" if error.pos is None else f" at character {error.pos + 1}"
            raise UsageError(
                f"--progress-pattern {pattern!r}: {error.msg}{where}: write a Python regular "
                r"expression such as 'round (\d+) of (\d+)'"
            ) from None
        names = set(self._regex.groupindex)
        if unknown := sorted(names - _GROUPS):
            raise UsageError(
                f"--progress-pattern {pattern!r}: no group is called {unknown[0]!r}: use one of "
                + ", ".join(sorted(_GROUPS))
            )
        if not names & {"epoch", "step", "fraction", "percent"} and (
            names or self._regex.groups == 0
        ):
            raise UsageError(
                f"--progress-pattern {pattern!r}: it captures no progress: put the epoch's number "
                r"in a group, as in 'round (\d+)' or 'round (?P<epoch>\d+) of (?P<epochs>\d+)'"
            )
        self._named = bool(names)

    def parse(self, text: str, end: str) -> Sighting | None:
        match = self._regex.search(text)
        # A number at the end of an unfinished line may be incomplete.
        if match is None or (not end and match.end() == len(text)):
            return None
        values = self._values(match)
        epochs = values.get("epochs")
        sighting = Sighting(
            "pattern",
            "pattern",
            epoch=values.get("epoch"),
            epochs=None if epochs is None else int(epochs),
            step=values.get("step") if "steps" in values else None,
            steps=values.get("steps") if "step" in values else None,
            fraction=values.get("fraction"),
            shape="overall",
            metrics=metrics_in(text[match.end() :]) if end else {},
        )
        has_part = sighting.step is not None or sighting.fraction is not None
        if not in_range(sighting) or (sighting.epoch is None and not has_part):
            return None
        moment = _moment(sighting.epoch, has_part, bool(sighting.metrics))
        return replace(sighting, moment=moment)

    def _values(self, match: re.Match[str]) -> dict[str, float]:
        """The numbers of the groups by name; a percentage as a fraction."""
        if self._named:
            texts = match.groupdict()
        else:
            texts = dict(zip(("epoch", "epochs"), match.groups(), strict=False))
        numbers = {name: _float(text) for name, text in texts.items()}
        values = {name: number for name, number in numbers.items() if number is not None}
        if "percent" in values:
            values["fraction"] = values["percent"] / 100
        return values


def _moment(epoch: float | None, has_part: bool, has_metrics: bool) -> Moment:
    """When in its epoch a line of the user's own pattern is printed."""
    if has_part:
        return Moment.WITHIN
    if epoch is not None and not epoch.is_integer():
        return Moment.COUNT
    return Moment.END if has_metrics else Moment.START


def _float(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and 0 <= value < 1e9 else None
