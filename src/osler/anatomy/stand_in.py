"""A copy of a network to run in its place, so that nothing of the original is touched.

Not its mode, its statistics, its hooks or its gradients.

On the meta device it holds shapes and no numbers, so that a network of any size takes no memory. With real numbers it shares
the original's weights, which no forward pass changes, and has buffers of its own.
"""

import copy
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.overrides import TorchFunctionMode

from osler.structures.errors import RecipeError

HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)


class _WithoutNumbers(TorchFunctionMode):
    """Tensors that are copied on the way come out on the meta device."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") == "__deepcopy__" and isinstance(args[0], Tensor):
            return args[1].setdefault(id(args[0]), _shape_of(args[0]))
        return func(*args, **(kwargs or {}))


def stand_in(model: nn.Module, *, real: bool = False) -> nn.Module:
    """The copy, in evaluation mode.

    Args:
        model: any network; a compiled or parallel one is looked into.
        real: with the model's numbers rather than their shapes alone.

    Raises:
        RecipeError: the network holds something that cannot be copied.
    """
    model = unwrapped(model)
    memo: dict[int, Any] = {}
    for parameter in model.parameters():
        memo[id(parameter)] = parameter if real else _shape_of(parameter)
    if not real:
        memo |= {id(buffer): _shape_of(buffer) for buffer in model.buffers()}
    for module in model.modules():  # hooks belong to those who watch the original
        memo |= {id(module.__dict__[key]): OrderedDict() for key in HOOKS if key in module.__dict__}
    try:
        if real:
            made: nn.Module = copy.deepcopy(model, memo)
        else:
            with _WithoutNumbers():
                made = copy.deepcopy(model, memo)
        _keep_hooks_of_torch(model, made, memo)
    except Exception as error:
        raise RecipeError(
            f"{type(model).__name__} cannot be copied, and Osler inspects a copy so that yours stays as it is "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'})."
        ) from error
    return made.eval()


def unwrapped(model: nn.Module) -> nn.Module:
    """The network inside a compiled or a parallel one."""
    inside = getattr(model, "_orig_mod", None)
    if not isinstance(inside, nn.Module) and type(model).__name__ in ("DataParallel", "DistributedDataParallel"):
        inside = getattr(model, "module", None)
    return unwrapped(inside) if isinstance(inside, nn.Module) else model


def _shape_of(tensor: Tensor) -> Tensor:
    if isinstance(tensor, UninitializedParameter):
        return UninitializedParameter(requires_grad=tensor.requires_grad, device=torch.device("meta"))  # type: ignore[call-arg]
    shape = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(shape, requires_grad=tensor.requires_grad)
    return shape


def _keep_hooks_of_torch(model: nn.Module, made: nn.Module, memo: dict[int, Any]) -> None:
    """PyTorch's own hooks before the forward pass make weights (weight norm, spectral norm, lazy layers): they stay."""
    copies = dict(made.named_modules())
    for name, module in model.named_modules():
        for key, hook in module._forward_pre_hooks.items():
            owner = getattr(hook, "__module__", None) or type(hook).__module__
            if not owner.startswith("torch.nn."):
                continue
            copied = copies[name]
            copied._forward_pre_hooks[key] = copy.deepcopy(hook, memo)
            if key in module._forward_pre_hooks_with_kwargs:
                copied._forward_pre_hooks_with_kwargs[key] = True
