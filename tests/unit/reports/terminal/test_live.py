import pytest

from joulecast.reports.terminal.live import live_line
from joulecast.run.run_state import RunState
from joulecast.units import Estimate


def state(**more):
    nothing = dict.fromkeys(
        ("energy", "power_w", "done", "planned", "total_energy", "total_duration")
    )
    return RunState(**({"t_s": 60.0} | nothing | more))


def test_the_most_important_figure_comes_first():
    line = live_line(
        state(
            energy=Estimate(12_300, 11_900, 12_700),
            power_w=142.0,
            done=3.4,
            planned=30,
            total_energy=Estimate(92_100, 85_000, 99_000),
            total_duration=Estimate(305, 290, 320, "s"),
        ),
        "budget 100 kJ: 12 % used",
    )
    assert line == (
        "12.3 kJ, 142 W | forecast 92.1 kJ (85.0 to 99.0) | 4 min 05 s remaining | epoch 4 of 30 | "
        "budget 100 kJ: 12 % used"
    )


@pytest.mark.parametrize(
    ("figures", "line"),
    [
        (
            {"reason": "no progress reported yet"},
            "energy not measured | no forecast: no progress reported yet",
        ),
        ({"done": 0.37, "planned": 1.0}, "energy not measured | 37 % done"),
        ({"done": 30, "planned": 30}, "energy not measured | epoch 30 of 30"),
        ({"done": 7.0}, "energy not measured | epoch 8"),
        ({"done": 0.0, "planned": 0}, "energy not measured | epoch 0 of 0"),
    ],
)
def test_unknown_figures_are_left_out_or_explained(figures, line):
    assert live_line(state(**figures)) == line
