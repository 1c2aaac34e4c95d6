"""What the stages of a network see, from strokes to digits: views by depth, and linear probes of each stage (row FB17).

Alain and Bengio 2016, "Understanding intermediate layers using linear classifier probes". The maps are averaged over their
positions before a probe sees them: it is asked what is in a feature, not where.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from osler.imaging.encode import write_image
from osler.lab.fitting import least_squares
from osler.lab.plain_training import accuracy_of, fit, mlp
from osler.lab.small_sets import Split, digits
from osler.lab.transfer import as_pictures, convnet
from osler.models.registry import FeatureMap

BLANK = 255


@dataclass(frozen=True, slots=True)
class Level:
    """A stage of the network."""

    name: str
    sees: int  # side of its receptive field in pixels of the picture
    filters: Float[Tensor, "outputs inputs rows columns"]
    maps: Float[Tensor, "channels height width"]  # of the picture shown
    digit: float  # accuracy of a linear probe for the digit
    ink: float  # share of the variance of the picture's mean brightness that a linear probe explains

    def view(self) -> UInt8[np.ndarray, "height width"]:
        """Its maps side by side, each from its darkest to its brightest."""
        return _mosaic(self.maps)

    def filter_view(self) -> UInt8[np.ndarray, "height width"]:
        """The kernels over its first input channel side by side."""
        return _mosaic(self.filters[:, 0])


@cache
def trained(*, seed: int = 0) -> nn.Module:
    """A network of three stages, trained on the digits. Shared: do not change it."""
    data = digits(1000, seed=seed)
    return fit(convnet(10, seed=seed), as_pictures(data.x), data.y, epochs=8, seed=seed)


def levels(*, picture: int = 0, seed: int = 0) -> list[Level]:
    """The stages, finest first."""
    model, data = trained(seed=seed), digits(1000, seed=seed)
    places: Sequence[FeatureMap] = model.feature_maps  # type: ignore[assignment]
    found, sees, stride = [], 1, 1
    for number, place in enumerate(places):
        if number:  # pooling of 2x2 between the stages
            sees, stride = sees + stride, 2 * stride
        stage = model.get_submodule(place.module)
        convolution = next(m for m in stage.modules() if isinstance(m, nn.Conv2d))
        sees += (convolution.kernel_size[0] - 1) * stride
        seen, unseen = (_maps(model, stage, as_pictures(rows)) for rows in (data.x, data.x_test))
        codes = _standardised(Split(seen.mean((2, 3)), data.y, unseen.mean((2, 3)), data.y_test))
        probe = fit(mlp(codes.x.shape[1], 10, seed=seed), codes.x, codes.y, epochs=60, seed=seed)
        digit = accuracy_of(probe, codes.x_test, codes.y_test)
        filters = convolution.weight.detach()
        found.append(Level(place.module, sees, filters, seen[picture], digit, _explained(codes, data)))
    return found


def write_views(folder: Path, found: Sequence[Level]) -> list[Path]:
    """A picture of the maps of each stage, and of its kernels."""
    written = []
    for level in found:
        for kind, image in (("maps", level.view()), ("filters", level.filter_view())):
            path = folder / f"{level.name}_{kind}.png"
            write_image(path, image[..., None])
            written.append(path)
    return written


@torch.no_grad()
def _maps(model: nn.Module, stage: nn.Module, pictures: Float[Tensor, "n 1 8 8"]) -> Tensor:
    kept: list[Tensor] = []
    handle = stage.register_forward_hook(lambda _m, _i, output: kept.append(output))
    try:
        model(pictures)
    finally:
        handle.remove()
    return kept[0]


def _standardised(codes: Split) -> Split:
    middle, spread = codes.x.mean(0), codes.x.std(0) + 1e-3
    return Split((codes.x - middle) / spread, codes.y, (codes.x_test - middle) / spread, codes.y_test)


def _explained(codes: Split, data: Split) -> float:
    """R^2 on the held-out part of the mean brightness, from the codes by least squares."""
    wanted, truth = data.x.mean(1), data.x_test.mean(1)
    ones = [torch.cat([x, torch.ones_like(x[:, :1])], dim=1) for x in (codes.x, codes.x_test)]
    rest = ones[1] @ least_squares(ones[0], wanted) - truth
    return 1 - float(rest.square().sum() / (truth - truth.mean()).square().sum())


def _mosaic(tiles: Float[Tensor, "tiles height width"]) -> UInt8[np.ndarray, "rows columns"]:
    """As square as it goes, a white line between."""
    across = int(np.ceil(np.sqrt(len(tiles))))
    height, width = tiles.shape[1:]
    down = -(-len(tiles) // across)
    sheet = np.full((down * (height + 1) - 1, across * (width + 1) - 1), BLANK, np.uint8)
    for i, tile in enumerate(tiles.double()):
        low, high = float(tile.min()), float(tile.max())
        grey = ((tile - low) / (high - low or 1) * 255).round().to(torch.uint8).numpy()
        row, column = divmod(i, across)
        sheet[row * (height + 1) :, column * (width + 1) :][:height, :width] = grey
    return sheet
