"""Blur pooling: a low-pass filter before every subsampling (Zhang 2019, "Making convolutional networks shift-invariant
again", ICML, arXiv 1904.11486).

A layer with a stride throws positions away; what varies faster than the remaining ones can show turns into something
else (aliasing), and a picture moved by one pixel gets another answer. So a strided layer becomes the same layer at stride
1, then a blur with the stride (section 3.2): `max_blur_pool` for maximum pooling, `conv_blur_pool` for a convolution with
its activation; an average pooling becomes the blur alone.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from osler.nn.convolution import conv

Kernel = Literal[3, 5]
BINOMIAL: dict[int, tuple[float, ...]] = {3: (1.0, 2.0, 1.0), 5: (1.0, 4.0, 6.0, 4.0, 1.0)}


class BlurPool2d(nn.Module):
    """Each channel through the same binomial filter, then every `stride`-th position.

    The filter is [1 2 1] or [1 4 6 4 1] in each direction, its sum 1; the border is reflected. Nothing is trained, and
    nothing is stored with the weights.

    Args:
        kernel: side of the filter, 3 (Tri-3 in the paper) or 5 (Bin-5).
        stride: input positions per output position.
    """

    kernel: Tensor

    def __init__(self, kernel: Kernel = 3, *, stride: int = 2) -> None:
        super().__init__()
        if kernel not in BINOMIAL:
            raise ValueError(f"Blur pooling has kernels of 3 and 5; given: {kernel}.")
        line = torch.tensor(BINOMIAL[kernel])
        filter_ = torch.outer(line, line)
        self.register_buffer("kernel", (filter_ / filter_.sum())[None, None], persistent=False)
        self.stride = stride

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height2 width2"]:
        """Heights and widths become ceil(n / stride); they are at least 2 with a kernel of 3, and 3 with 5."""
        channels, border = x.shape[1], self.kernel.shape[-1] // 2
        padded = F.pad(x, (border,) * 4, mode="reflect")
        return F.conv2d(padded, self.kernel.expand(channels, -1, -1, -1), stride=self.stride, groups=channels)

    def extra_repr(self) -> str:
        """What `print` shows beside the name."""
        return f"kernel={self.kernel.shape[-1]}, stride={self.stride}"


def max_blur_pool(kernel: Kernel = 3, *, window: int = 2, stride: int = 2) -> nn.Sequential:
    """The maximum of every window, densely, then the blur with the stride. `window` is 2 or odd.

    Heights and widths become ceil(n / stride), or ceil((n - 1) / stride) with a window of 2.
    """
    pool = nn.MaxPool2d(window, stride=1, padding=(window - 1) // 2)
    return nn.Sequential(OrderedDict(pool=pool, blur=BlurPool2d(kernel, stride=stride)))


def conv_blur_pool(
    in_channels: int,
    out_channels: int,
    kernel: Kernel = 3,
    *,
    side: int = 3,
    stride: int = 2,
    act: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """A convolution of `side` at stride 1, batch norm, activation, then the blur with the stride."""
    parts = [
        ("conv", conv(in_channels, out_channels, side)),
        ("norm", nn.BatchNorm2d(out_channels)),
        ("act", act()),
        ("blur", BlurPool2d(kernel, stride=stride)),
    ]
    return nn.Sequential(OrderedDict(parts))
