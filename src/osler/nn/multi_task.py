"""Several tasks in one training: a shared trunk with a head for each (hard sharing), or networks held close (soft
sharing).
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor, nn


class SharedTrunk(nn.Module):
    """Hard parameter sharing: every task's head reads the features of one trunk.

    Source: Caruana 1997, "Multitask learning", section 2; Ruder 2017, "An overview of multi-task learning in deep
    neural networks", section 3.1.
    """

    def __init__(self, trunk: nn.Module, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        if not heads:
            raise ValueError("A SharedTrunk needs at least one head: {'name of the task': module, ...}.")
        self.trunk = trunk
        self.heads = nn.ModuleDict(heads)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """The raw outputs of each task."""
        features = self.trunk(x)
        return {name: head(features) for name, head in self.heads.items()}


def soft_sharing_penalty(models: Sequence[nn.Module]) -> Tensor:
    """The squared distance between the parameters of each pair of models, summed; 0 for equal models.

    Parameters are paired by their names; names that a pair does not share in equal shape (heads of different tasks)
    are left alone. Source: Duong et al. 2015, "Low resource dependency parsing: cross-lingual parameter sharing in a
    neural network parser"; Ruder 2017, section 3.2.

    Raises:
        ValueError: there are fewer than two models, or a pair shares no parameter.
    """
    if len(models) < 2:
        raise ValueError(f"Soft sharing holds two or more networks close, given {len(models)}.")
    distances = [_squared_distance(a, b) for a, b in combinations(models, 2)]
    return torch.stack(distances).sum()


def _squared_distance(a: nn.Module, b: nn.Module) -> Tensor:
    theirs = dict(b.named_parameters())
    pairs = [(p, theirs[n]) for n, p in a.named_parameters() if n in theirs and theirs[n].shape == p.shape]
    if not pairs:
        raise ValueError("The networks share no parameter of equal name and shape, so nothing can hold them close.")
    return torch.stack([(p - q).square().sum() for p, q in pairs]).sum()
