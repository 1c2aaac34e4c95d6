"""Data augmentation on and off on few pictures: the recipe's own preset against none."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from osler.imaging.augment import build_augmentation
from osler.imaging.recipe import AugmentSection
from osler.imaging.transform import Compose
from osler.lab.plain_training import accuracy_of, adam, seeded
from osler.lab.sample_size import small_convnet
from osler.lab.small_sets import Split, digits
from osler.structures.preprocessing import Preprocessing
from osler.structures.sample import Sample


@dataclass(frozen=True, slots=True)
class OnOff:
    """Accuracies over seeds of the same network trained on the pictures as they are and on changed ones."""

    preset: str
    train: tuple[float, ...]  # on the unchanged training pictures
    test: tuple[float, ...]

    @property
    def gap(self) -> float:
        """Mean training minus mean test accuracy."""
        return float(np.mean(self.train) - np.mean(self.test))


def augmentation_on_off(
    presets: Sequence[str] = ("none", "standard"),
    *,
    samples: int = 200,
    epochs: int = 60,
    seeds: Sequence[int] = (0, 1, 2),
) -> list[OnOff]:
    """A small convolutional network on `samples` digits; every epoch draws each picture's changes anew."""
    rows = []
    for preset in presets:
        scores = []
        for seed in seeds:
            data = digits(samples, seed=seed)
            model = _train(small_convnet(seed=seed), data, preset, epochs, seed)
            scores.append((accuracy_of(model, data.x, data.y), accuracy_of(model, data.x_test, data.y_test)))
        rows.append(OnOff(preset, tuple(a for a, _ in scores), tuple(b for _, b in scores)))
    return rows


def _train(model: nn.Module, data: Split, preset: str, epochs: int, seed: int) -> nn.Module:
    preprocessing = Preprocessing(size=(8, 8), channels=1, fit="stretch", mean=(0.5,), std=(0.5,))
    augmentation = build_augmentation(
        AugmentSection.model_validate({"preset": preset}),
        preprocessing=preprocessing,
        typical_size=(8, 8),
        kind="class",
        num_classes=10,
    )
    change = Compose(augmentation.sample)
    pictures = ((data.x + 1) * 127.5).round().to(torch.uint8).view(-1, 8, 8, 1).numpy()
    optimizer = adam()(model.parameters())
    with seeded(seed):
        for epoch in range(epochs):
            rng = np.random.default_rng((seed, epoch))
            x = _changed(pictures, change, rng, preprocessing)
            for rows in torch.randperm(len(x)).split(50):
                optimizer.zero_grad()
                functional.cross_entropy(model(x[rows]), data.y[rows]).backward()
                optimizer.step()
    return model.eval()


def _changed(pictures: np.ndarray, change: Compose, rng: np.random.Generator, preprocessing: Preprocessing) -> Tensor:
    images = np.stack([change(Sample(p), rng).image for p in pictures])
    return preprocessing.standardise(torch.from_numpy(images).permute(0, 3, 1, 2)).flatten(1)
