import re

import pytest

from fakes.golden import golden
from joulecast.estimate import Estimate
from joulecast.reports.terminal.live import live_line
from joulecast.run.run_state import RunState

BUDGET = "budget 100 kJ: 12 % used"


def state(**more):
    nothing = dict.fromkeys(
        ("energy", "power_w", "done", "planned", "total_energy", "total_duration")
    )
    return RunState(**({"t_s": 60.0} | nothing | more))


def whole_state():
    return state(
        energy=Estimate(12_300, 11_900, 12_700),
        power_w=142.0,
        done=3.4,
        planned=30,
        total_energy=Estimate(92_100, 85_000, 99_000),
        total_duration=Estimate(305, 290, 320, "s"),
    )


def test_the_most_important_figure_comes_first():
    parts = live_line(whole_state(), BUDGET).split(" | ")
    assert parts[0] == "12.3 kJ, 142 W"
    assert "92.1 kJ (85.0 to 99.0)" in parts[1]
    # A terminal of 100 columns cuts what comes last.
    assert parts[2] == BUDGET and len(" | ".join(parts[:3])) < 100
    assert parts[3].startswith("4 min 05 s ")
    assert re.findall(r"\d+", parts[4]) == ["4", "30"]


@pytest.mark.parametrize(
    ("figures", "numbers"),
    [
        ({"reason": "no progress"}, []),
        ({"done": 0.37, "planned": 1.0}, ["37"]),
        ({"done": 30, "planned": 30}, ["30", "30"]),
        ({"done": 7.0}, ["7"]),
        ({"done": 7.2}, ["8"]),
        ({"done": 0.0, "planned": 0}, ["0", "0"]),
    ],
)
def test_unknown_figures_are_left_out_or_explained(figures, numbers):
    line = live_line(state(**figures))
    assert re.findall(r"\d+", line) == numbers
    assert figures.get("reason", "") in line


def test_wording():
    figures = [
        {"reason": "no progress reported yet"},
        {"done": 0.37, "planned": 1.0},
        {"done": 30, "planned": 30},
        {"done": 7.0},
    ]
    lines = [live_line(whole_state(), BUDGET), *(live_line(state(**each)) for each in figures)]
    golden("live_line", "\n".join(lines))
