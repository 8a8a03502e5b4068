"""What real tools printed, replayed: every epoch is found, and when it ended."""

import gzip
import json
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from joulecast.recording.progress.position import Counted, Position
from joulecast.recording.progress.reader import Reader
from joulecast.recording.progress.tracker import ProgressTracker

DATA = Path(__file__).parents[3] / "data" / "progress"
TOLERANCE = (
    0.2  # of an epoch: a line is printed at the next step, or before the callback's own time
)


@dataclass
class Replay:
    positions: list[Position[float]]
    tracker: ProgressTracker[float]
    ends: list[float]
    run_end_s: float

    def times(self) -> dict[int, float]:
        """When each whole epoch was done, between two positions by interpolation."""
        times: dict[int, float] = {}
        before = None
        for place in self.positions:
            if before is None:
                if place.done >= 1:
                    times[int(place.done)] = place.stamp
            else:
                for k in range(math.floor(before.done) + 1, math.floor(place.done) + 1):
                    part = (k - before.done) / (place.done - before.done)
                    times[k] = before.stamp + part * (place.stamp - before.stamp)
            before = place
        return times

    def assert_every_epoch(self, last_within: float = TOLERANCE) -> None:
        """Assert when each epoch ended, the last within `last_within` epochs.

        Some tools print nothing at the end of the last epoch: there the exit of the process counts.
        """
        epoch_s = (self.ends[-1] - self.ends[0]) / (len(self.ends) - 1)
        times = self.times()
        assert sorted(times) == list(range(1, len(self.ends) + 1))
        for k, end in enumerate(self.ends, 1):
            most = last_within if k == len(self.ends) else TOLERANCE
            assert abs(times[k] - end) < most * epoch_s, f"epoch {k}"


def replay(name: str, planned: int | None = None, clock: bool = True) -> Replay:
    text = gzip.decompress((DATA / f"{name}.jsonl.gz").read_bytes()).decode()
    header, *reads = map(json.loads, text.splitlines())
    reader = Reader()
    tracker: ProgressTracker[float] = ProgressTracker(planned, (lambda t: t) if clock else None)
    positions = []
    for t, stream, data in reads:
        for sighting in reader.feed(stream, data.encode("latin-1")):
            positions += tracker.see(sighting, t)
    end = header["run_end_s"]
    positions += tracker.finish(end)
    return Replay(positions, tracker, header["epochs_end_s"], end)


def rises(positions: list[Position[float]]) -> bool:
    """A whole number may come twice: an epoch ended, and the next one begins."""
    return all(
        a.stamp <= b.stamp and (a.done < b.done or a.done == b.done == int(a.done))
        for a, b in pairwise(positions)
    )


# The epochs printed, their source, and the delay until the end of the last is printed.
EPOCHS = {
    "tqdm-4.70.1-nested": (6, "tqdm's bar"),
    "tqdm-4.70.1-described": (5, "tqdm's bar"),
    "tqdm-4.70.1-lines": (5, "tqdm's bar"),
    "keras-3.15.1": (5, "Keras's progress"),
    "keras-3.15.1-verbose2": (5, "Keras's progress"),
    "hand-header": (5, "lines that number the epochs"),
    "hand-header-from-0": (5, "lines that number the epochs"),
    "hand-end": (5, "lines that number the epochs"),
    "hand-steps": (5, "lines that number the epochs"),
}


@pytest.mark.parametrize("how", ["pty", "pipe"])
@pytest.mark.parametrize("name", EPOCHS)
@pytest.mark.parametrize("with_plan", [False, True])
def test_epochs_with_their_total(name, how, with_plan):
    epochs, source = EPOCHS[name]
    replayed = replay(f"{name}-{how}", epochs if with_plan else None)
    replayed.assert_every_epoch()
    assert rises(replayed.positions)
    assert replayed.positions[-1].planned == epochs
    assert replayed.tracker.source == source
    assert replayed.tracker.restarts == 0


@pytest.mark.parametrize("how", ["pty", "pipe"])
@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("hand-logging", "lines that number the epochs"),
        ("hand-json", "JSON lines"),
        ("hand-pytorch-example", "lines that number the epochs"),
        ("hand-pytorch-imagenet", "lines that number the epochs"),
        ("skorch-1.4.0", "a table of epochs"),
        ("xgboost-3.2.0", "boosting rounds"),
    ],
)
def test_epochs_without_a_total(name, source, how):
    replayed = replay(f"{name}-{how}")
    replayed.assert_every_epoch()
    assert rises(replayed.positions)
    assert replayed.positions[-1].planned is None
    assert replayed.tracker.source == source
    planned_run = replay(f"{name}-{how}", len(replayed.ends))
    planned_run.assert_every_epoch()
    assert {p.planned for p in planned_run.positions} == {len(replayed.ends)}


@pytest.mark.parametrize("name", ["lightning-2.6.6-tqdm-pty", "lightning-2.6.6-tqdm-pipe"])
def test_lightning_with_tqdm(name):
    replayed = replay(name, 4)
    replayed.assert_every_epoch()
    assert replayed.tracker.source == "Lightning's bar"
    assert replayed.positions[0].done < 0.05  # not first at some later line
    # The end of the run is not that of its last epoch.
    assert replayed.positions[-1].done == replayed.positions[-1].planned == 4
    assert replayed.positions[-1].stamp < replayed.run_end_s - 0.5


def test_lightning_with_rich_prints_the_last_number_as_the_total():
    replayed = replay("lightning-2.6.6-rich-pty")
    replayed.assert_every_epoch(last_within=math.inf)
    assert replayed.tracker.source == "Lightning's bar"
    assert {p.planned for p in replayed.positions} == {4}


