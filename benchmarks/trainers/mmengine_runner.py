"""mmengine's Runner: by epochs, by iterations, and resumed."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

# mmengine reads its own checkpoints, which hold more than weights.
os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"

import torch
from ground_truth import EPOCHS, STEPS, truth
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner


class Net(BaseModel):  # type: ignore[misc]
    """A linear layer that takes its time, in training and in validation."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
        self.quick = False

    def forward(self, x: torch.Tensor, mode: str = "tensor") -> Any:
        """The loss, or the predictions."""
        if mode == "loss":
            if not self.quick:
                truth.step()
            return {"loss": self.layer(x).pow(2).mean()}
        with truth.phase("validation", 0.04):
            return [self.layer(x).detach()]


class Error(BaseMetric):  # type: ignore[misc]
    """Some number."""

    def process(self, data_batch: Any, data_samples: Any) -> None:
        """One batch."""
        self.results.append(float(data_samples[0].mean()))

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        """Their mean."""
        return {"error": sum(results) / len(results)}


class Epochs(Hook):  # type: ignore[misc]
    """Writes the true epochs down."""

    priority = "VERY_HIGH"

    def before_train_epoch(self, runner: Any) -> None:
        """An epoch begins."""
        truth.begin(runner.epoch + 1)

    def after_train_iter(self, runner: Any, batch_idx: int, *_: Any, **__: Any) -> None:
        """The last step of an epoch ends its training."""
        if batch_idx == STEPS - 1:
            truth.end()


def runner(epochs: int, folder: str, hooks: list[Any], by_epoch: bool, **more: Any) -> Runner:
    """A Runner on the CPU."""
    data = [{"x": torch.randn(4)} for _ in range(8 * STEPS)]
    loader = {
        "batch_size": 8,
        "num_workers": 0,
        "dataset": data,
        "collate_fn": {"type": "default_collate"},
    }
    sampler = {"type": "DefaultSampler" if by_epoch else "InfiniteSampler", "shuffle": False}
    rule = (
        {"by_epoch": True, "max_epochs": epochs, "val_interval": 1}
        if by_epoch
        else {"by_epoch": False, "max_iters": epochs * STEPS, "val_interval": 3 * STEPS}
    )
    every = {"by_epoch": by_epoch, "interval": 1 if by_epoch else 3 * STEPS}
    return Runner(
        model=Net(),
        work_dir=folder,
        train_dataloader=dict(loader, sampler=sampler),
        val_dataloader=dict(
            loader, dataset=data[:48], sampler={"type": "DefaultSampler", "shuffle": False}
        ),
        val_evaluator=[Error()],
        train_cfg=rule,
        val_cfg={},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.01}},
        custom_hooks=hooks,
        default_hooks={
            "logger": {"type": "LoggerHook", "interval": 5},
            "checkpoint": dict(every, type="CheckpointHook"),
        },
        **more,
    )


def main(variant: str) -> None:
    """Train."""
    done, by_epoch = (EPOCHS // 3 if variant == "resumed" else 0), "iterations" not in variant
    truth.plan(*((EPOCHS, STEPS) if by_epoch else (None, EPOCHS * STEPS)), done)
    folder = tempfile.mkdtemp()
    if done:
        earlier = runner(done, folder, [], by_epoch, log_level="ERROR", experiment_name="earlier")
        earlier.model.quick = True
        earlier.train()
    hooks = [Epochs()] if by_epoch else []
    # Many forget that the log has an option of its own, and read of epochs that there are not.
    log = {"by_epoch": variant != "iterations"}
    trainer = runner(
        *(EPOCHS, folder, hooks, by_epoch),
        resume=bool(done),
        experiment_name="run",
        log_processor=log,
    )
    if by_epoch:
        trainer.train()
    else:
        with truth.run_of_steps():
            trainer.train()


if __name__ == "__main__":
    main(sys.argv[1])
