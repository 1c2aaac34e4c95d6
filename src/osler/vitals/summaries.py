"""A tensor in a few numbers, read from the device in one go."""

import math

import numpy as np
import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from osler.vitals.evidence import Summary

SUBSAMPLE = 16_384  # values from which mean, spread and zeros are taken; extremes are over all
READ_ALONE = 8  # units up to which it is quicker to pick them out than to read all
PICKS = 256  # values that stand for a sample


def summarise(tensor: Shaped[Tensor, "..."]) -> Summary:
    """Mean, spread and zeros from at most 16,384 evenly spread values, extremes from all.

    Of complex tensors the magnitude is meant. Takes no gradient and draws no random number.
    """
    shape, dtype = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
    with torch.no_grad():
        values = as_stored(_real_and_dense(tensor.detach()))
        if values.numel() == 0:
            return Summary(shape, dtype, math.nan, math.nan, math.nan, math.nan, math.nan, 0)
        few = _as_float(evenly(values, SUBSAMPLE))
        low, high = (extreme.to(few.dtype) for extreme in torch.aminmax(values))
        numbers = torch.stack([few.mean(), few.std(correction=0), low, high, (few == 0).float().mean()])
        mean, std, lowest, highest, zeros = numbers.tolist()
    if math.isfinite(lowest) and math.isfinite(highest) and math.isfinite(mean):
        return Summary(shape, dtype, mean, std, lowest, highest, zeros, 0)
    return _around_the_bad(_as_float(values), shape, dtype)


def _around_the_bad(values: Tensor, shape: tuple[int, ...], dtype: str) -> Summary:
    finite = values[torch.isfinite(values)]
    bad = values.numel() - finite.numel()
    if finite.numel() == 0:
        return Summary(shape, dtype, math.nan, math.nan, math.nan, math.nan, 0.0, bad)
    low, high = torch.aminmax(finite)
    numbers = torch.stack([finite.mean(), finite.std(correction=0), low, high, (finite == 0).float().mean()])
    mean, std, lowest, highest, zeros = numbers.tolist()
    return Summary(shape, dtype, mean, std, lowest, highest, zeros, bad)


def _real_and_dense(tensor: Tensor) -> Tensor:
    if tensor.is_complex():
        tensor = tensor.abs()
    if tensor.is_sparse or tensor.is_quantized:
        tensor = tensor.to_dense() if tensor.is_sparse else tensor.dequantize()
    return tensor


def _as_float(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def as_stored(tensor: Tensor, first: int = 0) -> Tensor:
    """A view with the axes in the order in which they lie in memory, the first ones as they are.

    What is read in that order needs no copy: of channels-last tensors, copies are most of the cost of a look.
    """
    if tensor.is_contiguous():
        return tensor
    strides = tensor.stride()
    order = sorted(range(first, tensor.ndim), key=lambda axis: -strides[axis])
    return tensor.permute([*range(first), *order])


def evenly(values: Tensor, most: int) -> Tensor:
    """At most `most` values, evenly spread over the tensor, as a vector."""
    flat = values.reshape(-1)
    if flat.numel() <= most:
        return flat
    stride = -(-flat.numel() // most)
    return flat[:: stride + (1 - stride % 2)]  # odd, so that it does not fall in with an even number of channels


def positions(count: int) -> Tensor:
    """Which of a sample's values stand for it: all of them, or 256 at places drawn once and for all."""
    if count <= PICKS:
        return torch.arange(count)
    generator = torch.Generator().manual_seed(20_200)
    return torch.randperm(count, generator=generator)[:PICKS].sort().values


def between_samples(output: Tensor) -> float:
    """Spread of an output from sample to sample: root mean square over its units of the standard deviation."""
    if output.ndim < 1 or output.shape[0] < 2 or output.numel() == 0:
        return math.nan
    with torch.no_grad():
        rows = as_stored(_real_and_dense(output.detach()), first=1).reshape(output.shape[0], -1)
        if rows.shape[1] > 512:
            rows = rows[:, :: -(-rows.shape[1] // 512)]
        return _as_float(rows).var(dim=0, correction=0).mean().sqrt().item()


def flat_units(
    values: Shaped[Tensor, "..."], axis: int
) -> tuple[Bool[np.ndarray, " units"], Bool[np.ndarray, " units"]]:
    """Which units along an axis are 0 everywhere, and which have one value everywhere.

    A unit that varies among a few of its values varies: only the others are read whole, and mostly there are none.
    """
    rest = [d for d in range(values.ndim) if d != axis]
    few = values[tuple(slice(None) if d == axis else slice(None, None, -(-n // 8)) for d, n in enumerate(values.shape))]
    silent, constant = np.zeros(values.shape[axis], bool), np.zeros(values.shape[axis], bool)
    doubtful = (few.amin(rest) == few.amax(rest)).nonzero()[:, 0].cpu().numpy()
    if len(doubtful) > READ_ALONE:
        doubtful = np.arange(values.shape[axis])
    elif len(doubtful):
        values = torch.stack([values.select(axis, int(unit)) for unit in doubtful], dim=axis)
    if len(doubtful):
        low, high = values.amin(rest), values.amax(rest)
        silent[doubtful] = ((low == 0) & (high == 0)).cpu().numpy()
        constant[doubtful] = (low == high).cpu().numpy()
    return silent, constant


def as_array(tensor: Tensor) -> np.ndarray:
    """A copy as a NumPy array of float32, or of int64 where the tensor counts."""
    with torch.no_grad():
        kept = tensor.detach()
        counts = not (kept.is_floating_point() or kept.is_complex())
        kept = kept.long() if counts else _real_and_dense(kept).float()
        return kept.cpu().numpy().copy()
