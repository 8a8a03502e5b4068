from dataclasses import replace

import pytest

from fakes.golden import golden
from fakes.recordings import training, without_samples
from joulecast.analysis.power.behavior import power_behavior
from joulecast.analysis.power.utilization import PowerByUtilization
from joulecast.recording.summary import summarize
from joulecast.reports.documents.model import Document
from joulecast.reports.documents.power import power_section
from joulecast.reports.terminal.render import to_text


def text_of(behavior, width=100):
    return to_text(Document([], [power_section(behavior)]), width)


BEHAVIOR = replace(
    power_behavior(summarize(training(epochs=20))),
    utilization=[
        PowerByUtilization("gpu:0/utilization_pct", ["gpu:0"], 50, 0.99, 1.0, 20.0),
        PowerByUtilization("cpu/utilization_pct", ["cpu:0"], 7, reason="why", caution="modelled"),
    ],
    why_no_utilization=None,
)


def test_wording():
    unknown = text_of(power_behavior(summarize(without_samples())))
    golden("power", f"{text_of(BEHAVIOR)}\n\n{unknown}")


@pytest.mark.parametrize("width", [60, 75, 80, 120])
def test_section_fits_the_terminal(width):
    lines = text_of(BEHAVIOR, width).splitlines()
    assert len(lines) > 5
    assert max(map(len, lines)) <= width
