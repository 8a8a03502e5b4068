"""The catalog of GPUs: every row is physically possible, agrees with other lists, and is found."""

import csv
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.shared import SHARED, needs
from joulecast.errors import UnknownHardwareError, UsageError
from joulecast.hardware.catalog.gpus import PRECISIONS, find_gpu, gpu_variants, gpus
from joulecast.hardware.catalog.names import normalize

every_gpu = pytest.mark.parametrize("gpu", gpus(), ids=lambda gpu: gpu.name)

# Architecture -> (years, bandwidth GB/s, FP32 vector GFLOP/s per watt): wide, but a unit slip, a
# doubled rate or a swapped column falls outside.
PLAUSIBLE = {
    "Kepler": ((2012, 2014), (190, 480), (14, 32)),
    "Maxwell": ((2014, 2016), (80, 340), (20, 34)),
    "Pascal": ((2016, 2017), (48, 735), (24, 75)),
    "Volta": ((2017, 2019), (130, 1140), (44, 68)),
    "Turing": ((2018, 2021), (80, 680), (35, 120)),
    "Ampere": ((2020, 2024), (60, 2040), (48, 210)),
    "Ada Lovelace": ((2022, 2024), (220, 1010), (125, 430)),
    "Hopper": ((2022, 2024), (2000, 4900), (65, 160)),
    "Blackwell": ((2024, 2025), (440, 8000), (65, 380)),
    "Blackwell Ultra": ((2025, 2025), (8000, 8000), (55, 70)),
    "Polaris (GCN 4)": ((2016, 2017), (256, 256), (33, 39)),
    "Vega (GCN 5)": ((2017, 2019), (484, 1024), (40, 50)),
    "CDNA": ((2020, 2020), (1229, 1229), (75, 80)),
    "CDNA 2": ((2021, 2022), (1638, 3277), (75, 100)),
    "CDNA 3": ((2023, 2024), (5300, 6000), (160, 225)),
    "CDNA 4": ((2025, 2025), (8000, 8000), (110, 145)),
    "RDNA 2": ((2020, 2020), (512, 512), (65, 80)),
    "RDNA 3": ((2022, 2023), (570, 960), (160, 210)),
    "RDNA 4": ((2025, 2025), (640, 640), (155, 165)),
}
DUAL_ISSUE = {"CDNA 3", "CDNA 4", "RDNA 3", "RDNA 4"}  # two FP32 operations a lane and clock
CORES_PER_PROCESSOR = {
    "3.0": 192, "3.5": 192, "3.7": 192, "5.0": 128, "5.2": 128, "6.0": 64, "6.1": 128,
    "7.0": 64, "7.2": 64, "7.5": 64, "8.0": 64, "8.6": 128, "8.7": 128, "8.9": 128,
    "9.0": 128, "10.0": 128, "12.0": 128,
}  # fmt: skip
# Dense tensor-core operations per processor and clock with full-rate accumulation, in FP16
# (whitepapers of the architectures); a sparse figure in the catalog would be twice it.
TENSOR_FP16 = {"7.0": 1024, "7.2": 1024, "7.5": 1024, "8.0": 2048, "8.6": 1024, "8.7": 2048}
TENSOR_FP16 |= {"8.9": 1024, "9.0": 4096, "12.0": 1024}


def test_it_covers_the_field():
    assert len(gpus()) >= 90
    assert set(PLAUSIBLE) == {gpu.architecture for gpu in gpus()}
    assert sum(gpu.vendor == "AMD" and "Instinct" in gpu.name for gpu in gpus()) >= 12


@every_gpu
def test_a_row_is_plausible(gpu):
    years, bandwidth, efficiency = PLAUSIBLE[gpu.architecture]
    assert years[0] <= gpu.year <= years[1]
    assert bandwidth[0] <= gpu.memory_bandwidth_gb_s <= bandwidth[1]
    assert 10 <= gpu.tdp_w <= 1400
    assert 2 <= gpu.memory_gb <= 288
    assert gpu.source
    assert gpu.vendor in ("NVIDIA", "AMD")
    assert gpu.name.startswith(gpu.vendor)
    assert re.fullmatch(r"\d+\.\d|gfx\w+", gpu.compute_capability)
    assert set(gpu.vector) | set(gpu.tensor) <= set(PRECISIONS)
    assert all(rate > 0 for rate in [*gpu.vector.values(), *gpu.tensor.values()])
    # The superchip's TDP is shared with its CPU, and a Jetson's with its own.
    if "Jetson" not in gpu.name:
        assert efficiency[0] <= 1000 * gpu.vector["fp32"] / gpu.tdp_w <= efficiency[1]


