"""What kinds of layers cost: 1x1 convolutions that save, small kernels for a large one, a mean for a connected layer.

Everything is counted from networks that a plan describes; nothing is trained and no weights are made.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from osler.lab.deconvnet import seen_by
from osler.models.cost import multiply_adds
from osler.models.plan_network import PlanNetwork


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a stack of layers."""

    weights: int  # without biases
    multiply_adds: int  # for one picture
    receptive_field: int  # pixels a side that one place of the last map sees


def stack(layers: str, *, channels: int, side: int = 56) -> Cost:
    """What convolutions cost that see a map of `channels` and `side` positions.

    Args:
        layers: as a plan writes them, such as `conv3-64 x2`.
        channels: of the map that they see.
        side: positions of that map, more than the receptive field.
    """
    with torch.device("meta"):
        model = PlanNetwork(1, channels, plan=f"input{side} {layers} gap fc-classes")
        cost = multiply_adds(model.features, channels, (side, side))
    convs = [m for m in model.features if isinstance(m, nn.Conv2d)]
    rows, _ = seen_by(model.features, (side // 2, side // 2), (side, side))
    return Cost(sum(c.weight.numel() for c in convs), cost, rows.stop - rows.start)


def kernels_in_a_row(kernels: Sequence[int], *, channels: int = 64) -> Cost:
    """Convolutions that keep the channels, one after another."""
    return stack(" ".join(f"conv{k}-{channels}" for k in kernels), channels=channels)


def squeezed(channels: int = 256, to: int = 64) -> tuple[Cost, Cost]:
    """A 3x3 convolution, and the same between two of 1x1 that make the channels fewer and restore them (He et al. 2015)."""
    return (
        stack(f"conv3-{channels}", channels=channels),
        stack(f"conv1-{to} conv3-{to} conv1-{channels}", channels=channels),
    )


def classifier_weights(channels: int = 512, side: int = 7, classes: int = 1000) -> dict[str, int]:
    """Parameters of a linear classifier on flattened maps, and on their means."""
    found = {}
    for name, pooling in (("flattened", ""), ("averaged", "gap")):
        with torch.device("meta"):
            model = PlanNetwork(classes, plan=f"input{side} conv1-{channels} {pooling} fc-classes")
        found[name] = sum(p.numel() for p in model.classifier.parameters())
    return found


def fully_connected_share(model: nn.Module) -> float:
    """The part of a network's parameters that is in its linear layers, from 0 to 1."""
    linear = sum(p.numel() for m in model.modules() if isinstance(m, nn.Linear) for p in m.parameters())
    return linear / sum(p.numel() for p in model.parameters())
