"""The progress that each single line prints, and lines without any."""

import pytest

from joulecast.errors import UsageError
from joulecast.recording.progress.formats import parse
from joulecast.recording.progress.reader import Reader
from joulecast.recording.progress.sighting import Moment, Sighting, metrics_in


def parts_of(line: str) -> tuple[float | None, int | None, float | None, float | None, str] | None:
    s = parse(line, "\n")
    if s is None or s.moment in (Moment.PHASE, Moment.PLAN):
        return None
    return (s.epoch, s.epochs, s.step, s.steps, str(s.moment))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # headers
        ("Epoch 3/30", (3, 30, None, None, "start")),
        ("Epoch 3 / 30:", (3, 30, None, None, "start")),
        ("Epoch 3 of 30", (3, 30, None, None, "start")),
        ("EPOCH 3/30", (3, 30, None, None, "start")),
        ("Ep 3/30", (3, 30, None, None, "start")),
        ("Epoch: 0/29", (0, 29, None, None, "start")),
        ("[Epoch 3]", (3, None, None, None, "start")),
        ("=== Epoch 3 ===", (3, None, None, None, "start")),
        ("Epoch: 3", (3, None, None, None, "start")),
        ("Starting epoch 3", (3, None, None, None, "start")),
        ("Epoch 3/30 started, loss so far 0.3", (3, 30, None, None, "start")),
        ("Epoch 3/30, lr: 0.001", (3, 30, None, None, "start")),
        ("2026-01-02 10:00:00,123 - a.b - INFO - Epoch 3/30", (3, 30, None, None, "start")),
        ("INFO:root:Epoch 3/30", (3, 30, None, None, "start")),
        # ends
        ("Epoch 3/30 - loss: 0.3 - val_acc: 0.9", (3, 30, None, None, "end")),
        ("epoch=3 loss=0.3", (3, None, None, None, "end")),
        ("Epoch 3: train loss 0.312, val loss 0.4", (3, None, None, None, "end")),
        ("[Epoch 3] loss=1.2e-01", (3, None, None, None, "end")),
        ("epoch 3/30 done in 12.3s", (3, 30, None, None, "end")),
        ("Finished epoch 3", (3, None, None, None, "end")),
        ("| end of epoch   3 | time:  5.11s | valid loss  5.73 |", (3, None, None, None, "end")),
        ('{"epoch": 3, "loss": 0.25}', (3, None, None, None, "end")),
        ("[12]\ttrain-rmse:0.31\teval-rmse:0.4", (12, None, None, None, "end")),
        # within
        ("Epoch [3/30], Step [100/600], Loss: 0.3", (3, 30, 100, 600, "within")),
        ("Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.3", (1, None, 640, 60000, "within")),
        ("| epoch   1 |   200/ 2983 batches | lr 20.00", (1, None, 200, 2983, "within")),
        ("epoch 001:     12 / 100 loss=11.2, ppl=2400", (1, None, 12, 100, "within")),
        ("Epoch: [0]  [ 10/125]  eta: 0:00:10  lr: 0.1  loss: 1.2", (0, None, 10, 125, "within")),
        ("mmengine - INFO - Epoch(train)  [1][  50/3665]  lr: 0.01", (1, None, 50, 3665, "within")),
        ("Epoch [1][50/3665]\tlr: 2.0e-04, loss: 0.3", (1, None, 50, 3665, "within")),
        ("Train: 0 [  50/1251 (  4%)]  Loss: 6.9 (6.9)", (0, None, 50, 1251, "within")),
        ("Epoch 3 step 100 loss 0.3", (3, None, None, None, "within")),
        ("Epoch 3:  45%|####5     | 45/100 [00:01<00:02, 4it/s]", (3, None, 45, 100, "within")),
        ("Epoch 3/30 [Train]:  45%|#  | 45/100 [00:01<00:02, 3s/it]", (3, 30, 45, 100, "within")),
        ("Epoch 0/2 ━━━━━━━━━━ 45/100 0:00:01 • 0:00:02 12.3it/s", (0, 2, 45, 100, "within")),
        ("   1/30   2.1G   1.21   3.46   12   640: 50%|###  | 4/8 [0", (1, 30, 4, 8, "within")),
        # whole epochs counted, and loops whose place is not printed
        ("Epochs:  10%|#   | 3/30 [00:15<02:15,  5.0s/it]", (3, 30, None, None, "count")),
        (" 10%|#   | 3/30 [00:15<02:15,  5.0s/epoch]", (3, 30, None, None, "count")),
        ("{'loss': 0.5, 'grad_norm': 1.2, 'epoch': 1.23}", (1.23, None, None, None, "count")),
        ("{'loss': '0.5', 'epoch': '2'}", (2, None, None, None, "count")),
        (" 12%|#▎        | 37/300 [00:10<01:20,  3.2it/s]", (None, None, 37, 300, "within")),
        ("12/32 ━━━━━━━━━━━━━━━━━━━━ 2s 20ms/step - loss: 1.2", (None, None, 12, 32, "within")),
        ("12/32 [====>.......] - ETA: 2s - 20ms/step - loss: 1.2", (None, None, 12, 32, "within")),
        ("32/32 - 2s - 62ms/step - loss: 1.2 - val_loss: 1.3", (None, None, 32, 32, "end")),
        ("step 100/5000: loss 2.3", (None, None, 100, 5000, "within")),
        ("[Step 100/5000]", (None, None, 100, 5000, "within")),
        ("Iteration 100 of 5000", (None, None, 100, 5000, "within")),
    ],
)  # fmt: skip
def test_progress(line, expected):
    assert parts_of(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "loading epoch definitions",
        "epoch 1700000000 seconds",
        "epoch 1700000000",
        "unix epoch 3 seconds ago",
        "best epoch 7",
        "Best epoch: 7 (val_loss 0.3)",
        "best: epoch 7/30",
        "resumed from epoch 12",
        "Resuming training from epoch 12/30",
        "Loaded checkpoint '/a/epoch_12.pth' (epoch 12)",
        "=> loaded checkpoint 'model.pth' (epoch 12)",
        "saving checkpoint at epoch 3",
        "Saved /models/epoch=3-step=100.ckpt",
        "checkpoint-epoch3.pt",
        "Early stopping at epoch 12",
        "Epoch 12: early stopping",
        "Epoch 3: val_loss improved from 0.3 to 0.2, saving model to best.keras",
        "Epoch 00005: reducing learning rate of group 0 to 1.0e-04.",
        "training for 30 epochs",
        "Starting training for 30 epochs...",
        "epochs: 30",
        "Namespace(epochs=30, lr=0.1)",
        "num_epochs = 30",
        "max_epochs=30",
        "--epochs 30",
        "n_epoch 30",
        "`Trainer.fit` stopped: `max_epochs=4` reached.",
        "3 epochs completed in 0.001 hours.",
        "the model of epoch 3 was best",
        "warmup for epoch 5",
        "Epoch 31/30",
        "Epoch -1",
        "Epoch 3.5.1",
        "epoch3.log",
        # bars and percentages of something else
        "Downloading: 100%|##########| 1.2G/1.2G [00:10<00:00, 120MB/s]",
        "model.safetensors:  45%|####   | 45.1M/100M [00:01<00:02, 24.1MB/s]",
        "Map:  45%|####      | 450/1000 [00:01<00:02, 24.1 examples/s]",
        "Generating train split: 45%|####  | 450/1000 [00:01<00:02, 24.1 examples/s]",
        "Loading checkpoint shards:  50%|#####     | 1/2 [00:01<00:01,  1.2s/it]",
        "Validation DataLoader 0:  70%|#######   | 7/10 [00:00<00:00, 92.99it/s]",
        "Sanity Checking DataLoader 0:   0%|          | 0/2 [00:00<?, ?it/s]",
        "Epoch 3/30 [Val]:  45%|##  | 45/100 [00:01<00:02,  3.1s/it]",
        "Evaluating: 100%|##########| 10/10 [00:00<00:00, 92.99it/s]",
        "Accuracy: 45%",
        "Test set: Average loss: 0.2, Accuracy: 90/100 (90%)",
        "GPU memory 45% used",
        "disk /dev/sda1 45% /",
        "100% of users agree",
        "Progress: 140%",
        "step 6000/5000",
        "validation step 3/10",
        "  0%|          | 0/0 [00:00<?, ?it/s]",
        "{'epoch': 'three'}",
        '{"loss": 0.3}',
        '{"epoch": 3, "loss": 0.',
    ],
)
def test_no_progress(line):
    assert parts_of(line) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("INFO Train: [0/3][5/20]\teta 0:05:00 lr 0.1\ttime 0.3", (0, 3, 5, 20, "within")),
        ("Train: 1 [  50/1251 (  4%)]  Loss: 6.9", (1, None, 50, 1251, "within")),
        ("Train 3/5:  12%|#2   | 1/8 [00:00<00:01,  4.0it/s]", (3, 5, 1, 8, "within")),
        ("[3/5]:  12%|#2   | 1/8 [00:00<00:01,  4.0it/s]", (3, 5, 1, 8, "within")),
        ("Epoch 2: |      | 43/? [00:04<00:00, 9.8it/s]", (2, None, 43, None, "within")),
        ("Epoch 2: 43it [00:04, 9.8it/s]", (2, None, 43, None, "within")),
        ("Epoch: 43it [00:04, 9.8it/s]", (None, None, 43, None, "within")),
        ("Epochs: 4it [00:04, 1.1s/it]", (4, None, None, None, "count")),
        ("Epoch 1/6 : |##--| 50.00% [8/16 00:01<00:01... 1.66]", (1, 6, 8, 16, "within")),
        ("Epoch 1/6 : |----| 0.00% [0/6 00:00<?]", (1, 6, 0, 6, "within")),
        ("Epoch 0/4 ━━━━━━━━━━━ 5/-- 0:00:01 • -:--:-- 9.9it/s", (0, 4, 5, None, "within")),
        ("mmengine - INFO - Iter(train) [   10/200]  lr: 1.0", (None, None, 10, 200, "within")),
        ("eta: 0:00:10  iter: 19  total_loss: 2.1  lr: 0.1", (None, None, 19, None, "within")),
        ("iter 10: loss 2.31, time 10.2ms, mfu 1.2%", (None, None, 10, None, "within")),
        ("steps:  12%|#  | 12/100 [00:01<00:07, avr_loss=0.1]", (None, None, 12, 100, "within")),
    ],
)  # fmt: skip
def test_progress_of_training_scripts(line, expected):
    assert parts_of(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "Validation:  70%|#######   | 7/10 [00:00<00:00, 92.99it/s]",
        "Epoch 3/30 [Val]:  45%|##  | 45/100 [00:01<00:02,  3.1s/it]",
        "mmengine - INFO - Epoch(val) [1][50/50]  accuracy/top1: 67.1",
        "mmengine - INFO - Iter(val) [10/50]  eta: 0:00:10",
        "validation step 3/10",
        "Saving checkpoint:  45%|##  | 45/100 [00:01<00:02,  3.1s/it]",
    ],
)
def test_phases_are_no_training(line):
    assert parse(line, "\n").moment is Moment.PHASE


