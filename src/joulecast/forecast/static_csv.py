"""Runs from a CSV table, one a row: `architecture,gpu,energy_j,duration_s` and what is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ..hardware.gpus import PRECISIONS
from .csv_table import CURE, Row, Rows, read_table, shown
from .static_run import Facts, StaticRun, completed

HEADER = ("architecture", "gpu", "energy_j", "duration_s")
FIGURES = (
    *("batch", "image_height", "image_width", "training_size", "validation_size"),
    *("epochs", "steps", "gflops", "parameters", "ram_gb"),
    *("gpu_cores", "gpu_memory_gb", "tdp_w", "peak_tflops", "utilisation"),
)
"""Columns that hold a number; blank where it is not known. Units are those of `Facts`."""
TEXTS = ("run_id", "model", "precision", "optimizer")
_MAY_BE_ZERO = frozenset({"validation_size", "ram_gb", "utilisation"})


def read_static(
    path: str | Path, by: str | None = None, read: Callable[[int], None] = lambda characters: None
) -> list[StaticRun]:
    """The runs of a CSV file (or `.csv.gz`), in order.

    Columns that are not known are passed over. What the table does not say of a GPU comes from
    the catalog, as far as that knows it by its name.

    Args:
        path: of the file.
        by: a column to group runs by.
        read: is told every now and then how many characters were read since.

    Raises:
        BadInputError: the table makes no sense; the text names the line.
    """
    return read_table(path, lambda name, lines: list(_runs(name, lines, by)), read)


def _runs(name: str, lines: Iterator[str], by: str | None) -> Iterator[StaticRun]:
    rows = Rows(name, lines, HEADER, (*FIGURES, *TEXTS), by)
    for row in rows:
        yield _run(rows, row, None if by is None else row[by.lower()])


def _run(rows: Rows, row: Row, group: str | None) -> StaticRun:
    of = f"{shown(row['architecture']) or 'a run'} on {shown(row['gpu']) or 'no GPU'}"
    for column in ("architecture", "gpu"):
        if not row[column]:
            rows.refuse(f"{column} is missing: every run must name it")
    energy_j, duration_s = (_positive(rows, row, c, of) for c in ("energy_j", "duration_s"))
    figures = {c: _figure(rows, row, c, of) for c in FIGURES if row.get(c)}
    if figures.get("utilisation", 0.0) > 1:
        rows.refuse(f"{of}: utilisation is {shown(row['utilisation'])}; write it from 0 to 1")
    precision = row.get("precision", "").lower() or "fp32"
    if precision not in PRECISIONS:
        rows.refuse(f"{of}: precision is {shown(precision)}: use one of {', '.join(PRECISIONS)}")
    facts = Facts(
        architecture=row["architecture"],
        gpu=row["gpu"],
        model=row.get("model", ""),
        precision=precision,
        optimizer=row.get("optimizer", ""),
        **figures,
    )
    run_id = row.get("run_id") or f"line {rows.line}"
    return StaticRun(run_id, completed(facts), energy_j, duration_s, group)


def _figure(rows: Rows, row: Row, column: str, of: str) -> float:
    if column in _MAY_BE_ZERO:
        return rows.amount(row, column, of)
    return _positive(rows, row, column, of)


def _positive(rows: Rows, row: Row, column: str, of: str) -> float:
    value = rows.amount(row, column, of)
    if value == 0:
        rows.refuse(f"{of}: {column} is zero: {CURE}")
    return value
