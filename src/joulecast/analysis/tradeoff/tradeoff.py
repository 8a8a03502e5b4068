"""The Python interface: `joulecast.tradeoff`."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from ...errors import UsageError
from ...result import Result
from ..table.columns import Table
from ..table.load import Source, Where, by_columns, is_file, load_table
from ..table.runs_table import trainings_and_inferences
from .demand import Demand, parse_demand
from .lifetime import LifetimeEnergy, ModelEnergy, lifetime_energy
from .models import models_of, parse_model
from .weigh import Tradeoff, weigh

_COST, _QUALITY, _TOLERANCE = "energy_j", "accuracy", 0.02


@dataclass(frozen=True, slots=True, repr=False)
class TradeoffGroups(Result):
    """A trade-off for each value of a column.

    Attributes:
        within: the column.
        groups: one for each value, which is its `group`.
    """

    SCHEMA: ClassVar[str] = "joulecast/tradeoff-groups/1"

    within: str
    groups: list[Tradeoff]


def tradeoff(
    source: Source = (),
    *,
    cost: str = _COST,
    quality: str = _QUALITY,
    by: str | Sequence[str] = (),
    minimize: bool = False,
    tolerance: float = _TOLERANCE,
    baseline: str | None = None,
    within: str | None = None,
    requests: str | float | None = None,
    service_life: str | float | None = None,
    training_column: str = "training_j",
    inference_column: str = "inference_j",
    requests_column: str = "requests",
    tags: Mapping[str, str] | None = None,
    where: Where | None = None,
    ledger: str | Path | None = None,
) -> Tradeoff | TradeoffGroups | LifetimeEnergy:
    """Weigh models by cost and quality; with `requests`, by the energy of training and inference.

    Args:
        source: what `compare` takes: a CSV file, columns by name, or recorded runs. With
            `requests`, also models with their energies: `"vgg16=950kJ±5%,1.2J"`.
        cost: the column to minimize; its unit is read from its name (`energy_j`, `energy (MJ)`).
        quality: the column of quality.
        by: the columns whose values make a configuration. Default: the first of `architecture`,
            `model`, `method`, `configuration` and `name` that makes several (with `requests`: one).
        minimize: whether less quality is better, as for a loss.
        tolerance: fraction of the best quality that the recommended configuration may lack.
        baseline: the configuration that the others are compared with. Default: the best one.
        within: a column; there is a trade-off for each of its values.
        requests: a rate (`"1e6/day"`, with a service life) or a number in total.
        service_life: how long a model is in service, s, or text (`"365d"`, `"2 years"`).
        training_column: with `requests`, the column of training energies.
        inference_column: with `requests`, the column of energies of one inference.
        requests_column: with `requests`, the column of recorded runs that has the number of
            requests a run served; a run without it is a training.
        tags: tags that recorded runs must have.
        where: only rows with these values.
        ledger: where recorded runs are. Default: as in `open_ledger`.

    Returns:
        `Tradeoff`: configurations, Pareto front, savings, labels (costs in the SI unit of their
        column); `TradeoffGroups` where `within` is given; `LifetimeEnergy` (J) where `requests` is.

    Raises:
        BadInputError: the data is malformed, or a column is missing.
        RunNotFoundError: a run is not in the ledger.
        UsageError: an option is impossible, or two exclude each other.

    Examples:
        >>> data = {"architecture": ["small", "large"], "energy_j": [1e5, 3e5],
        ...         "accuracy": [0.93, 0.94]}
        >>> joulecast.tradeoff(data).pick.name
        'small'
        >>> lifetime = joulecast.tradeoff(["small=1MJ,3J", "large=5MJ,1J"], requests=1e6)
        >>> lifetime.break_even[0].requests
        2000000.0
    """
    if requests is not None:
        for option, is_given in (
            ("--within", within is not None),
            ("--baseline", baseline is not None),
            ("--minimize", minimize),
            ("--cost", cost != _COST),
            ("--quality", quality != _QUALITY),
            ("--tolerance", tolerance != _TOLERANCE),
        ):
            if is_given:
                raise UsageError(f"--requests and {option}: give only one of the two")
        demand = parse_demand(requests, service_life)
        columns = (training_column, inference_column, requests_column)
        models, rest = _split_models(source)
        if models and not rest and not tags:
            return lifetime_energy(models, demand)
        table = load_table(rest, tags=tags, where=where, ledger=ledger)
        recorded = isinstance(rest, list) and not any(is_file(str(name)) for name in rest)
        return _lifetime(table, recorded, models, by, demand, columns)
    if service_life is not None:
        raise UsageError("--service-life: it needs --requests, such as 1e6/day")
    models, _ = _split_models(source)
    if models:
        raise UsageError(f"{models[0].name}: given energies need --requests, such as 1e9")
    table = load_table(source, tags=tags, where=where, ledger=ledger)
    weighed = partial(
        weigh,
        cost=cost,
        quality=quality,
        by=by_columns(by, table),
        maximize=not minimize,
        tolerance=tolerance,
        baseline=baseline,
    )
    if within is None:
        return weighed(table)
    groups = [weighed(part, group=value) for value, part in _parts(table, within).items()]
    return TradeoffGroups(within, groups)


def _parts(table: Table, column: str) -> dict[str, Table]:
    """The rows of each value of a column, by the value."""
    labels = np.array(table.labels(column), dtype=object)
    values = list(dict.fromkeys(label for label in labels if label is not None))
    if not values:
        raise UsageError(f"--within {column}: the column has no values")
    names = {value: f"{table.name}, {column} {value}" for value in values}
    return {v: replace(table.rows(labels == v), name=name) for v, name in names.items()}


def _split_models(source: Source) -> tuple[list[ModelEnergy], Source]:
    """The models with given energies, and the rest of a source."""
    names = [source] if isinstance(source, str | Path) else source
    if not isinstance(names, Sequence):
        return [], source
    texts = [str(name) for name in names]
    models: dict[str, ModelEnergy] = {}
    for text in texts:
        # A name that is no model may be that of a run, such as `lr=0.1`.
        with suppress(UsageError):
            if not is_file(text):
                models[text] = parse_model(text)
    return list(models.values()), [text for text in texts if text not in models]


def _lifetime(
    table: Table,
    recorded: bool,
    models: Sequence[ModelEnergy],
    by: str | Sequence[str],
    demand: Demand,
    columns: tuple[str, str, str],
) -> LifetimeEnergy:
    """Of the models of a table and of given ones. `columns`: training, inference, requests."""
    training, inference, served = columns
    if recorded:
        table = trainings_and_inferences(table, served, training, inference)
    # One model may have several runs of different names.
    by = by_columns(by, table, min_groups=1)
    measured, left_out = models_of(table, by, training, inference)
    return lifetime_energy(
        [*measured, *models],
        demand,
        title=table.name,
        rows=len(table),
        left_out=left_out,
        notes=table.notes,
    )
