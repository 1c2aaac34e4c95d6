"""A recurrent network whose gradients explode, with and without clipping (row OP13; Pascanu et al. 2013)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from osler.training.clipping import clip_gradients


@dataclass(frozen=True, slots=True)
class ClippingCourse:
    """What a training of the recurrent network did."""

    losses: tuple[float, ...]  # up to the first that is no number
    largest_norm: float  # of a gradient before clipping

    @property
    def diverged(self) -> bool:
        """Whether a loss was no number, or the last is above the first."""
        return not math.isfinite(self.losses[-1]) or self.losses[-1] > self.losses[0]


class Accumulator(nn.Module):
    """A linear recurrent network, h <- W h + U x, read at the end; a `gain` above 1 makes its gradients explode."""

    def __init__(self, units: int, gain: float) -> None:
        super().__init__()
        self.inward = nn.Linear(1, units, bias=False)
        self.across = nn.Linear(units, units, bias=False)
        self.outward = nn.Linear(units, 1, bias=False)
        nn.init.orthogonal_(self.across.weight, gain)

    def forward(self, series: Tensor) -> Tensor:
        """One number for each series of shape (batch, steps)."""
        state = self.inward(series[:, :1])
        for step in series[:, 1:].split(1, dim=1):
            state = self.across(state) + self.inward(step)
        return self.outward(state)[:, 0]


def train_accumulator(
    *, norm: float, value: float = 0.0, updates: int = 150, length: int = 30, gain: float = 1.1, lr: float = 0.01
) -> ClippingCourse:
    """Learns the mean of a random series by gradient descent, the gradients clipped to `norm` and `value` (0: not)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network, losses, largest = Accumulator(16, gain), [], 0.0
        optimizer = torch.optim.SGD(network.parameters(), lr=lr)
        for _ in range(updates):
            series = torch.randn(32, length)
            optimizer.zero_grad()
            loss = mse_loss(network(series), series.mean(1))
            loss.backward()
            largest = max(largest, clip_gradients(list(network.parameters()), norm=norm, value=value).item())
            optimizer.step()
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                break
    return ClippingCourse(tuple(losses), largest)
