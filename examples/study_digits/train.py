"""The study's training function: one of six small networks on scikit-learn's handwritten digits.

It does not use joulecast. Each `yield` ends an epoch and returns its metrics.
"""

from collections.abc import Iterator

import torch
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, precision_recall_fscore_support
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


def train(
    architecture: str, batch: int, seed: int, epochs: int, learning_rate: float = 2e-3
) -> Iterator[dict[str, float]]:
    """Train, and yield the loss and the quality on the test images after each epoch."""
    # Networks this small are no faster with a second thread.
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    images, labels, test_images, test_labels = load()
    model = ARCHITECTURES[architecture]()
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    for _ in range(epochs):
        model.train()
        for chosen in torch.randperm(len(images)).split(batch):
            optimizer.zero_grad()
            cross_entropy(model(images[chosen]), labels[chosen]).backward()
            optimizer.step()
        yield evaluate(model, test_images, test_labels)


def load() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The 1,797 images of 8 x 8 pixels, three quarters of them to train on."""
    digits = load_digits()
    parts = train_test_split(
        digits.images, digits.target, test_size=0.25, random_state=0, stratify=digits.target
    )
    train_images, test_images, train_labels, test_labels = map(torch.tensor, parts)
    scaled = [images.float().unsqueeze(1) / 16 for images in (train_images, test_images)]
    return scaled[0], train_labels, scaled[1], test_labels


@torch.inference_mode()
def evaluate(model: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Loss, accuracy, and precision, recall and F1 averaged over the ten digits."""
    model.eval()
    outputs = model(images)
    predicted = outputs.argmax(1)
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predicted, average="macro", zero_division=0
    )
    return {
        "val_loss": cross_entropy(outputs, labels).item(),
        "accuracy": float(accuracy_score(labels, predicted)),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
    }


def mlp() -> nn.Module:
    """Two layers that ignore the positions of the pixels."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


def cnn(*widths: int) -> nn.Module:
    """A 3 x 3 convolution for each width, the image halved after the first."""
    layers: list[nn.Module] = []
    for before, width in zip((1, *widths), widths, strict=False):
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if before == 1 else []
    return nn.Sequential(*layers, *_head(widths[-1]))


def depthwise() -> nn.Module:
    """Convolutions of one channel each, mixed by convolutions of one pixel (MobileNet's)."""
    layers: list[nn.Module] = [nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    for before, width in ((32, 64), (64, 64)):
        layers += [nn.Conv2d(before, before, 3, padding=1, groups=before), nn.BatchNorm2d(before)]
        layers += [nn.ReLU(), nn.Conv2d(before, width, 1), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, *_head(64))


class VisionTransformer(nn.Module):
    """Sixteen patches of 2 x 2 pixels, two blocks of attention."""

    def __init__(self, width: int = 48, depth: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 2, stride=2)
        self.position = nn.Parameter(torch.randn(16, width) * 0.02)
        block = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, depth, enable_nested_tensor=False)
        self.classify = nn.Linear(width, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Scores of the ten digits, shape (batch, 10)."""
        patches = self.patches(images).flatten(2).transpose(1, 2)
        return self.classify(self.blocks(patches + self.position).mean(1))


def _head(width: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)]


ARCHITECTURES = {
    "mlp": mlp,
    "cnn_narrow": lambda: cnn(16, 32),
    "cnn_wide": lambda: cnn(64, 128),
    "cnn_deep": lambda: cnn(32, 32, 32, 32, 32),
    "depthwise": depthwise,
    "vit": VisionTransformer,
}
