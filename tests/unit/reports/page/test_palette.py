"""Colors of domains."""

import re

import pytest

from joulecast.reports.page.palette import domain_colors, translucent


def test_each_domain_has_its_own_color():
    domains = [*(f"gpu:{i}" for i in range(8)), "cpu:0", "cpu:1", "dram:0", "node", "other:0"]
    colors = domain_colors(domains)
    assert len(set(colors.values())) == len(domains)
    assert all(re.fullmatch("#[0-9a-f]{6}", c) for c in colors.values())


def test_a_color_does_not_depend_on_other_families():
    assert domain_colors(["gpu:0"])["gpu:0"] == domain_colors(["cpu:0", "gpu:0"])["gpu:0"]


@pytest.mark.parametrize("alpha", [0, 0.5, 1])
def test_translucent(alpha):
    assert translucent("#0072b2", alpha) == f"rgba(0, 114, 178, {alpha})"
