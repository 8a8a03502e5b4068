"""Ultralytics' YOLO on drawn images: its table of epochs, its bars, its validation."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["YOLO_OFFLINE"] = "true"

import numpy as np
from ground_truth import EPOCHS, truth
from PIL import Image
from ultralytics import YOLO

IMAGES = 24


def dataset(folder: Path) -> Path:
    """Images of one square each, and the file that describes them."""
    rng = np.random.default_rng(0)
    for part, count in (("train", IMAGES), ("val", 8)):
        for kind in ("images", "labels"):
            (folder / kind / part).mkdir(parents=True)
        for i in range(count):
            image = rng.integers(0, 80, (64, 64, 3), dtype=np.uint8)
            image[20:44, 20:44] = 255
            Image.fromarray(image).save(folder / "images" / part / f"{i}.png")
            (folder / "labels" / part / f"{i}.txt").write_text("0 0.5 0.5 0.375 0.375\n")
    description = folder / "data.yaml"
    description.write_text(
        f"path: {folder}\ntrain: images/train\nval: images/val\nnames:\n  0: square\n"
    )
    return description


def epoch_begins(trainer: Any) -> None:
    """An epoch begins."""
    truth.begin(trainer.epoch + 1)


def batch_ends(_: Any) -> None:
    """A step of real work, and some more time."""
    truth.step(0.05)


def epoch_ends(_: Any) -> None:
    """The training of an epoch is over; its validation follows."""
    truth.end()


def validation_begins(validator: Any) -> None:
    """A validation, of an epoch or the final one."""
    validator.began = time.monotonic()


def validation_ends(validator: Any) -> None:
    """It is over."""
    truth.past_phase("validation" if validator.training else "test", validator.began)


def main(variant: str) -> None:
    """Train."""
    truth.plan(EPOCHS, IMAGES // 4)
    model = YOLO("yolo11n.yaml", verbose=False)
    model.add_callback("on_train_epoch_start", epoch_begins)
    model.add_callback("on_train_batch_end", batch_ends)
    model.add_callback("on_train_epoch_end", epoch_ends)
    model.add_callback("on_val_start", validation_begins)
    model.add_callback("on_val_end", validation_ends)
    folder = Path(tempfile.mkdtemp())
    model.train(
        data=str(dataset(folder)),
        epochs=EPOCHS,
        imgsz=32,
        batch=4,
        workers=0,
        device="cpu",
        plots=False,
        amp=False,
        optimizer="SGD",
        pretrained=False,
        project=str(folder),
        val=variant != "no_validation",
    )


if __name__ == "__main__":
    main(sys.argv[1])
