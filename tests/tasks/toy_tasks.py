"""Tasks that stretch the contract, for tests of the loop: two optimisers, and a model that needs its targets.

Both are registered nowhere. `from toy_tasks import ToyGan` works in any test (pytest's `pythonpath`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from osler.losses.adversarial import discriminator_loss, generator_loss
from osler.structures.batch import Batch
from osler.structures.sample import Sample
from osler.tasks.task import Losses, Outcome, Step, Task


class ToyPlayers(nn.Module):
    """A generator of pictures from 4 random numbers and a discriminator of pictures, each a few hundred weights."""

    def __init__(self, picture: tuple[int, int, int] = (1, 4, 4)) -> None:
        super().__init__()
        self.picture = picture
        pixels = int(np.prod(picture))
        self.generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, pixels))
        self.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))

    def forward(self, images: Tensor) -> Tensor:
        """The discriminator's scores."""
        return self.discriminator(images)

    def generate(self, count: int) -> Tensor:
        """So many pictures from fresh noise of the global generator."""
        return self.generator(torch.randn(count, 4)).view(count, *self.picture)


class ToyGan(Task):
    """Two steps a batch: the discriminator's, then the generator's. Targets are ignored."""

    name = "toy_gan"
    monitor = "real_score"

    @property
    def outputs(self) -> int:
        return 1

    def groups(self, model: nn.Module) -> Mapping[str, nn.Module]:
        return {"discriminator": model.discriminator, "generator": model.generator}

    def steps(self, model: nn.Module, batch: Batch) -> Iterator[Step]:
        def discriminate() -> Losses:
            fake = model.generate(len(batch)).detach()
            return {"d_loss": discriminator_loss(model(batch.images), model(fake))}

        def generate() -> Losses:
            return {"g_loss": generator_loss(model(model.generate(len(batch))))}

        yield Step(discriminate, "discriminator")
        yield Step(generate, "generator")

    def evaluate(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Losses]:
        scores = model(batch.images)
        return scores, {"d_loss": nn.functional.softplus(-scores).mean()}

    def decode(self, outputs: Tensor) -> np.ndarray:
        return torch.sigmoid(outputs.detach().float()).cpu().numpy()

    def collate(self, samples: Sequence[Sample]) -> Tensor:
        return torch.zeros(len(samples))

    def metrics(self, outcome: Outcome) -> dict[str, float]:
        return {"real_score": float(outcome.predictions.mean())} | outcome.losses

    def describe(self, prediction: Any) -> dict[str, Any]:
        return {"real": float(prediction[0])}

    def draw(self, image: np.ndarray, prediction: Any, target: Any = None) -> np.ndarray:
        return image


class ToyDetector(nn.Module):
    """A model that gives its own losses when it is given targets, as two-stage detectors do, and boxes otherwise."""

    def __init__(self, picture: tuple[int, int, int] = (1, 4, 4)) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(picture)), 4))

    def forward(self, images: Tensor, targets: list[Tensor] | None = None) -> Tensor | Losses:
        """Boxes, or with targets (a tensor of boxes, any number, for each picture) the losses."""
        boxes = self.body(images)
        if targets is None:
            return boxes
        pairs = zip(boxes, targets, strict=True)
        nearest = [(box - target).abs().sum(dim=1).min() for box, target in pairs if len(target)]
        box_loss = torch.stack(nearest).mean() if nearest else boxes.sum() * 0
        return {"box_loss": box_loss, "size_loss": 0.01 * boxes.square().mean()}


class ToyDetection(Task):
    """One step whose model is called with the targets, which are a list: each picture has another number of boxes."""

    name = "toy_detection"
    monitor = "box_error"
    direction = "min"

    @property
    def outputs(self) -> int:
        return 4

    def steps(self, model: nn.Module, batch: Batch) -> Iterator[Step]:
        yield Step(lambda: model(batch.images, batch.target))

    def evaluate(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Losses]:
        return model(batch.images), model(batch.images, batch.target)

    def decode(self, outputs: Tensor) -> list[np.ndarray]:
        return list(outputs.detach().float().cpu().numpy())

    def collate(self, samples: Sequence[Sample]) -> list[Tensor]:
        return [torch.as_tensor(np.asarray(s.objects.boxes, dtype=np.float32)) for s in samples]

    def metrics(self, outcome: Outcome) -> dict[str, float]:
        pairs = [(p, np.asarray(t)) for p, t in zip(outcome.predictions, outcome.targets, strict=True) if len(t)]
        errors = [np.abs(p - t).sum(axis=1).min() for p, t in pairs]
        return {"box_error": float(np.mean(errors))} | outcome.losses

    def describe(self, prediction: Any) -> dict[str, Any]:
        return {"box": [float(v) for v in prediction]}

    def draw(self, image: np.ndarray, prediction: Any, target: Any = None) -> np.ndarray:
        return image
