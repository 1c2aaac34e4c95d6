"""Which anchors the loss sees: a balanced draw, the hardest negatives for each positive, the hardest of all.

A picture has some hundred thousand anchors and some ten objects; the sum over all of them would be about background.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from osler.ops.matching import NEGATIVE, Matches
from osler.ops.suppression import nms


@dataclass(frozen=True, slots=True)
class Draw:
    """Indices of anchors, each at most once."""

    positive: Int[Tensor, " positives"]
    negative: Int[Tensor, " negatives"]

    @property
    def both(self) -> Int[Tensor, " drawn"]:
        """Positives, then negatives."""
        return torch.cat((self.positive, self.negative))


@dataclass(frozen=True, slots=True)
class Balance:
    """How many anchors of a picture are drawn, and what share of them may be positive."""

    count: int = 256
    positive_share: float = 0.5

    def __post_init__(self) -> None:
        """Refuses what is no number of anchors, or no share."""
        if self.count < 1 or not 0 <= self.positive_share <= 1:
            raise ValueError(
                "A balanced draw needs a count of at least 1 and a share from 0 to 1; given: "
                f"{self.count}, {self.positive_share}."
            )


RPN_BALANCE = Balance(256, 0.5)  # 1 : 1 at most (Ren et al. 2015, section 3.1.3)
HEAD_BALANCE = Balance(512, 0.25)  # 1 : 3 at most (Girshick 2015, section 2.3; 512 as in the feature-pyramid detectors)


def balanced_draw(matches: Matches, balance: Balance = RPN_BALANCE, generator: torch.Generator | None = None) -> Draw:
    """Positives at random up to their share, then negatives at random up to the count; ignored anchors never.

    Where positives are scarce, negatives fill the count; where negatives are scarce too, fewer are drawn.

    Args:
        matches: of one picture, as a matching gives them.
        balance: the numbers.
        generator: makes the draw repeatable; one of the CPU draws the same for every device.
    """
    positive = (matches >= 0).nonzero().flatten()
    negative = (matches == NEGATIVE).nonzero().flatten()
    positives = min(len(positive), int(balance.count * balance.positive_share))
    negatives = min(len(negative), balance.count - positives)
    return Draw(_some(positive, positives, generator), _some(negative, negatives, generator))


def _some(indices: Int[Tensor, " all"], count: int, generator: torch.Generator | None) -> Int[Tensor, " some"]:
    where = indices.device if generator is None else generator.device
    return indices[torch.randperm(len(indices), generator=generator, device=where)[:count].to(indices.device)]


def hard_negatives(
    losses: Float[Tensor, "*pictures anchors"], matches: Int[Tensor, "*pictures anchors"], *, ratio: int = 3
) -> Bool[Tensor, "*pictures anchors"]:
    """Of each picture the negatives with the greatest loss, `ratio` for each positive (Liu et al. 2016, section 2.2).

    Exactly so many, also where losses are equal (the first are taken), or all negatives if they are fewer; none in a
    picture without positives.

    Args:
        losses: an anchor's classification loss as background.
        matches: as a matching gives them.
        ratio: negatives for each positive.
    """
    negative = matches == NEGATIVE
    ranked = losses.detach().masked_fill(~negative, -torch.inf).sort(dim=-1, descending=True, stable=True).indices
    wanted = ratio * (matches >= 0).sum(dim=-1, keepdim=True)
    place = torch.arange(losses.shape[-1], device=losses.device).expand_as(ranked)
    return torch.zeros_like(negative).scatter(-1, ranked, place < wanted) & negative


def hardest_examples(
    losses: Float[Tensor, " proposals"],
    boxes: Float[Tensor, "proposals 4"],
    *,
    count: int = 128,
    overlap: float = 0.7,
) -> Int[Tensor, " chosen"]:
    """The proposals with the greatest loss, hardest first: online hard example mining (Shrivastava et al. 2016, 3.2).

    Proposals that overlap a harder one by more than `overlap` see nearly the same pixels, would be counted twice, and are
    left out before.

    Args:
        losses: each proposal's whole loss, from a forward pass over all of them.
        boxes: the proposals of one picture.
        count: how many are chosen at most.
        overlap: the IoU above which the easier of two goes.
    """
    return nms(boxes.detach(), losses.detach(), overlap)[:count]
