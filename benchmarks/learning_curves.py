"""Real learning curves: small networks trained here, on data of scikit-learn and of Python itself.

Five data sets; networks of several widths and depths, learning rates over two orders of magnitude,
with and without dropout, schedules and wrong labels, on all or part of the data. Some overfit
within ten epochs, some still improve after a hundred.
"""

from __future__ import annotations

import argparse as first_text
import inspect
import json.decoder as second_text
import random
import textwrap as third_text
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

# The number of bytes from which the next byte is predicted.
CONTEXT = 8
ACCURACY, LOSS = "val_accuracy", "val_loss"


@dataclass(frozen=True, slots=True)
class Setting:
    """One training."""

    data: str
    seed: int
    epochs: int
    width: int
    depth: int
    dropout: float
    rate: float
    optimizer: str
    schedule: str
    batch: int
    wrong: float  # part of the labels that are
    part: float  # of the training data


def settings(data: str, many: int, epochs: int) -> Iterator[Setting]:
    """Settings drawn at random, the same each time."""
    draw = random.Random(data)
    for seed in range(many):
        yield Setting(
            data=data,
            seed=seed,
            epochs=epochs,
            width=draw.choice([8, 16, 32, 64, 128]),
            depth=draw.choice([1, 2]),
            dropout=draw.choice([0.0, 0.0, 0.2, 0.5]),
            rate=10 ** draw.uniform(-4, -2),
            optimizer=draw.choice(["adam", "sgd"]),
            schedule=draw.choice(["none", "none", "cosine", "step"]),
            batch=128 if data == "text" else draw.choice([16, 32, 64, 128]),
            wrong=draw.choice([0.0, 0.0, 0.1, 0.3]),
            part=draw.choice([0.2, 0.5, 1.0]),
        )


def train(setting: Setting) -> dict[str, list[float]]:
    """Validation loss and accuracy (R squared of a regression) after each epoch."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(setting.seed)
    x, y, validation_x, validation_y = (torch.from_numpy(a) for a in _data(setting))
    regression = y.is_floating_point()
    network = _network(setting, x, 1 if regression else 256 if setting.data == "text" else 10)
    optimizer: torch.optim.Optimizer
    if setting.optimizer == "adam":
        optimizer = torch.optim.Adam(network.parameters(), lr=setting.rate)
    else:
        optimizer = torch.optim.SGD(network.parameters(), lr=30 * setting.rate, momentum=0.9)
    schedule: Any = {
        "none": lambda: None,
        "cosine": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, setting.epochs),
        "step": lambda: torch.optim.lr_scheduler.StepLR(optimizer, setting.epochs // 4, 0.3),
    }[setting.schedule]()

    def loss(out: Any, truth: Any) -> Any:
        if regression:
            return ((out[:, 0] - truth) ** 2).mean()
        return torch.nn.functional.cross_entropy(out, truth)

    curves: dict[str, list[float]] = {LOSS: [], ACCURACY: []}
    for _ in range(setting.epochs):
        network.train()
        for batch in torch.randperm(len(x)).split(setting.batch):
            optimizer.zero_grad()
            loss(network(x[batch]), y[batch]).backward()
            optimizer.step()
        if schedule is not None:
            schedule.step()
        network.eval()
        with torch.no_grad():
            out = network(validation_x)
            error = float(loss(out, validation_y))
            right = (out.argmax(1) == validation_y).float().mean()
        curves[LOSS].append(error)
        curves[ACCURACY].append(
            1 - error / float(validation_y.var()) if regression else float(right)
        )
    return curves


def _network(setting: Setting, x: Any, classes: int) -> Any:
    from torch import nn

    layers: list[nn.Module] = []
    size = x.shape[1]
    if setting.data == "text":
        layers, size = [nn.Embedding(256, 16), nn.Flatten()], 16 * CONTEXT
    for _ in range(setting.depth):
        layers += [nn.Linear(size, setting.width), nn.ReLU(), nn.Dropout(setting.dropout)]
        size = setting.width
    return nn.Sequential(*layers, nn.Linear(size, classes))


def _data(setting: Setting) -> tuple[np.ndarray, ...]:
    """Inputs and labels to train on, then those to validate on."""
    draw = np.random.default_rng(setting.seed)
    if setting.data == "text":
        modules = (first_text, second_text, third_text)
        source = "".join(inspect.getsource(module) for module in modules).encode()
        windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(source, np.uint8), 9)
        cut = len(windows) * 4 // 5
        seen = windows[draw.permutation(cut)[: int(6000 * setting.part)]].astype(np.int64)
        unseen = windows[cut + 9 :][draw.permutation(len(windows) - cut - 9)[:1500]].astype(
            np.int64
        )
        return seen[:, :-1], seen[:, -1].copy(), unseen[:, :-1], unseen[:, -1].copy()
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{setting.data}")()
    order = draw.permutation(len(bunch.data))
    x, y = bunch.data[order].astype(np.float32), bunch.target[order]
    count = len(x) // 4
    rest = slice(count, count + int((len(x) - count) * setting.part))
    x = (x - x[rest].mean(axis=0)) / (x[rest].std(axis=0) + 1e-6)
    if setting.data == "diabetes":
        y = ((y - y[rest].mean()) / y[rest].std()).astype(np.float32)
    else:
        y = y.astype(np.int64)
        wrong = count + np.flatnonzero(draw.random(len(x[rest])) < setting.wrong)
        y[wrong] = draw.permutation(y[wrong])
    return x[rest], y[rest], x[:count], y[:count]
