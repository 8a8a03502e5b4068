"""Readings of a power meter at the wall, from a CSV file."""

from __future__ import annotations

import csv
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BadInputError
from .join import Readings

TIMES = ("t", "t_s", "time", "timestamp", "date", "datetime")
FACTORS = {"energy_wh": 3600.0, "energy_kwh": 3.6e6, "energy_j": 1.0}
POWER = "power_w"
_MILLISECONDS = 1e11  # as seconds that were the year 5138
_CALENDAR = 1e9  # 2001; below that they are no times of the calendar


def read_readings(path: Path) -> Readings:
    """The readings in a CSV file: a time, and `power_w` or a counter such as `energy_wh`.

    Times are ISO 8601 (local where they name no zone) or seconds since 1970. Rows without a figure
    (a plug that was away) are passed over. Raises `BadInputError` naming the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(csv.reader(file), path)
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"{path}: not a CSV text file: {error}") from error


def _read(rows: Any, path: Path) -> Readings:
    names = [cell.strip().lower() for cell in next(rows, [])]
    time = next((names.index(name) for name in TIMES if name in names), None)
    figure = next((name for name in (POWER, *FACTORS) if name in names), None)
    if time is None or figure is None:
        raise BadInputError(
            f"{path}, line 1: it needs a column t (ISO time, or seconds since 1970) and one of "
            f"power_w, energy_wh; it has {', '.join(names)[:200] or 'none'}"
        )
    column = names.index(figure)
    times: list[float] = []
    values: list[float] = []
    blank = 0
    for row in rows:
        if len(row) <= max(time, column) or not row[column].strip():
            blank += 1
            continue
        where = f"{path}, line {rows.line_num}"
        value = _number(row[column], f"{where}: {figure}")
        t_s = _instant(row[time].strip(), where)
        if times and t_s <= times[-1]:
            if t_s == times[-1]:
                continue  # told twice
            raise BadInputError(f"{where}: its time is before that of the row above: sort the rows")
        times.append(t_s)
        values.append(value)
    if blank and not times:
        raise BadInputError(f"{path}: none of its {blank} rows has a figure of {figure}")
    kept = np.array(times), np.array(values) * FACTORS.get(figure, 1.0)
    return Readings(*kept, counts=figure != POWER, origin=path.name)


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise BadInputError(f"{where}: a number of 0 or more is expected, not {text[:40]!r}")
    return value


def _instant(text: str, where: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        try:
            return datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError, OSError):
            raise BadInputError(
                f"{where}: {text[:40]!r} is no time: write 2026-05-01T12:00:00+02:00, or seconds "
                "since 1970"
            ) from None
    seconds = seconds / 1e3 if seconds > _MILLISECONDS else seconds
    if not (math.isfinite(seconds) and seconds > _CALENDAR):
        raise BadInputError(
            f"{where}: {text[:40]!r} is no time of the calendar: write seconds since 1970, so that "
            "the readings can be found in the recordings"
        )
    return seconds
