"""How long a forward pass takes on this processor: every run is kept, and the median is what counts.

The median of at least 20 runs after some that warm up: a mean would follow the few runs in which something else had the
processor. Experiments take the clock as an argument, so that one that tells the same time always can stand in its place.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn

WARM_UPS, RUNS = 3, 20
Pictures = tuple[int, int, int]  # channels, height and width of one


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of each run."""

    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """Half of the runs were quicker."""
        return median(self.runs)


Clock = Callable[[nn.Module, Pictures], Timing]  # of a forward pass of one picture


def forward_times(model: nn.Module, picture: Pictures, *, runs: int = RUNS) -> Timing:
    """Times forward passes of one picture of zeros, in evaluation mode; the model's own mode comes back afterwards.

    Args:
        model: on the processor.
        picture: channels, height and width.
        runs: that count, after the warming up.
    """
    was_training, zeros, took = model.training, torch.zeros(1, *picture), []
    model.eval()
    try:
        with torch.inference_mode():
            for _ in range(WARM_UPS + runs):
                began = time.perf_counter()
                model(zeros)
                took.append(1000 * (time.perf_counter() - began))
    finally:
        model.train(was_training)
    return Timing(tuple(took[WARM_UPS:]))
