"""PyTorch Ignite's engine with its progress bars, for the training and for its evaluator."""

from __future__ import annotations

from typing import Any

import torch
from ground_truth import EPOCHS, STEPS, truth
from ignite.engine import Engine, Events
from ignite.handlers.tqdm_logger import ProgressBar


def train_step(_: Engine, batch: torch.Tensor) -> dict[str, float]:
    """One step of work."""
    truth.step()
    return {"loss": float(batch.pow(2).mean())}


def evaluate_step(_: Engine, batch: torch.Tensor) -> float:
    """A shorter one."""
    with truth.phase("validation", 0.04):
        return float(batch.mean())


def main() -> None:
    """Train."""
    truth.plan(EPOCHS, STEPS)
    trainer, evaluator = Engine(train_step), Engine(evaluate_step)
    bar = ProgressBar()
    bar.attach(trainer, output_transform=lambda output: output)
    ProgressBar(desc="Evaluation").attach(evaluator)

    def epoch_begins(engine: Engine) -> None:
        truth.begin(engine.state.epoch)

    def epoch_ends(engine: Engine) -> None:
        truth.end()
        evaluator.run(data(6))
        bar.log_message(f"epoch {engine.state.epoch} validated")

    trainer.add_event_handler(Events.EPOCH_STARTED, epoch_begins)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, epoch_ends)
    trainer.run(data(STEPS), max_epochs=EPOCHS)


def data(batches: int) -> list[Any]:
    """So many batches."""
    return [torch.randn(8, 4) for _ in range(batches)]


if __name__ == "__main__":
    main()
