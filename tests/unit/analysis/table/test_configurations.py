"""Rows of a table grouped by their factors."""

import numpy as np
import pytest

from joulecast.analysis.table.columns import Table
from joulecast.analysis.table.configurations import grouped
from joulecast.errors import BadInputError, UsageError

RUNS = Table(
    "t",
    {
        "model": ["vgg", "vgg", "resnet", None, "resnet", "vgg"],
        "batch": ["8", "8.0", "16", "8", "16", "8"],
        "status": ["finished", "finished", "finished", "finished", "failed", "finished"],
    },
)
ENERGY = {"energy_j": np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan])}


def test_rows_that_share_their_factors_are_one_configuration() -> None:
    groups, left_out = grouped(RUNS, ["model", "batch"], ENERGY)
    assert [g.name for g in groups] == ["vgg, batch=8", "resnet, batch=16"]
    assert [g.rows.tolist() for g in groups] == [[0, 1], [2]]
    assert groups[0].factors == {"model": "vgg", "batch": "8"}
    assert left_out == {"no model": 1, "status failed": 1, "no energy_j": 1}


def test_without_a_finished_run_the_status_does_not_matter() -> None:
    failed = Table("t", {"model": ["a"], "status": ["failed"]})
    groups, left_out = grouped(failed, ["model"], {})
    assert len(groups) == 1 and left_out == {}


def test_factors_that_cannot_be_used() -> None:
    for by in ([], ["model", "model"]):
        with pytest.raises(UsageError):
            grouped(RUNS, by, ENERGY)
    with pytest.raises(BadInputError, match="model"):
        grouped(RUNS, ["modl"], ENERGY)
