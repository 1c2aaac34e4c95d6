"""How many multiply-adds a second a processor does in convolutions of different kernels: compute density.

Fewer multiply-adds are not always less time. Ding et al. 2021 (RepVGG, section 3.1 and table 1) measured on a GPU about
four times the density in 3x3 convolutions that they found in 1x1 and 5x5 ones, because of Winograd's algorithm. On
another processor and library the relation is another, so it is measured where the network is to run.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch

from osler.models.cost import multiply_adds
from osler.nn.convolution import conv


@dataclass(frozen=True, slots=True)
class Density:
    """One kernel's work and time."""

    kernel: int  # side in positions
    multiply_adds: int  # of one call
    seconds: float  # of one call, the median of the rounds

    @property
    def rate(self) -> float:
        """Multiply-adds a second, in units of 10^9."""
        return self.multiply_adds / self.seconds / 1e9


@torch.inference_mode()
def compute_density(
    kernels: Sequence[int] = (1, 3, 5),
    *,
    channels: int = 128,
    side: int = 28,
    rounds: int = 15,
    device: str = "cpu",
    clock: Callable[[], float] = time.perf_counter,
) -> list[Density]:
    """Times convolutions of `channels` to `channels` on one map; the kernels take turns, and a first round is not counted.

    Args:
        kernels: odd sides.
        channels: in and out.
        side: of the map in positions.
        rounds: counted ones, above 0.
        device: where it is measured.
        clock: gives seconds.
    """
    x = torch.randn(1, channels, side, side, device=device)
    layers = {kernel: conv(channels, channels, kernel).to(device) for kernel in kernels}
    spent: dict[int, list[float]] = {kernel: [] for kernel in kernels}
    for _ in range(rounds + 1):
        for kernel, layer in layers.items():
            _wait(device)
            start = clock()
            layer(x)
            _wait(device)
            spent[kernel].append(clock() - start)
    work = {kernel: multiply_adds(layer, channels, (side, side)) for kernel, layer in layers.items()}
    return [Density(kernel, work[kernel], median(spent[kernel][1:])) for kernel in kernels]


def density_table(rows: Sequence[Density]) -> str:
    """The rows to be printed, each also as a multiple of the first."""
    lines = [f"{'kernel':>7} {'GMAC':>9} {'ms':>9} {'GMAC/s':>9} {'ratio':>7}"]
    for row in rows:
        work = f"{row.multiply_adds / 1e9:>9.4f} {row.seconds * 1e3:>9.3f}"
        lines.append(f"{row.kernel:>5}x{row.kernel} {work} {row.rate:>9.1f} {row.rate / rows[0].rate:>7.2f}")
    return "\n".join(lines)


def _wait(device: str) -> None:
    """Until an accelerator has done what was handed to it."""
    if device != "cpu":
        torch.accelerator.synchronize(device)