@pytest.mark.parametrize(
    ("line", "epochs", "steps"),
    [
        ("  Num Epochs = 3", 3, None),
        ("  Total optimization steps = 120", None, 120),
        ("  num epochs / epoch数: 4", 4, None),
        ("  total optimization steps / 学習ステップ数: 400", None, 400),
        ("Overriding: max_iters = 2000", None, 2000),
        ("  MAX_ITER: 300", None, 300),
        ("train_cfg = dict(max_epochs=3, type='EpochBasedTrainLoop')", 3, None),
        ("Namespace(epochs=90, lr=0.1)", 90, None),
        ("Scheduled epochs: 310. LR stepped per epoch.", 310, None),
        ("Starting training for 30 epochs...", 30, None),
    ],
)
def test_announced_totals(line, epochs, steps):
    s = parse(line, "\n")
    assert (s.moment, s.epochs, s.steps) == (Moment.PLAN, epochs, steps)


@pytest.mark.parametrize(
    "line",
    [
        "warmup epochs: 5",
        "warmup_epochs=5",
        "save every n epochs: 1",
        "no improvement for 3 epochs",
    ],
)
def test_other_numbers_of_epochs_announce_nothing(line):
    s = parse(line, "\n")
    assert s is None or s.moment is not Moment.PLAN