@every_gpu
def test_the_fp32_rate_is_cores_times_clock(gpu):
    if gpu.processors and gpu.vendor == "NVIDIA":
        assert gpu.cores == gpu.processors * CORES_PER_PROCESSOR[gpu.compute_capability]
    if gpu.cores and gpu.boost_mhz:
        lanes = gpu.cores * (2 if gpu.architecture in DUAL_ISSUE else 1)
        assert gpu.vector["fp32"] == pytest.approx(2 * lanes * gpu.boost_mhz / 1e6, rel=0.03)


@every_gpu
def test_tensor_rates_are_dense_and_ordered(gpu):
    tensor = gpu.tensor
    if not tensor:
        return
    assert tensor["fp16"] >= gpu.vector["fp32"]
    if "tf32" in tensor:
        assert tensor["fp16"] == pytest.approx(2 * tensor["tf32"], rel=0.05)
    if "fp8" in tensor:
        assert tensor["fp8"] == pytest.approx(2 * tensor["fp16"], rel=0.05)
    if "fp4" in tensor:  # GeForce: FP16 and FP8 run at half rate with FP32 accumulation
        assert tensor["fp4"] / tensor["fp8"] == pytest.approx(3, abs=1.1)
    if gpu.vendor == "NVIDIA" and gpu.processors and gpu.boost_mhz:
        dense = TENSOR_FP16[gpu.compute_capability] * gpu.processors * gpu.boost_mhz / 1e6
        # Hopper and Volta quote tensor rates at a lower clock than vector rates.
        assert 0.4 * dense <= tensor["fp16"] <= 1.02 * dense


@every_gpu
def test_precisions_match_the_generation(gpu):
    if gpu.vendor != "NVIDIA":
        return
    generation = float(gpu.compute_capability)
    tensor = set(gpu.tensor)
    assert ("bf16" in tensor) == (generation >= 8)
    assert ("fp8" in tensor) == (generation >= 8.9)
    assert ("fp4" in tensor) == (generation >= 10)
    if generation < 7:
        assert not tensor


@every_gpu
def test_every_name_of_a_row_finds_it(gpu):
    assert find_gpu(gpu.name) is gpu
    for alias in gpu.aliases:
        if normalize(alias) != ("titan", "x"):  # two cards of that name: see below
            assert find_gpu(alias) is gpu
            assert find_gpu(f"{gpu.vendor} {alias.upper()}") is gpu


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RTX 3090", "NVIDIA GeForce RTX 3090"),
        ("NVIDIA GeForce RTX 3090", "NVIDIA GeForce RTX 3090"),
        ("rtx 3090 24 GB", "NVIDIA GeForce RTX 3090"),
        ("A100-SXM4-80GB", "NVIDIA A100 SXM4 80GB"),
        ("NVIDIA A100-SXM4-80GB", "NVIDIA A100 SXM4 80GB"),
        ("NVIDIA A100 80GB PCIe", "NVIDIA A100 PCIe 80GB"),
        ("Tesla V100-SXM2-16GB", "NVIDIA Tesla V100 SXM2 16GB"),
        ("NVIDIA H100 80GB HBM3", "NVIDIA H100 SXM5 80GB"),
        ("NVIDIA H100 PCIe", "NVIDIA H100 PCIe 80GB"),
        ("NVIDIA H200", "NVIDIA H200 SXM 141GB"),
        ("NVIDIA B200", "NVIDIA B200"),
        ("NVIDIA GH200 480GB", "NVIDIA GH200 96GB"),
        ("Quadro RTX 6000", "NVIDIA Quadro RTX 6000"),
        ("NVIDIA RTX 6000 Ada Generation", "NVIDIA RTX 6000 Ada Generation"),
        ("AMD Instinct MI250X", "AMD Instinct MI250X"),
        ("MI300X", "AMD Instinct MI300X"),
        ("GRID T4-16Q", "NVIDIA Tesla T4"),  # the profile that holds the whole board
        ("RTX 4090 Laptop GPU", "NVIDIA GeForce RTX 4090 Laptop GPU"),
    ],
)
def test_names_as_drivers_and_people_write_them(name, expected):
    assert find_gpu(name).name == expected


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("A100", "NVIDIA A100 PCIe 40GB"),
        ("H100", "NVIDIA H100 NVL 94GB"),
        ("V100", "NVIDIA Tesla V100 SXM2 16GB"),
        ("Titan X", "NVIDIA TITAN X (Pascal)"),
        ("RTX 6000", "NVIDIA Quadro RTX 6000"),
        ("GRID T4-4Q", "NVIDIA Tesla T4"),  # a quarter of one
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "NVIDIA A100 SXM4 40GB"),
        ("RTX 3090 12GB", "NVIDIA GeForce RTX 3090"),
        ("RTX 3080 Laptop GPU", "NVIDIA GeForce RTX 3080"),
        ("RTX 3091", "NVIDIA GeForce RTX 3090"),
    ],
)
def test_an_ambiguous_name_is_an_error_that_lists_boards(name, listed):
    with pytest.raises(UnknownHardwareError) as caught:
        find_gpu(name)
    assert listed in str(caught.value)


