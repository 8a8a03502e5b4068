import pytest

import joulecast
from fakes.golden import golden
from joulecast.reports.documents.lifetime import lifetime_document
from joulecast.reports.terminal.render import to_text

MODELS = ["small=100kJ±5%,3J±5%", "big=500kJ±5%,1J±5%", "near=101kJ±5%,2.9J±5%", "[b]=1MJ,1mJ"]


def test_wording():
    results = [
        joulecast.tradeoff(MODELS, requests="1e6/day", service_life="1 year"),
        joulecast.tradeoff(["a=1kJ,1J", "b=1kJ,1J", "c=1kJ,2J", "d=2kJ,2J"], requests=500),
    ]
    golden("lifetime", "\n\n\n".join(map(repr, results)))


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_report_fits_the_terminal(width):
    result = joulecast.tradeoff(MODELS, requests="1e6/day", service_life="1 year")
    text = to_text(lifetime_document(result), width)
    assert max(map(len, text.splitlines())) <= width
    assert ("90 % interval" in text) == (width >= 100)
    assert "[b]" in text
