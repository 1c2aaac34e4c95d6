"""What a feature sees, drawn back into the picture (Zeiler and Fergus 2014, "Visualizing and understanding convolutional
networks", section 2.1).

One activation is kept, all others of its layer become 0, and the layers are undone from there down to the picture: a pooling
by its switches (each value goes back to the position that had won), a ReLU by a ReLU, a convolution by the same filters
transposed. What comes out is the part of the picture that woke the feature. It is the gradient of the feature but for the
ReLUs, which cut where the signal on its way down is negative and not where it was on its way up (Simonyan, Vedaldi,
Zisserman 2014, section 4).

Where windows of a pooling overlap, positions that won twice get both values. Batch norm is undone as the scaling that it
is in evaluation, and local response norm is passed by.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from osler.nn.local_response_norm import LocalResponseNorm
from osler.ops.pooling import max_pool_backward
from osler.structures.errors import RecipeError

Maps = Float[Tensor, "batch channels height width"]
Undo = Callable[[Maps], Maps]


@dataclass(frozen=True, slots=True)
class View:
    """A feature as a picture woke it."""

    picture: int  # which of those shown
    place: tuple[int, int]  # row and column in the feature's map
    activation: float
    drawing: Float[
        Tensor, "channels height width"
    ]  # in the picture's own coordinates; 0 where the feature sees nothing
    window: tuple[slice, slice] = field(repr=False)  # rows and columns of the picture that the feature can see


def views(layers: nn.Sequential, images: Maps, channel: int, *, count: int = 9) -> list[View]:
    """The pictures that wake a feature most, each at its strongest place, and what it sees there.

    Args:
        layers: from the picture to the feature's map, such as `network.features[:8]`: convolutions, ReLUs, poolings, norms.
        images: standardised pictures; the paper looks at the whole validation set.
        channel: the feature.
        count: pictures, strongest first; fewer where fewer are shown.

    Raises:
        RecipeError: a layer cannot be undone, or there is no such feature.
    """
    with torch.no_grad():
        was_training = layers.training
        maps = layers.eval()(images)
        layers.train(was_training)
    if not 0 <= channel < maps.shape[1]:
        raise RecipeError(f"The layers give {maps.shape[1]} features, counted from 0; given: channel={channel}.")
    best, where = maps[:, channel].flatten(1).max(dim=1)
    found = []
    for picture in best.argsort(descending=True)[:count].tolist():
        row, column = divmod(int(where[picture]), maps.shape[3])
        drawing = draw(layers, images[picture], (channel, row, column))
        window = seen_by(layers, (row, column), images.shape[2:])
        found.append(View(picture, (row, column), float(best[picture]), drawing, window))
    return found


@torch.no_grad()
def draw(
    layers: nn.Sequential, image: Float[Tensor, "channels height width"], at: tuple[int, int, int]
) -> Float[Tensor, "channels height width"]:
    """One activation, `at` channel, row and column of the last map, drawn back into the picture.

    Raises:
        RecipeError: a layer cannot be undone.
    """
    x = image[None]
    undo: list[Undo] = []
    for name, layer in layers.named_children():
        x, back = _done_and_undone(name, layer, x)
        undo.append(back)
    signal = torch.zeros_like(x)
    signal[0, at[0], at[1], at[2]] = x[0, at[0], at[1], at[2]]
    for back in reversed(undo):
        signal = back(signal)
    return signal[0]


def seen_by(layers: nn.Sequential, place: tuple[int, int], size: Sequence[int]) -> tuple[slice, slice]:
    """The rows and columns of a picture of `size` that a place of the last map can see: its receptive field."""
    reach = [(p, p) for p in place]  # first and last position, row-wise and column-wise
    for layer in reversed(list(layers.children())):
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
            kernel, stride, padding = (_pair(v) for v in (layer.kernel_size, layer.stride, layer.padding))
            dilation = _pair(getattr(layer, "dilation", 1))
            reach = [
                (a * s - p, b * s - p + d * (k - 1))
                for (a, b), k, s, p, d in zip(reach, kernel, stride, padding, dilation, strict=True)
            ]
    rows, columns = (slice(max(0, a), min(n, b + 1)) for (a, b), n in zip(reach, size, strict=True))
    return rows, columns


def _done_and_undone(name: str, layer: nn.Module, x: Maps) -> tuple[Maps, Undo]:
    """What a layer gives, and how it is undone."""
    if isinstance(layer, (nn.Identity, nn.Dropout)):
        return x, lambda signal: signal
    if isinstance(layer, LocalResponseNorm):
        return layer(x), lambda signal: signal
    if isinstance(layer, nn.ReLU):
        return F.relu(x), F.relu
    if isinstance(layer, nn.BatchNorm2d) and layer.running_var is not None:
        scale = (layer.running_var + layer.eps).rsqrt() * (layer.weight if layer.affine else 1.0)
        given = F.batch_norm(x, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=layer.eps)
        return given, lambda signal: signal * scale[:, None, None]
    if isinstance(layer, nn.Conv2d) and layer.padding_mode == "zeros" and not isinstance(layer.padding, str):
        return layer(x), lambda signal: _transposed(layer, signal, x.shape)
    if isinstance(layer, nn.MaxPool2d):
        given, switches = F.max_pool2d(
            x, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode, return_indices=True
        )
        size = (x.shape[2], x.shape[3])
        return given, lambda signal: max_pool_backward(signal, switches, size)
    if isinstance(layer, nn.AvgPool2d):
        return layer(x), lambda signal: torch.func.vjp(layer, x)[1](signal)[0]
    raise RecipeError(
        f"{name} ({type(layer).__name__}) cannot be undone. Convolutions, ReLUs, poolings and norms can: give the layers up "
        "to the feature's map, such as network.features[:8]."
    )


def _transposed(layer: nn.Conv2d, signal: Maps, size: torch.Size) -> Maps:
    """The same filters the other way, to a map of `size`."""
    pairs = (_pair(v) for v in (layer.kernel_size, layer.stride, layer.padding, layer.dilation))
    missing = [  # rows and columns at the edge that no window reached
        n - ((m - 1) * s - 2 * p + d * (k - 1) + 1)
        for n, m, k, s, p, d in zip(size[2:], signal.shape[2:], *pairs, strict=True)
    ]
    return F.conv_transpose2d(
        signal,
        layer.weight,
        None,
        layer.stride,
        layer.padding,  # type: ignore[arg-type]
        output_padding=missing,
        groups=layer.groups,
        dilation=layer.dilation,
    )


def _pair(value: object) -> tuple[int, int]:
    return (value[0], value[1]) if isinstance(value, tuple) else (int(value), int(value))  # type: ignore[call-overload]