@given(st.text(max_size=60) | st.sampled_from(gpus()).map(lambda g: g.name[:-1]))
def test_any_text_is_a_gpu_or_a_miss(text):
    try:
        assert find_gpu(text) in gpus()
    except UnknownHardwareError as error:
        assert "\n" not in str(error)


def test_peak_rate_by_precision():
    gpu = find_gpu("A100-SXM4-80GB")
    assert gpu.peak_tflops("fp16") == 312
    assert gpu.peak_tflops("torch.bfloat16") == 312
    assert gpu.peak_tflops("fp16", tensor_cores=False) == 78
    assert gpu.peak_tflops("float32") == 19.5
    assert gpu.peak_tflops("tf32", tensor_cores=False) is None
    assert gpu.peak_tflops("fp8") is None
    assert find_gpu("MI250X").peak_tflops("fp32") == 95.7  # matrix cores know FP32 there
    with pytest.raises(UsageError, match="fp99"):
        gpu.peak_tflops("fp99")


def test_a_board_of_two_gpus_halves_per_device():
    board = find_gpu("Tesla K80")
    one = board.per_device()
    assert (board.tdp_w, one.tdp_w, one.memory_gb, one.devices) == (300, 150, 12, 1)
    assert 2 * one.vector["fp32"] == pytest.approx(board.vector["fp32"])
    assert find_gpu("T4").per_device() is find_gpu("T4")


def test_rows_are_plain_values():
    gpu = find_gpu("T4")
    assert pickle.loads(pickle.dumps(gpu)) == gpu
    assert len(set(gpus())) == len(gpus())


def test_importing_reads_no_file():
    code = (
        "import sys, joulecast.hardware.catalog.gpus as g, joulecast.hardware.catalog.grids\n"
        "heavy = {'tomllib', 'difflib', 'importlib.resources'} & set(sys.modules)\n"
        "print(g.gpus.cache_info().currsize, sorted(heavy))"
    )
    printed = subprocess.check_output(
        [sys.executable, "-S", "-c", code], env={"PYTHONPATH": _src()}, text=True
    )
    assert printed == "0 []\n"


def _src() -> str:
    return str(Path(__file__).parents[4] / "src")


@needs("data")
def test_tdps_agree_with_green_algorithms():
    tdps, checked = {}, 0
    with (SHARED / "data" / "hardware" / "TDP_gpu.csv").open(newline="") as lines:
        for row in list(csv.reader(lines))[2:]:
            tdps[row[0]] = float(row[3])
    for name, tdp_w in tdps.items():
        try:
            gpu = find_gpu(name)
        except UnknownHardwareError:
            continue
        checked += 1
        assert gpu.tdp_w == tdp_w, name
    assert checked >= 12


@needs("data")
def test_rates_and_bandwidths_agree_with_neusight():
    checked = 0
    for path in sorted((SHARED / "data" / "neusight" / "device_configs").glob("*.json")):
        other = json.loads(path.read_text())
        if path.stem.endswith("_TP"):  # two of them taken as one
            continue
        try:
            gpu = find_gpu(other["Device"]).per_device()  # it describes one half of an MI250
        except UnknownHardwareError:
            continue
        checked += 1
        assert gpu.memory_bandwidth_gb_s == pytest.approx(other["Mem_Bw"], rel=0.05), gpu.name
        if "SingleFLOPs" in other:
            fp32 = gpu.peak_tflops("fp32", tensor_cores=False)
            assert fp32 == pytest.approx(other["SingleFLOPs"] / 1000, rel=0.05), gpu.name
            if gpu.name != "NVIDIA L4":  # it counts 60 processors; the datasheet 7424 cores, 58
                assert gpu.cores == other["Num_Sm"] * other["Core_Per_SM"]
    assert checked >= 10


def test_variants_of_a_name_that_several_boards_share():
    names = {gpu.name for gpu in gpu_variants("NVIDIA A100")}
    assert {"NVIDIA A100 PCIe 40GB", "NVIDIA A100 SXM4 80GB"} <= names
    assert all("A100" in name for name in names)
    assert [gpu.name for gpu in gpu_variants("A100-SXM4-80GB")] == ["NVIDIA A100 SXM4 80GB"]
    with pytest.raises(UnknownHardwareError, match="Z9000"):
        gpu_variants("NVIDIA Z9000")
