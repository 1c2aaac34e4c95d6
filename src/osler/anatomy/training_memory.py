"""What a training keeps of a forward pass for its backward pass, as autograd itself says; on the meta device."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from osler.anatomy import meta_kernels
from osler.anatomy.rules.call import operator_name, tensors_in
from osler.anatomy.stack import ModuleStack, Row


class _OperatorNames(TorchDispatchMode):
    """Tells rows which operators they ran, and runs these on the meta device."""

    def __init__(self, stack: ModuleStack) -> None:
        super().__init__()
        self._stack = stack

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """As `ForwardTrace` has it."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self._stack.frames and tensors_in(list(args)):
            self._stack.row().operators.append(operator_name(func))
        return meta_kernels.run(func, args, kwargs or {})


def kept_for_backward(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Row]:
    """Rows of one forward pass in training mode, with the bytes that each keeps (`saved`) beyond the parameters.

    A tensor that several layers keep is counted once, with the first. The network should be a stand-in: its mode and its
    statistics change.

    Args:
        model: on the meta device.
        args: what it is called with.
        kwargs: the same, by name.
    """
    stack = ModuleStack()
    held: dict[int, Any] = {
        t.untyped_storage()._cdata: t for t in (*model.parameters(), *model.buffers()) if t.layout == torch.strided
    }

    def keep(tensor: Tensor) -> None:
        if tensor.layout != torch.strided or not stack.frames:
            return
        storage = tensor.untyped_storage()
        if storage._cdata not in held:
            held[storage._cdata] = storage  # held, so that no other can come to lie at its place
            stack.row().saved += storage.nbytes()

    def never(_: Any) -> Tensor:
        raise AssertionError("no backward pass is made")

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, never)
    model.train()
    with torch.enable_grad(), stack.following(model), hooks, _OperatorNames(stack):
        model(*args, **kwargs)
    return stack.rows
