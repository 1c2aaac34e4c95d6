"""Fine-tuning: which layers of a trained network move, when, and how fast.

Layers close to the picture see edges and textures that serve every task; those close to the answer are particular
(Yosinski et al. 2014, "How transferable are features in deep neural networks?"). So early layers may stay as they are
(frozen), move more slowly (a learning rate that decays from layer to layer; Howard and Ruder 2018, section 3.2,
"discriminative fine-tuning"), or join later (gradual unfreezing, section 3.3 there).
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated

from annotated_types import Ge, Gt, Le
from pydantic import Field
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from osler.models.head import find_head
from osler.structures.errors import RecipeError
from osler.structures.registry import nearest
from osler.structures.section import Section
from osler.training.parameter_groups import is_norm

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


class FineTuningSection(Section):
    """How a network that starts from trained weights is moved."""

    freeze: str | tuple[str, ...] = Field(
        "none",
        description="stay as they are: none; backbone (all but the head); a module's name (it and all before it, e.g. layer3); "
        "or patterns of parameter names (e.g. [features.0.*])",
    )
    unfreeze_every: Annotated[int, Ge(0)] = Field(
        0, description="epochs after which the last frozen layer joins, one after another up to the first; 0: never"
    )
    layer_decay: Annotated[float, Gt(0), Le(1)] = Field(
        1.0, description="learning rate of a layer as a multiple of that of the layer after it"
    )
    lr_scales: dict[str, Annotated[float, Gt(0)]] = Field(
        {}, description="patterns of parameter names and multiples of the learning rate, e.g. {fc.*: 10}"
    )
    freeze_norm: bool = Field(
        False, description="all batch norms keep their running statistics; those of frozen layers always do"
    )


def layers_of(model: nn.Module) -> list[tuple[str, ...]]:
    """The layers of a network in the order in which it declares them, each by the names of its modules.

    Containers are opened; what is left is one layer each, but a norm layer belongs to the layer before it. Only modules
    with parameters count.
    """
    layers: list[tuple[str, ...]] = []
    for name, module in _opened(model, ""):
        if next(module.parameters(), None) is None:
            continue
        if layers and is_norm(module):
            layers[-1] = (*layers[-1], name)
        else:
            layers.append((name,))
    return layers


class Freezing:
    """Which parameters of a network are frozen in which epoch."""

    def __init__(self, model: nn.Module, section: FineTuningSection) -> None:
        """Finds what `section` names.

        Raises:
            RecipeError: it names a layer or parameter that the network does not have, or freezes everything for good.
        """
        self.section = section
        self.frozen = _frozen_names(model, section.freeze)
        names = [name for name, _ in model.named_parameters()]
        parts = ([n for n in names if n in self.frozen and _in_layer(n, layer)] for layer in layers_of(model))
        self.layers = [part for part in parts if part]  # names of frozen parameters, layer by layer
        trained = [n for n, p in model.named_parameters() if p.requires_grad and n not in self.frozen]
        if self.frozen and not trained:
            raise RecipeError("finetune.freeze leaves nothing to train. Leave at least the head free.")
        if section.unfreeze_every and not self.frozen:
            raise RecipeError("finetune.unfreeze_every needs something frozen: set finetune.freeze, e.g. to backbone.")

    def thawed(self, epoch: int) -> int:
        """How many of the frozen layers, counted from the head, have joined at the start of an epoch (from 0)."""
        every = self.section.unfreeze_every
        return min(len(self.layers), epoch // every) if every else 0

    def apply(self, model: nn.Module, epoch: int) -> None:
        """Freezes parameters as an epoch (from 0) wants it, and keeps the statistics of frozen batch norms."""
        if not self.frozen and not self.section.freeze_norm:
            return
        kept = self.layers[: len(self.layers) - self.thawed(epoch)]
        still = {name for names in kept for name in names}
        for name, parameter in model.named_parameters():
            if name in self.frozen:
                parameter.requires_grad_(name not in still)
        for module in model.modules():
            if isinstance(module, _BatchNorm) and model.training:
                own = list(module.parameters(recurse=False))
                if self.section.freeze_norm or (own and not any(p.requires_grad for p in own)):
                    module.eval()

    def for_good(self, model: nn.Module) -> None:
        """Before optimisers are made: what never joins is no parameter of theirs, what joins later is."""
        if not self.section.unfreeze_every:
            self.apply(model, 0)


def scale_learning_rates(model: nn.Module, section: FineTuningSection) -> None:
    """Writes multiples of the learning rate for each parameter to `model.lr_scales`, on top of the network's own.

    The head keeps the whole rate, and each layer before it `layer_decay` times that of the next.

    Raises:
        RecipeError: a pattern fits no parameter.
    """
    if section.layer_decay == 1 and not section.lr_scales:
        return
    names = [name for name, _ in model.named_parameters()]
    for pattern in section.lr_scales:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise RecipeError(f"finetune.lr_scales: {pattern!r} fits no parameter.{_hint(pattern, names)}")
    own = getattr(model, "lr_scales", {})
    layers = layers_of(model)
    scales = {}
    for name in names:
        depth = next(i for i, layer in enumerate(layers) if _in_layer(name, layer))
        scale = section.layer_decay ** (len(layers) - 1 - depth)
        for patterns in (own, section.lr_scales):
            scale *= next((s for p, s in patterns.items() if fnmatchcase(name, p)), 1.0)
        scales[name] = scale
    model.lr_scales = scales  # type: ignore[assignment]  # read by parameter_groups


def _opened(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    children = list(module.named_children())
    if next(module.parameters(recurse=False), None) is not None or not children:
        yield prefix, module
        children = []
    for name, child in children:
        path = f"{prefix}.{name}" if prefix else name
        if isinstance(child, CONTAINERS):
            yield from _opened(child, path)
        else:
            yield path, child


def _inside(parameter: str, layer: str) -> bool:
    return not layer or parameter.startswith(f"{layer}.")


def _in_layer(parameter: str, layer: tuple[str, ...]) -> bool:
    return any(_inside(parameter, module) for module in layer)


def _frozen_names(model: nn.Module, freeze: str | tuple[str, ...]) -> set[str]:
    """The parameters that a `freeze` value names."""
    names = [name for name, _ in model.named_parameters()]
    if freeze == "none":
        return set()
    if freeze == "backbone":
        head, _ = find_head(model)
        return {name for name in names if not _inside(name, head)}
    patterns = (freeze,) if isinstance(freeze, str) else freeze
    modules = dict(model.named_modules())
    if len(patterns) == 1 and patterns[0] in modules:
        last = max(i for i, name in enumerate(names) if _inside(name, patterns[0]))
        return set(names[: last + 1])
    found: set[str] = set()
    for pattern in patterns:
        fitting = {name for name in names if fnmatchcase(name, pattern)}
        if not fitting:
            places = [*names, *(m for m in modules if m)]
            raise RecipeError(
                f"finetune.freeze: {pattern!r} is no module and fits no parameter.{_hint(pattern, places)}"
            )
        found |= fitting
    return found


def _hint(name: str, known: list[str]) -> str:
    close = nearest(name, known)
    return f" Did you mean {close!r}?" if close else f" The first parameters are {', '.join(known[:4])}."
