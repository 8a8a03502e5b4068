"""Beginnings of epochs that are sent late: with their true time, or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest

from joulecast.study.running.delayed_epochs import DelayedEpochs


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "events.jsonl"
    file.touch()
    return file


def sent(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_dropped_epoch_is_never_sent(path: Path) -> None:
    events = DelayedEpochs(path)
    span = events.begin("epoch", "epoch 0", 0, None)
    events.drop()
    events.end(span)
    assert [event["op"] for event in sent(path)] == ["end"]


def test_an_event_inside_sends_the_epoch_first_with_its_true_time(path: Path) -> None:
    events = DelayedEpochs(path)
    # Without a timer, the epoch waits for an event.
    events.last = True
    span = events.begin("epoch", "epoch 3", 3, 7)
    assert sent(path) == []
    events.metric("accuracy", 0.5, span)
    events.end(span)
    begin, metric, end = sent(path)
    assert (begin["op"], begin["kind"], begin["index"], begin["parent"]) == ("begin", "epoch", 3, 7)
    assert begin["id"] == metric["id"] == end["id"] == span
    assert begin["t"] <= metric["t"] <= end["t"]


def test_other_spans_are_sent_at_once(path: Path) -> None:
    events = DelayedEpochs(path)
    events.last = True
    outer = events.begin("epoch", "epoch 0", 0, None)
    events.begin("phase", "validate", None, outer)
    assert [event["kind"] for event in sent(path)] == ["epoch", "phase"]
