"""The energy counter of a GPU, checked against the power that the same card reports.

Some counters stand still while power flows (ROCm/amdsmi issue 38: 35 W, 0 J), others count only a
part of it (ml-energy/zeus issue 181: 187 J where power gives 327 J).
"""

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle

from ..units import format_duration, format_quantity
from .counter import PLAUSIBLE_POWER_W, Unwrap

STILL_S, MIN_J, HELD_S = 1.2, 0.5, 0.25
"""A counter that stands still for `STILL_S` while `MIN_J` flow is not believed: it has missed a
dozen updates of the slowest one known (0.1 s, arXiv 2312.02741). A card that sleeps may draw less.
After `HELD_S` it gives no readings until this is decided."""

WINDOW_S, MAX_OUTSIDE, TOLERANCE, STEADY = 2.0, 2, 0.25, 0.1
"""Neither is one that counts less than the least power read in two windows in a row, by a quarter.

Where power is the mean over one second, as on most cards since Ampere, this holds whatever the load
does: a window consists of whole seconds and a rest, which is not compared. Where power is read at
an instant, windows count only in which it is steady."""

POWER_EVERY_S, MAX_APART_S, MAX_SILENCE_S = (0.3, 0.4, 0.5), 0.65, 2.0
"""How often power is read as long as the counter is believed: unequally, because many loads have a
period. Further apart it says nothing about the time between, and far apart not its energy."""

NOT_BELIEVED = "its energy counter is not believed"
"""With this begins the warning of a counter that power has contradicted."""

_UPDATE_S, _EARLY_S = 0.1, 0.01
# What drivers return in place of a count that they do not have.
_NO_COUNT = 2**64 - 1


def believable_w(watts: float) -> float:
    """The power, or not-a-number where no card can draw it: 0 W, 4.29 MW (0xFFFFFFFF mW)."""
    return watts if 0 < watts <= PLAUSIBLE_POWER_W else math.nan


@dataclass(slots=True)
class _Window:
    start_s: float
    counted_j: float
    by_power_j: float
    low_w: float
    high_w: float
    apart_s: float = 0.0

    def contradicts(self, length_s: float, counted_j: float, is_mean: bool) -> bool:
        is_steady = self.high_w - self.low_w <= STEADY * self.high_w
        if self.apart_s > MAX_APART_S or not (is_mean or is_steady):
            return False
        compared_s = (math.floor(length_s + _EARLY_S) if is_mean else length_s) - _UPDATE_S
        # A watt is below what sensors resolve.
        return counted_j < compared_s * (self.low_w * (1 - TOLERANCE) - 1)


