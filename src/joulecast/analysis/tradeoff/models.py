"""The energy of models: from a table of trainings and inferences, or as given."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...errors import BadInputError, UsageError
from ...units import parse_energy
from ..statistics.medians import median
from ..statistics.wording import some
from ..table.columns import Array, Table
from ..table.configurations import Members, grouped
from ..table.machines import bounds, is_one_machine
from ..table.quantities import bounds_of, in_range, quantities
from .lifetime import EnergyRange, ModelEnergy

_MARGIN = re.compile(r"\s*(?:±|\+-|\+/-)\s*(\d+\.?\d*|\.\d+)\s*%\s*$")


def parse_model(text: str) -> ModelEnergy:
    """A model from `vgg16=950 kJ,1.2 J`, each with `±5%` where it is known. Raises `UsageError`."""
    name, _, figures = text.rpartition("=")
    parts = figures.split(",")
    if not name.strip() or len(parts) != 2:
        raise UsageError(f"{text!r}: write a model as NAME=TRAINING,INFERENCE: vgg16=950kJ,1.2J")
    return ModelEnergy(name.strip(), _given(parts[0]), _given(parts[1]))


def _given(text: str) -> EnergyRange:
    margin = _MARGIN.search(text)
    if margin is None:
        return EnergyRange(parse_energy(text), reason="given without a margin: 950kJ±5%")
    value, share = parse_energy(text[: margin.start()]), float(margin[1]) / 100
    return EnergyRange(value, max(0.0, value * (1 - share)), value * (1 + share))


def models_of(
    table: Table, by: Sequence[str], training: str, inference: str
) -> tuple[list[ModelEnergy], dict[str, int]]:
    """The models of a table, medians over their rows, and the rows left out by reason.

    A row need not have both energies: trainings and inferences may be separate runs. A model
    without one of them is left out. Where repetitions are too few for an interval of the median,
    the interval reaches from the lowest to the highest bound of the rows, where the table has
    bounds (`bounds_of`).

    Args:
        table: a row for each run.
        by: the columns whose values make a model.
        training: the column of training energies.
        inference: the column of energies of one inference.

    Raises:
        BadInputError: a column is missing, a cell is not an energy or is negative (with its row),
            or no model has both energies.
    """
    trainings, inferences = _energies(table, training), _energies(table, inference)
    either = np.where(np.isnan(trainings), inferences, trainings)
    groups, left_out = grouped(table, by, {f"{training} and {inference}": either})
    if not groups:
        raise BadInputError(f"{table.name}: no row has a model and an energy")
    models = []
    incomplete: dict[str, list[Members]] = {}
    for group in groups:
        of_training = _of_rows(table, training, trainings, group.rows)
        of_inference = _of_rows(table, inference, inferences, group.rows)
        if of_training is not None and of_inference is not None:
            models.append(ModelEnergy(group.name, of_training, of_inference))
        else:
            missing = training if of_training is None else inference
            incomplete.setdefault(missing, []).append(group)
    for column, members in incomplete.items():
        names = some([m.name for m in members])
        left_out[f"no {column} for {names}"] = sum(len(m.rows) for m in members)
    if not models:
        raise BadInputError(f"{table.name}: no model has both energies: {'; '.join(left_out)}")
    return models, left_out


def _energies(table: Table, column: str) -> Array:
    values, unit = quantities(table, column)
    if unit.name not in ("J", None):
        raise BadInputError(f"{table.name}: {column} is not an energy: its unit is {unit.name}")
    return in_range(table, column, values, 0.0)


def _of_rows(
    table: Table, column: str, values: Array, members: npt.NDArray[np.intp]
) -> EnergyRange | None:
    """The median with its interval; of few rows, that of the bounds of their meters."""
    rows = members[~np.isnan(values[members])]
    if not len(rows):
        return None
    m = median(values[rows])
    if m.low is not None:
        return EnergyRange(m.value, m.low, m.high)
    stated = [quantities(table, c)[0][rows] for c in bounds_of(column) if c in table.columns]
    if len(stated) < 2 or np.isnan(stated).all():
        return EnergyRange(m.value, reason=m.reason)
    low, high, own_low, own_high = (each[rows] for each in bounds(table, column))
    in_all = float(low.min()), float(high.max())
    # Of several machines nothing is shared.
    own = (float(own_low.min()), float(own_high.max())) if is_one_machine(table) else in_all
    return EnergyRange(*(m.value, *in_all), from_meters=True, own_low=own[0], own_high=own[1])
