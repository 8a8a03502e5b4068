"""`--progress-pattern`: the user's own regular expression for lines that report progress."""

import re
from dataclasses import replace

from ...errors import UsageError
from .formats import in_range, sighting_of
from .sighting import Moment, Sighting, metrics_in

_GROUPS = {"epoch", "epochs", "step", "steps", "fraction", "percent"}


class ProgressPattern:
    """A regular expression with groups of these names; unnamed ones are epoch and epochs.

    Raises `UsageError` where it is not valid.
    """

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

    def parse(self, text: str, end: str) -> Sighting | None:
        """The sighting on a line, if any; `end` is empty while the line may continue."""
        match = self._regex.search(text)
        # A number at the end of an unfinished line may be incomplete.
        if match is None or (not end and match.end() == len(text)):
            return None
        fields = match.groupdict() or dict(zip(("epoch", "epochs"), match.groups(), strict=False))
        metrics = metrics_in(text[match.end() :]) if end else {}
        s = sighting_of("pattern", fields)
        s = replace(s, over=False, shape="overall", metrics=metrics)
        if s.step is None:
            s = replace(s, steps=None)
        part = s.step is not None or s.fraction is not None
        if not in_range(s) or (s.epoch is None and not part):
            return None
        if part:
            return s
        if s.epoch is not None and not s.epoch.is_integer():
            return replace(s, moment=Moment.COUNT)
        return replace(s, moment=Moment.END if metrics else Moment.START)
