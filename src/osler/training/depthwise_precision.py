"""Depthwise convolutions in float32 within bfloat16 training on a processor.

oneDNN has quick bfloat16 kernels for the gradients of dense convolutions; for depthwise ones with a stride or with more than 3x3
weights it falls back to plain loops, which take three to seven times as long as float32 does (benchmarks/precision.py). They
are a few per cent of a mobile network's multiply-adds, and were half of its training time.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class DepthwiseInFloat32(TorchFunctionMode):
    """Within, `torch.conv2d` computes such convolutions in float32 where a gradient will be asked for; the answer is bfloat16."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Every call of torch's comes by here; all but these convolutions go on as they are."""
        named = kwargs or {}
        if function is torch.conv2d and torch.is_grad_enabled() and _is_slow(*args, **named):
            with torch.autocast("cpu", enabled=False):
                return _in_float32(*args, **named)
        return function(*args, **named)


def _is_slow(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> bool:
    strided = max(stride) > 1 if isinstance(stride, tuple | list) else stride > 1
    return 1 < groups == input.shape[1] and (strided or max(weight.shape[2:]) > 3)


def _in_float32(input: Tensor, weight: Tensor, bias: Tensor | None = None, *args: Any, **kwargs: Any) -> Tensor:
    wide = torch.conv2d(input.float(), weight.float(), None if bias is None else bias.float(), *args, **kwargs)
    return wide.bfloat16()
