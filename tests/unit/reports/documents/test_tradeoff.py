import numpy as np
import pytest

import joulecast
from fakes.golden import golden
from joulecast.analysis.table.columns import Table
from joulecast.reports.documents.tradeoff import tradeoff_document
from joulecast.reports.terminal.render import to_text

SINGLE = {"architecture": ["a", "b"], "energy_j": [1, 2], "accuracy": [0, 1]}


def runs(nets=3, n=7):
    rng = np.random.default_rng(0)
    rows = [
        (f"[b]net {i}[/b] of a long name", f"env{j}", 100.0 * (i + 1) * (j + 1), 0.8 + i / 20)
        for i in range(nets)
        for j in range(2)
        for _ in range(n)
        if (i, j) != (2, 1)
    ]
    a, b, cost, quality = (list(x) for x in zip(*rows, strict=True))
    cost = (np.array(cost) * rng.normal(1, 0.02, len(cost))).tolist()
    quality = (np.array(quality) + rng.normal(0, 0.001, len(quality))).tolist()
    return Table("t", {"architecture": a, "env": b, "energy_j": cost, "accuracy": quality})


def test_wording():
    results = [
        joulecast.tradeoff(runs(), by="architecture,env"),
        joulecast.tradeoff(SINGLE),
        joulecast.tradeoff(SINGLE | {"loss": [0.5, 0.4]}, quality="loss", minimize=True),
        joulecast.tradeoff(runs(), within="env"),
    ]
    golden("tradeoff", "\n\n\n".join(map(repr, results)))


@pytest.mark.parametrize("width", [60, 72, 80, 110, 160])
def test_report_fits_the_terminal(width):
    document = tradeoff_document(joulecast.tradeoff(runs(), by="architecture,env"))
    text = to_text(document, width)
    assert max(map(len, text.splitlines())) <= width
    table = text.partition("│")[0]
    assert ("per kWh" in table) == (width >= 72)
    assert ("90 % interval" in table) == (width >= 110)
    assert "[b]net 0[/b]" in text


def test_long_tables_show_the_front():
    names = [f"net{i}" for i in range(100)]
    result = joulecast.tradeoff(
        {"architecture": names, "energy_j": range(1, 101), "accuracy": [0.5] * 99 + [0.9]}
    )
    table = repr(result).partition("Cost of more quality")[0]
    assert "net0" in table and "net99" in table and "net50" not in table
