"""Tolerant matching: every spelling of a product finds it, and no spelling finds another one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulecast.errors import UnknownHardwareError
from joulecast.hardware.catalog.names import NEAREST, match, normalize

PRODUCTS = (
    "NVIDIA GeForce RTX 3090",
    "NVIDIA GeForce RTX 3090 Ti",
    "NVIDIA GeForce RTX 4090",
    "NVIDIA A100 PCIe 80GB",
    "NVIDIA A100 SXM4 80GB",
    "NVIDIA T4",
    "NVIDIA T400",
    "NVIDIA RTX 6000 Ada Generation",
    "NVIDIA Quadro RTX 6000",
    "AMD Instinct MI250X",
    "AMD EPYC 7763",
    "AMD Ryzen 7 5700U",
    "Intel Xeon E5-2680 v4",
    "Intel Core i7-13700K",
)
CATALOG = {name: name for name in PRODUCTS} | {"H100 80GB HBM3": "H100", "H100 SXM": "H100"}


@pytest.mark.parametrize(
    ("spelling", "product"),
    [
        ("RTX 3090", "NVIDIA GeForce RTX 3090"),
        ("rtx3090", "NVIDIA GeForce RTX 3090"),
        ("3090", "NVIDIA GeForce RTX 3090"),
        ("NVIDIA_GeForce_RTX_3090_Ti", "NVIDIA GeForce RTX 3090 Ti"),
        ("RTX3090Ti", "NVIDIA GeForce RTX 3090 Ti"),
        ("A100-SXM4-80GB", "NVIDIA A100 SXM4 80GB"),
        ("A100 80 GB PCI-E", "NVIDIA A100 PCIe 80GB"),
        ("Tesla T4", "NVIDIA T4"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("RTX 6000 Ada", "NVIDIA RTX 6000 Ada Generation"),
        ("ＲＴＸ　３０９０", "NVIDIA GeForce RTX 3090"),  # noqa: RUF001 - full width on purpose
        ("AMD EPYC 7763 64-Core Processor", "AMD EPYC 7763"),
        ("AMD Ryzen 7 5700U with Radeon Graphics", "AMD Ryzen 7 5700U"),
        ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", "Intel Xeon E5-2680 v4"),
        ("Intel® Xeon® E5-2680v4", "Intel Xeon E5-2680 v4"),
        ("E5-2680 v4", "Intel Xeon E5-2680 v4"),
        ("13th Gen Intel(R) Core(TM) i7-13700K", "Intel Core i7-13700K"),
    ],
)
def test_spellings_of_one_product(spelling, product):
    assert match(spelling, CATALOG, "product") == product


@pytest.mark.parametrize(
    "other",
    [
        "RTX 3080",
        "RTX 4090 Laptop GPU",
        "RTX 4090 D",
        "GTX 3090",  # a family word is never added or changed
        "T40",
        "E5-2680 v3",
        "E5-2680",
        "A100",  # four boards bear this name: not ours to choose
        "A100 80GB",
        "RTX 6000",  # Quadro (2018) or Ada (2022)
        "MI250",
        "i7-13700KF",
        "AMD T4",  # right number, wrong maker
        "NVIDIA A100-SXM4-80GB MIG 1g.10gb",  # a slice is not the board
        "RTX",
        "NVIDIA",
        "",
    ],
)
def test_another_product_is_a_miss(other):
    with pytest.raises(UnknownHardwareError):
        match(other, CATALOG, "product")


def test_a_miss_lists_variants_of_the_name_first():
    with pytest.raises(UnknownHardwareError) as caught:
        match("A100", CATALOG, "GPU")
    listed = str(caught.value).split(": ")[1].split("; ")
    assert set(listed[:2]) == {"NVIDIA A100 PCIe 80GB", "NVIDIA A100 SXM4 80GB"}
    assert len(listed) <= NEAREST


def test_a_name_that_fits_two_rows_is_a_miss():
    two = {"RTX 5000": object(), "RTX 5000 Generation": object()}
    with pytest.raises(UnknownHardwareError, match="RTX 5000; RTX 5000 Generation"):
        match("NVIDIA RTX 5000", two, "GPU")


def test_nothing_near_lists_no_names():
    with pytest.raises(UnknownHardwareError) as caught:
        match("zzzzqqqq", CATALOG, "GPU")
    assert not any(product in str(caught.value) for product in PRODUCTS)


def test_digits_never_run_together():
    assert normalize("RTX 30 90") != normalize("RTX 3090")
    with pytest.raises(UnknownHardwareError):
        match("RTX 30 90", CATALOG, "GPU")


@given(
    st.sampled_from(PRODUCTS),
    st.sampled_from([str.upper, str.lower, str.title, str.swapcase]),
    st.sampled_from([" ", "  ", "\t", "-", "_", " - "]),
    st.sampled_from(["", "(R) ", "® ", "(TM) "]),
    st.sampled_from(["", " ", "\n", " GPU", " Processor", " @ 3.40GHz", " (TM)"]),
)
def test_case_separators_and_decoration_do_not_matter(product, case, separator, before, after):
    spelling = before + separator.join(case(product).split()) + after
    assert match(spelling, CATALOG, "product") == product


@given(st.text(max_size=200))
def test_garbage_is_a_one_line_miss_or_a_row(text):
    try:
        assert match(text, CATALOG, "GPU") in CATALOG.values()
    except UnknownHardwareError as error:
        assert "\n" not in str(error)
