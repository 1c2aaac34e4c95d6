"""A network made linear while it runs, so that the gradient of an output shows exactly what it is connected with.

Weights become one positive constant for each layer, maxima become means, activations, norms and dropouts pass their input on.
A product of two maps becomes their sum; one of a map with something smaller, a gate or a scale, becomes the map alone. With
nothing negative nothing cancels: the gradient is above zero wherever there is a path, and zero elsewhere.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

PASSED_ON = {
    *("relu", "relu6", "hardtanh", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "softsign"),
    *(
        "hardswish",
        "hardsigmoid",
        "sigmoid",
        "logsigmoid",
        "tanh",
        "tanhshrink",
        "softshrink",
        "hardshrink",
        "threshold",
    ),
    *("prelu", "rrelu", "softmax", "log_softmax", "softmin", "clamp", "abs"),
    *("batch_norm", "layer_norm", "group_norm", "instance_norm", "local_response_norm", "rms_norm", "normalize"),
    *("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"),
}
WEIGHTED = {
    *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "linear"),
}
MEANS = {"max_pool1d": F.avg_pool1d, "max_pool2d": F.avg_pool2d, "max_pool3d": F.avg_pool3d}
ADAPTIVE_MEANS: dict[str, Callable[..., Tensor]] = {
    "adaptive_max_pool1d": F.adaptive_avg_pool1d,
    "adaptive_max_pool2d": F.adaptive_avg_pool2d,
    "adaptive_max_pool3d": F.adaptive_avg_pool3d,
}


class Linearised(TorchFunctionMode):
    """While it is entered, functions of PyTorch do what the head of this file says."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "").strip("_")
        return self._called(name, func, [_real(a) for a in args], {k: _real(v) for k, v in (kwargs or {}).items()})

    def _called(self, name: str, func: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if name in PASSED_ON and args:
            return args[0]
        if name in WEIGHTED:
            weight = args[1] if len(args) > 1 else kwargs.pop("weight")
            kwargs.pop("bias", None)
            return func(args[0], _constant(name, weight), None, *args[3:], **kwargs)
        if name in MEANS:
            return _mean_pool(MEANS[name], *args, **kwargs)
        if name in ADAPTIVE_MEANS:
            return ADAPTIVE_MEANS[name](*args[:2])
        if name in ("mul", "imul", "rmul", "multiply") and all(isinstance(a, Tensor) for a in args[:2]):
            return _sum_or_larger(*args[:2])
        return func(*args, **kwargs)


def _real(value: Any) -> Any:
    """A parameter without numbers counts as ones."""
    if isinstance(value, Tensor) and value.is_meta and value.is_floating_point():
        return torch.ones(value.shape, dtype=torch.float64)
    return value


def _constant(name: str, weight: Tensor) -> Tensor:
    """Each output as the mean of what it sees, so that no number becomes too large or too small."""
    seen = weight.shape[0] * prod(weight.shape[2:]) if "transpose" in name else prod(weight.shape[1:])
    return torch.full(weight.shape, 1 / seen, dtype=torch.float64)


def _mean_pool(
    pool: Any,
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    if dilation not in (1, [1, 1], (1, 1)):
        raise ValueError("A dilated pooling has no mean in PyTorch.")
    return pool(x, kernel_size, stride or kernel_size, padding, ceil_mode)


def _sum_or_larger(one: Tensor, other: Tensor) -> Tensor:
    if one.shape[2:] == other.shape[2:] and one.ndim == other.ndim and one.ndim > 2:
        return one + other
    return max(one, other, key=lambda t: prod(t.shape[2:]) if t.ndim > 2 else 0)
