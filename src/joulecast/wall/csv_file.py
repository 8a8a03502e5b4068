"""Readings of a power meter at the wall, from a CSV file."""

import math
from datetime import datetime
from pathlib import Path

import numpy as np

from ..csv_table import CsvTable, RowError, amount, number, open_table
from .join import Readings

TIMES = ("t", "t_s", "time", "timestamp", "date", "datetime")
ENERGY, POWER = "energy_j", "power_w"
# Larger numbers are milliseconds: as seconds, this is the year 5138.
_MIN_MILLISECONDS = 1e11
# Smaller numbers are not seconds since 1970: this is the year 2001.
_MIN_CALENDAR_S = 1e9


def read_readings(path: Path) -> Readings:
    """The readings in a CSV file: a time, and `power_w` or a counter such as `energy_wh`.

    Times are ISO 8601 (local time without a zone) or seconds since 1970. Rows without a figure (a
    plug that did not answer) are skipped. Raises `BadInputError` with the line.
    """
    with open_table(path) as table:
        time, figure = _columns(table)
        times: list[float] = []
        values: list[float] = []
        for row in table.rows((time, figure)):
            # The figure is empty while a plug does not answer.
            if not row[figure]:
                continue
            value, t_s = amount(row[figure], figure), _instant(row[time])
            if times and t_s == times[-1]:
                continue
            if times and t_s < times[-1]:
                raise RowError("its time is before that of the row above: sort the rows")
            times.append(t_s)
            values.append(value)
        if not times:
            raise RowError(f"no row has a figure of {figure}")
    return Readings(np.array(times), np.array(values), counts=figure == ENERGY, origin=path.name)


def _columns(table: CsvTable) -> tuple[str, str]:
    """The columns of time and figure. Raises `RowError`."""
    time = next((name for name in TIMES if table.has(name)), None)
    figure = next((name for name in (POWER, ENERGY) if table.has(name)), None)
    if time is None or figure is None:
        raise RowError(
            "it needs a column t (ISO time, or seconds since 1970) and one of power_w, "
            f"energy_wh; it has {', '.join(table.header)[:200]}"
        )
    return time, figure


def _instant(text: str) -> float:
    seconds = number(text)
    if seconds is None:
        try:
            return datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError, OSError):
            raise RowError(
                f"{text[:40]!r} is no time: write 2026-05-01T12:00:00+02:00, or seconds since 1970"
            ) from None
    seconds = seconds / 1e3 if seconds > _MIN_MILLISECONDS else seconds
    if not (math.isfinite(seconds) and seconds > _MIN_CALENDAR_S):
        raise RowError(
            f"{text[:40]!r} is no time of the calendar: write seconds since 1970, so that "
            "the readings can be matched with recordings"
        )
    return seconds
