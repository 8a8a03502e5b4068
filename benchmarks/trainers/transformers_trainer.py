"""The Hugging Face Trainer: evaluation, resuming, accumulation, by steps, without a bar."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import torch
import transformers
from ground_truth import EPOCHS, STEPS, truth


class Data(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Random vectors."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        if index >= self.size:
            raise IndexError
        return {"x": torch.randn(4), "labels": torch.randn(1)}

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        return (self[i] for i in range(self.size))


class Net(torch.nn.Module):
    """A linear layer that takes its time, in training and in evaluation."""

    def __init__(self, quick: bool = False) -> None:
        super().__init__()
        self.layer, self.quick = torch.nn.Linear(4, 1), quick
        self.micro_steps, self.evaluation = 1, "evaluation"

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """The loss and the prediction."""
        if not self.quick and self.training:
            truth.step(0.05 / self.micro_steps)
        elif not self.quick:
            with truth.phase(self.evaluation, 0.04):
                pass
        out = self.layer(x)
        return {"loss": (out - labels).pow(2).mean(), "logits": out}


class Epochs(transformers.TrainerCallback):
    """Writes the true epochs down."""

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """An epoch begins."""
        truth.begin(round(state.epoch or 0) + 1)

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        """Its training is over; an evaluation may follow."""
        truth.end()


def main(variant: str) -> None:
    """Train."""
    done = EPOCHS // 3 if variant == "resumed" else 0
    truth.plan(EPOCHS, STEPS, done)
    folder = tempfile.mkdtemp()
    options: dict[str, Any] = {
        "output_dir": folder,
        "num_train_epochs": EPOCHS,
        "per_device_train_batch_size": 8,
        "per_device_eval_batch_size": 8,
        "logging_steps": 8,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "report_to": [],
        "use_cpu": True,
    }
    size = 8 * STEPS
    if variant == "accumulation":
        options |= {"gradient_accumulation_steps": 4}
        size *= 4
    if variant == "steps":
        options |= {"max_steps": EPOCHS * STEPS, "eval_strategy": "steps", "eval_steps": 24}
        options |= {"save_strategy": "no"}
    if variant == "no_bar":
        options |= {"disable_tqdm": True}
    if variant == "silent":
        options |= {"logging_strategy": "no", "eval_strategy": "no", "save_strategy": "no"}
    arguments = transformers.TrainingArguments(**options)
    train, test = Data(size), Data(48)
    if done:
        quiet = transformers.TrainingArguments(
            **(options | {"disable_tqdm": True, "eval_strategy": "no"})
        )
        log = transformers.PrinterCallback

        class Stop(transformers.TrainerCallback):
            """Ends the earlier run."""

            def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                """After a third of the epochs."""
                control.should_save = True
                control.should_training_stop = state.epoch >= done

        earlier = transformers.Trainer(Net(quick=True), quiet, train_dataset=train)
        earlier.add_callback(Stop())
        earlier.remove_callback(log)
        earlier.train()
    model = Net()
    model.micro_steps = options.get("gradient_accumulation_steps", 1)
    trainer = transformers.Trainer(
        model, arguments, train_dataset=train, eval_dataset=test, callbacks=[Epochs()]
    )
    trainer.train(resume_from_checkpoint=bool(done) or None)
    model.evaluation = "test"
    print(trainer.evaluate(Data(160)))


if __name__ == "__main__":
    main(sys.argv[1])
