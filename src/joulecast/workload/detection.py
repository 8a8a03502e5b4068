"""Detection models of torchvision without data: what they compute for images of a size.

What they find decides their last, small operators: here each image has as many proposals and
detections as the configuration allows, which is what they are trained with.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

NOTE = (
    "objects are made up: as many proposals and detections as the configuration allows; matching "
    "of boxes and non-maximum suppression are not counted"
)
# Feature maps are padded to multiples of this (torchvision's GeneralizedRCNNTransform).
_MULTIPLE = 32


class Detector(nn.Module):
    """A detection model as a function of a batch of images, which returns its scores and boxes."""

    notes = (NOTE,)

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @property
    def sizes(self) -> tuple[int, int]:
        """Smaller and larger side of the images that it works on."""
        transform = self.model.transform
        if transform.fixed_size is not None:
            width, height = transform.fixed_size
            return min(width, height), max(width, height)
        return max(transform.min_size), transform.max_size

    def forward(self, images: Tensor) -> list[Tensor]:
        """Scores and boxes, by stage and feature map."""
        images = nn.functional.interpolate(
            images, self._resized(*images.shape[2:]), mode="bilinear"
        )
        features = self.model.backbone(images)
        maps = [features] if isinstance(features, Tensor) else list(features.values())
        if hasattr(self.model, "head"):
            return list(self.model.head(maps).values())
        objectness, deltas = self.model.rpn.head(maps)
        found = [*_flat(objectness, 1), *_flat(deltas, 4)]
        return found + self._by_region(maps[0])

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        """The size after the model's own transform."""
        smaller, larger = self.sizes
        if self.model.transform.fixed_size is not None:
            return smaller, larger
        scale = min(smaller / min(height, width), larger / max(height, width))
        rows, columns = (math.ceil(scale * n / _MULTIPLE) * _MULTIPLE for n in (height, width))
        return rows, columns

    def _by_region(self, features: Tensor) -> list[Tensor]:
        """The second stage, on the regions that the first one proposes."""
        heads = self.model.roi_heads
        sampler = heads.fg_bg_sampler
        regions = sampler.batch_size_per_image if self.training else self.model.rpn.post_nms_top_n()
        boxes = heads.box_head(_pooled(features, regions, heads.box_roi_pool.output_size[0]))
        found = list(heads.box_predictor(boxes))
        positive = round(regions * sampler.positive_fraction)
        objects = positive if self.training else heads.detections_per_img
        for kind in ("mask", "keypoint"):
            if getattr(heads, f"{kind}_head", None) is not None:
                size = getattr(heads, f"{kind}_roi_pool").output_size[0]
                inner = getattr(heads, f"{kind}_head")(_pooled(features, objects, size))
                found.append(getattr(heads, f"{kind}_predictor")(inner))
        return found


def _pooled(features: Tensor, regions: int, size: int) -> Tensor:
    """The features of regions of each image, cut out at one size: they are copied."""
    corner = features[:, :, :1, :1].expand(-1, -1, size, size)
    return torch.cat([corner] * regions)


def _flat(maps: list[Tensor], values: int) -> list[Tensor]:
    return [one.permute(0, 2, 3, 1).reshape(one.shape[0], -1, values) for one in maps]
