"""From the bytes of a run's streams to sightings."""

import re
from dataclasses import replace

from ...errors import UsageError
from .epoch_table import EpochTable
from .formats import NEEDLES, parse
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
        table = self._tables[stream]
        sightings: list[Sighting] = []
        for text, end in lines.feed(data):
            if self._pattern is not None:
                sighting = self._pattern.parse(text, end)
            elif _BINARY.search(text):
                continue
            elif (sighting := parse(text, end)) is None and end == "\n":
                sighting = table.parse(text)
                lines.every_line = table.open
            self._lightning = self._lightning or any(words in text for words in _LIGHTNING)
            if sighting is not None and self._lightning and sighting.tool in ("tqdm", "rich"):
                sighting = replace(sighting, tool="lightning")
            if sighting is not None and (not sightings or sightings[-1] != sighting):
                sightings.append(sighting)
        return sightings


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
        fraction = values.get("fraction")
        steps = values.get("steps")
        step = values.get("step") if steps is not None else None
        if fraction is not None and not 0 <= fraction <= 1:
            return None
        if step is not None and not 0 < (steps or 0.0) >= step:
            return None
        has_part = step is not None or fraction is not None
        epoch, epochs = values.get("epoch"), values.get("epochs")
        if epoch is None and not has_part:
            return None
        metrics = metrics_in(text[match.end() :]) if end else {}
        return Sighting(
            "pattern",
            "pattern",
            _moment(epoch, has_part, bool(metrics)),
            epoch,
            None if epochs is None else int(epochs),
            step,
            steps,
            fraction,
            shape="overall",
            metrics=metrics,
        )

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
