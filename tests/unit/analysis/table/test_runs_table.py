"""Recorded runs as the rows of a table."""

import math
from dataclasses import replace

import pytest

from fakes.stored_runs import CPU, GPU, header, recording, samples, watts
from joulecast.analysis.table.columns import Table
from joulecast.analysis.table.runs_table import FIXED, runs_table, trainings_and_inferences
from joulecast.errors import BadInputError
from joulecast.estimate import Provenance
from joulecast.recording.gauge_summary import GaugeSummary
from joulecast.recording.model import Footer, Metric, Recording, Status
from joulecast.recording.summary import Summary, summarize


def test_a_row_for_each_run_with_its_figures() -> None:
    summary = summarize(recording())
    table = runs_table([summary], "ledger")
    row = {column: cells[0] for column, cells in table.columns.items()}
    assert tuple(row)[: len(FIXED)] == FIXED and table.name == "ledger"
    assert (row["run_id"], row["name"], row["status"]) == ("0123456789abcdef", "digits", "failed")
    total = summary.total
    assert (row["energy_j"], row["energy_low_j"]) == (total.value, total.low)
    assert row["energy_high_j"] == total.high and row["duration_s"] == 10.5
    assert row["power_w"] == sum(d.mean_power_w for d in summary.domains)
    # One of its two epochs ended.
    assert row["epochs"] == 1
    assert row["epoch_duration_s"] == 4.75
    assert row["epoch_energy_j"] == summary.epochs[0].energy.value
    assert row["gpu_energy_j"] + row["cpu_energy_j"] == pytest.approx(row["energy_j"])
    assert row["accuracy"] == 0.875
    assert row["loss"] is None  # it ran away to infinity
    assert (row["model"], row["seed"]) == ("cnn", "1")


def test_devices_of_a_kind_are_added() -> None:
    second = replace(GPU, domain="gpu:1")
    made = Recording(
        header("a", sources=[GPU, second, CPU]),
        samples={"gpu:0": samples(), "gpu:1": samples(power_w=100), "cpu:0": watts()},
        footer=Footer(Status.FINISHED, 9.9),
        status=Status.FINISHED,
    )
    table = runs_table([summarize(made)], "t")
    assert table.numbers("gpu_energy_j")[0] == pytest.approx(400 * 9.9, rel=1e-3)


def test_a_missing_column_of_a_run_is_none() -> None:
    bare = Recording(header("b", tags={}, sources=[]), footer=Footer(Status.FINISHED, 3.0))
    table = runs_table([summarize(recording()), summarize(bare)], "t")
    for column in ("energy_j", "power_w", "epochs", "epoch_energy_j", "gpu_energy_j", "accuracy"):
        assert table.columns[column][1] is None
        assert math.isnan(table.numbers(column)[1])
    assert table.columns["model"] == ["cnn", None]
    assert table.columns["duration_s"] == [10.5, 3.0]


def test_no_runs() -> None:
    table = runs_table([], "t")
    assert len(table) == 0 and list(table.columns) == list(FIXED)


def test_names_that_are_taken_get_a_prefix() -> None:
    made = recording(tags={"name": "x", "accuracy": "high", "energy_j": "much", "model": "cnn"})
    made.metrics = [Metric(1.0, "duration_s", 7.0), Metric(1.0, "accuracy", 0.5)]
    table = runs_table([summarize(made)], "t")
    assert table.columns["name"] == ["digits"] and table.columns["tag:name"] == ["x"]
    assert table.columns["metric:duration_s"] == [7.0] and table.columns["duration_s"] == [10.5]
    assert table.columns["accuracy"] == [0.5] and table.columns["tag:accuracy"] == ["high"]
    assert table.columns["tag:energy_j"] == ["much"] and table.columns["model"] == ["cnn"]


def test_gauges_of_several_devices() -> None:
    def gauge(name: str, mean: float | None, highest: float | None) -> GaugeSummary:
        return GaugeSummary(name, "", mean, 0.0, highest, None, Provenance.MEASURED, "", "")

    summary: Summary = replace(
        summarize(recording()),
        gauges=[
            gauge("gpu:0/utilization_pct", 40.0, 100.0),
            gauge("gpu:1/utilization_pct", 60.0, 100.0),
            gauge("gpu:0/memory_bytes", 1e9, 3e9),
            gauge("gpu:1/memory_bytes", 1e9, 2e9),
            gauge("gpu:0/temperature_c", None, None),
            gauge("gpu:0/device_memory_bytes", 5.0, 5.0),
            gauge("cpu/utilization_pct", 180.0, 200.0),
            gauge("memory_bytes", 5e8, 7e8),
        ],
    )
    row = {column: cells[0] for column, cells in runs_table([summary], "t").columns.items()}
    assert row["gpu_utilization_pct"] == 50 and row["cpu_utilization_pct"] == 180
    assert row["gpu_memory_bytes"] == 3e9 and row["memory_bytes"] == 7e8
    assert "gpu_temperature_c" not in row and "device_memory_bytes" not in row


def test_serving_runs_have_inference_energy_and_others_training_energy() -> None:
    columns = {
        "run_id": ["a", "b", "c"],
        "energy_j": [500.0, 80.0, None],
        "images": [None, "40", 2],
    }
    table = trainings_and_inferences(Table("t", columns), "images", "training_j", "inference_j")
    assert table.numbers("training_j") == pytest.approx([500.0, math.nan, math.nan], nan_ok=True)
    assert table.numbers("inference_j") == pytest.approx([math.nan, 2.0, math.nan], nan_ok=True)


def test_of_both_the_intervals_of_the_runs_are_kept() -> None:
    columns = {
        "run_id": ["a", "b"],
        "energy_j": [500.0, 80.0],
        "energy_low_j": [400.0, 60.0],
        "energy_high_j": [700.0, 90.0],
        "requests": [None, 40.0],
    }
    table = trainings_and_inferences(Table("t", columns), "requests", "train", "inference_j")
    assert (table.columns["train_low"][0], table.columns["train_high"][0]) == (400.0, 700.0)
    assert table.columns["inference_low_j"][1] == 1.5
    assert table.columns["inference_high_j"][1] == 2.25
    own = Table("t", columns | {"inference_j": [1.0, 2.0]})
    assert (
        "inference_low_j"
        not in trainings_and_inferences(own, "requests", "training_j", "inference_j").columns
    )


def test_the_inference_energy_in_a_tag_is_kept() -> None:
    columns = {"run_id": ["a"], "energy_j": [500.0], "inference_j": [0.25]}
    table = trainings_and_inferences(Table("t", columns), "requests", "training_j", "inference_j")
    assert table.columns["inference_j"] == [0.25]
    assert table.columns["training_j"] == [500.0]


def test_nothing_served_is_refused() -> None:
    columns = {"run_id": ["a", "b"], "energy_j": [500.0, 80.0], "requests": [None, 0.0]}
    with pytest.raises(BadInputError, match="run b: requests"):
        trainings_and_inferences(Table("t", columns), "requests", "training_j", "inference_j")
