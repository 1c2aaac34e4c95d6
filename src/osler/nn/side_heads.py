"""Auxiliary classifiers: heads on intermediate layers that carry gradient to the early ones, in training only."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor, nn


class Outputs(NamedTuple):
    """A network's answer, and those of its auxiliary heads (none in evaluation)."""

    main: Tensor
    sides: tuple[Tensor, ...] = ()


class SideHeads(nn.Module):
    """Stages in a row, with an auxiliary head after some of them. In evaluation the heads are not computed.

    Source: Szegedy et al. 2015, "Going deeper with convolutions", section 5 (GoogLeNet: two heads, weight 0.3,
    discarded at inference).

    Raises:
        ValueError: a head hangs on a stage that there is not.
    """

    def __init__(self, stages: nn.Sequential, heads: Mapping[int, nn.Module]) -> None:
        super().__init__()
        beyond = [i for i in heads if not 0 <= i < len(stages)]
        if beyond:
            raise ValueError(f"Auxiliary heads hang on stages 0 to {len(stages) - 1}, given {beyond}.")
        self.stages = stages
        self.heads = nn.ModuleDict({str(i): head for i, head in heads.items()})

    def forward(self, x: Tensor) -> Outputs:
        """The raw outputs of the last stage, and in training those of each head in order."""
        sides = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if self.training and str(i) in self.heads:
                sides.append(self.heads[str(i)](x))
        return Outputs(x, tuple(sides))


def side_losses(
    outputs: Outputs, target: Tensor, loss: Callable[[Tensor, Tensor], Tensor], *, weight: float = 0.3
) -> dict[str, Tensor]:
    """Named losses: the main one, and `weight` times that of each auxiliary head. Their sum is what is minimised."""
    losses = {"main": loss(outputs.main, target)}
    return losses | {f"side{i}": weight * loss(side, target) for i, side in enumerate(outputs.sides)}
