"""Epochs that are told late: with their true beginning, or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest

from joulecast.study.running.late_epochs import LateEpochs


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "events.jsonl"
    file.touch()
    return file


def told(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_is_dropped_was_never_an_epoch(path: Path) -> None:
    events = LateEpochs(path)
    span = events.begin("epoch", "epoch 0", 0, None)
    events.drop()
    events.end(span)
    assert [event["op"] for event in told(path)] == ["end"]  # of a span that nobody knows


def test_a_word_from_inside_tells_of_it_first_and_when_it_began(path: Path) -> None:
    events = LateEpochs(path)
    events.last = True  # no timer: this one waits for a word
    span = events.begin("epoch", "epoch 3", 3, 7)
    assert told(path) == []
    events.metric("accuracy", 0.5, span)
    events.end(span)
    begin, metric, end = told(path)
    assert (begin["op"], begin["kind"], begin["index"], begin["parent"]) == ("begin", "epoch", 3, 7)
    assert begin["id"] == metric["id"] == end["id"] == span
    assert begin["t"] <= metric["t"] <= end["t"]


def test_other_spans_are_told_at_once(path: Path) -> None:
    events = LateEpochs(path)
    events.last = True
    outer = events.begin("epoch", "epoch 0", 0, None)
    events.begin("phase", "validate", None, outer)
    assert [event["kind"] for event in told(path)] == ["epoch", "phase"]
