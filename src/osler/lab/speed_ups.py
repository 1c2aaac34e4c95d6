"""What makes a network quicker, and by how much here: multiply-adds and milliseconds before and after each way.

The network is MobileNet with a full 3x3 convolution in the place of each depthwise-separable one, which is what its
authors compare it with (Howard et al. 2017, table 4: 4,866 million multiply-adds and 29.3 million parameters against 569
and 4.2). Weights are random: time does not depend on what was learned. What the ways cost in accuracy is in `compression`.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import nn

from osler.lab.filter_chain import narrowed
from osler.lab.int8_weights import with_int8_weights
from osler.lab.latency import Clock, Pictures, Timing, forward_times
from osler.lab.plain_training import seeded
from osler.models.cost import multiply_adds
from osler.models.mobilenet_v1 import MobileNetV1
from osler.nn.convolution import conv_norm_act
from osler.nn.folding import fold_norms
from osler.nn.initialisation import he_initialise

KEPT = 0.5  # share of each layer's filters that pruning leaves
TURNS = 3  # before and after are measured in turn: what else the processor does comes and goes, and meets both


@dataclass(frozen=True, slots=True)
class SpeedUp:
    """A way, and the network's cost for one picture before and after it."""

    way: str
    multiply_adds: tuple[int, int]
    times: tuple[Timing, Timing]
    difference: float  # largest of an output, as a share of the largest output; 1 is as good as another network

    @property
    def gain(self) -> float:
        """How many times quicker it became; below 1 it became slower."""
        return self.times[0].median / self.times[1].median


def speed_ups(*, width: float = 0.5, side: int = 128, clock: Clock = forward_times, seed: int = 0) -> list[SpeedUp]:
    """Each way alone, and at last all that save time together.

    Args:
        width: multiplies all channels of the network.
        side: of the pictures in pixels.
        clock: measures a network; the real one by default.
        seed: of the weights.
    """
    full = full_convolutions(width=width, seed=seed)
    separable = _random_statistics(MobileNetV1(num_classes=1000, width=width), seed)
    ways: dict[str, tuple[nn.Module, nn.Module]] = {
        "depthwise-separable": (full, separable),
        "norms folded": (full, folded(full)),
        "filters pruned": (full, narrowed(full, KEPT)),
        "int8 weights": (folded(full), with_int8_weights(full)),
        "separable, pruned, folded": (full, folded(narrowed(separable, KEPT))),
    }
    return [_compared(way, before, after, (3, side, side), clock) for way, (before, after) in ways.items()]


def full_convolutions(*, width: float = 1.0, seed: int = 0) -> nn.Module:
    """MobileNet of full convolutions, its norms with statistics as if it had seen pictures."""
    with seeded(seed):
        model = MobileNetV1(num_classes=1000, width=width)
        for stage in model.stages:
            assert isinstance(stage, nn.Sequential)
            for i, block in enumerate(stage):
                depthwise, pointwise = (block.get_submodule(f"{part}.conv") for part in ("depthwise", "pointwise"))
                assert isinstance(depthwise, nn.Conv2d)
                assert isinstance(pointwise, nn.Conv2d)
                channels = pointwise.in_channels, pointwise.out_channels
                stage[i] = conv_norm_act(*channels, stride=int(depthwise.stride[0]))
        he_initialise(model)
    return _random_statistics(model, seed)


def folded(model: nn.Module) -> nn.Module:
    """A copy, in evaluation mode, with its norms in the convolutions."""
    copy = deepcopy(model).eval()
    fold_norms(copy)
    return copy


def speed_up_table(rows: Sequence[SpeedUp]) -> str:
    """The rows to be read."""
    lines = [f"{'way':<26} {'million multiply-adds':>23} {'milliseconds':>18} {'times':>6} {'difference':>10}"]
    for row in rows:
        counts = " -> ".join(f"{count / 1e6:.1f}" for count in row.multiply_adds)
        times = " -> ".join(f"{timing.median:.2f}" for timing in row.times)
        lines.append(f"{row.way:<26} {counts:>23} {times:>18} {row.gain:>6.2f} {row.difference:>10.1e}")
    return "\n".join(lines)


def _random_statistics(model: nn.Module, seed: int) -> nn.Module:
    """Norms that were never trained would fold to nothing: each gets statistics, scales and shifts of its own."""
    with seeded(seed), torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 1.5)
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(std=0.1)
    return model.eval()


@torch.no_grad()
def _compared(way: str, before: nn.Module, after: nn.Module, picture: Pictures, clock: Clock) -> SpeedUp:
    seen = torch.randn(4, *picture, generator=torch.Generator().manual_seed(0))
    was, now = before(seen), after(seen)
    counts = multiply_adds(before, picture[0], picture[1:]), multiply_adds(after, picture[0], picture[1:])
    turns = [(clock(before, picture), clock(after, picture)) for _ in range(TURNS)]
    times = [Timing(tuple(run for timing in timings for run in timing.runs)) for timings in zip(*turns, strict=True)]
    return SpeedUp(way, counts, (times[0], times[1]), float((was - now).abs().max() / was.abs().max()))