class CheckedCounter:
    """Joules of a counter since its first reading; of the power, once it contradicts the counter.

    The first call opens it: what is missing before the second belongs to no run.

    Args:
        read_counts: the raw counter.
        joules_per_count: its unit.
        update_period_s: of the counter.
        read_watts: the power of what it counts, where the device reports it.
        is_mean: whether power is the mean over one second.
    """

    def __init__(
        self,
        read_counts: Callable[[], float],
        joules_per_count: float,
        update_period_s: float,
        read_watts: Callable[[], float] | None,
        is_mean: bool = False,
    ) -> None:
        self._read_counts, self._read_watts, self._is_mean = read_counts, read_watts, is_mean
        self._unwrap = Unwrap(joules_per_count, update_period_s)
        # Energy by power, its last reading, and when the next is due.
        self._power_j, self._power_s, self._power_w = 0.0, -math.inf, 0.0
        self._due_s, self._every_s = 0.0, cycle(POWER_EVERY_S)
        self._calls, self._raw, self._moved_s = 0, -1, 0.0
        # The window now, that from which on counter and power contradict, and how many do.
        self._window: _Window | None = None
        self._agreed: _Window | None = None
        self._outside = 0
        # Added to the energy by power once the counter is not believed.
        self._offset_j: float | None = None
        self._note = self._warning = ""

    @property
    def is_believed(self) -> bool:
        """Whether the counter is read; else its power is integrated."""
        return self._offset_j is None

    def joules(self, t_s: float) -> float | None:
        """Joules since the first call; None where they are in doubt, not-a-number without a count.

        Raises what the functions of the device raise.
        """
        if self._offset_j is not None:
            return self._offset_j + self._power_j if self._integrate(t_s) else math.nan
        raw = int(self._read_counts())
        if raw == _NO_COUNT:
            return math.nan
        joules = self._unwrap.advance(raw, t_s)
        self._calls += 1
        if self._calls <= 2:
            self._window = None
        if raw != self._raw or self._calls <= 2:
            self._raw, self._moved_s = raw, t_s
        if self._window is None or t_s >= self._due_s:
            self._compare(t_s, joules)
        if self._offset_j is not None:
            return self._offset_j + self._power_j
        return None if self._is_in_doubt(t_s) else joules

    def _is_in_doubt(self, t_s: float) -> bool:
        return self._window is not None and HELD_S <= t_s - self._moved_s < 2 * STILL_S

    def note(self) -> str | None:
        """Energy that is unknown since the last call, returned once, or None."""
        note, self._note = self._note, ""
        return note or self._unwrap.note()

    def warning(self) -> str | None:
        """Why the counter is not believed, returned once, or None."""
        warning, self._warning = self._warning, ""
        return warning or None

    def _integrate(self, t_s: float) -> bool:
        """Add the energy since the last reading of power. Returns whether there is power now."""
        watts = believable_w(self._read_watts()) if self._read_watts else math.nan
        if math.isnan(watts):
            return False
        elapsed_s, mean_w = t_s - self._power_s, (watts + self._power_w) / 2
        self._power_s, self._power_w = t_s, watts
        if elapsed_s <= MAX_SILENCE_S:
            self._power_j += elapsed_s * mean_w
        elif self._offset_j is not None:
            self._note = "power was not read: the energy of that time is unknown and not counted"
        return True

    def _compare(self, t_s: float, joules: float) -> None:
        window, last_s = self._window, self._power_s
        has_power = False
        # Power that fails costs the check, not the counter.
        with contextlib.suppress(Exception):
            has_power = self._integrate(t_s)
        if not has_power:
            self._window = None
            return
        end_s = window.start_s + WINDOW_S if window else math.inf
        self._due_s = min(t_s + next(self._every_s), max(t_s, end_s)) - _EARLY_S
        begun = _Window(t_s, joules, self._power_j, self._power_w, self._power_w)
        if window is None:
            self._window, self._agreed, self._outside = begun, begun, 0
            return
        window.low_w = min(window.low_w, self._power_w)
        window.high_w = max(window.high_w, self._power_w)
        window.apart_s = max(window.apart_s, t_s - last_s)
        length_s, counted_j = t_s - window.start_s + _EARLY_S, joules - window.counted_j
        if counted_j == 0 and length_s >= STILL_S and self._power_j - window.by_power_j >= MIN_J:
            self._replace(joules, length_s, counted_j)
        elif length_s >= WINDOW_S:
            self._window = begun
            if not window.contradicts(length_s, counted_j, self._is_mean):
                self._agreed, self._outside = begun, 0
                return
            self._outside += 1
            if self._outside >= MAX_OUTSIDE:
                self._replace(joules, length_s, counted_j)

    def _replace(self, joules: float, length_s: float, counted_j: float) -> None:
        """Power since both last agreed takes the place of what was counted, where it is more."""
        assert self._agreed is not None
        by_power_j = self._agreed.counted_j + self._power_j - self._agreed.by_power_j
        self._offset_j = max(joules, by_power_j) - self._power_j
        self._warning = (
            f"{NOT_BELIEVED}: it counted {format_quantity(counted_j, 'J')} in"
            f" {format_duration(length_s)}, at {format_quantity(self._power_w, 'W')}; power is"
            " integrated instead"
        )
