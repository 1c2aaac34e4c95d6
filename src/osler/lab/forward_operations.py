"""What a forward pass is made of, each operation by its own arithmetic and beside PyTorch's (row FB13)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from osler.nn.activations import activations
from osler.ops.convolution import Window, convolve_by_matrix, convolve_by_position
from osler.ops.normalisation import batch_norm
from osler.ops.pooling import average_pool, max_pool

Maps = Float[Tensor, "batch channels height width"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, run alone."""

    name: str
    says: str
    by_hand: Tensor
    by_torch: Tensor

    @property
    def difference(self) -> float:
        """The largest."""
        return float((self.by_hand - self.by_torch).abs().max())


def forward_operations(*, seed: int = 0) -> list[Operation]:
    """Convolution, 1x1 convolution, pooling, activations, batch norm, dropout and the fully connected layer, on one batch."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    x, window = draw(2, 3, 9, 8), Window(3, 2, 1)
    kernel, point, scale, shift = draw(4, 3, 3, 3), draw(5, 3, 1, 1), draw(3), draw(3)
    weight, bias = draw(6, 3), draw(6)
    rows = x.mean((2, 3))
    found = [
        Operation("convolution", "multiply and add, position by position",
                  convolve_by_position(x, kernel, window), F.conv2d(x, kernel, stride=2, padding=1)),
        Operation("convolution as a matrix product", "multiply and add, all patches at once (im2col)",
                  convolve_by_matrix(x, kernel, window), F.conv2d(x, kernel, stride=2, padding=1)),
        Operation("1x1 convolution", "a fully connected layer over the channels of each pixel",
                  torch.einsum("nihw,oi->nohw", x, point[:, :, 0, 0]), F.conv2d(x, point)),
        Operation("max pooling", "the largest under each window", max_pool(x, window)[0], F.max_pool2d(x, 3, 2, 1)),
        Operation("average pooling", "the mean under each window", average_pool(x, window), F.avg_pool2d(x, 3, 2, 1)),
        Operation("batch norm", "each channel centred, divided by its spread, scaled and shifted",
                  batch_norm(x, scale, shift).output, F.batch_norm(x, None, None, scale, shift, training=True)),
        Operation("dropout", "a mask of coin tosses, what is kept divided by 1 - p", *_dropout(x, 0.4, seed)),
        Operation("fully connected", "weighted sums of all inputs, and a bias",
                  (rows[:, None, :] * weight).sum(2) + bias, F.linear(rows, weight, bias)),
    ]  # fmt: skip
    for name in ("relu", "sigmoid", "tanh"):
        known = activations[name]
        found.append(Operation(name, f"each number by itself: {known.formula}", known.value(x), known.make()(x)))
    return found


def _dropout(x: Maps, p: float, seed: int) -> tuple[Maps, Maps]:
    """By a mask of one's own, and by PyTorch, under one seed."""
    by: list[Callable[[], Tensor]] = [
        lambda: torch.empty_like(x).bernoulli_(1 - p) * x / (1 - p),
        lambda: F.dropout(x, p, training=True),
    ]
    found = []
    for way in by:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            found.append(way())
    return found[0], found[1]
