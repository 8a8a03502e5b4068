"""Colours of domains."""

import re

import pytest

from joulecast.reports.page.palette import domain_colours, translucent


def test_each_domain_has_its_own_colour():
    domains = [*(f"gpu:{i}" for i in range(8)), "cpu:0", "cpu:1", "dram:0", "node", "other:0"]
    colours = domain_colours(domains)
    assert len(set(colours.values())) == len(domains)
    assert all(re.fullmatch("#[0-9a-f]{6}", c) for c in colours.values())


def test_a_colour_does_not_depend_on_other_families():
    assert domain_colours(["gpu:0"])["gpu:0"] == domain_colours(["cpu:0", "gpu:0"])["gpu:0"]


@pytest.mark.parametrize("alpha", [0, 0.5, 1])
def test_translucent(alpha):
    assert translucent("#0072b2", alpha) == f"rgba(0, 114, 178, {alpha})"
