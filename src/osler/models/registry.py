"""Networks by name: `create_model`, `list_models`, and the registry that a decorator fills.

A family of networks is a file of this folder: a table over the blocks of `osler.nn`, with a header that names the paper
and gives for each network the parameters and multiply-adds that the generated tests check. A network is a plain
`nn.Module` whose constructor takes `num_classes`, `in_channels` and its own options by keyword, and returns raw outputs;
in training a network with auxiliary classifiers returns a tuple of its own raw outputs and theirs. It
describes itself by three attributes:

    input_size    int                      side in pixels of the pictures for which it was published
    minimum_size  int                      side in pixels of the smallest picture that it can see
    feature_maps  tuple[FeatureMap, ...]   where it can be cut, finest first
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from fnmatch import fnmatchcase
from functools import partial
from types import ModuleType
from typing import Any, get_args, get_type_hints

import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from osler.structures.errors import RecipeError, UnknownNameError
from osler.structures.person_code import is_file_spec, load_from_file
from osler.structures.registry import Registry, nearest, unknown


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """A place in a network where it can be cut: what a neck or another head may take."""

    module: str  # dotted name of the submodule whose output it is
    channels: int
    stride: int  # input pixels per output position


networks: Registry[Callable[..., nn.Module]] = Registry("network")
detectors: Registry[Callable[..., nn.Module]] = Registry("detector")  # see osler.models.detection

GIVEN = ("num_classes", "in_channels")  # what `create_model` itself hands to a network; all else are options


def create_model(
    name: str, *, num_classes: int = 1000, in_channels: int = 3, weights: str = "none", **options: Any
) -> nn.Module:
    """A new network, with random weights or public ones.

    Args:
        name: a registered name (see `list_models`), or a person's own class or function as `my_net.py:Net`.
        num_classes: how many raw outputs per picture.
        in_channels: 1 for grey pictures, 3 for RGB.
        weights: `torchvision` or `timm` (what that library publishes for this network), `torchvision:PATH` or
            `torchvision:URL`; a head for another number of classes then starts anew. `none`: random.
        options: the network's own, see `model_options`.

    Raises:
        UnknownNameError: no network has that name; the message offers the nearest.
        RecipeError: an option is unknown or impossible, or the person's file gives no network.
        CheckpointError: the weights do not fit, or cannot be read.
        DataError: the weights cannot be downloaded.
    """
    for key, value in (("num_classes", num_classes), ("in_channels", in_channels)):
        if not isinstance(value, int) or value < 1:
            raise RecipeError(f"A network needs {key} of at least 1; given: {value!r}.")
    if is_file_spec(name):
        if weights != "none":
            raise RecipeError(f"{name} is your own network: load its weights in it; given: weights={weights!r}.")
        return _person_model(name, {"num_classes": num_classes, "in_channels": in_channels}, options)
    make = _maker(name)
    if weights == "none":
        return make(num_classes=num_classes, in_channels=in_channels, **_checked(name, options))
    from osler.models.public_weights import load_public, public_start  # which knows the families, and they this module

    start = public_start(weights, name, options)
    options = {**start.public.options, **options}
    model = make(num_classes=num_classes, in_channels=in_channels, **_checked(name, options))
    load_public(model, start)
    return model


def list_models(pattern: str = "*") -> list[str]:
    """The names of the networks that classify, sorted; `pattern` may have * and ? (`resnet*`)."""
    return [name for name in _networks() if fnmatchcase(name, pattern)]


def list_detectors(pattern: str = "*") -> list[str]:
    """The names of the detectors, sorted; each takes any network of `list_models` as its `backbone`."""
    return [name for name in _detectors() if fnmatchcase(name, pattern)]


def model_options(name: str) -> dict[str, Any]:
    """The options of a network and their defaults."""
    parameters = inspect.signature(_maker(name)).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in GIVEN}


def family(name: str) -> ModuleType | None:
    """The module that defines a network; its docstring is the header with paper and counts."""
    return inspect.getmodule(_constructor(_maker(name)))


def minimum_size(name: str, **options: Any) -> int:
    """Side in pixels of the smallest picture that the network can see. No weights are made for the answer."""
    with torch.device("meta"):
        return int(create_model(name, num_classes=2, **options).minimum_size)  # type: ignore[arg-type]


def input_size(name: str, **options: Any) -> int:
    """Side in pixels of the pictures for which the network was published. No weights are made for the answer."""
    with torch.device("meta"):
        return int(create_model(name, num_classes=2, **options).input_size)  # type: ignore[arg-type]


def feature_maps(model: nn.Module) -> list[FeatureMap]:
    """Where the network can be cut, finest first.

    Raises:
        RecipeError: the network does not describe its feature maps.
    """
    described = getattr(model, "feature_maps", None)
    if not described:
        raise RecipeError(
            f"{type(model).__name__} does not say where it can be cut. Give it an attribute feature_maps: a tuple of "
            "FeatureMap(module, channels, stride), finest first."
        )
    return list(described)


def register_table(table: Mapping[str, tuple[Any, ...]], constructor: Callable[..., nn.Module]) -> None:
    """File a family: each name with the first arguments that its row hands to the constructor."""
    for name, row in table.items():
        networks.register(name)(partial(constructor, *row))


def _networks() -> Registry[Callable[..., nn.Module]]:
    import osler.models.families  # noqa: F401  filled on first use: the families themselves import this module

    return networks


def _detectors() -> Registry[Callable[..., nn.Module]]:
    import osler.models.detection.families  # noqa: F401  as above

    return detectors


def _maker(name: str) -> Callable[..., nn.Module]:
    """What makes the network or detector of that name.

    Raises:
        UnknownNameError: neither has that name; the nearest of all is offered.
    """
    if name in _networks():
        return networks[name]
    if name in _detectors():
        return detectors[name]
    raise UnknownNameError(unknown("network", name, [*networks, *detectors]))


def _constructor(make: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    return make.func if isinstance(make, partial) else make


def _checked(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with values of the types that the network's constructor declares."""
    allowed = model_options(name)
    for key in options:
        if key not in allowed:
            raise RecipeError(_unknown_option(name, key, list(allowed)))
    constructor = _constructor(_maker(name))
    declared = constructor.__init__ if inspect.isclass(constructor) else constructor
    hints = get_type_hints(declared, include_extras=True)
    return {key: _checked_value(name, key, value, hints[key]) for key, value in options.items()}


