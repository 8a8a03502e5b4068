import io

import numpy as np
import pytest
from rich.console import Console

from joulecast.analysis.table.columns import Table
from joulecast.analysis.tradeoff.front import tradeoff
from joulecast.reports.terminal.fitting_table import fitting_table
from joulecast.reports.terminal.scatter import Point, scatter
from joulecast.reports.terminal.tradeoff import render_tradeoff


def printed(render, found, width=80):
    out = io.StringIO()
    render(found, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def runs(n=7, nets=3, envs=2):
    rng = np.random.default_rng(0)
    rows = [
        (f"[b]net {i}[/b] of a long name", f"env{j}", 100.0 * (i + 1) * (j + 1), 0.8 + i / 20)
        for i in range(nets)
        for j in range(envs)
        for _ in range(n)
        if (i, j) != (2, 1)
    ]
    a, b, cost, quality = (list(x) for x in zip(*rows, strict=True))
    cost = (np.array(cost) * rng.normal(1, 0.02, len(cost))).tolist()
    quality = (np.array(quality) + rng.normal(0, 0.001, len(quality))).tolist()
    return Table("t", {"architecture": a, "env": b, "energy_j": cost, "accuracy": quality})


def test_letters_mark_where_configurations_lie():
    points = [Point(1, 0, "a", True), Point(10, 1, "b", True), Point(100, 1, "c", False)]
    grid, logarithmic = scatter(points, 21, 5)
    assert logarithmic
    assert grid[4][0] == "a"
    assert grid[0][10] == "b"
    assert grid[0][20] == "c"


def test_points_on_one_spot_and_on_one_line():
    same = [Point(5, 1, "a", True), Point(5, 1, "b", True)]
    grid, logarithmic = scatter(same, 9, 3)
    assert not logarithmic
    assert "".join("".join(row) for row in grid).split() == ["+"]


@pytest.mark.parametrize("width", [60, 72, 80, 110, 160])
def test_no_figure_is_cut_and_no_line_too_long(width):
    text = printed(render_tradeoff, tradeoff(runs(), by=["architecture", "env"]), width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    for title in ("energy", "accuracy", "front", "label", "costs more", "and gains"):
        assert title in text
    assert ("per kWh" in text.split("Cheapest")[0].split("What more")[0]) == (width >= 72)
    assert ("90 % interval" in text) == (width >= 110)
    assert "[b]net 0[/b]" in text


def test_names_give_way_and_figures_do_not():
    table = fitting_table(30, ["name", "figure"], [["a" * 50, "1234.5 kJ"], ["b", "1 J"]])
    out = io.StringIO()
    Console(file=out, width=30).print(table)
    assert "1234.5 kJ" in out.getvalue()
    assert "…" in out.getvalue()


def test_intervals_of_savings_stand_beside_the_sentence():
    text = " ".join(printed(render_tradeoff, tradeoff(runs()), 160).split())
    assert " % of cost)" in text
    single = tradeoff(
        Table("t", {"architecture": ["a", "b"], "energy_j": [1, 2], "accuracy": [0, 1]})
    )
    text = printed(render_tradeoff, single)
    assert "% of cost)" not in text
    assert "a saves 50 % for 100.0 points of accuracy" in text
