"""Trainings that take a moment, and pictures for them: for tests of what surrounds a training."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

import osler
from osler.verbs.preparing import Prepared, Wishes, prepare
from osler.verbs.run import Run

# 80 handwritten digits through a network of 3,000 weights, each picture as it is.
TINY: dict[str, Any] = {
    "data.limit": 80,
    "epochs": 1,
    "model.name": "convnet",
    "model.options": {"widths": [8, 16], "depth": 1},
    "augment": "none",
    "precision": "float32",
    "workers": 0,
}


def tiny_run(out: Path, *, observers: Any = (), report: bool = False, **values: Any) -> Run:
    """A training of TINY with other values over it. `data`, `model` and `loss` go as they are to `osler.train`.

    Drawing the report takes longer than the training: it is left out unless asked for.
    """
    objects = {k: values.pop(k) for k in ("data", "loss", "recipe", "overrides") if k in values}
    if "model" in values:
        objects["model"] = values.pop("model")
        kept = {k: v for k, v in TINY.items() if not k.startswith("model.")}
    else:
        kept = TINY
    if "data" in objects:
        kept = {k: v for k, v in kept.items() if k != "data.limit"}
    with nullcontext() if report else no_report():
        return osler.train(out=out, quiet=True, observers=observers, **objects, **(kept | values))


def no_report() -> AbstractContextManager[Any]:
    """Within, a run ends without its report."""
    return patch("osler.verbs.finishing.write_report")


def tiny_preparation(**values: Any) -> Prepared:
    """What `tiny_run` would train, not yet begun."""
    objects = {k: values.pop(k) for k in ("data", "model", "loss") if k in values}
    kept = {k: v for k, v in TINY.items() if not ("model" in objects and k.startswith("model."))}
    return prepare(Wishes(values=kept | values, **objects))


class PlainNet(nn.Module):
    """Two linear layers on 8x8 grey pictures: no batch norm, no dropout."""

    def __init__(self, num_classes: int = 10, in_channels: int = 1) -> None:
        super().__init__()
        self.hidden = nn.Linear(64 * in_channels, 16)
        self.head = nn.Linear(16, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.relu(self.hidden(images.flatten(1))))


def shade(seed: int, level: int, *, size: int = 16, channels: int = 3) -> np.ndarray:
    """A noisy picture around a brightness."""
    noise = np.random.default_rng(seed).integers(-25, 26, (size, size, channels))
    return np.clip(level + noise, 0, 255).astype(np.uint8)


def write_png(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(".png", image[..., ::-1] if image.shape[-1] == 3 else image)
    assert done
    path.write_bytes(data.tobytes())
    return path


LEVELS = {"dark": 50, "bright": 200, "middle": 125}


def shade_folders(root: Path, counts: dict[str, int], **options: Any) -> Path:
    """Class folders of dark, middle and bright pictures."""
    for name, count in counts.items():
        for i in range(count):
            write_png(root / name / f"{i}.png", shade(i + 1000 * LEVELS[name], LEVELS[name], **options))
    return root


def shade_arrays(count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Dark (0) and bright (1) grey pictures of 8x8 in turn, and their classes."""
    labels = np.arange(count) % 2
    levels = np.where(labels == 1, 190, 60)
    return np.stack([shade(seed * 10_000 + i, v, size=8, channels=1) for i, v in enumerate(levels)]), labels


class Shades(Dataset):  # type: ignore[type-arg]
    """A torch Dataset of (picture, class)."""

    classes = ("dim", "light")

    def __init__(self, count: int, seed: int = 0) -> None:
        self.images, self.targets = shade_arrays(count, seed=seed)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.from_numpy(self.images[index]).permute(2, 0, 1), int(self.targets[index])


def train_losses(run: Run) -> list[float]:
    return [row["train.loss"] for row in run.history]


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of a model's state."""
    return {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}


def assert_same_weights(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    """Bit for bit."""
    assert list(first) == list(second)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