@pytest.mark.parametrize("how", ["pty", "pipe"])
def test_ultralytics(how):
    replayed = replay(f"ultralytics-8.4.190-{how}")
    replayed.assert_every_epoch(last_within=math.inf)
    assert replayed.tracker.source == "Ultralytics's table"
    assert {p.planned for p in replayed.positions} == {3}


@pytest.mark.parametrize("how", ["pty", "pipe"])
def test_the_trainers_bar_is_of_the_whole_run(how):
    replayed = replay(f"transformers-5.23.0-{how}")
    # Its lines with a fraction of an epoch show how many epochs the bar has.
    assert replayed.tracker.restarts == 1
    first = replayed.positions[0]
    assert (first.planned, first.unit) == (1, Counted.RUN)
    again = max(i for i, p in enumerate(replayed.positions) if p.done == 0)
    replayed.positions = replayed.positions[again:]
    assert {p.planned for p in replayed.positions} == {4}
    assert rises(replayed.positions)
    replayed.assert_every_epoch()
    assert replayed.tracker.source == "the Hugging Face Trainer's progress"
    planned_run = replay(f"transformers-5.23.0-{how}", 4)
    planned_run.assert_every_epoch()
    assert {p.planned for p in planned_run.positions} == {4}
    metrics = planned_run.tracker.metrics
    assert {epoch for epoch in metrics if "eval_loss" in metrics[epoch]} == {1, 2, 3, 4}


@pytest.mark.parametrize("how", ["pty", "pipe"])
def test_the_trainers_bar_alone(how):
    replayed = replay(f"transformers-5.23.0-silent-{how}", 4)
    replayed.assert_every_epoch()


@pytest.mark.parametrize("how", ["pty", "pipe"])
@pytest.mark.parametrize("planned", [4, 5, 30])
def test_a_bar_for_each_epoch_shows_it_by_beginning_again(how, planned):
    replayed = replay(f"tqdm-4.70.1-per-epoch-{how}", planned)
    if planned == 4:  # of five
        replayed.ends = replayed.ends[:4]
    replayed.assert_every_epoch()
    assert rises(replayed.positions)
    assert replayed.tracker.restarts == 0
    assert len(replayed.positions) > 20  # steps within the epochs, the first one's too


def test_a_bar_for_each_epoch_without_a_plan_first_looks_like_the_run():
    replayed = replay("tqdm-4.70.1-per-epoch-pty")
    assert replayed.tracker.restarts == 1
    again = next(n for n, p in enumerate(replayed.positions) if p.planned is None)
    assert {p.planned for p in replayed.positions[:again]} == {1}
    replayed.positions = replayed.positions[again:]
    replayed.assert_every_epoch()


def test_rich_bars_show_percents():
    replayed = replay("rich-15.0.0-pty", 5)
    replayed.assert_every_epoch()
    assert replayed.tracker.source == "a rich bar"


@pytest.mark.parametrize(
    ("name", "positions"),
    [("rich-15.0.0-pipe", 1), ("lightgbm-4.7.0-pipe", 20), ("lightning-2.6.6-rich-pipe", 0)],
)
def test_lines_flushed_at_the_end_have_the_time_of_the_end(name, positions):
    replayed = replay(name)
    assert len({p.done for p in replayed.positions}) == positions
    assert all(p.stamp > 0.9 * max(replayed.ends) for p in replayed.positions)


@pytest.mark.parametrize("planned", [None, 4])
def test_each_fold_counts_from_zero(planned):
    replayed = replay("hand-folds-pty", planned)
    assert replayed.tracker.restarts == 2
    assert [p.done for p in replayed.positions] == [1, 2, 3, 4] * 3
    assert [p.stamp for p in replayed.positions] == pytest.approx(replayed.ends, abs=0.05)
    assert {p.planned for p in replayed.positions} == {4}


def test_folds_add_up_where_their_sum_is_planned():
    replayed = replay("hand-folds-pty", 12)
    assert replayed.tracker.restarts == 0
    replayed.assert_every_epoch()


def test_learning_curves():
    replayed = replay("keras-3.15.1-pty")
    curve = {epoch: values["val_loss"] for epoch, values in replayed.tracker.metrics.items()}
    assert list(curve) == [1, 2, 3, 4, 5]
    assert all(0.6 < value < 0.75 for value in curve.values())
    replayed = replay("hand-logging-pty")
    assert replayed.tracker.metrics == {
        k: {"train_loss": pytest.approx(1 / k, abs=1e-4)} for k in range(1, 6)
    }


@pytest.mark.parametrize("path", sorted(DATA.glob("*.gz")), ids=lambda path: path.stem)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_however_the_bytes_are_cut(path, size):
    """The positions reached are the same; only a restart may be found at another byte."""
    text = gzip.decompress(path.read_bytes()).decode()
    reads = [json.loads(line) for line in text.splitlines()[1:]]
    streams = {stream: b"" for _, stream, _ in reads}
    for _, stream, data in reads:
        streams[stream] += data.encode("latin-1")
    whole, cut = ProgressTracker[int](), ProgressTracker[int]()
    for stream, data in streams.items():
        if len(data) > 20_000 and size == 1:
            pytest.skip("a long one, a byte at a time")
        reader, other = Reader(), Reader()
        for sighting in reader.feed(stream, data):
            whole.see(sighting, 0)
        for at in range(0, len(data), size):
            for sighting in other.feed(stream, data[at : at + size]):
                cut.see(sighting, 0)
    assert (cut.source, cut.planned, cut.restarts) == (
        whole.source,
        whole.planned,
        whole.restarts,
    )
    assert cut.finish(1)[-1:] == whole.finish(1)[-1:]
    assert cut.metrics == whole.metrics
