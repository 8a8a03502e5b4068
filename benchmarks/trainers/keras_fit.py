"""Keras 3 on its torch backend: `fit` with bars, with lines, and continued from an epoch."""

from __future__ import annotations

import os
import sys
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
from ground_truth import EPOCHS, STEPS, truth


class Times(keras.callbacks.Callback):  # type: ignore[misc]
    """Takes the time of the steps and writes the true epochs down."""

    def __init__(self, evaluation: str = "validation") -> None:
        super().__init__()
        self.evaluation = evaluation

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """An epoch begins."""
        truth.begin(epoch + 1)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """One step of work; the last of an epoch ends its training."""
        truth.step()
        if batch == STEPS - 1:
            truth.end()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """A step of the validation, or of the final test."""
        with truth.phase(self.evaluation, 0.04):
            pass


def main(variant: str) -> None:
    """Train."""
    done = EPOCHS // 3 if variant == "resumed" else 0
    truth.plan(EPOCHS, STEPS, done)
    model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    x, y = np.random.rand(8 * STEPS, 4), np.random.rand(8 * STEPS, 1)
    model.fit(
        *(x, y),
        batch_size=8,
        epochs=EPOCHS,
        initial_epoch=done,
        verbose=2 if variant == "lines" else "auto",
        validation_data=(x[:40], y[:40]),
        callbacks=[Times()],
    )
    model.evaluate(x[:80], y[:80], batch_size=8, callbacks=[Times("test")])


if __name__ == "__main__":
    main(sys.argv[1])
