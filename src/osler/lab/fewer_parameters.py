"""How convolutional networks come to fewer parameters: each way on a layer that needs it, counted before and after.

The first six ways build another layer, which has to be trained; the last three approximate a trained one, and the accuracy
of its network with the approximated layer tells how well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.lab.plain_training import accuracy_of, adam, fit, mlp, seeded
from osler.lab.small_sets import Split, digits
from osler.nn.asymmetric import asymmetric
from osler.nn.convolution import conv
from osler.nn.depthwise_separable import depthwise_separable
from osler.nn.locally_connected import LocallyConnected2d

CHANNELS, CLASSES = 256, 1000
HIDDEN = 256  # units of the network that is approximated
Matrix = Float[Tensor, "outputs inputs"]


@dataclass(frozen=True, slots=True)
class Reduction:
    """One way, and what it does to a layer's weights (biases and norms are left out)."""

    way: str
    layers: str  # before and after
    before: int
    after: int
    bytes_before: int
    bytes_after: int
    accuracy: tuple[float, float] | None = None  # of the approximated network, before and after; None: another layer

    @property
    def times(self) -> float:
        """How many times smaller the layer becomes, in bytes."""
        return self.bytes_before / self.bytes_after


def parameter_reductions(*, seed: int = 0) -> list[Reduction]:
    """The table; the network that is approximated reads digits, and `seed` determines its weights."""
    with torch.device("meta"):  # layers that are only counted need no weights
        rows = [way() for way in (_pointwise, _small_kernels, _asymmetric, _depthwise, _pooled)]
    with seeded(seed):
        rows.append(_shared())
    data = digits(600, seed=seed)
    model = fit(mlp(64, HIDDEN, HIDDEN, 10, seed=seed), data.x, data.y, epochs=12, optimizer=adam(1e-3), seed=seed)
    approximated = [way(model, data) for way in (_low_rank, _pruned, _quantised)]
    return rows + approximated


def reduction_table(rows: Sequence[Reduction]) -> str:
    """The rows to be read."""
    lines = [f"{'way':<23} {'before':>11} {'after':>10} {'times':>6} {'accuracy, %':>13}  layers"]
    for row in rows:
        accuracy = "" if row.accuracy is None else " -> ".join(f"{100 * a:.1f}" for a in row.accuracy)
        counts = f"{row.before:>11,} {row.after:>10,} {row.times:>6.1f} {accuracy:>13}"
        lines.append(f"{row.way:<23} {counts}  {row.layers}")
    return "\n".join(lines)


def weights_of(module: nn.Module) -> int:
    """The weights of convolutions and linear layers, without biases and norms."""
    return sum(p.numel() for name, p in module.named_parameters() if name.endswith("weight") and p.ndim > 1)


def low_rank(weight: Matrix, rank: int) -> tuple[Float[Tensor, "outputs rank"], Float[Tensor, "rank inputs"]]:
    """Two matrices whose product is nearest to `weight` of all of that rank (Eckart and Young 1936)."""
    u, s, v = torch.linalg.svd(weight, full_matrices=False)
    return u[:, :rank] * s[:rank], v[:rank]


def pruned(weight: Matrix, share: float) -> Matrix:
    """The weights with this share of them, the smallest, set to zero (Han et al. 2015)."""
    zeros = round(share * weight.numel())
    order = weight.abs().flatten().argsort()
    kept = torch.ones(weight.numel(), dtype=weight.dtype)
    kept[order[:zeros]] = 0
    return weight * kept.view_as(weight)


def quantised(weight: Matrix) -> tuple[Tensor, float]:
    """The weights as whole numbers of eight bits, and the step between two (symmetric, one step for all)."""
    step = float(weight.abs().max()) / 127
    return (weight / step).round().to(torch.int8), step


def _replaced(way: str, layers: str, before: nn.Module, after: nn.Module) -> Reduction:
    large, small = weights_of(before), weights_of(after)
    return Reduction(way, layers, large, small, 4 * large, 4 * small)


@torch.no_grad()
def _approximated(
    way: str, layers: str, model: nn.Sequential, data: Split, back: Matrix, *, after: int, size: int
) -> Reduction:
    """Measured with `back` in the place of the middle layer's weights, which come back afterwards."""
    weight = _middle(model)
    before, original = accuracy_of(model, data.x_test, data.y_test), weight.clone()
    weight.copy_(back)
    accuracy = before, accuracy_of(model, data.x_test, data.y_test)
    weight.copy_(original)
    return Reduction(way, layers, weight.numel(), after, 4 * weight.numel(), size, accuracy)


def _middle(model: nn.Sequential) -> Matrix:
    middle = model[2]
    assert isinstance(middle, nn.Linear)
    return middle.weight.detach()


def _pointwise() -> Reduction:
    c, narrow = CHANNELS, CHANNELS // 4
    bottleneck = nn.Sequential(conv(c, narrow, 1), conv(narrow, narrow, 3), conv(narrow, c, 1))
    return _replaced("1x1 around the kernel", "3x3 -> 1x1, 3x3, 1x1 of a quarter", conv(c, c, 3), bottleneck)


def _small_kernels() -> Reduction:
    c = CHANNELS
    return _replaced(
        "small kernels in a row", "5x5 -> two 3x3", conv(c, c, 5), nn.Sequential(conv(c, c, 3), conv(c, c, 3))
    )


def _asymmetric() -> Reduction:
    c = CHANNELS
    return _replaced("factorised kernel", "7x7 -> 7x1, 1x7", conv(c, c, 7), asymmetric(c, c, 7))


def _depthwise() -> Reduction:
    c = CHANNELS
    return _replaced("depthwise-separable", "3x3 -> depthwise 3x3, 1x1", conv(c, c, 3), depthwise_separable(c, c))


def _pooled() -> Reduction:
    flattened = nn.Sequential(nn.Flatten(), nn.Linear(2 * CHANNELS * 7 * 7, CLASSES))
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * CHANNELS, CLASSES))
    return _replaced("global average pooling", "7x7x512 to 1000 classes -> means of 512", flattened, pooled)


def _shared() -> Reduction:
    alone = LocallyConnected2d(32, 32, 3, (14, 14), padding=1)
    return _replaced("shared weights", "kernels for each of 14x14 positions -> for all", alone, conv(32, 32, 3))


def _low_rank(model: nn.Sequential, data: Split) -> Reduction:
    rank = HIDDEN // 8
    left, right = low_rank(_middle(model), rank)
    after, layers = left.numel() + right.numel(), f"{HIDDEN}x{HIDDEN} -> {HIDDEN}x{rank}, {rank}x{HIDDEN}"
    return _approximated("low rank", layers, model, data, left @ right, after=after, size=4 * after)


def _pruned(model: nn.Sequential, data: Split) -> Reduction:
    """In a file the weights that stay need their places too: compressed sparse rows, counted as they are stored."""
    share = 0.8
    left = pruned(_middle(model), share)
    after = int(left.count_nonzero())
    places = 2 * after + 4 * (len(left) + 1)  # 16 bits for a column, 32 for the beginning of a row
    layers = f"{share:.0%} of {HIDDEN}x{HIDDEN} set to zero"
    return _approximated("pruning", layers, model, data, left, after=after, size=4 * after + places)


def _quantised(model: nn.Sequential, data: Split) -> Reduction:
    whole, step = quantised(_middle(model))
    size = whole.numel() * whole.element_size() + 4  # and the step
    layers = f"{HIDDEN}x{HIDDEN} in 8 bits"
    return _approximated("quantisation", layers, model, data, whole * step, after=whole.numel(), size=size)
