"""Trains a small convolutional network on scikit-learn's handwritten digits.

Run it alone (`python examples/train_digits.py`) and it records itself; under `joulecast run` it
joins that recording.
"""

import argparse

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import joulecast


def load(batch_size: int) -> tuple[DataLoader, DataLoader]:
    """The 1,797 images of 8 x 8 pixels, three quarters of them to train on."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(digits.target)
    parts = train_test_split(images, labels, test_size=0.25, random_state=0, stratify=labels)
    x_train, x_test, y_train, y_test = parts
    train = DataLoader(TensorDataset(x_train, y_train), batch_size, shuffle=True)
    return train, DataLoader(TensorDataset(x_test, y_test), batch_size)


def build() -> nn.Module:
    """Three convolutions and a classifier."""
    return nn.Sequential(
        nn.Conv2d(1, 128, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(128, 256, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(256, 512, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


def train_one_epoch(model: nn.Module, data: DataLoader, optimizer: torch.optim.Optimizer) -> float:
    """Mean loss over the epoch."""
    model.train()
    total = 0.0
    for images, labels in data:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(data.dataset)


@torch.inference_mode()
def accuracy(model: nn.Module, data: DataLoader) -> float:
    """Share of the images that are classified correctly."""
    model.eval()
    right = sum((model(images).argmax(1) == labels).sum().item() for images, labels in data)
    return right / len(data.dataset)


def main() -> None:
    """Train, and print loss and accuracy of each epoch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=16)
    args = parser.parse_args()

    torch.manual_seed(0)
    train, test = load(args.batch_size)
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    with joulecast.record("digits", epochs=args.epochs) as run:
        for epoch in run.epochs():
            loss = train_one_epoch(model, train, optimizer)
            with run.span("validate"):
                score = accuracy(model, test)
            run.log(loss=loss, accuracy=score)
            print(f"epoch {epoch + 1}/{args.epochs}: loss {loss:.3f}, accuracy {score:.3f}")


if __name__ == "__main__":
    main()
