"""A loop with DeepSpeed's engine, which prints its steps and their speed."""

from __future__ import annotations

import os
import sys
from typing import Any

os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29555", "RANK": "0"}
os.environ |= {"LOCAL_RANK": "0", "WORLD_SIZE": "1", "DS_ACCELERATOR": "cpu"}

import deepspeed
import torch
from ground_truth import EPOCHS, STEPS, truth


def main() -> None:
    """Train."""
    truth.plan(None, EPOCHS * STEPS)
    # 0.19 prints warnings only; whoever wants to see its steps raises the level.
    for log in (deepspeed.utils.logger, *deepspeed.utils.logger.handlers):
        log.setLevel("INFO")
    # It would be compiled first, and one process has nobody to share memory with.
    communication: Any = sys.modules["deepspeed.comm.torch"]
    communication.build_shm_op = lambda: None
    model = torch.nn.Linear(4, 1)
    engine, *_ = deepspeed.initialize(
        model=model,
        model_parameters=model.parameters(),
        dist_init_required=True,
        config={
            "train_batch_size": 8,
            "optimizer": {"type": "SGD", "params": {"lr": 0.01}},
            "steps_per_print": 10,
            "wall_clock_breakdown": False,
        },
    )
    with truth.run_of_steps():
        for _ in range(EPOCHS * STEPS):
            loss = engine(torch.randn(8, 4)).pow(2).mean()
            engine.backward(loss)
            engine.step()
            truth.step()


if __name__ == "__main__":
    main()
