"""Runs from a CSV table, one a row: `architecture,gpu,energy_j,duration_s` and what is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from ...csv_table import CURE, Row, Rows, amount, read_table, shown
from ...hardware.catalog.gpus import PRECISIONS
from ..past_run import Facts, StaticRun, completed

HEADER = ("architecture", "gpu", "energy_j", "duration_s")
FIGURES = (
    *("batch", "image_height", "image_width", "training_size", "validation_size"),
    *("epochs", "steps", "gflops", "parameters", "ram_gb"),
    *("gpu_cores", "gpu_memory_gb", "tdp_w", "peak_tflops", "utilization"),
)
"""Columns that hold a number; blank where it is not known. Units are those of `Facts`."""
TEXTS = ("run_id", "model", "precision", "optimizer")
Refuse = Callable[[str], NoReturn]
_MAY_BE_ZERO = frozenset({"validation_size", "ram_gb", "utilization"})


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
    energy_j, duration_s = (
        _positive(row[column], column, of, rows.refuse) for column in ("energy_j", "duration_s")
    )
    run_id = row.get("run_id") or f"line {rows.line}"
    return StaticRun(run_id, parsed(row, of, rows.refuse), energy_j, duration_s, group)


def parsed(texts: Mapping[str, str], of: str, refuse: Refuse) -> Facts:
    """Facts written as texts under the names of the columns, and those of the catalog.

    `refuse` is told what makes no sense, and must raise; `of` says in the text whose it is.
    """
    figures = {c: _figure(texts[c], c, of, refuse) for c in FIGURES if texts.get(c)}
    if figures.get("utilization", 0.0) > 1:
        refuse(f"{of}: utilization is {shown(texts['utilization'])}; write it from 0 to 1")
    precision = texts.get("precision", "").lower() or "fp32"
    if precision not in PRECISIONS:
        refuse(f"{of}: precision is {shown(precision)}: use one of {', '.join(PRECISIONS)}")
    facts = Facts(
        architecture=texts.get("architecture", ""),
        gpu=texts.get("gpu", ""),
        model=texts.get("model", ""),
        precision=precision,
        optimizer=texts.get("optimizer", ""),
        **figures,
    )
    return completed(facts)


def _figure(text: str, column: str, of: str, refuse: Refuse) -> float:
    if column in _MAY_BE_ZERO:
        return amount(text, column, of, refuse)
    return _positive(text, column, of, refuse)


def _positive(text: str, column: str, of: str, refuse: Refuse) -> float:
    value = amount(text, column, of, refuse)
    if value == 0:
        refuse(f"{of}: {column} is zero: {CURE}")
    return value
