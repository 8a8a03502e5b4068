"""A loop with Accelerate as in its examples: one bar over all update steps, results per epoch."""

from __future__ import annotations

import logging
import sys

import torch
from accelerate import Accelerator
from accelerate.logging import get_logger
from ground_truth import EPOCHS, STEPS, truth
from torch.utils.data import DataLoader, TensorDataset
from tqdm.auto import tqdm


def main(variant: str) -> None:
    """Train."""
    done = EPOCHS // 3 if variant == "resumed" else 0
    truth.plan(EPOCHS, STEPS, done)
    accelerator = Accelerator(cpu=True)
    logging.basicConfig(
        format="%(asctime)s - %(levelname)s - %(name)s - %(message)s",
        datefmt="%m/%d/%Y %H:%M:%S",
        level=logging.INFO,
    )
    logger = get_logger(__name__)
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    data = DataLoader(TensorDataset(torch.randn(8 * STEPS, 4)), batch_size=8)
    model, optimizer, data = accelerator.prepare(model, optimizer, data)
    steps = EPOCHS * len(data)
    logger.info("***** Running training *****")
    logger.info(f"  Num examples = {8 * STEPS}")
    logger.info(f"  Num Epochs = {EPOCHS}")
    logger.info("  Instantaneous batch size per device = 8")
    logger.info("  Gradient Accumulation steps = 1")
    logger.info(f"  Total optimization steps = {steps}")
    bar = tqdm(range(steps), disable=not accelerator.is_local_main_process)
    if done:
        accelerator.print(f"Resumed from checkpoint: epoch_{done - 1}")
        bar.update(done * STEPS)
    for epoch in range(done, EPOCHS):
        with truth.epoch(epoch + 1):
            for (batch,) in data:
                loss = model(batch).pow(2).mean()
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
                truth.step()
                bar.update(1)
        with truth.phase("evaluation", 0.3):
            logger.info(f"epoch {epoch}: {{'accuracy': 0.{70 + epoch}, 'f1': 0.{80 + epoch}}}")
    with truth.phase("saving", 0.3):
        pass


if __name__ == "__main__":
    main(sys.argv[1])
