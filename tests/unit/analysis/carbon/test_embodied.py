"""The share of making the hardware, against published figures."""

import math

import pytest

from joulecast.analysis.carbon.embodied import (
    Embodied,
    embodied,
    embodied_of_gpus,
)
from joulecast.errors import UsageError
from joulecast.estimate import Provenance
from joulecast.hardware.catalog.embodied import embodied_carbon, embodied_carbon_of, usual_lifetime
from joulecast.hardware.catalog.gpus import find_gpu
from joulecast.units import YEAR_S


@pytest.mark.parametrize(("kg", "published"), [(2500, 0.056), (150, 0.003)])
def test_hourly_figures_of_the_bloom_paper(kg, published):
    """Luccioni et al. 2022, section 4.1: a server's and a GPU's kg an hour, 6 years at 85 %."""
    hourly = embodied(kg * 1000).of(3600).value / 1000
    assert round(hourly, 3) == published


def test_time_share_and_use():
    gpu = Embodied(1000.0, 100.0)
    assert gpu.of(10).value == pytest.approx(100)
    assert gpu.of(0).value == 0
    assert Embodied(1000.0, 100.0, share=0.25).of(10).value == pytest.approx(25)
    assert Embodied(1000.0, 100.0, utilization=0.5).of(10).value == pytest.approx(200)
    assert gpu.of(10).provenance is Provenance.ASSUMED


@pytest.mark.parametrize(
    "wrong",
    [
        {"carbon_g": 0},
        {"carbon_g": -1},
        {"carbon_g": math.nan},
        {"lifetime_s": 0},
        {"lifetime_s": math.inf},
        {"utilization": 0},
        {"utilization": 1.01},
        {"utilization": math.nan},
        {"share": 0},
        {"share": -0.5},
        {"share": 2},
    ],
)
def test_invalid_hardware(wrong):
    with pytest.raises(UsageError):
        Embodied(**({"carbon_g": 1.0, "lifetime_s": 1.0} | wrong))


def test_embodied_catalog_matches_the_gpu_catalog():
    assert len(embodied_carbon()) >= 3
    for row in embodied_carbon():
        assert find_gpu(row.name).name == row.name
        assert 50 < row.kg < 1000
        assert row.source and row.per
    assert usual_lifetime().source


def test_gpus_by_the_names_of_drivers():
    assert embodied_carbon_of("NVIDIA H100 80GB HBM3").kg == 164
    assert embodied_carbon_of("A100-SXM4-40GB").kg == 127.6
    assert embodied_carbon_of("A100-SXM4-80GB") is None  # another board
    assert embodied_carbon_of("A100") is None  # four boards
    assert embodied_carbon_of("Voodoo 2") is None


def test_embodied_carbon_of_gpus():
    gpus, note = embodied_of_gpus(["NVIDIA H100 80GB HBM3"] * 8)
    assert gpus.carbon_g == pytest.approx(1_312_000)
    assert "NVIDIA" in gpus.source
    assert "server" in note
    assert "Luccioni" in gpus.written_off_by


def test_one_unknown_gpu_makes_the_sum_unknown():
    gpus, why = embodied_of_gpus(["NVIDIA H100 80GB HBM3", "NVIDIA GeForce RTX 3090"])
    assert gpus is None
    assert "RTX 3090" in why and "--embodied" in why
    gpus, why = embodied_of_gpus([])
    assert gpus is None
    assert "--embodied" in why


def test_usual_values_name_their_source():
    assert embodied(1.0, YEAR_S, 1.0).written_off_by == "as given"
    assert "Luccioni" in embodied(1.0, YEAR_S).written_off_by
    assert "lifetime" not in embodied(1.0, YEAR_S).written_off_by
    assert "lifetime" in embodied(1.0).written_off_by