def _checked_value(name: str, key: str, value: Any, annotation: Any) -> Any:
    try:
        return TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        parts = [f.name for kind in get_args(annotation) if is_dataclass(kind) for f in fields(kind)]
        if isinstance(value, Mapping) and parts:  # of what it may be, a mapping means the one with parts
            _refuse_unknown_parts(name, key, value, parts)
            reasons = [f"{e['loc'][-1]}: {e['msg']}" for e in error.errors() if len(e["loc"]) > 1]
        else:
            reasons = [str(e["msg"]) for e in error.errors()]
        raise RecipeError(f"{name} cannot be made with {key}={value!r}: {'; '.join(reasons)}.") from None


def _refuse_unknown_parts(name: str, key: str, value: Mapping[str, Any], parts: list[str]) -> None:
    for part in value:
        if part not in parts:
            raise RecipeError(_unknown_option(name, f"{key}.{part}", [f"{key}.{known}" for known in parts]))


def _unknown_option(name: str, key: str, allowed: list[str]) -> str:
    close = nearest(key, allowed)
    hint = f" Did you mean {close!r}?" if close else ""
    return f"{name} has no option {key!r}.{hint} Allowed: {', '.join(sorted(allowed)) or 'none'}."


def _person_model(spec: str, given: Mapping[str, Any], options: Mapping[str, Any]) -> nn.Module:
    """A person's network: a module, or what a class or function makes of those arguments that it takes."""
    thing = load_from_file(spec, "network")
    if isinstance(thing, nn.Module):
        return thing
    if not callable(thing):
        raise RecipeError(
            f"{spec} is a {type(thing).__name__}; a network is an nn.Module, or a class or function that makes one."
        )
    parameters = inspect.signature(thing).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for key in options:
        if key not in parameters and not takes_all:
            raise RecipeError(_unknown_option(spec, key, [p for p in parameters if p not in GIVEN]))
    model = thing(**{k: v for k, v in given.items() if k in parameters or takes_all}, **options)
    if not isinstance(model, nn.Module):
        raise RecipeError(f"{spec} made a {type(model).__name__}; a network is an nn.Module.")
    return model
