"""Sub-sampling with a coefficient and a bias for each map (LeCun et al. 1998, section II.B, layers S2 and S4)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class TrainedPool2d(nn.Module):
    """The sum over windows of 2x2, times a trained coefficient, plus a trained bias: two parameters a map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), 0.25))  # starts as the mean
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels half_h half_w"]:
        """Heights and widths are halved, rounded down."""
        total = F.avg_pool2d(x, 2) * 4
        return total * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
