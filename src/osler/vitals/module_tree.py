"""A network as it stands: its layers, its parameters, where each was made and under which names."""

import math
import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from osler.vitals.evidence import LayerSeen, ModelSeen, ParameterSeen, Site
from osler.vitals.sites import name_in_program, persons_site
from osler.vitals.summaries import as_array, evenly, summarise

_PLAIN = (bool, int, float, str, tuple)
_OWN_STATE = {"training", "call_super_init", "dump_patches", "T_destination"}
START_VALUES = 64


class Births:
    """Where modules were made, and into which others they were put."""

    def __init__(self) -> None:
        self._sites: weakref.WeakKeyDictionary[nn.Module, Site] = weakref.WeakKeyDictionary()
        self.loaded: weakref.WeakSet[nn.Module] = weakref.WeakSet()  # modules into which weights were loaded
        self._parents: weakref.WeakKeyDictionary[nn.Module, tuple[weakref.ref[nn.Module], str]] = (
            weakref.WeakKeyDictionary()
        )

    def made(self, module: nn.Module) -> None:
        """A module's `__init__` has begun."""
        if module not in self._sites and (site := persons_site()) is not None:
            self._sites[module] = site

    def put(self, parent: nn.Module, name: str, child: nn.Module | None) -> None:
        """A module became an attribute of another."""
        if child is not None and child is not parent:
            self._parents[child] = (weakref.ref(parent), name)

    def site(self, module: nn.Module) -> Site | None:
        """The line at which the module was made."""
        return self._sites.get(module)

    def owner(self, module: nn.Module) -> tuple[nn.Module, str]:
        """The outermost module that holds this one, and this one's name in it; itself and "" where none does."""
        names: list[str] = []
        seen = {id(module)}
        while module in self._parents:
            reference, name = self._parents[module]
            parent = reference()
            if parent is None or parent._modules.get(name) is not module or id(parent) in seen:
                break
            seen.add(id(parent))
            names.append(name)
            module = parent
        return module, ".".join(reversed(names))


def options(module: nn.Module) -> dict[str, Any]:
    """A module's plain attributes, such as in_features, p, momentum; those of the person's modules as well."""
    found = {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and name not in _OWN_STATE and (value is None or isinstance(value, _PLAIN))
    }
    found["bias"] = getattr(module, "bias", None) is not None
    return found


def describe(module: nn.Module, births: Births) -> ModelSeen:
    """The network's record, with its parameters as they are now."""
    owner, prefix = births.owner(module)
    given = name_in_program(owner) or type(owner).__name__
    name = f"{given}.{prefix}" if prefix else given
    model = ModelSeen(name, type(module).__name__, births.site(module) or births.site(owner))
    model.loaded = any(part in births.loaded for part in module.modules())
    start = f"{prefix}." if prefix else ""
    for path, layer in module.named_modules():
        full = (start + path) if path else prefix
        own = tuple(f"{full}.{p}" if full else p for p, _ in layer.named_parameters(recurse=False))
        leaf = not any(True for _ in layer.children())
        seen = LayerSeen(full, type(layer).__name__, births.site(layer), options(layer), own, leaf)
        seen.start_statistics = running_statistics(layer)
        model.layers[full] = seen
    for path, parameter in parameters(module):
        full = start + path
        model.parameters[full] = describe_parameter(parameter, full.rpartition(".")[0])
    return model


def parameters(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Parameters that have their final shape, each once."""
    for name, parameter in module.named_parameters():
        if not isinstance(parameter, nn.parameter.UninitializedParameter):
            yield name, parameter


@torch.no_grad()
def describe_parameter(parameter: Tensor, layer: str) -> ParameterSeen:
    """A parameter as it is now."""
    return ParameterSeen(
        tuple(parameter.shape),
        layer,
        parameter.requires_grad,
        summarise(parameter),
        as_array(evenly(parameter.detach(), START_VALUES)),
        _row_spread(parameter),
    )


def exchanged(parameter: Tensor, layer: str) -> ParameterSeen:
    """A parameter that was put in the place of another after the network's first call."""
    seen = describe_parameter(parameter, layer)
    seen.exchanged, seen.gradient_at_end = True, parameter.grad is not None
    seen.end, seen.end_values = seen.start, seen.start_values
    return seen


def _row_spread(parameter: Tensor) -> float:
    if parameter.ndim < 2 or parameter.shape[0] < 2 or parameter.numel() == 0:
        return math.nan
    rows = parameter.detach().reshape(parameter.shape[0], -1).float()
    columns = rows[:, :: max(1, rows.shape[1] // 256)]
    return float((columns.amax(0) - columns.amin(0)).max())


def running_statistics(layer: nn.Module) -> dict[str, list[float]]:
    """Running mean and variance of a norm layer: up to 64 channels."""
    found = {}
    for name in ("running_mean", "running_var"):
        value = getattr(layer, name, None)
        if isinstance(value, Tensor) and value.numel():
            found[name] = [float(v) for v in value.detach().reshape(-1)[:64].tolist()]
    return found


def finish(model: ModelSeen, module: nn.Module, prefix: str) -> None:
    """Adds what the network is at the end."""
    start = f"{prefix}." if prefix else ""
    with torch.no_grad():
        for path, parameter in parameters(module):
            seen = model.parameters.get(start + path)
            if seen is not None:
                seen.gradient_at_end = parameter.grad is not None
            if seen is not None and tuple(parameter.shape) == seen.shape:
                seen.end, seen.end_values = summarise(parameter), as_array(evenly(parameter.detach(), START_VALUES))
                seen.end_row_spread = _row_spread(parameter)
                seen.requires_grad = parameter.requires_grad
        for path, layer in module.named_modules():
            record = model.layers.get((start + path) if path else prefix)
            if record is not None:
                record.end_statistics = running_statistics(layer)
