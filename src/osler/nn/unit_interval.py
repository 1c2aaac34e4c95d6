"""A first layer that for a while sees its inputs as numbers between 0 and 1."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn


@contextmanager
def as_probabilities(layer: nn.Linear, rows: Float[Tensor, "rows inputs"]) -> Iterator[Float[Tensor, "rows inputs"]]:
    """Within, the layer takes the rows mapped from their smallest value to 0 and their largest to 1, given by `with`.

    The same layer is written for the other unit of measure, so that it answers as before; afterwards it takes the rows'
    own values again, and what it learnt in between is kept. One map for all inputs: their brightness stays comparable.
    """
    low, high = rows.min(), rows.max()
    span = (high - low).clamp(min=torch.finfo(rows.dtype).eps)
    with torch.no_grad():
        layer.bias.add_(low * layer.weight.sum(1))
        layer.weight.mul_(span)
    yield (rows - low) / span
    with torch.no_grad():
        layer.weight.div_(span)
        layer.bias.sub_(low * layer.weight.sum(1))
