"""What real tools printed, replayed: every epoch is found, and when it ended."""

import gzip
import json
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from joulecast.recording.progress.reader import Reader
from joulecast.recording.progress.tracker import Position, ProgressTracker

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
        """`last_within`: some tools print nothing at the last one's end; then the exit tells."""
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
    return all(a.done < b.done and a.stamp <= b.stamp for a, b in pairwise(positions))


EPOCHS = {  # the epochs printed, what they are read from, how late the end of the last is known
    "tqdm-4.70.1-nested": (6, "tqdm's bar"),
    "tqdm-4.70.1-described": (5, "tqdm's bar"),
    "tqdm-4.70.1-lines": (5, "tqdm's bar"),
    "keras-3.15.1": (5, "Keras's progress"),
    "keras-3.15.1-verbose2": (5, "Keras's progress"),
    "hand-header": (5, "lines like 'Epoch 3/30'"),
    "hand-header-from-0": (5, "lines like 'Epoch 3/30'"),
    "hand-end": (5, "lines like 'Epoch 3/30'"),
    "hand-steps": (5, "lines like 'Epoch 3/30'"),
}


@pytest.mark.parametrize("how", ["pty", "pipe"])
@pytest.mark.parametrize("name", EPOCHS)
@pytest.mark.parametrize("given", [False, True])
def test_epochs_with_their_total(name, how, given):
    epochs, source = EPOCHS[name]
    seen = replay(f"{name}-{how}", epochs if given else None)
    seen.assert_every_epoch()
    assert rises(seen.positions)
    assert seen.positions[-1].planned == epochs
    assert seen.tracker.source == source
    assert seen.tracker.restarts == 0


@pytest.mark.parametrize("how", ["pty", "pipe"])
@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("hand-logging", "lines like 'Epoch 3/30'"),
        ("hand-json", "JSON lines"),
        ("hand-pytorch-example", "lines like 'Epoch 3/30'"),
        ("hand-pytorch-imagenet", "lines like 'Epoch 3/30'"),
        ("skorch-1.4.0", "a table of epochs"),
        ("xgboost-3.2.0", "boosting rounds"),
    ],
)
def test_epochs_without_a_total(name, source, how):
    seen = replay(f"{name}-{how}")
    seen.assert_every_epoch()
    assert rises(seen.positions)
    assert seen.positions[-1].planned is None
    assert seen.tracker.source == source
    given = replay(f"{name}-{how}", len(seen.ends))
    given.assert_every_epoch()
    assert {p.planned for p in given.positions} == {len(seen.ends)}


@pytest.mark.parametrize("name", ["lightning-2.6.6-tqdm-pty", "lightning-2.6.6-tqdm-pipe"])
def test_lightning_with_tqdm(name):
    seen = replay(name, 4)
    seen.assert_every_epoch(last_within=math.inf)  # known when the run ends
    assert seen.tracker.source == "Lightning's bar"
    assert seen.positions[0].done < 0.05  # not first at some later line
    assert seen.positions[-1] == Position(4.0, 4, seen.run_end_s)


def test_lightning_with_rich_prints_the_last_number_as_the_total():
    seen = replay("lightning-2.6.6-rich-pty")
    seen.assert_every_epoch(last_within=math.inf)
    assert seen.tracker.source == "Lightning's bar"
    assert {p.planned for p in seen.positions} == {4}


@pytest.mark.parametrize("how", ["pty", "pipe"])
def test_ultralytics(how):
    seen = replay(f"ultralytics-8.4.190-{how}")
    seen.assert_every_epoch(last_within=math.inf)
    assert seen.tracker.source == "Ultralytics's table"
    assert {p.planned for p in seen.positions} == {3}


@pytest.mark.parametrize("how", ["pty", "pipe"])
def test_the_trainers_bar_is_of_the_whole_run(how):
    seen = replay(f"transformers-5.23.0-{how}")
    assert rises(seen.positions)
    assert {p.planned for p in seen.positions} == {1}
    assert seen.positions[-1].done == 1
    assert seen.tracker.source == "the Hugging Face Trainer's progress"
    given = replay(f"transformers-5.23.0-{how}", 4)
    given.assert_every_epoch()
    assert {p.planned for p in given.positions} == {4}
    assert {epoch for epoch, name, _ in given.tracker.metrics if name == "eval_loss"} == {
        1,
        2,
        3,
        4,
    }


@pytest.mark.parametrize("how", ["pty", "pipe"])
def test_the_trainers_bar_alone(how):
    seen = replay(f"transformers-5.23.0-silent-{how}", 4)
    seen.assert_every_epoch()


@pytest.mark.parametrize("how", ["pty", "pipe"])
@pytest.mark.parametrize("planned", [4, 5, 30])
def test_a_bar_for_each_epoch_shows_it_by_beginning_again(how, planned):
    seen = replay(f"tqdm-4.70.1-per-epoch-{how}", planned)
    if planned == 4:  # of five
        seen.ends = seen.ends[:4]
    seen.assert_every_epoch()
    assert rises(seen.positions)
    assert seen.tracker.restarts == 0
    assert len(seen.positions) > 20  # steps within the epochs, the first one's too


def test_a_bar_for_each_epoch_without_a_plan_first_looks_like_the_run():
    seen = replay("tqdm-4.70.1-per-epoch-pty")
    assert seen.tracker.restarts == 1
    again = next(n for n, p in enumerate(seen.positions) if p.planned is None)
    assert {p.planned for p in seen.positions[:again]} == {1}
    seen.positions = seen.positions[again:]
    seen.assert_every_epoch()


def test_rich_bars_show_percents():
    seen = replay("rich-15.0.0-pty", 5)
    seen.assert_every_epoch()
    assert seen.tracker.source == "a rich bar"


def test_lines_flushed_at_the_end_have_the_time_of_the_end():
    for name in ("rich-15.0.0-pipe", "lightgbm-4.7.0-pipe", "lightning-2.6.6-rich-pipe"):
        seen = replay(name)
        assert all(p.stamp > 0.9 * max(seen.ends) for p in seen.positions), name


@pytest.mark.parametrize("planned", [None, 4])
def test_each_fold_counts_from_zero(planned):
    seen = replay("hand-folds-pty", planned)
    assert seen.tracker.restarts == 2
    assert [p.done for p in seen.positions] == [1, 2, 3, 4] * 3
    assert [p.stamp for p in seen.positions] == pytest.approx(seen.ends, abs=0.05)
    assert {p.planned for p in seen.positions} == {4}


def test_folds_add_up_where_their_sum_is_planned():
    seen = replay("hand-folds-pty", 12)
    assert seen.tracker.restarts == 0
    seen.assert_every_epoch()


def test_learning_curves():
    seen = replay("keras-3.15.1-pty")
    curve = [(epoch, value) for epoch, name, value in seen.tracker.metrics if name == "val_loss"]
    assert [epoch for epoch, _ in curve] == [1, 2, 3, 4, 5]
    assert all(0.6 < value < 0.75 for _, value in curve)
    seen = replay("hand-logging-pty")
    assert seen.tracker.metrics == [
        (k, "train_loss", pytest.approx(1 / k, abs=1e-4)) for k in range(1, 6)
    ]


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
    assert cut.finish(1) == whole.finish(1)
    assert cut.metrics == whole.metrics
