"""A network's head: its last linear layer, another in its place, and the features that come to it."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.structures.errors import RecipeError


def find_head(model: nn.Module) -> tuple[str, nn.Linear]:
    """The dotted name of the last linear layer, and the layer.

    Raises:
        RecipeError: the network has no linear layer.
    """
    linears = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not linears:
        raise RecipeError(
            f"{type(model).__name__} has no linear layer, so its head cannot be found; "
            "end it with nn.Linear(features, num_classes)."
        )
    return linears[-1]


def replace_head(model: nn.Module, num_classes: int) -> nn.Linear:
    """Put a new head with `num_classes` raw outputs in the place of the old one, and return it.

    Its weights are normal with spread 1 / sqrt(features), its bias (where the old head had one) is 0; device, type and
    mode are those of the old head. Everything before it stays as it is.

    Raises:
        RecipeError: the network has no linear layer.
    """
    name, old = find_head(model)
    if not name:
        raise RecipeError("The network is a single nn.Linear, and has nothing before its head; make a new one instead.")
    new = nn.Linear(
        old.in_features, num_classes, bias=old.bias is not None, device=old.weight.device, dtype=old.weight.dtype
    )
    nn.init.normal_(new.weight, 0.0, 1 / math.sqrt(old.in_features))
    if new.bias is not None:
        nn.init.zeros_(new.bias)
    model.set_submodule(name, new.train(old.training))
    return new


def penultimate(
    model: nn.Module, images: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, "batch features"]:
    """The features that come to the head for standardised pictures. Mode and gradient are the caller's.

    Raises:
        RecipeError: the network has no linear layer, or does not call it.
    """
    name, head = find_head(model)
    seen: list[Tensor] = []
    handle = head.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    try:
        model(images)
    finally:
        handle.remove()
    if not seen:
        raise RecipeError(
            f"{type(model).__name__} does not call its last linear layer {name!r}, so it gives no features."
        )
    return torch.flatten(seen[-1], 1)
