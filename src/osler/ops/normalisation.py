"""Normalisation worked by hand: batch, layer, instance and group norm as one thing, and batch norm's backward pass.

For reading and for checking; PyTorch has the same faster. The four differ only in which values share a mean and a
variance (Wu and He 2018, "Group normalization", figure 2): a channel over the batch; a sample; a channel of a sample; a
group of channels of a sample.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from osler.structures.errors import RecipeError

Maps = Float[Tensor, "batch channels *size"]
Channels = Float[Tensor, " channels"]


@dataclass(frozen=True, slots=True)
class Normalised:
    """What batch norm computed on its way, for the way back."""

    output: Maps
    x_hat: Maps  # with mean 0 and variance 1 over batch and positions
    mean: Channels
    variance: Channels  # divided by the number of values, not one less
    deviation: Channels  # sqrt(variance + eps)


def batch_norm(x: Maps, scale: Channels, shift: Channels, *, eps: float = 1e-5) -> Normalised:
    """Each channel over batch and positions: y = scale * (x - mean) / sqrt(variance + eps) + shift.

    Ioffe and Szegedy 2015, algorithm 1; for maps section 3.2.

    Raises:
        RecipeError: a channel has a single value, whose variance says nothing.
    """
    values = x.numel() // x.shape[1]
    if values < 2:
        raise RecipeError(f"Batch norm needs more than one value a channel; given: {tuple(x.shape)}.")
    over = _over(x)
    mean = x.mean(over)
    variance = x.var(over, correction=0)
    deviation = (variance + eps).sqrt()
    x_hat = (x - _spread(mean, x)) / _spread(deviation, x)
    return Normalised(_spread(scale, x) * x_hat + _spread(shift, x), x_hat, mean, variance, deviation)


def batch_norm_backward(gradient: Maps, seen: Normalised, scale: Channels) -> tuple[Maps, Channels, Channels]:
    """Gradients with respect to input, scale and shift.

    dx = scale / (m * deviation) * (m * dy - sum(dy) - x_hat * sum(dy * x_hat)), over the m values of a channel: the
    second term comes by way of the mean, the third by way of the variance, so that dx sums to 0 and has no part along
    x_hat (Ioffe and Szegedy 2015, section 3, put together).
    """
    over = _over(gradient)
    m = gradient.numel() // gradient.shape[1]
    along_shift, along_scale = gradient.sum(over), (gradient * seen.x_hat).sum(over)
    bracket = m * gradient - _spread(along_shift, gradient) - seen.x_hat * _spread(along_scale, gradient)
    return _spread(scale / (m * seen.deviation), gradient) * bracket, along_scale, along_shift


def group_norm(x: Maps, groups: int, scale: Channels, shift: Channels, *, eps: float = 1e-5) -> Maps:
    """Each sample by itself, its channels in groups: 1 group is layer norm of the sample, one a channel instance norm.

    Raises:
        RecipeError: the groups do not divide the channels.
    """
    if x.shape[1] % groups:
        raise RecipeError(f"{groups} groups do not divide {x.shape[1]} channels.")
    parts = x.reshape(len(x), groups, -1)
    mean, variance = parts.mean(2, keepdim=True), parts.var(2, correction=0, keepdim=True)
    x_hat = ((parts - mean) / (variance + eps).sqrt()).reshape(x.shape)
    return _spread(scale, x) * x_hat + _spread(shift, x)


def _over(x: Maps) -> list[int]:
    return [0, *range(2, x.ndim)]


def _spread(values: Channels, x: Maps) -> Float[Tensor, "1 channels *ones"]:
    """A number for each channel, shaped to meet maps."""
    return values.view(1, -1, *[1] * (x.ndim - 2))