@pytest.mark.parametrize(
    ("line", "fraction"),
    [
        ("Progress: 12%", 0.12),
        ("12%|", 0.12),
        ("Training 45.5% complete", 0.455),
        ("Overall progress: 7 %", 0.07),
        ("Training ━━━━━━━━━╺━━━━━━ 40% 0:00:12", 0.4),
        ("100%", 1.0),
    ],
)
def test_percentages(line, fraction):
    sighting = parse(line, "\n")
    assert sighting is not None
    assert sighting.fraction == pytest.approx(fraction)


@pytest.mark.parametrize(
    "line",
    [
        "Epoch 3",
        "Epoch 3/3",
        "step 100/50",
        "Epoch 0/2 ━━━━━━ 4/4",
        "  5%|#  | 4/4",
        "Progress: 1%",
    ],
)
def test_a_line_that_may_go_on_is_not_read_yet(line):
    assert parse(line, "") is None


def test_a_bar_is_read_before_it_is_drawn_again():
    sighting = parse("  3%|3         | 1/30 [01:00<29:00, 60.0s/it]", "")
    assert sighting is not None
    assert (sighting.step, sighting.steps) == (1, 30)


@pytest.mark.parametrize(
    ("text", "metrics"),
    [
        ("loss: 0.3 - val_acc: 0.9", {"loss": 0.3, "val_acc": 0.9}),
        ("Loss=1e-3, top1 0.75", {"loss": 0.001, "top1": 0.75}),
        ("'loss': '0.5', 'grad_norm': 1.25", {"loss": 0.5, "grad_norm": 1.25}),
        ("lr: 0.001 time: 3.2 eta: 12 batch 32", {}),
        ("12.3it/s train_loss: -0.25", {"train_loss": -0.25}),
        ("took 0:12:03, 45%", {}),
    ],
)
def test_metrics(text, metrics):
    assert metrics_in(text) == metrics


