"""fastai's Learner: a bar for each epoch and a table of results."""

from __future__ import annotations

from typing import Any

import torch
from fastai.basics import Callback, DataLoaders, Learner
from fastai.callback.progress import ProgressCallback  # noqa: F401 - draws the bars
from ground_truth import EPOCHS, STEPS, truth
from torch.utils.data import DataLoader, TensorDataset


class Times(Callback):  # type: ignore[misc]
    """Takes the time of the steps and writes the true epochs down."""

    order = -100

    def before_train(self) -> None:
        """An epoch begins."""
        truth.begin(self.epoch + 1)

    def after_batch(self) -> None:
        """One step of work."""
        if self.training:
            truth.step()
        else:
            with truth.phase("validation", 0.04):
                pass

    def after_train(self) -> None:
        """Its training is over."""
        truth.end()


def data(batches: int) -> DataLoader[Any]:
    """So many batches of eight."""
    return DataLoader(
        TensorDataset(torch.randn(8 * batches, 4), torch.randn(8 * batches, 1)), batch_size=8
    )


if __name__ == "__main__":
    truth.plan(EPOCHS, STEPS)
    loaders = DataLoaders(data(STEPS), data(6))
    learner = Learner(
        loaders, torch.nn.Linear(4, 1), loss_func=torch.nn.functional.mse_loss, cbs=[Times()]
    )
    learner.fit(EPOCHS, 0.01)
