"""Power traces recorded elsewhere: reads them, and plays them back as a meter."""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..csv_table import RowError, amount, instant, open_table
from ..errors import BadInputError, MeterLostError
from ..estimate import Provenance
from ..units import format_duration
from .base import Meter, Reading, ReadingKind, Source, Uncertainty
from .sensor import Clock

Array = npt.NDArray[np.float64]
Rows = Iterable[tuple[float, float]]
HEADER = ("t_s", "power_w")
# The rounding error of a clock that is exactly at the end.
_ROUNDING_S = 1e-6

LEAVE_OUT = "leave the row out: a long silence becomes a gap"
"""What to do about a row without a figure, for errors of this and other readers of tables."""

AS_RECORDED = Uncertainty(0.0, 0.0, "the trace as it was recorded; its own error is not known here")


def read_trace(path: str | Path) -> tuple[Array, Array]:
    """Times in seconds and powers in watts, two arrays of shape (n,), n >= 2, of a CSV trace.

    The file (plain, or gzip if its name ends in `.gz`) has a header with at least the columns
    `t_s` and `power_w`; times strictly increase. Raises `BadInputError`, naming the line.
    """
    with open_table(path) as table:
        return _arrays(
            (
                instant(row["t_s"]),
                amount(row["power_w"], "power_w", remedy=LEAVE_OUT),
            )
            for row in table.rows(HEADER)
        )


class ReplayMeter(Meter):
    """Plays a power trace from the moment it is opened; linear between the trace's points.

    A hole in the trace (no rows for more than five of its periods and more than 1 s) is not played:
    until it ends, the reading stays that of its start; then a note reports it, so that a recording
    marks a gap.

    At `speed` 10, ten seconds of the trace pass in one second of the clock: the watts are those of
    the trace, the joules a tenth. After the end of the trace `read` raises `MeterLostError`.

    Args:
        trace: a CSV file (see `read_trace`) or rows of (seconds, watts).
        clock: gives the instants of the readings.
        speed: seconds of the trace in a second of the clock, above 0.
        domain: whose power the trace is.

    Raises:
        BadInputError: the trace or the speed cannot be used.
    """

    def __init__(
        self, trace: str | Path | Rows, clock: Clock, speed: float = 1.0, domain: str = "gpu:0"
    ) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise BadInputError(f"the speed of a replay must be above 0, not {speed}")
        if isinstance(trace, str | Path):
            name = Path(trace).name
            self._t_s, self._power_w = read_trace(trace)
        else:
            name = "rows"
            self._t_s, self._power_w = _arrays(trace)
        self._speed = speed
        steps = np.diff(self._t_s)
        period_s = float(np.median(steps))
        # The rule of the recording for power meters, in the trace's own time.
        # The rows they follow.
        self._holes = np.flatnonzero(steps > max(1.0, 5 * period_s))
        # That the last reading followed.
        self._row = 0
        self._note: str | None = None
        self.source = Source(
            domain=domain,
            source=f"replay of {name}",
            kind=ReadingKind.POWER,
            provenance=Provenance.MEASURED,
            update_period_s=period_s / speed,
            uncertainty=AS_RECORDED,
            device="recorded power trace",
        )
        self._clock = clock
        self._opened_s = clock()

    def read(self) -> Reading:
        """The trace's power now, or where a hole in it began. Raises `MeterLostError`."""
        t_s = self._clock()
        at_s = self._t_s[0] + (t_s - self._opened_s) * self._speed
        if at_s > self._t_s[-1] + _ROUNDING_S:
            raise MeterLostError(f"trace ended: {self.source.source}, {self._t_s[-1]:g} s")
        row = int(np.searchsorted(self._t_s, at_s, side="right")) - 1
        if row in self._holes:
            at_s = self._t_s[row]
            t_s = self._opened_s + float(at_s - self._t_s[0]) / self._speed
        passed = self._holes[(self._holes >= self._row) & (self._holes < row)]
        if len(passed):
            silent_s = float((self._t_s[passed + 1] - self._t_s[passed]).sum())
            self._note = f"the trace has no rows for {format_duration(silent_s)}"
        self._row = row
        power_w = float(np.interp(at_s, self._t_s, self._power_w))
        return Reading(t_s, power_w, power_w, power_w, held_s=t_s - self._opened_s)

    def note(self) -> str | None:
        """That a hole of the trace has passed, once."""
        note, self._note = self._note, None
        return note


def _arrays(rows: Rows) -> tuple[Array, Array]:
    """Times and powers of a trace. Raises `BadInputError` where they are not one."""
    times: list[float] = []
    powers: list[float] = []
    for t_s, power_w in rows:
        if not (math.isfinite(t_s) and math.isfinite(power_w) and power_w >= 0):
            raise RowError(f"t_s and power_w must be finite, power_w 0 or more: {t_s}, {power_w}")
        if times and t_s <= times[-1]:
            raise RowError(f"t_s must increase, and {t_s} follows {times[-1]}")
        times.append(t_s)
        powers.append(power_w)
    if len(times) < 2:
        raise RowError(f"a trace needs at least two rows, this has {len(times)}")
    return np.array(times, np.float64), np.array(powers, np.float64)
