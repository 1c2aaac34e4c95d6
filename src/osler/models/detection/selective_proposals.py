"""Regions from selective search: a proposer that looks at the pixels and learns nothing (Uijlings et al. 2013).

R-CNN and Fast R-CNN take theirs from it (Girshick et al. 2014, section 2.1; Girshick 2015, section 3): about 2,000 a
picture. It takes a good part of a second; what was found is remembered, so that pictures which come again unchanged cost
nothing the second time.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn

from osler.imaging.selective_search import FAST, QUALITY, SINGLE, Strategy, selective_search
from osler.structures.preprocessing import Preprocessing

Boxes = Float32[np.ndarray, "_ 4"]
Ways = Literal["single", "fast", "quality"]

STRATEGIES: dict[Ways, tuple[Strategy, ...]] = {"single": SINGLE, "fast": FAST, "quality": QUALITY}
REMEMBERED = 4096  # pictures: 130 MB at 2,000 boxes each


@dataclass(frozen=True, slots=True)
class SearchRule:
    """How a picture is searched, and how many regions are proposed.

    Attributes:
        ways: of grouping pixels: one, the eight of the paper's "fast", the eighty of its "quality".
        most: the first so many are proposed.
        longest: side in pixels at which larger pictures are searched.
        smallest: regions with a shorter side are left out, in pixels.
    """

    ways: Ways = "fast"
    most: int = 2000
    longest: int = 500
    smallest: float = 0


class SelectiveProposals(nn.Module):
    """The regions of standardised pictures, by the pixels that they were made from.

    Mean and spread of the standardisation are part of the state, so that saved weights search as trained ones did. Until
    `standardised_by` says others, they are those of a plain `Preprocessing`.

    Args:
        in_channels: of the pictures.
        rule: how they are searched.
        remembered: for how many pictures the regions are kept, the latest used.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, in_channels: int = 3, rule: SearchRule | None = None, *, remembered: int = REMEMBERED) -> None:
        super().__init__()
        self.rule, self.remembered = rule or SearchRule(), remembered
        plain = Preprocessing()
        self.register_buffer("mean", torch.tensor(plain.mean[:1] * in_channels))
        self.register_buffer("spread", torch.tensor(plain.std[:1] * in_channels))
        self._found: OrderedDict[bytes, Boxes] = OrderedDict()

    def standardised_by(self, preprocessing: Preprocessing) -> None:
        """From here on pictures come standardised so."""
        with torch.no_grad():
            self.mean.copy_(torch.tensor(preprocessing.mean))
            self.spread.copy_(torch.tensor(preprocessing.std))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> list[Float[Tensor, "_ 4"]]:
        """The regions of each picture in its pixels, the best first. They have no gradient."""
        return [torch.from_numpy(self._of(pixels).copy()).to(images.device) for pixels in self.pixels(images)]

    @torch.no_grad()
    def pixels(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> UInt8[np.ndarray, "batch height width channels"]:
        """The bytes that were standardised."""
        raw = images.float() * self.spread.view(-1, 1, 1) + self.mean.view(-1, 1, 1)
        whole = (255 * raw).round().clamp(0, 255).to(torch.uint8)
        return np.ascontiguousarray(whole.permute(0, 2, 3, 1).cpu().numpy())

    def _of(self, picture: UInt8[np.ndarray, "height width channels"]) -> Boxes:
        key = hashlib.blake2b(picture.tobytes(), digest_size=16, salt=str(picture.shape[:2]).encode()[:16]).digest()
        if key in self._found:
            self._found.move_to_end(key)
            return self._found[key]
        rule = self.rule
        boxes = selective_search(picture, STRATEGIES[rule.ways], longest=rule.longest, smallest=rule.smallest)
        self._found[key] = boxes[: rule.most]
        if len(self._found) > self.remembered:
            self._found.popitem(last=False)
        return self._found[key]
