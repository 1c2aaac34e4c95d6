"""Auxiliary classifiers carry gradient to the early layers, and are absent when the network answers."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from osler.lab.plain_training import mlp, seeded
from osler.lab.small_sets import digits
from osler.nn.side_heads import SideHeads, side_losses


@dataclass(frozen=True, slots=True)
class SideHeadsEffect:
    """A deep sigmoid network with and without two auxiliary heads."""

    loss_terms: tuple[int, int]  # in training: without, with
    answers_in_evaluation: int  # tensors that the network with heads computes in evaluation
    early_gradient: tuple[float, float]  # norm of the first layer's gradient at the same start: without, with


def side_heads_effect(*, depth: int = 8, width: int = 32, seed: int = 0) -> SideHeadsEffect:
    """Heads after a third and two thirds of the stages, weight 0.3 (Szegedy et al. 2015, section 5), at the start."""
    data = digits(300, seed=seed)
    counts, gradients, answers = [], [], 0
    for taps in ((), (depth // 3, 2 * depth // 3)):
        model = _network(depth, width, taps, seed).train()
        losses = side_losses(model(data.x), data.y, functional.cross_entropy)
        first = next(model.stages.parameters())
        (gradient,) = torch.autograd.grad(torch.stack(list(losses.values())).sum(), [first])
        counts.append(len(losses))
        gradients.append(float(gradient.norm()))
        answers = 1 + len(model.eval()(data.x).sides)
    return SideHeadsEffect((counts[0], counts[1]), answers, (gradients[0], gradients[1]))


def _network(depth: int, width: int, taps: tuple[int, ...], seed: int) -> SideHeads:
    with seeded(seed):
        sizes = [64, *[width] * depth]
        stages = [nn.Sequential(nn.Linear(a, b), nn.Sigmoid()) for a, b in pairwise(sizes)]
        network = nn.Sequential(*stages, nn.Linear(width, 10))
    return SideHeads(network, {t: mlp(width, 10, seed=seed + t) for t in taps})
