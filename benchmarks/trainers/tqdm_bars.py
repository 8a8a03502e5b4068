"""Trainings whose progress tqdm draws, in the ways that people use it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

from ground_truth import EPOCHS, STEPS, truth
from tqdm import tqdm, trange


def loader(steps: int = STEPS) -> Iterator[int]:
    """Batches whose loader needs a while to end its workers."""
    yield from range(steps)
    time.sleep(0.1)


def loss(epoch: int, step: int) -> float:
    """A number that falls."""
    return 2.0 / (1 + epoch + step / STEPS)


def labelled() -> None:
    """`Epoch 3/6: 50%|...`, one bar for each epoch, and a line of results after it."""
    for epoch in range(1, EPOCHS + 1):
        with truth.epoch(epoch):
            for step in (bar := tqdm(loader(), total=STEPS, desc=f"Epoch {epoch}/{EPOCHS}")):
                truth.step()
                bar.set_postfix(loss=f"{loss(epoch, step):.3f}")
        with truth.phase("validation", 0.2):
            print(f"val_loss {loss(epoch, STEPS):.4f}", flush=True)
    with truth.phase("test", 1.5):
        print("test accuracy 0.91", flush=True)


def train_and_valid() -> None:
    """`Train 3/6` bars, each followed by a `Valid 3/6` bar; a test bar at the end."""
    for epoch in range(1, EPOCHS + 1):
        with truth.epoch(epoch):
            for _ in tqdm(range(STEPS), desc=f"Train {epoch}/{EPOCHS}", unit="batch"):
                truth.step()
        with truth.phase("validation"):
            for _ in tqdm(range(6), desc=f"Valid {epoch}/{EPOCHS}", unit="batch"):
                time.sleep(0.05)
    with truth.phase("test"):
        for _ in tqdm(range(20), desc="Test", unit="batch"):
            time.sleep(0.05)


def nested() -> None:
    """A bar over epochs above a bar over steps that is removed at its end."""
    for epoch in tqdm(range(EPOCHS), desc="epochs", position=0):
        with truth.epoch(epoch + 1):
            for _ in tqdm(range(STEPS), desc="steps", position=1, leave=False):
                truth.step()
        with truth.phase("validation", 0.2):
            pass


def leave_nothing() -> None:
    """One bar for each epoch, removed at its end, and lines of results by `tqdm.write`."""
    for epoch in range(EPOCHS):
        with truth.epoch(epoch + 1):
            bar = tqdm(total=STEPS, leave=False, desc=f"[epoch {epoch + 1}]")
            for _ in range(STEPS):
                truth.step()
                bar.update()
            bar.close()
        with truth.phase("validation"):
            for _ in tqdm(range(5), leave=False, desc="[validation]"):
                time.sleep(0.05)
        tqdm.write(f"epoch {epoch + 1}: train loss {loss(epoch, 0):.3f}, val acc 0.8{epoch}")


def bare() -> None:
    """One bar without a label for each epoch."""
    for epoch in range(EPOCHS):
        with truth.epoch(epoch + 1):
            for _ in tqdm(loader(), total=STEPS):
                truth.step()
        with truth.phase("validation", 0.2):
            pass


def epochs_only() -> None:
    """`trange(epochs)` with results as its postfix."""
    for epoch in (bar := trange(EPOCHS)):
        with truth.epoch(epoch + 1):
            for _ in range(STEPS):
                truth.step()
        bar.set_postfix(loss=f"{loss(epoch, 0):.3f}", acc="0.9")


def no_length() -> None:
    """Data without a length: `Epoch 3: 12it [00:01, 9.8it/s]`."""
    for epoch in range(EPOCHS):
        with truth.epoch(epoch + 1):
            for _ in tqdm((i for i in range(STEPS)), desc=f"Epoch {epoch}"):
                truth.step()


def whole_run() -> None:
    """One bar over the steps of the run, and a line at the head of each epoch."""
    bar = tqdm(total=EPOCHS * STEPS, desc="steps")
    for epoch in range(EPOCHS):
        bar.write(f"\nepoch {epoch + 1}/{EPOCHS}")
        with truth.epoch(epoch + 1):
            for step in range(STEPS):
                truth.step()
                bar.update(1)
                bar.set_postfix(avr_loss=loss(epoch, step))


def resumed() -> None:
    """A bar over all steps of a run that is continued: it begins at a third."""
    done = EPOCHS // 3
    bar = tqdm(initial=done * STEPS, total=EPOCHS * STEPS, desc="Training")
    for epoch in range(done, EPOCHS):
        with truth.epoch(epoch + 1):
            for _ in range(STEPS):
                truth.step()
                bar.update()
        with truth.phase("checkpoint", 0.2):
            pass
    bar.close()


def ascii_bars() -> None:
    """`ascii=True, ncols=80`, a custom format, and prints between the redraws."""
    form = "{l_bar}{bar:10}{r_bar}{bar:-10b}"
    for epoch in range(EPOCHS):
        print(f"Epoch {epoch + 1}\n-------------------------------", flush=True)
        with truth.epoch(epoch + 1):
            for step in (bar := tqdm(range(STEPS), ascii=True, ncols=80, bar_format=form)):
                truth.step()
                bar.set_description(f"loss {loss(epoch, step):.4f}")
        with truth.phase("validation", 0.2):
            print(f"Test Error: \n Accuracy: {60 + epoch}.1%, Avg loss: 0.{epoch}9\n", flush=True)
    print("Done!")


VARIANTS: dict[str, tuple[Callable[[], None], int]] = {
    function.__name__: (function, done)
    for function, done in (
        *((labelled, 0), (train_and_valid, 0), (nested, 0), (leave_nothing, 0), (bare, 0)),
        *((epochs_only, 0), (no_length, 0), (whole_run, 0), (resumed, EPOCHS // 3)),
        (ascii_bars, 0),
    )
}

if __name__ == "__main__":
    function, epochs_before = VARIANTS[sys.argv[1]]
    truth.plan(EPOCHS, STEPS, epochs_before)
    time.sleep(0.5)
    function()
