"""What shortcuts are for: gradients of one size from end to end, and depth that does not make training worse."""

from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from osler.lab.plain_training import fit, seeded, sgd
from osler.lab.small_sets import digits
from osler.models.registry import create_model
from osler.nn.convolution import conv_norm_act
from osler.nn.initialisation import he_initialise
from osler.nn.residual import BasicBlock, PlainBlock, PreActBasicBlock, stage

BLOCKS = {"plain": PlainBlock, "residual": BasicBlock, "pre-activation": PreActBasicBlock}


def gradient_ratio(
    kind: Literal["plain", "residual", "pre-activation"], *, layers: int = 100, channels: int = 16, seed: int = 0
) -> float:
    """How much larger the gradient of the first convolution is than that of the last one, at the start, on 64 digits.

    The network has `layers` layers of one width: a 3x3 convolution, pairs of them with batch norm, a linear layer. With
    batch norm and without shortcuts every ReLU layer enlarges the gradient on its way back by about sqrt(pi / (pi - 1)) =
    1.21 (Yang et al. 2019, "A mean field theory of batch normalization", arXiv 1902.08129): it explodes, where without
    batch norm it would vanish.
    """
    data = digits(64, seed=seed)
    with seeded(seed):
        network = nn.Sequential(
            conv_norm_act(1, channels),
            stage(BLOCKS[kind], channels, channels, depth=(layers - 2) // 2, stride=1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(channels, 10),
        )
        he_initialise(network)
    weights = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d)]
    loss = cross_entropy(network(data.x.view(-1, 1, 8, 8)), data.y)
    first, last = torch.autograd.grad(loss, [weights[0], weights[-1]])
    return float(first.norm() / last.norm())


@dataclass(frozen=True, slots=True)
class Degradation:
    """Training losses after equal training, of 20 layers and of 56."""

    plain: tuple[float, float]
    residual: tuple[float, float]


def degradation(*, epochs: int = 6, pictures: int = 512, rate: float = 0.02, seed: int = 0) -> Degradation:
    """The CIFAR networks of He et al. 2015 (figures 1 and 6) at half width on small digits.

    A deeper plain network could do all that a shallow one does, and yet its training loss is worse: not over-fitting,
    for it is the loss in training, and not vanishing gradients, for it has batch norm (see `gradient_ratio`). With
    shortcuts the deeper network trains as well. Losses are means over the last epoch.
    """
    names = ("plain20", "plain56", "resnet20", "resnet56")
    losses = {n: _training_loss(n, epochs=epochs, pictures=pictures, rate=rate, seed=seed) for n in names}
    return Degradation((losses["plain20"], losses["plain56"]), (losses["resnet20"], losses["resnet56"]))


def _training_loss(name: str, *, epochs: int, pictures: int, rate: float, seed: int) -> float:
    data, batch = digits(pictures, seed=seed), 64
    seen: list[float] = []

    def loss(raw: Tensor, labels: Tensor) -> Tensor:
        value = cross_entropy(raw, labels)
        seen.append(value.item())
        return value

    with seeded(seed):
        model = create_model(name, num_classes=10, in_channels=1, width=0.5)
    images, optimizer = data.x.view(-1, 1, 8, 8), sgd(rate, momentum=0.9)
    fit(model, images, data.y, epochs=epochs, batch=batch, optimizer=optimizer, loss=loss, seed=seed)
    return fmean(seen[-(pictures // batch) :])
