"""Taking filters out of a network, with everything that belongs to them: what is left is a narrower network, and no mask.

A filter's channel runs through norms and depthwise convolutions up to the layer that reads it; all lose the channel
together. That is so simple only in a straight chain of layers (VGG, MobileNet v1), so only such networks are taken.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Int
from torch import Tensor, fx, nn

from osler.structures.errors import RecipeError


@dataclass(frozen=True, slots=True)
class FilterLayer:
    """A convolution whose filters can be taken out, by the names of its network's modules."""

    name: str
    carriers: tuple[str, ...]  # norms and depthwise convolutions that carry its channels on
    reader: str  # the convolution or linear layer that mixes them


def chain_of(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The layers of a network in the order in which they are called.

    Raises:
        RecipeError: the network branches, calls a layer twice, or its code cannot be traced.
    """
    try:
        nodes = [node for node in fx.Tracer().trace(model).nodes if node.op != "output"]
    except Exception as error:  # any code of a person may stand in a forward, and fail on symbols in its own way
        raise RecipeError(f"The layers of {type(model).__name__} cannot be read from its code: {error}.") from None
    names = [str(node.target) for node in nodes if node.op == "call_module"]
    if len(set(names)) < len(names) or any(len(node.users) != 1 for node in nodes):
        raise RecipeError(
            f"{type(model).__name__} is no straight chain of layers; filters can be taken out of such only, for example "
            "of vgg11 or mobilenet_v1."
        )
    return [(name, model.get_submodule(name)) for name in names]


def filter_layers(model: nn.Module) -> list[FilterLayer]:
    """Every convolution of a chain whose filters can be taken out, in order.

    Raises:
        RecipeError: the network is no chain, or has a grouped convolution that is not depthwise.
    """
    found: list[FilterLayer] = []
    begun: str | None = None
    carriers: list[str] = []
    for name, module in chain_of(model):
        if isinstance(module, nn.BatchNorm2d) or is_depthwise(module):
            carriers.append(name)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            if begun is not None:
                found.append(FilterLayer(begun, tuple(carriers), name))
            begun, carriers = (name if isinstance(module, nn.Conv2d) else None), []
            if isinstance(module, nn.Conv2d) and module.groups > 1:
                raise RecipeError(f"Filters of {name} come in {module.groups} groups; they cannot be taken out singly.")
    return found


def is_depthwise(module: nn.Module) -> bool:
    """Whether it is a convolution with one filter for each channel."""
    return isinstance(module, nn.Conv2d) and module.groups == module.in_channels == module.out_channels > 1


def largest_filters(model: nn.Module, layer: FilterLayer, count: int) -> Int[Tensor, " count"]:
    """The numbers, in order, of the `count` filters of largest Euclidean norm."""
    conv = model.get_submodule(layer.name)
    assert isinstance(conv, nn.Conv2d)
    norms = conv.weight.detach().flatten(1).norm(dim=1)
    return norms.topk(count).indices.sort().values


def keep_filters(model: nn.Module, layer: FilterLayer, kept: Int[Tensor, " count"]) -> nn.Module:
    """A copy of the network with only these filters of the layer; the original stays as it is."""
    copy = deepcopy(model)
    for name in (layer.name, *layer.carriers):
        _keep_outputs(copy.get_submodule(name), kept)
    before = model.get_submodule(layer.name)
    assert isinstance(before, nn.Conv2d)
    _keep_inputs(copy.get_submodule(layer.reader), kept, before.out_channels)
    return copy


def narrowed(model: nn.Module, kept: float) -> nn.Module:
    """A copy with a share of each layer's filters, the largest, and at least one of each.

    Args:
        model: a straight chain of layers; it stays as it is.
        kept: above 0, at most 1.
    """
    for layer in filter_layers(model):
        conv = model.get_submodule(layer.name)
        assert isinstance(conv, nn.Conv2d)
        model = keep_filters(model, layer, largest_filters(model, layer, max(1, round(kept * conv.out_channels))))
    return model


def _keep_outputs(module: nn.Module, kept: Tensor) -> None:
    depthwise = is_depthwise(module)
    for name, tensor in _per_channel(module):
        chosen = tensor.detach()[kept].clone()
        setattr(module, name, nn.Parameter(chosen) if isinstance(tensor, nn.Parameter) else chosen)
    if isinstance(module, nn.BatchNorm2d):
        module.num_features = len(kept)
    elif isinstance(module, nn.Conv2d):
        module.out_channels = len(kept)
        if depthwise:
            module.in_channels = module.groups = len(kept)


def _per_channel(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and statistics of a layer that have an entry for each channel."""
    named = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    yield from ((name, tensor) for name, tensor in named if tensor.ndim > 0)


def _keep_inputs(module: nn.Module, kept: Tensor, channels: int) -> None:
    """A linear layer behind maps of several positions reads each channel at all of them."""
    assert isinstance(module, nn.Conv2d | nn.Linear)
    weight = module.weight.detach()
    by_channel = weight.view(len(weight), channels, -1) if isinstance(module, nn.Linear) else weight
    chosen = by_channel[:, kept].clone()
    if isinstance(module, nn.Linear):
        chosen = chosen.flatten(1)
        module.in_features = chosen.shape[1]
    else:
        module.in_channels = len(kept)
    module.weight = nn.Parameter(chosen)


@dataclass(frozen=True, slots=True)
class LayerShape:
    """All that the cost of a convolution or linear layer depends on; a linear layer is a 1x1 convolution at one position."""

    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    padding: int
    groups: int
    size: tuple[int, int]  # height and width of the input map


def layer_shapes(model: nn.Module, channels: int, size: tuple[int, int]) -> dict[str, LayerShape]:
    """The shapes of a chain's convolutions and linear layers for pictures of `size`, by name and in order."""
    found: dict[str, LayerShape] = {}

    def note(name: str, module: nn.Module, inputs: tuple[Tensor]) -> None:
        found[name] = _shape(module, inputs[0])

    layers = [(name, m) for name, m in chain_of(model) if isinstance(m, nn.Conv2d | nn.Linear)]
    hooks = [m.register_forward_pre_hook(partial(note, name)) for name, m in layers]
    was_training = model.training
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, channels, *size))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return found


def _shape(module: nn.Module, inputs: Tensor) -> LayerShape:
    if isinstance(module, nn.Linear):
        return LayerShape(module.in_features, module.out_features, 1, 1, 0, 1, (1, 1))
    assert isinstance(module, nn.Conv2d)
    kernel, stride, padding = (int(value[0]) for value in (module.kernel_size, module.stride, module.padding))
    height, width = inputs.shape[2:]
    return LayerShape(module.in_channels, module.out_channels, kernel, stride, padding, module.groups, (height, width))
