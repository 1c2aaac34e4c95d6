"""Greedy layer-wise pretraining: a deep network of sigmoid units that does not learn from a random start, and then does."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Literal

from torch import nn

from osler.lab.plain_training import accuracy_of, fit, loss_of, seeded, sgd
from osler.lab.small_sets import Split, digits
from osler.models.registry import create_model
from osler.nn.greedy_pretraining import LayerLog
from osler.nn.initialisation import initialise

Start = Literal["none", "boltzmann", "autoencoder", "denoising"]
PRETRAINED: dict[Start, tuple[str, dict[str, Any]]] = {
    "boltzmann": ("deep_belief_network", {}),
    "autoencoder": ("stacked_autoencoder", {"corruption": 0.0}),
    "denoising": ("stacked_autoencoder", {"corruption": 0.25}),
}


@dataclass(frozen=True, slots=True)
class FromPretraining:
    """Fine-tuned networks of one kind of start: a value for each seed."""

    start: Start
    accuracies: tuple[float, ...]  # on held-out digits
    train_losses: tuple[float, ...]
    logs: tuple[LayerLog, ...]  # of the last seed's pretraining, layer by layer

    @property
    def mean(self) -> float:
        """Accuracy over the seeds."""
        return mean(self.accuracies)


def after_pretraining(
    start: Start,
    *,
    widths: tuple[int, ...] = (64, 64, 64, 64, 64),
    labels: int = 1000,
    pretraining_epochs: int = 30,
    epochs: int = 30,
    seeds: Sequence[int] = (0, 1),
) -> FromPretraining:
    """A sigmoid network pretrained on 1,200 digits without labels, or started as Xavier and Glorot say, then fine-tuned
    on the first `labels` of them by the same number of epochs of gradient descent.
    """
    accuracies, losses, model = [], [], nn.Module()
    for seed in seeds:
        data = digits(1200, seed=seed)
        pictures = Split(data.x.view(-1, 1, 8, 8), data.y, data.x_test.view(-1, 1, 8, 8), data.y_test)
        with seeded(seed):
            model = _started(start, widths, pretraining_epochs, pictures)
        few = pictures.first(labels)
        fit(model, few.x, few.y, epochs=epochs, batch=20, optimizer=sgd(0.1, momentum=0.9), seed=seed)
        accuracies.append(accuracy_of(model, few.x_test, few.y_test))
        losses.append(loss_of(model, few.x, few.y))
    return FromPretraining(start, tuple(accuracies), tuple(losses), tuple(getattr(model, "pretraining", ())))


def _started(start: Start, widths: tuple[int, ...], epochs: int, pictures: Split) -> nn.Module:
    if start == "none":
        model = create_model("mlp", num_classes=10, in_channels=1, widths=widths, activation="sigmoid", side=8)
        initialise(model, "xavier_uniform")
        return model
    name, options = PRETRAINED[start]
    model = create_model(name, num_classes=10, in_channels=1, widths=widths, epochs=epochs, side=8, **options)
    model.initialise_from_data(pictures.x)  # type: ignore[operator]
    return model
