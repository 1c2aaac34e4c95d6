"""Which parameters an optimiser moves, with which decay and learning rate."""

import math
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from osler.structures.errors import RecipeError

NORM_CLASS = re.compile(r"Norm(\dd)?$")  # BatchNorm2d, LayerNorm, RMSNorm, FilterResponseNorm, LayerNorm2d ...


def is_norm(module: nn.Module) -> bool:
    """Whether a module is a normalisation layer: its class, or one that it derives from, is named as they are."""
    return any(NORM_CLASS.search(c.__name__) for c in type(module).__mro__)


def weight_names(module: nn.Module) -> frozenset[str]:
    """Names of the parameters that count as weights: two dimensions or more, and not owned by a normalisation layer.

    Biases, norm parameters and slopes are no weights: decay pulls them towards zero without making the network simpler
    (He et al. 2019, section 3.1).
    """
    return frozenset(
        f"{prefix}.{name}" if prefix else name
        for prefix, owner in module.named_modules()
        if not is_norm(owner)
        for name, parameter in owner.named_parameters(recurse=False)
        if parameter.ndim >= 2
    )


def lr_scale(name: str, scales: Mapping[str, float]) -> float:
    """The multiplier of the learning rate for a parameter: that of the first pattern that fits its name, else 1."""
    return next((scale for pattern, scale in scales.items() if fnmatchcase(name, pattern)), 1.0)


def parameter_groups(module: nn.Module, *, lr: float, weight_decay: float, split: bool) -> list[dict[str, Any]]:
    """The trainable parameters of a module as groups for `torch.optim`, as few as possible, in the order of the module.

    A group holds `params`, `lr` (scaled by the module's `lr_scales`, patterns of parameter names with a multiplier
    each), `weight_decay` (0 for all but weights) and `weights`: whether penalties on weights concern it. With `split`
    false, weights and others share a group where their learning rate is the same: fewer groups make a faster step.

    Raises:
        RecipeError: nothing is trainable, or `lr_scales` has a multiplier that is not positive or a pattern that fits
            no parameter.
    """
    scales: Mapping[str, float] = getattr(module, "lr_scales", {})
    _check_scales(module, scales)
    weights = weight_names(module)
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, parameter in _trainable(module):
        kind = (not split or name in weights, lr_scale(name, scales))
        groups.setdefault(kind, []).append(parameter)
    if not groups:
        raise RecipeError(
            "train: nothing is trainable, for all parameters of the network are frozen. Unfreeze at least its head."
        )
    return [
        {"params": found, "lr": lr * scale, "weight_decay": weight_decay if is_weight else 0.0, "weights": is_weight}
        for (is_weight, scale), found in groups.items()
    ]


def _trainable(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, p) for name, p in module.named_parameters() if p.requires_grad)


def _check_scales(module: nn.Module, scales: Mapping[str, float]) -> None:
    names = [name for name, _ in module.named_parameters()] if scales else []
    for pattern, scale in scales.items():
        if not (math.isfinite(scale) and scale > 0):
            raise RecipeError(
                f"lr_scales[{pattern!r}] = {scale} is not possible: a multiplier of the learning rate is positive. "
                "To keep parameters as they are, freeze them (requires_grad=False)."
            )
        if not any(fnmatchcase(name, pattern) for name in names):
            raise RecipeError(
                f"lr_scales: {pattern!r} fits no parameter of the network; the first are {', '.join(names[:5])}."
            )
