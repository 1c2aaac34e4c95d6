"""The places of a batch that answer for objects, and what the objects say to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from jaxtyping import Float, Int
from torch import Tensor

from osler.structures.detections import TrueObjects


@dataclass(frozen=True, slots=True)
class Matched:
    """A matching of each picture's places (see `osler.ops.matching`), and the objects of its positives, row by row.

    Attributes:
        matches: for each picture and place an object, NEGATIVE or IGNORED.
        picture: of each positive.
        place: of each positive.
        boxes: of its object.
        labels: of its object.
    """

    matches: Int[Tensor, "batch places"]
    picture: Int[Tensor, " positives"]
    place: Int[Tensor, " positives"]
    boxes: Float[Tensor, "positives 4"]
    labels: Int[Tensor, " positives"]

    @classmethod
    def of(cls, matches: Sequence[Int[Tensor, " places"]], truths: Sequence[TrueObjects]) -> "Matched":
        """The positives of all pictures."""
        stacked = torch.stack(list(matches))
        picture, place = (stacked >= 0).nonzero(as_tuple=True)
        starts = torch.tensor([0, *accumulate(len(t) for t in truths)], device=stacked.device)
        row = starts[picture] + stacked[picture, place]
        boxes, labels = torch.cat([t.boxes for t in truths]), torch.cat([t.labels for t in truths])
        return cls(stacked, picture, place, boxes[row].float(), labels[row])

    @property
    def counts(self) -> Int[Tensor, " batch"]:
        """Positives of each picture."""
        return (self.matches >= 0).sum(dim=1)

    def per_picture(self, values: Float[Tensor, " positives"]) -> Float[Tensor, " batch"]:
        """The sum of the positives' values over each picture."""
        return values.new_zeros(len(self.matches)).index_add(0, self.picture, values)
