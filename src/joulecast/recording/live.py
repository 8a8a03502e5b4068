"""Energy of a run while it goes on: a short window of readings by domain, and what came before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..meters.base import Reading, Source
from ..units import Estimate, add_independent
from .integrate import curve, with_edges
from .model import Array, Gap
from .sampler import to_samples

_WINDOW = 64  # readings kept to place an edge among; edges that come late fall within it

Mark = dict[str, Array]
"""Joules (value, low, high) of each domain up to one instant."""


class _Domain:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.before = np.zeros(3)  # joules up to the window's first reading
        self.window: list[Reading] = []

    def push(self, reading: Reading, gaps: Sequence[Gap]) -> None:
        if len(self.window) >= _WINDOW:
            keep = self.window[_WINDOW // 2 :]
            self.before = self.at(keep[0].t_s, gaps)
            self.window = keep
        self.window.append(reading)

    def at(self, t_s: float, gaps: Sequence[Gap]) -> Array:
        if not self.window:
            return np.zeros(3)
        mine = [g for g in gaps if g.domain == self.source.domain]
        joules: Array = self.before + curve(to_samples(self.window), self.source.kind, mine).at(t_s)
        return joules


class LiveEnergy:
    """Fed with every round of readings; tells the energy between any two recent instants."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._domains = {source.domain: _Domain(source) for source in sources}

    def push(self, readings: dict[str, Reading], gaps: Sequence[Gap]) -> None:
        """One round of readings, times in seconds since the start of the run."""
        for domain, reading in readings.items():
            self._domains[domain].push(reading, gaps)

    def mark(self, t_s: float, gaps: Sequence[Gap]) -> Mark:
        """Joules of each domain up to `t_s`, a recent instant."""
        return {name: domain.at(t_s, gaps) for name, domain in self._domains.items()}

    def between(self, start: Mark, end: Mark, duration_s: float) -> Estimate | None:
        """Energy of all domains between two marks, or None where nothing was read."""
        parts = []
        for name, domain in self._domains.items():
            if len(domain.window) > 1 and name in start:  # one reading tells no energy
                value, low, high = (float(x) for x in end[name] - start[name])
                parts.append(with_edges((value, low, high), duration_s, domain.source))
        return add_independent(p for p in parts if p is not None)
