"""A network's head: the layer that gives the raw outputs, another in its place, and the features that come to it.

It is the last linear layer; in a network without one, the last 1x1 convolution, whose maps of the classes are averaged
(Lin, Chen, Yan 2013).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.structures.errors import RecipeError

Head = nn.Linear | nn.Conv2d


def find_head(model: nn.Module) -> tuple[str, Head]:
    """The dotted name of the head, and the layer.

    Raises:
        RecipeError: the network has neither a linear layer nor a 1x1 convolution.
    """
    modules = list(model.named_modules())
    linears = [(name, module) for name, module in modules if isinstance(module, nn.Linear)]
    pointwise = [(name, module) for name, module in modules if _is_pointwise(module)]
    if not linears and not pointwise:
        raise RecipeError(
            f"{type(model).__name__} has no linear layer and no 1x1 convolution, so its head cannot be found; "
            "end it with nn.Linear(features, num_classes)."
        )
    return (linears or pointwise)[-1]


def features_of(head: Head) -> int:
    """How many features come to a head."""
    return head.in_features if isinstance(head, nn.Linear) else head.in_channels


def replace_head(model: nn.Module, num_classes: int) -> Head:
    """Put a new head with `num_classes` raw outputs in the place of the old one, and return it.

    Its weights are normal with spread 1 / sqrt(features), its bias (where the old head had one) is 0; kind, device, type
    and mode are those of the old head. Everything before it stays as it is.

    Raises:
        RecipeError: the network has no head, or is nothing but one.
    """
    name, old = find_head(model)
    if not name:
        raise RecipeError(
            f"The network is a single nn.{type(old).__name__}, and has nothing before its head; make a new one instead."
        )
    new = _like(old, num_classes)
    nn.init.normal_(new.weight, 0.0, 1 / math.sqrt(features_of(old)))
    if new.bias is not None:
        nn.init.zeros_(new.bias)
    model.set_submodule(name, new.train(old.training))
    return new


def penultimate(
    model: nn.Module, images: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, "batch features"]:
    """The features that come to the head for standardised pictures. Mode and gradient are the caller's.

    Of maps that come to a convolution it is the mean: the head of the mean is the mean of the head.

    Raises:
        RecipeError: the network has no head, or does not call it.
    """
    name, head = find_head(model)
    seen: list[Tensor] = []
    handle = head.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    try:
        model(images)
    finally:
        handle.remove()
    if not seen:
        raise RecipeError(f"{type(model).__name__} does not call its last layer {name!r}, so it gives no features.")
    return torch.flatten(seen[-1], 1) if isinstance(head, nn.Linear) else seen[-1].mean((2, 3))


def _is_pointwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.groups == 1


def _like(old: Head, num_classes: int) -> Head:
    """A layer of the same kind for another number of classes."""
    bias, where = old.bias is not None, {"device": old.weight.device, "dtype": old.weight.dtype}
    if isinstance(old, nn.Linear):
        return nn.Linear(old.in_features, num_classes, bias=bias, **where)
    return nn.Conv2d(old.in_channels, num_classes, 1, old.stride, old.padding, bias=bias, **where)  # type: ignore[arg-type]
