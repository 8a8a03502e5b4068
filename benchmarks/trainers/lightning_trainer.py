"""Lightning's Trainer: its tqdm and rich bars, data without a length, a resumed run."""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning
import torch
from ground_truth import EPOCHS, STEPS, truth
from lightning.pytorch.callbacks import Callback, RichProgressBar, TQDMProgressBar
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

warnings.filterwarnings("ignore")


class Endless(IterableDataset):  # type: ignore[type-arg]
    """Batches of which nobody knows the number."""

    def __iter__(self) -> Iterator[list[torch.Tensor]]:
        for _ in range(STEPS):
            yield [torch.randn(8, 4)]


class Net(lightning.LightningModule):
    """A linear layer that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        """One step of work."""
        truth.step()
        loss: torch.Tensor = self.layer(batch[0]).pow(2).mean()
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[torch.Tensor], _: int) -> None:
        """A shorter one."""
        with truth.phase("validation", 0.04):
            self.log("val_loss", self.layer(batch[0]).pow(2).mean(), prog_bar=True)

    def test_step(self, batch: list[torch.Tensor], _: int) -> None:
        """Also a shorter one."""
        with truth.phase("test", 0.04):
            self.log("test_loss", self.layer(batch[0]).pow(2).mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Plain descent."""
        return torch.optim.SGD(self.parameters(), 0.01)


class Epochs(Callback):
    """Writes the true epochs down."""

    def on_train_epoch_start(self, trainer: Any, _: Any) -> None:
        """An epoch begins."""
        truth.begin(trainer.current_epoch + 1)

    def on_train_epoch_end(self, *_: Any) -> None:
        """Its training and validation are over."""
        truth.end()


def data(batches: int) -> DataLoader[Any]:
    """So many batches of eight."""
    return DataLoader(TensorDataset(torch.randn(8 * batches, 4)), batch_size=8)


def trainer(epochs: int, *, rich: bool, quiet: bool = False) -> lightning.Trainer:
    """A Trainer on the CPU that stores nothing of itself."""
    return lightning.Trainer(
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=not quiet,
        enable_progress_bar=not quiet,
        accelerator="cpu",
        log_every_n_steps=1,
        callbacks=[] if quiet else [Epochs(), RichProgressBar() if rich else TQDMProgressBar()],
    )


def main(variant: str) -> None:
    """Train."""
    rich = variant.startswith("rich")
    done = EPOCHS // 3 if "resumed" in variant else 0
    truth.plan(EPOCHS, STEPS, done)
    checkpoint = None
    if done:
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        checkpoint = str(Path(tempfile.mkdtemp()) / "last.ckpt")
        earlier = trainer(done, rich=rich, quiet=True)
        earlier.fit(Quick(), data(STEPS))
        earlier.save_checkpoint(checkpoint)
        logging.getLogger("lightning.pytorch").setLevel(logging.INFO)
    train = DataLoader(Endless(), batch_size=None) if "no_length" in variant else data(STEPS)
    model, later = Net(), trainer(EPOCHS, rich=rich)
    later.fit(model, train, data(8), ckpt_path=checkpoint, weights_only=False)
    later.test(model, data(20))


class Quick(Net):
    """The earlier run, of which only the checkpoint matters."""

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        """No time is taken."""
        loss: torch.Tensor = self.layer(batch[0]).pow(2).mean()
        return loss


if __name__ == "__main__":
    main(sys.argv[1])
