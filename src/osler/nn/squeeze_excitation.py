"""Squeeze and excitation: a gate for each channel, from the means of all channels (Hu, Shen, Sun 2018, section 3)."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn


class SqueezeExcitation(nn.Module):
    """Multiplies each channel by a number that depends on the mean of every channel.

    Squeeze: global average pooling; excitation: down to `hidden`, activation, back up, gate. The two layers are 1x1
    convolutions on a map of one position, under the names of the public weights. They have 2 * channels * hidden
    weights, and hidden + channels biases.

    Args:
        channels: of the input.
        hidden: of the bottleneck; channels / 16 in the paper.
        act: activation of the bottleneck.
        gate: to numbers in [0, 1].
    """

    def __init__(
        self,
        channels: int,
        hidden: int,
        *,
        act: Callable[[], nn.Module] = nn.ReLU,
        gate: Callable[[], nn.Module] = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.fc1, self.act = nn.Conv2d(channels, hidden, 1), act()
        self.fc2, self.gate = nn.Conv2d(hidden, channels, 1), gate()

    def gates(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels 1 1"]:
        """What each channel is multiplied by."""
        return self.gate(self.fc2(self.act(self.fc1(self.squeeze(x)))))

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        """The input, gated channel by channel."""
        return x * self.gates(x)
