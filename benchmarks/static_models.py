"""The networks that the static forecasts are scored on, built as their authors describe them.

Built on the meta device: nothing is computed and nothing downloaded. Comments name the source of
each fact of a job that the data sets lack (length of texts, input pipeline).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from joulecast.workload.libraries import mend_torchvision

# A CPU build of torch lacks two operators that torchvision registers.
mend_torchvision()

# Tokens of the longest tweet of a batch, to which the published script pads.
TEXT = 48
# Tokens of a question and its paragraph: default of the published script.
QUESTION = 384


class _BertLayer(nn.Module):
    """Attention as separate operators, as in the libraries of 2021 (no fused kernel)."""

    def __init__(self, width: int = 768, heads: int = 12, inner: int = 3072) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.drop = nn.Dropout(0.1)

    def _split(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (self._split(layer(x)) for layer in (self.query, self.key, self.value))
        weights = self.drop(torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, -1))
        mixed = (weights @ v).transpose(1, 2).reshape(x.shape)
        x = self.norm1(self.drop(self.out(mixed)) + x)
        return self.norm2(self.drop(self.down(F.gelu(self.up(x)))) + x)


class Bert(nn.Module):
    """BERT base (arXiv 1810.04805) with a head of two classes; its input is token numbers."""

    def __init__(self, layers: int = 12, width: int = 768) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(30522, width), nn.Embedding(512, width)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 2)
        self.layers = nn.Sequential(*(_BertLayer() for _ in range(layers)))

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores of two classes."""
        return self.head(self.layers(self.norm(self.words(tokens) + self.places(tokens))))


class NeuMF(nn.Module):
    """Neural collaborative filtering (arXiv 1708.05031) on MovieLens-1M, factor 32, 3 layers."""

    def __init__(self, users: int = 6040, items: int = 3706, factor: int = 32) -> None:
        super().__init__()
        wide = 4 * factor
        self.user_gmf, self.item_gmf = nn.Embedding(users, factor), nn.Embedding(items, factor)
        self.user_mlp, self.item_mlp = nn.Embedding(users, wide), nn.Embedding(items, wide)
        sizes = [2 * wide, wide, wide // 2, wide // 4]
        pairs = pairwise(sizes)
        self.mlp = nn.Sequential(*(m for a, b in pairs for m in (nn.Linear(a, b), nn.ReLU())))
        self.head = nn.Linear(2 * factor, 1)

    def forward(self, pairs: Tensor) -> Tensor:
        """A score for each pair of user and item."""
        user, item = pairs[:, 0], pairs[:, 1]
        deep = self.mlp(torch.cat([self.user_mlp(user), self.item_mlp(item)], -1))
        return self.head(torch.cat([self.user_gmf(user) * self.item_gmf(item), deep], -1))


class DeepSpeech2(nn.Module):
    """Deep Speech 2 (arXiv 1512.02595) as in deepspeech.pytorch: 2 convolutions, 5 bi-LSTM."""

    def __init__(self, width: int = 1024, layers: int = 5) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(1, 32, (41, 11), (2, 2), (20, 5)), nn.BatchNorm2d(32), nn.Hardtanh(0, 20),
            nn.Conv2d(32, 32, (21, 11), (2, 1), (10, 5)), nn.BatchNorm2d(32), nn.Hardtanh(0, 20),
        )  # fmt: skip
        sizes = [32 * 41, *[width] * (layers - 1)]
        self.rnns = nn.ModuleList(nn.LSTM(s, width, bidirectional=True) for s in sizes)
        self.norms = nn.ModuleList(nn.BatchNorm1d(s) for s in sizes[1:])
        self.head = nn.Linear(width, 29, bias=False)

    def forward(self, sound: Tensor) -> Tensor:
        """Scores of letters for each frame of a spectrogram."""
        x = self.convs(sound).flatten(1, 2).permute(2, 0, 1)
        for i, rnn in enumerate(self.rnns):
            if i:
                x = self.norms[i - 1](x.flatten(0, 1)).view(x.shape)
            x = rnn(x)[0]
            x = x.view(*x.shape[:2], 2, -1).sum(2)
        return self.head(x)


def shufflenet_cifar() -> nn.Module:
    """ShuffleNetV2 1x (arXiv 1807.11164) for 32 x 32 pixels: its stem keeps the resolution."""
    from torchvision.models import shufflenet_v2_x1_0

    net = shufflenet_v2_x1_0(num_classes=100)
    net.conv1[0] = nn.Conv2d(3, 24, 3, 1, 1, bias=False)
    net.maxpool = nn.Identity()
    return net


def resnet50() -> nn.Module:
    """torchvision's ResNet-50 (arXiv 1512.03385)."""
    from torchvision.models import resnet50 as build

    return build()


