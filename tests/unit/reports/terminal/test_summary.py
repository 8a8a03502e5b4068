"""The short summary after a command."""

import subprocess
import sys

import pytest

from fakes.recordings import training, without_samples
from joulecast.recording.summary import summarize
from joulecast.reports.terminal.summary import summary_lines


def test_summary_has_total_domains_and_epochs():
    summary = summarize(training())
    lines = summary_lines(summary)
    assert 3 <= len(lines) <= 8
    assert str(summary.total) in lines[0]
    assert "measured" in lines[0]
    for d in summary.domains:
        assert any(
            line.startswith(f"  {d.source.domain}") and str(d.energy) in line for line in lines
        )
    assert "8 epochs" in "\n".join(lines)
    assert lines[-1].endswith("joulecast show 3f9a1c7e")


def test_many_domains_are_put_together_and_add_up():
    summary = summarize(training(domains=(*(f"gpu:{i}" for i in range(8)), "cpu:0", "dram:0")))
    lines = summary_lines(summary)
    assert len(lines) <= 8
    assert lines[1].startswith("  gpu x8")
    watts = sum(d.mean_power_w for d in summary.domains if d.source.domain.startswith("gpu"))
    assert f"{watts / 1000:.2f} kW" in lines[1]


@pytest.mark.parametrize("recording", [without_samples(), without_samples(sources=[])])
def test_unknown_energy_is_no_zero(recording):
    lines = summary_lines(summarize(recording))
    assert "energy unknown" in lines[0]
    assert " 0" not in lines[0].partition("energy")[2]


def test_warnings_are_counted():
    lines = summary_lines(summarize(training(warnings=["first", "second", "third"])))
    assert any("warning: first (and 2 more)" in line for line in lines)


def test_it_needs_no_heavy_library():
    code = (
        "import sys; import joulecast.reports.terminal.summary; "
        "print({'rich', 'plotly', 'jinja2', 'sqlalchemy', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
