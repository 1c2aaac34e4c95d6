"""What a detector of one stage says: at every place of every level scores of the classes, and numbers that make a box.

A place is an anchor at a position, or the position itself where there are no anchors. Places are counted level by level,
in a level row by row, in a row position by position, at a position anchor by anchor: as `osler.ops` lays them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.ops.anchors import Grid

Maps = Sequence[Float[Tensor, "batch channels height width"]]

PRIOR = 0.01  # the score with which every place starts: nearly all are background (Lin et al. 2017, "Focal loss", 3.3)


@dataclass(frozen=True, slots=True)
class Answers:
    """The raw outputs for pictures of one size, in float32."""

    scores: Float[Tensor, "batch places classes"]
    codes: Float[Tensor, "batch places numbers"]
    grids: tuple[Grid, ...]  # rows and columns of each level
    per_level: tuple[int, ...]  # places
    picture: tuple[int, int]  # height and width in pixels


class DenseHead(nn.Module):
    """Two small networks that look at every level: one for the scores, one for the boxes' numbers.

    Args:
        scores: gives `columns` channels for each anchor of a position; one network for each level, or a single one that
            all levels share.
        codes: gives `numbers` channels for each; likewise.
        columns: scores of a place.
        numbers: of a place.
        stems: what both look through, one for each level; None: they look at the levels themselves.
    """

    def __init__(
        self,
        scores: Sequence[nn.Module],
        codes: Sequence[nn.Module],
        columns: int,
        numbers: int = 4,
        stems: Sequence[nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.columns, self.numbers = columns, numbers
        self.stems = None if stems is None else nn.ModuleList(stems)
        self.scores, self.codes = nn.ModuleList(scores), nn.ModuleList(codes)

    def forward(self, levels: Maps, picture: tuple[int, int]) -> Answers:
        """What is said of pictures of that height and width."""
        scores, codes = [], []
        for i, level in enumerate(levels):
            seen = level if self.stems is None else self.stems[i](level)
            scores.append(place_rows(self._own(self.scores, i)(seen), self.columns))
            codes.append(place_rows(self._own(self.codes, i)(seen), self.numbers))
        return Answers(
            torch.cat(scores, 1).float(),
            torch.cat(codes, 1).float(),
            tuple((m.shape[-2], m.shape[-1]) for m in levels),
            tuple(s.shape[1] for s in scores),
            picture,
        )

    @staticmethod
    def _own(networks: nn.ModuleList, level: int) -> nn.Module:
        return networks[level if len(networks) > 1 else 0]


def place_rows(out: Float[Tensor, "batch answers height width"], numbers: int) -> Float[Tensor, "batch places numbers"]:
    """A map whose channels hold `numbers` for each anchor, as a row a place, position by position."""
    batch, channels, height, width = out.shape
    grouped = out.reshape(batch, channels // numbers, numbers, height, width)
    return grouped.permute(0, 3, 4, 1, 2).reshape(batch, -1, numbers)


def prior_logit(prior: float = PRIOR) -> float:
    """The raw output whose sigmoid is `prior`."""
    return math.log(prior / (1 - prior))