def vgg16_headless() -> nn.Module:
    """VGG16's convolutions with a pooled head, as the SEAA study trains it (10.03 GFLOP)."""
    from torchvision.models import vgg16

    net = vgg16()
    return nn.Sequential(net.features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1))


class _First(nn.Module):
    def forward(self, x: Tensor, _: Tensor) -> Tensor:
        return x


def nasnet_mobile() -> nn.Module:
    """NASNet-A (4 @ 1056) (arXiv 1707.07012): timm's NASNet-A Large with 4 cells per stage."""
    from timm.models.nasnet import NASNetALarge

    net = NASNetALarge(num_classes=2, stem_size=32, num_features=1056, channel_multiplier=2)
    for i in (4, 5, 10, 11, 16, 17):
        setattr(net, f"cell_{i}", _First())
    return net


def timm_model(name: str) -> Callable[[], nn.Module]:
    """A function that builds timm's model of this name with two classes."""

    def build() -> nn.Module:
        import timm

        return timm.create_model(name, num_classes=2)

    return build


SEAA: dict[str, Callable[[], nn.Module]] = {
    "mobilenet_v2": timm_model("mobilenetv2_100"),
    "resnet50": timm_model("resnet50"),
    "xception": timm_model("legacy_xception"),
    "vgg16": vgg16_headless,
    "nasnet_mobile": nasnet_mobile,
}


class _ConvNorm(nn.Sequential):
    def __init__(self, c_in: int, c_out: int, kernel: int) -> None:
        conv = nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, bias=False)
        super().__init__(conv, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))


def _channels(matrix: list[list[int]], c_in: int, c_out: int) -> list[int]:
    """Channels of each vertex (NAS-Bench-101, arXiv 1902.09635).

    The channels of the vertices that lead to the output add up to `c_out`.
    """
    n = len(matrix)
    channels = [0] * n
    channels[0], channels[-1] = c_in, c_out
    if n == 2:
        return channels
    into_out = [v for v in range(1, n - 1) if matrix[v][n - 1]]
    share, rest = divmod(c_out, max(1, len(into_out)))
    for i, v in enumerate(into_out):
        channels[v] = share + (i < rest)
    for v in range(n - 2, 0, -1):
        if not matrix[v][n - 1]:
            after = [channels[w] for w in range(v + 1, n - 1) if matrix[v][w]]
            channels[v] = max(after, default=share)
    return channels


class Cell(nn.Module):
    """A cell of NAS-Bench-101: 3x3 convolution, 1x1 convolution or 3x3 pooling at each vertex."""

    def __init__(self, matrix: list[list[int]], labels: list[int], c_in: int, c_out: int) -> None:
        super().__init__()
        self.matrix, self.n = matrix, len(matrix)
        self.size = _channels(matrix, c_in, c_out)
        self.vertices = nn.ModuleList(self._vertex(labels[v], self.size[v]) for v in self.inner)
        self.projections = nn.ModuleDict(
            {str(v): _ConvNorm(c_in, self.size[v], 1) for v in range(1, self.n) if matrix[0][v]}
        )

    @property
    def inner(self) -> range:
        """Vertices between input and output."""
        return range(1, self.n - 1)

    @staticmethod
    def _vertex(label: int, channels: int) -> nn.Module:
        if label == 2:
            return nn.MaxPool2d(3, 1, 1)
        return _ConvNorm(channels, channels, 3 if label == 0 else 1)

    def forward(self, x: Tensor) -> Tensor:
        """The output vertex."""
        seen = {0: x}
        for v in self.inner:
            parts = [seen[w][:, : self.size[v]] for w in range(1, v) if self.matrix[w][v]]
            if self.matrix[0][v]:
                parts.append(self.projections[str(v)](x))
            if parts:
                seen[v] = self.vertices[v - 1](sum(parts[1:], parts[0]))
        ends = [seen[v] for v in self.inner if self.matrix[v][-1] and v in seen]
        last = str(self.n - 1)
        if not ends:
            return self.projections[last](x)
        out = torch.cat(ends, 1) if len(ends) > 1 else ends[0]
        return out + self.projections[last](x) if self.matrix[0][-1] else out


def nas_network(matrix: list[list[int]], labels: list[int]) -> nn.Module:
    """Stem of 128 channels, three stacks of three cells, halved and doubled between (32 x 32)."""
    layers: list[nn.Module] = [_ConvNorm(3, 128, 3)]
    c_in, c_out = 128, 128
    for stack in range(3):
        if stack:
            layers.append(nn.MaxPool2d(2))
            c_out *= 2
        for _ in range(3):
            layers.append(Cell(matrix, labels, c_in, c_out))
            c_in = c_out
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c_out, 10)]
    return nn.Sequential(*layers, *head)
