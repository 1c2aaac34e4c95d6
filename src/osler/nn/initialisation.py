"""How weights start: He's way for our own networks, and any of the field's ways by name for any network."""

import math
from collections.abc import Mapping
from functools import partial
from statistics import median
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from osler.nn.fans import Layer, fans_of, fill_kernels, is_layer
from osler.nn.initialisers import Initialiser, Place, initialisers
from osler.structures.errors import RecipeError

NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
DEEP = 5  # layers from which on a wrong size of the weights multiplies up to something


def initialise(
    model: nn.Module,
    name: str,
    *,
    options: Mapping[str, Any] | None = None,
    images: Float[Tensor, "pictures channels height width"] | None = None,
) -> list[str]:
    """Starts the weights of a network anew, in place, in a way of the field: see `osler.nn.initialisers`.

    Linear layers and convolutions get new weights and biases of 0 (`torch`: both as PyTorch makes them). Norms stay as
    they are, and so do weights that are not trained. The head, the last linear layer, has gain 1, for no activation
    follows it.

    Args:
        model: the network.
        name: a registered name, such as he_normal.
        options: of that way, such as {std: 0.02}.
        images: standardised training pictures on the network's device, where the way needs them (lsuv).

    Returns:
        What a person should know, in sentences.

    Raises:
        UnknownNameError: no initialisation has that name; the message offers the nearest.
        RecipeError: an option is unknown or impossible, or pictures are needed and missing.
    """
    if needs_pictures(name) and images is None:
        raise RecipeError(f"The initialisation {name!r} measures the network on pictures: pass it images=...")
    notes = fill_weights(model, name, options=options)
    return notes if images is None else notes + fit_to_pictures(model, name, images, options=options)


def needs_pictures(name: str) -> bool:
    """Whether an initialisation looks at pictures."""
    return name in initialisers and initialisers[name].measure is not None


@torch.no_grad()
def fill_weights(model: nn.Module, name: str, *, options: Mapping[str, Any] | None = None) -> list[str]:
    """The part of `initialise` that needs no pictures."""
    initialiser = initialisers[name]
    checked = initialiser.checked(name, options or {})
    layers = [module for module in model.modules() if is_layer(module)]
    linears = [module for module in layers if isinstance(module, nn.Linear)]
    for layer in layers:
        _start(
            layer, initialiser, {} if initialiser.measure else checked, head=layer is linears[-1] if linears else False
        )
    notes = [initialiser.note] if initialiser.note else _size_note(name, model, layers)
    left = _left_alone(model)
    if left:
        notes.append(f"The initialisation {name!r} leaves these as they were: {', '.join(left)}.")
    return notes


def fit_to_pictures(
    model: nn.Module,
    name: str,
    images: Float[Tensor, "pictures channels height width"],
    *,
    options: Mapping[str, Any] | None = None,
) -> list[str]:
    """The part of `initialise` that looks at pictures, after `fill_weights`; nothing for a way that needs none."""
    initialiser = initialisers[name]
    if initialiser.measure is None:
        return []
    return initialiser.measure(model, images, **initialiser.checked(name, options or {}))


def _start(layer: Layer, initialiser: Initialiser, options: Mapping[str, Any], *, head: bool) -> None:
    if initialiser.fill is None and not hasattr(layer, "reset_parameters"):
        return
    if initialiser.fill is None:
        layer.reset_parameters()  # type: ignore[operator]
        return
    fill_kernels(layer, partial(initialiser.fill, place=Place(fans_of(layer), head), **options))
    if layer.bias is not None:
        layer.bias.zero_()


def _size_note(name: str, model: nn.Module, layers: list[Layer]) -> list[str]:
    """Whether the size of the weights, which does not go by the layers' widths here, multiplies up through a deep network."""
    scaled_by_hand = name in ("normal", "uniform", "truncated_normal")
    if not scaled_by_hand or len(layers) < DEEP or any(isinstance(m, NORMS) for m in model.modules()):
        return []
    gain = median(float(m.weight.square().mean().sqrt()) * math.sqrt(fans_of(m).fan_in) for m in layers[:-1])
    if 0.3 < gain < 3:
        return []
    return [
        f"Each layer multiplies the size of what it is given by about {gain:.2g}, {len(layers)} layers in a row: "
        "a factor between 1 and 1.4 keeps it. he_normal and xavier_normal choose the spread by the width of a layer."
    ]


def _left_alone(model: nn.Module) -> list[str]:
    """Modules whose trained matrices no initialiser knows."""
    known = {id(module.weight) for module in model.modules() if is_layer(module)}
    return [
        name or type(module).__name__
        for name, module in model.named_modules()
        if not isinstance(module, (*NORMS, nn.Embedding))
        and any(p.ndim > 1 and p.requires_grad and id(p) not in known for p in module.parameters(recurse=False))
    ]


def he_initialise(model: nn.Module, *, gain: float = math.sqrt(2.0)) -> None:
    """He initialisation (He et al. 2015, "Delving deep into rectifiers", section 2.2), in place.

    Convolutions are normal with spread gain / sqrt(fan out), which keeps the size of gradients from layer to layer;
    linear layers are normal with spread gain / sqrt(fan in), and the last one with gain 1, so that raw outputs start
    near unit size. Biases start at 0, norms at 1 and 0 as PyTorch leaves them.

    Args:
        model: the network, changed in place.
        gain: of the activations; sqrt(2) for ReLU, 5/3 for tanh.
    """
    linears = [m for m in model.modules() if isinstance(m, nn.Linear)]
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            height, width = module.kernel_size
            fan_out = module.out_channels // module.groups * height * width
            _normal(module, gain / math.sqrt(fan_out))
        elif isinstance(module, nn.Linear):
            own_gain = 1.0 if module is linears[-1] else gain
            _normal(module, own_gain / math.sqrt(module.in_features))


@torch.no_grad()
def _normal(module: nn.Conv2d | nn.Linear, spread: float) -> None:
    if module.weight.is_meta:  # nothing to fill, and PyTorch would load its compiler (1 s) to find that out
        return
    module.weight.normal_(0.0, spread)
    if module.bias is not None:
        module.bias.zero_()


@torch.no_grad()
def partial_identity_(conv: nn.Conv2d) -> None:
    """The first output channels pass the input channels through (a Dirac kernel); the others stay random. In place.

    Jordan 2024 (arXiv 2404.00498, section 3.3); the idea of Zagoruyko and Komodakis 2017 (arXiv 1706.00388).
    """
    nn.init.dirac_(conv.weight[: conv.in_channels])
