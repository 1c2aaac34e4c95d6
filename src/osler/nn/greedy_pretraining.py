"""Greedy layer-wise pretraining: each layer learns without labels from what the layer below it puts out.

Hinton, Osindero and Teh 2006 ("A fast learning algorithm for deep belief nets", section 4): a stack of restricted
Boltzmann machines. Bengio, Lamblin, Popovici and Larochelle 2007 ("Greedy layer-wise training of deep networks"):
autoencoders in their place. Vincent, Larochelle, Bengio and Manzagol 2008: the autoencoders see corrupted inputs.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from osler.nn.boltzmann import RestrictedBoltzmannMachine, VisibleUnits
from osler.nn.tying import TransposedLinear

BATCH = 100  # rows of an update (Hinton and Salakhutdinov 2006, supporting text)
AUTOENCODER_BATCH = 20
WEIGHT_COST = 2e-4  # decay of the weights, in units of the gradient (the same)
EARLY = 5  # epochs with a momentum of 0.5, then 0.9 (Hinton 2010, section 9)

Rows = Float[Tensor, "rows inputs"]
LearnLayer = Callable[[nn.Linear, Rows], list[float]]  # a layer and its inputs: the error after each epoch


@dataclass(frozen=True, slots=True)
class LayerLog:
    """How one layer was pretrained."""

    number: int  # from 1
    inputs: int
    outputs: int
    errors: tuple[float, ...]  # mean squared reconstruction error, a unit, after each epoch

    def __str__(self) -> str:
        course = f"{self.errors[0]:.4f} to {self.errors[-1]:.4f}"
        return (
            f"Layer {self.number}, {self.inputs} to {self.outputs}, pretrained for {len(self.errors)} epochs: "
            f"squared error of reconstruction {course}."
        )


def pretrain_layers(
    layers: Iterable[nn.Linear], rows: Rows, learn: LearnLayer, *, first: LearnLayer | None = None
) -> list[LayerLog]:
    """Trains the layers one after another, in place; a sigmoid over each gives the inputs of the next.

    Args:
        layers: from the input on; each takes as many inputs as the one before it has outputs.
        rows: what the first layer sees, in [0, 1] unless its learner says otherwise.
        learn: trains one layer and returns its reconstruction error after each epoch.
        first: does so for the first layer, where its inputs are of another kind.
    """
    log = []
    for number, layer in enumerate(layers, 1):
        errors = (first or learn)(layer, rows) if number == 1 else learn(layer, rows)
        log.append(LayerLog(number, layer.in_features, layer.out_features, tuple(errors)))
        with torch.no_grad():
            rows = torch.cat([torch.sigmoid(layer(some)) for some in rows.split(1000)])
    return log


def learn_boltzmann(
    layer: nn.Linear, rows: Rows, *, units: VisibleUnits = "binary", steps: int = 1, epochs: int = 30, lr: float = 0.1
) -> list[float]:
    """Trains the layer as a restricted Boltzmann machine by CD-k; returns the reconstruction error after each epoch.

    Reconstructions are means, not draws; momentum is 0.5 and later 0.9, and weights decay (Hinton and Salakhutdinov
    2006, supporting text; Hinton 2010).
    """
    machine = RestrictedBoltzmannMachine(layer, units=units)
    machine.start(rows)
    groups: list[dict[str, Any]] = [
        {"params": [layer.weight], "weight_decay": WEIGHT_COST},
        {"params": [layer.bias, machine.visible_bias]},
    ]
    optimizer = torch.optim.SGD(groups, lr=lr, momentum=0.5)
    errors = []
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["momentum"] = 0.5 if epoch < EARLY else 0.9
        for some in _shuffled(rows):
            optimizer.zero_grad()
            machine.contrastive_divergence(some, steps, mean_field=True).backward()
            optimizer.step()
        errors.append(_mean_over(rows, machine.reconstruction_error))
    return errors


def learn_autoencoder(
    layer: nn.Linear,
    rows: Rows,
    *,
    corruption: float = 0.25,
    epochs: int = 15,
    lr: float = 0.1,
) -> list[float]:
    """Trains the layer as the encoder of an autoencoder whose decoder is its transpose; returns errors as above.

    Of each row a share `corruption` of the inputs, drawn anew each time, is set to 0; the whole row is to be
    reconstructed, by cross-entropy of each input in [0, 1] (Vincent et al. 2008, sections 2.2 and 2.3). The errors are
    those on rows that are not corrupted.
    """
    decoder = TransposedLinear(layer)
    optimizer = torch.optim.SGD([layer.weight, layer.bias, decoder.bias], lr=lr)

    def reconstruct(some: Rows) -> Rows:
        return decoder(torch.sigmoid(layer(some)))

    @torch.no_grad()
    def error(some: Rows) -> Tensor:
        return (torch.sigmoid(reconstruct(some)) - some).square().mean()

    errors = []
    for _ in range(epochs):
        for some in _shuffled(rows, AUTOENCODER_BATCH):
            optimizer.zero_grad()
            raw = reconstruct(corrupted(some, corruption))
            (F.binary_cross_entropy_with_logits(raw, some, reduction="sum") / len(some)).backward()
            optimizer.step()
        errors.append(_mean_over(rows, error))
    return errors


def corrupted(rows: Rows, share: float) -> Rows:
    """The rows with `share` of the inputs of each, chosen at random, set to 0."""
    count = round(share * rows.shape[1])
    hidden = torch.rand_like(rows).topk(count, dim=1).indices
    return rows.scatter(1, hidden, 0.0)


def _shuffled(rows: Rows, size: int = BATCH) -> Iterator[Rows]:
    """Mini-batches in random order."""
    for chosen in torch.randperm(len(rows), device=rows.device).split(size):
        yield rows[chosen]


def _mean_over(rows: Rows, error: Callable[[Rows], Tensor]) -> float:
    return sum(float(error(some)) * len(some) for some in rows.split(1000)) / len(rows)
