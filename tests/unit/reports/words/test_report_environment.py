"""The environment as rows."""

from fakes.recordings import ENVIRONMENT
from joulecast.hardware.environment import Environment
from joulecast.reports.words.environment import brief, environment_rows


def test_unknown_parts_have_no_row():
    rows = environment_rows(ENVIRONMENT)
    text = dict(rows)
    assert "AMD EPYC 7763" in text["CPU"] and "32" in text["CPU"].replace(",", " ").split()
    assert "128 GB" in text["Container"]
    assert "None" not in str(rows) and "null" not in str(rows)


def test_equal_gpus_share_a_row_hidden_ones_apart():
    gpus = [text for label, text in environment_rows(ENVIRONMENT) if label == "GPU"]
    assert len(gpus) == 2
    assert gpus[1].startswith("3 x NVIDIA A100") and "hidden" in gpus[1]


def test_this_machine_and_none():
    assert dict(environment_rows(Environment.detect().to_json()))["Software"]
    assert environment_rows({}) == []


def test_an_unexpected_type_is_shown_as_json():
    assert environment_rows({"gpus": "two of them"}) == [("gpus", '"two of them"')]


def test_brief_is_brief():
    assert len(brief(ENVIRONMENT, 3)) == 3
