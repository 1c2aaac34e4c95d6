"""Which activation functions a network really calls, modules and functions alike, by watching one forward pass."""

from collections import Counter
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

# PyTorch's operators and the field's names. relu6 and hard sigmoids arrive as the operators that they are made of.
OPERATORS = {
    "relu": "relu", "leaky_relu": "leaky_relu", "elu": "elu", "_prelu_kernel": "prelu", "gelu": "gelu", "silu": "silu",
    "mish": "mish", "hardtanh": "hardtanh", "hardswish": "hardswish", "hardsigmoid": "hardsigmoid", "softplus": "softplus",
    "sigmoid": "sigmoid", "tanh": "tanh", "_softmax": "softmax",
}  # fmt: skip


class _Watch(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__.rstrip("_")
        if name in OPERATORS:
            self.seen[OPERATORS[name]] += 1
        return func(*args, **(kwargs or {}))


def activations_seen(model: nn.Module, images: Float[Tensor, "batch channels height width"]) -> dict[str, int]:
    """How often each activation function is called in a forward pass; the model is left in its mode."""
    with torch.no_grad(), _Watch() as watch:
        model(images)
    return dict(watch.seen.most_common())
