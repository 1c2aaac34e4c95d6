"""What a layer sees in a picture: its feature maps as a grid."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.reports.theme import LIGHT, new_figure
from osler.structures.errors import UnknownNameError
from osler.structures.registry import unknown

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def feature_maps(
    model: nn.Module, images: Float[Tensor, "1 channels height width"], layer: str
) -> Float[Tensor, "maps map_height map_width"]:
    """The output of one layer for one picture, on the CPU as float32. The model is left as it was, its mode included.

    Args:
        model: any network that takes `images`.
        images: one picture as the network takes it (standardised, on its device).
        layer: dotted name of the submodule, as in `model.named_modules()`.

    Raises:
        UnknownNameError: the model has no such layer; the message offers the nearest.
        ValueError: the layer's output is not a stack of maps, or the layer does not run.
    """
    layers = dict(model.named_modules())
    if layer not in layers:
        raise UnknownNameError(unknown("layer", layer, [n for n in layers if n]))
    seen: list[object] = []
    handle = layers[layer].register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    try:
        with in_evaluation(model), torch.inference_mode():
            model(images)
    finally:
        handle.remove()
    if not seen:
        raise ValueError(
            f"The layer {layer!r} does not run when the network answers a picture, so it has no feature maps."
        )
    output = seen[-1]
    if not isinstance(output, Tensor) or output.ndim != 4:
        shape = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
        raise ValueError(
            f"The layer {layer!r} gives {shape}, not [1, maps, height, width]; choose one before pooling to a vector."
        )
    return output[0].float().cpu()


@contextmanager
def in_evaluation(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode; afterwards each module is in the mode in which it was."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def feature_map_figure(maps: Float[Tensor, "maps height width"], layer: str, *, limit: int = 64) -> "Figure":
    """The first `limit` maps as a grid, each stretched from its own lowest (dark) to its own highest value (bright)."""
    shown = maps[:limit].numpy()
    columns = max(1, min(8, int(np.ceil(np.sqrt(len(shown))))))
    rows = -(-len(shown) // columns)
    figure = new_figure(0.8 * columns + 0.4, 0.85 * rows + 0.7)
    for i, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set_axis_off()
        if i < len(shown):
            axes.imshow(shown[i], cmap="cividis", interpolation="nearest")
            axes.set_title(str(i), fontsize=6, color=LIGHT["muted"], pad=2)
    height, width = maps.shape[1:]
    of = f"{len(shown)} of {len(maps)}" if len(shown) < len(maps) else f"{len(maps)}"
    figure.supxlabel(
        f"{layer}: {of} maps of {height}×{width} positions, by channel number", fontsize=8.5, color=LIGHT["muted"]
    )
    return figure
