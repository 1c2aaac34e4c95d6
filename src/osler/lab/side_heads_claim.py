"""Auxiliary classifiers carry gradient to the early layers, and are absent when the network answers."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from osler.lab.plain_training import accuracy_of, adam, fit, mlp, seeded
from osler.lab.small_sets import digits
from osler.nn.side_heads import Outputs, SideHeads, side_losses


class MainOutput(nn.Module):
    """Only the main answer of a network with auxiliary heads."""

    def __init__(self, network: SideHeads) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Raw outputs."""
        outputs: Outputs = self.network(x)
        return outputs.main


@dataclass(frozen=True, slots=True)
class SideHeadsEffect:
    """A deep sigmoid network with and without two auxiliary heads."""

    loss_terms: tuple[int, int]  # in training: without, with
    answers_in_evaluation: int  # tensors that the network with heads computes in evaluation
    early_gradient: tuple[float, float]  # norm of the first layer's gradient at the same start: without, with
    accuracy: tuple[float, float]  # on training pictures after equally many epochs


def side_heads_effect(*, depth: int = 8, width: int = 32, epochs: int = 40, seed: int = 0) -> SideHeadsEffect:
    """Two heads after a third and two thirds of the stages, weight 0.3 (Szegedy et al. 2015, section 5)."""
    data = digits(300, seed=seed)
    counts, gradients, accuracies, answers = [], [], [], 0
    for with_heads in (False, True):
        model = _network(depth, width, (depth // 3, 2 * depth // 3) if with_heads else (), seed)
        losses = side_losses(model.train()(data.x), data.y, functional.cross_entropy)
        torch.stack(list(losses.values())).sum().backward()
        counts.append(len(losses))
        first = next(model.stages.parameters()).grad
        gradients.append(0.0 if first is None else float(first.norm()))
        fit(model, data.x, data.y, epochs=epochs, optimizer=adam(3e-3), loss=_total, seed=seed)  # type: ignore[arg-type]
        answers = 1 + len(model(data.x).sides)
        accuracies.append(accuracy_of(MainOutput(model), data.x, data.y))
    return SideHeadsEffect((counts[0], counts[1]), answers, (gradients[0], gradients[1]), (accuracies[0], accuracies[1]))


def _network(depth: int, width: int, taps: tuple[int, ...], seed: int) -> SideHeads:
    with seeded(seed):
        sizes = [64, *[width] * depth]
        stages = [nn.Sequential(nn.Linear(a, b), nn.Sigmoid()) for a, b in zip(sizes, sizes[1:], strict=False)]
        network = nn.Sequential(*stages, nn.Linear(width, 10))
    return SideHeads(network, {t: mlp(width, 10, seed=seed + t) for t in taps})


def _total(outputs: Outputs, target: torch.Tensor) -> torch.Tensor:
    return torch.stack(list(side_losses(outputs, target, functional.cross_entropy).values())).sum()
