"""The convolutions that stay in float32 within bfloat16 training on a processor: those that oneDNN has no good kernels for.

Depthwise ones with a stride or with more than 3x3 weights: their bfloat16 gradients run in plain loops, three to seven times
as long as in float32 (benchmarks/precision.py). They are a few per cent of a mobile network's multiply-adds, and were
half of its training time.

Strided ones on maps as small as their kernels: the bfloat16 gradient of the weights is wrong there, now and then not even
finite, as if memory were read that nobody wrote (torch 2.13: 3x3 weights, stride 2, padding 1 on a map of 1x1 or 5x1). Such
maps stand at the end of a detector's pyramid. They cost nothing.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class SomeConvolutionsInFloat32(TorchFunctionMode):
    """Within, `torch.conv2d` computes these in float32 where a gradient will be asked for; the answer is bfloat16."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Every call of torch's comes by here; all but these convolutions go on as they are."""
        named = kwargs or {}
        if function is torch.conv2d and torch.is_grad_enabled() and _is_poor(*args, **named):
            with torch.autocast("cpu", enabled=False):
                return _in_float32(*args, **named)
        return function(*args, **named)


def _is_poor(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> bool:
    """Whether its bfloat16 gradients are slow, or wrong."""
    strided = max(stride) > 1 if isinstance(stride, tuple | list) else stride > 1
    kernel, depthwise = max(weight.shape[2:]), 1 < groups == input.shape[-3]
    slow = depthwise and (strided or kernel > 3)
    wrong = strided and kernel > 1 and min(input.shape[-2:]) <= kernel
    return slow or wrong


def _in_float32(input: Tensor, weight: Tensor, bias: Tensor | None = None, *args: Any, **kwargs: Any) -> Tensor:
    wide = torch.conv2d(input.float(), weight.float(), None if bias is None else bias.float(), *args, **kwargs)
    return wide.bfloat16()