# --- tables, and a pattern of one's own -------------------------------------------------------


def see(text: str, pattern: str | None = None) -> list[Sighting]:
    return Reader(pattern).feed(1, text.encode())


def test_a_fastai_table():
    sightings = see(
        "epoch     train_loss  valid_loss  accuracy  time    \n"
        "0         0.243621    0.131312    0.953000  00:05     \n"
        "1         0.143621    0.101312    0.973000  00:05     \n"
        "done\n7 8 9\n"
    )
    assert [(s.tool, s.epoch, s.moment) for s in sightings] == [
        ("table", 0, Moment.END),
        ("table", 1, Moment.END),
    ]
    assert sightings[1].metrics == {
        "train_loss": 0.143621,
        "valid_loss": 0.101312,
        "accuracy": 0.973,
    }


@pytest.mark.parametrize(
    ("pattern", "line", "expected"),
    [
        (r"round (\d+) of (\d+)", "round 3 of 20", (3, 20, None, None, None)),
        (r"round (\d+)", "-- round 3: loss 0.2", (3, None, None, None, None)),
        (r"at (?P<percent>[\d.]+) percent", "at 12.5 percent", (None, None, None, None, 0.125)),
        (r"f=(?P<fraction>\S+)", "f=0.25", (None, None, None, None, 0.25)),
        (r"(?P<step>\d+) of (?P<steps>\d+)", "12 of 48", (None, None, 12, 48, None)),
        (r"E(?P<epoch>\d+) S(?P<step>\d+)/(?P<steps>\d+)", "E2 S5/10", (2, None, 5, 10, None)),
    ],
)
def test_a_pattern_of_ones_own(pattern, line, expected):
    (s,) = see(f"Epoch 1/9\n{line}\nEpoch 2/9\n", pattern)
    assert s.tool == "pattern"
    assert (s.epoch, s.epochs, s.step, s.steps, s.fraction) == expected


@pytest.mark.parametrize("line", ["f=abc", "f=7", "f=", "f=nan", "f=-1"])
def test_a_pattern_that_catches_no_number(line):
    assert see(f"{line}\n", r"f=(?P<fraction>\S*)") == []


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"round (\d+", "unterminated subpattern at character 7"),
        (r"round \d+", "captures no progress"),
        (r"(?P<round>\d+)", "no group is called 'round'"),
        (r"of (?P<epochs>\d+)", "captures no progress"),
    ],
)
def test_a_pattern_that_is_none(pattern, message):
    with pytest.raises(UsageError, match="--progress-pattern") as error:
        Reader(pattern)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_show_nothing():
    reader = Reader()
    assert reader.feed(1, b"\n\x02\xf1Epoch 3/30\n\xfe\xc3 12%\n") == []
    assert [s.epoch for s in reader.feed(1, "█ Epoch 4/30 \x07\n".encode())] == [4]
