"""Energy of a run while it goes on: recent readings by domain, and the energy before them."""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ..estimate import Estimate
from ..meters.base import Reading, Source
from .integrate import curve, total_of, with_edges
from .model import Array, Gap
from .sampler import to_samples

# Readings kept before the oldest instant that is waited for, because some events arrive late.
_SLACK = 32

Mark = dict[str, Array]
"""Joules (value, low, high) of each domain up to one instant."""


@dataclass(frozen=True, slots=True)
class Instant:
    """An instant of the run, and the energy up to then (None where nothing was read yet)."""

    t_s: float
    energy: Estimate | None
    mark: Mark  # the same by domain, for the energy between two instants


class _Domain:
    def __init__(self, source: Source) -> None:
        self.source = source
        # Joules up to the window's first reading.
        self.before = np.zeros(3)
        self.window: list[Reading] = []
        # The gaps that overlap the window.
        self.gaps: list[Gap] = []

    def forget(self, t_s: float) -> None:
        if len(self.window) < 2 * _SLACK:
            return
        older = bisect_right(self.window, t_s, key=lambda r: r.t_s) - 1
        older = min(older, len(self.window) - _SLACK)
        # So few are not worth copying.
        if older < _SLACK:
            return
        first = self.window[older].t_s
        self.before = self.at(np.array([first]))[:, 0]
        self.window = self.window[older:]
        self.gaps = [g for g in self.gaps if g.end_s is None or g.end_s > first]

    def at(self, t_s: Array) -> Array:
        if not self.window:
            return np.zeros((3, len(t_s)))
        c = curve(to_samples(self.window), self.source.kind, self.gaps)
        joules: Array = self.before[:, None] + c.at(t_s)
        return joules


class LiveEnergy:
    """Computes the energy between any two recent instants from the readings it is given."""

    def __init__(self, sources: Sequence[Source], lacking: Collection[str] = ()) -> None:
        self._domains = {source.domain: _Domain(source) for source in sources}
        self._lacking = lacking

    def push(self, readings: dict[str, Reading], gaps: Sequence[Gap] = ()) -> None:
        """One round: its readings and gaps, times in seconds since the start of the run."""
        for gap in gaps:
            self._domains[gap.domain].gaps.append(gap)
        for domain, reading in readings.items():
            self._domains[domain].window.append(reading)

    def forget(self, t_s: float) -> None:
        """Drop readings before `t_s`, except for some that late events may need."""
        for domain in self._domains.values():
            domain.forget(t_s)

    def marks(self, times_s: Sequence[float]) -> list[Mark]:
        """For each of some recent instants, the joules of each domain up to it."""
        joules = {name: d.at(np.array(times_s)) for name, d in self._domains.items()}
        return [{name: j[:, i] for name, j in joules.items()} for i in range(len(times_s))]

    def between(self, start: Mark, end: Mark, duration_s: float) -> Estimate | None:
        """Energy of all domains between two marks, or None where nothing was read."""
        parts = {}
        for name, domain in self._domains.items():
            # Energy needs two readings.
            if len(domain.window) > 1:
                value, low, high = (float(x) for x in end[name] - start[name])
                if part := with_edges((value, low, high), duration_s, domain.source):
                    parts[name] = part
        unread = [name for name in self._domains if name not in parts]
        return total_of(parts.values(), [*self._lacking, *unread])

    def total(self, t_s: float) -> Estimate | None:
        """Energy of all domains from the start up to a recent instant."""
        (end,) = self.marks([t_s])
        return self.up_to(end, t_s)

    def up_to(self, end: Mark, t_s: float) -> Estimate | None:
        """Energy of all domains from the start up to the mark `end`, taken at `t_s`."""
        return self.between(self.nothing(), end, t_s)

    def nothing(self) -> Mark:
        """The mark of the start."""
        return {name: np.zeros(3) for name in self._domains}
