"""Runs from a CSV table, one a row: `architecture,gpu,energy_j,duration_s` and known facts."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...csv_table import RowError, amount, open_table, shown
from ...hardware.catalog.gpus import PRECISIONS
from ..past_run import Facts, StaticRun, completed

HEADER = ("architecture", "gpu", "energy_j", "duration_s")
# Columns of numbers, in the units of `Facts`; blank where a number is unknown.
FIGURES = (
    *("batch", "image_height", "image_width", "training_size", "validation_size"),
    *("epochs", "steps", "gflops", "parameters", "ram_gb"),
    *("gpu_cores", "gpu_memory_gb", "tdp_w", "peak_tflops", "utilization"),
)
TEXTS = ("run_id", "model", "precision", "optimizer")
_MAY_BE_ZERO = frozenset({"validation_size", "ram_gb", "utilization"})
_REMEDY = "correct the number, or leave the run out"


def read_static(
    path: str | Path,
    by: Sequence[str] = (),
    progress: Callable[[int], object] = lambda count: None,
) -> list[StaticRun]:
    """The runs of a CSV file (or `.csv.gz`), in order.

    Other columns are ignored. Facts of a GPU that the table lacks come from the catalog, if the
    catalog has a GPU of that name.

    Args:
        path: of the file.
        by: columns to group runs by.
        progress: called now and then with the number of bytes read since the last call.

    Raises:
        BadInputError: the table makes no sense; the text names the line.
    """
    runs = []
    with open_table(path, progress) as table:
        for row in table.rows((*HEADER, *by), (*FIGURES, *TEXTS)):
            for column in ("architecture", "gpu"):
                if not row[column]:
                    raise RowError(f"{column} is missing: every run must have one")
            where = f"{shown(row['architecture'])} on {shown(row['gpu'])}"
            energy_j, duration_s = (
                _positive(row[column], f"{where}: {column}") for column in HEADER[2:]
            )
            run_id = row.get("run_id") or f"line {table.line}"
            group = ", ".join(row[column] for column in by) if by else None
            runs.append(StaticRun(run_id, parse_facts(row, where), energy_j, duration_s, group))
    return runs


def parse_facts(texts: Mapping[str, str], where: str) -> Facts:
    """Facts from texts under the names of the columns, completed from the catalog.

    Raises:
        RowError: a text makes no sense; `where` stands in front of what is wrong.
    """
    figures = {c: _figure(texts[c], c, where) for c in FIGURES if texts.get(c)}
    if figures.get("utilization", 0.0) > 1:
        raise RowError(
            f"{where}: utilization is {shown(texts['utilization'])}: write a number from 0 to 1"
        )
    precision = texts.get("precision", "").lower() or "default"
    if precision not in ("default", *PRECISIONS):
        raise RowError(
            f"{where}: precision is {shown(precision)}: use default, {', '.join(PRECISIONS)}"
        )
    facts = Facts(
        architecture=texts.get("architecture", ""),
        gpu=texts.get("gpu", ""),
        model=texts.get("model", ""),
        precision=precision,
        optimizer=texts.get("optimizer", ""),
        **figures,
    )
    return completed(facts)


def _figure(text: str, column: str, where: str) -> float:
    what = f"{where}: {column}"
    if column in _MAY_BE_ZERO:
        return amount(text, what, remedy=_REMEDY)
    return _positive(text, what)


def _positive(text: str, what: str) -> float:
    value = amount(text, what, remedy=_REMEDY)
    if value == 0:
        raise RowError(f"{what} is zero: {_REMEDY}")
    return value
