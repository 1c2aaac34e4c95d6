"""A network as a list of steps on a sample: layers with rules, and the few operations between them, by `torch.fx`."""

from typing import Any

import torch
from torch import fx, nn

from osler.anatomy.backprop.choosing_rules import maker_of, module_rule
from osler.structures.errors import OslerError, RecipeError


class _Sized(fx.Proxy):
    """Stands for a tensor of which everything is known: what is asked of it that is no tensor is answered."""

    value: torch.Tensor

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.__dict__["value"], name) if "value" in self.__dict__ else None
        if found is None or callable(found) or isinstance(found, torch.Tensor):
            return super().__getattr__(name)
        return found


class _Tracer(fx.Tracer):
    """Modules with rules are steps; others are looked into, down to PyTorch's own.

    The network runs on the sample while it is followed, so that it may ask for sizes, and go one way or another by them.
    """

    def __init__(self, sample: torch.Tensor) -> None:
        super().__init__()
        self.sample = sample

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if maker_of(m) is not None:
            return True
        looked_into = isinstance(m, nn.Sequential | nn.ModuleList)
        return m.__module__.startswith("torch.nn") and not looked_into

    def create_args_for_root(self, root_fn: Any, is_module: bool, concrete_args: Any = None) -> tuple[Any, list[Any]]:
        """The sample is the one input; what else `forward` takes has its default."""
        return root_fn, [self.root, self.create_proxy("placeholder", "sample", (), {})]

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Sized(node, self)

    def to_bool(self, obj: Any) -> bool:
        """For this sample the answer is known."""
        return bool(obj.value)

    def create_proxy(self, kind: str, target: Any, args: Any, kwargs: Any, *more: Any, **named: Any) -> Any:
        """The stand-in for what a step gives; where that holds no tensor, the thing itself."""
        proxy = super().create_proxy(kind, target, args, kwargs, *more, **named)
        value = self._value(kind, target, args, kwargs)
        if kind != "output" and not holds_tensors(value):
            self.graph.erase_node(proxy.node)
            return value
        proxy.__dict__["value"] = value
        return proxy

    def _value(self, kind: str, target: Any, args: Any, kwargs: Any) -> Any:
        given, named = fx.node.map_aggregate((args, kwargs), _known)
        if kind == "placeholder":
            return self.sample.clone()
        if kind == "call_module":
            module = self.root.get_submodule(target)
            module_rule(target, module)  # which says so where there is none
            return module.forward(*given, **named)  # a call would be followed as a step again
        if kind == "call_method":
            return getattr(given[0], target)(*given[1:], **named)
        return target(*given, **named) if kind == "call_function" else None


def _known(argument: Any) -> Any:
    """The value behind a stand-in: a copy, because a step may write over it."""
    value = argument.value if isinstance(argument, _Sized) else argument
    return value.clone() if isinstance(value, torch.Tensor) else value


def holds_tensors(value: Any) -> bool:
    """Whether there is a tensor in it."""
    if isinstance(value, dict):
        value = list(value.values())
    return any(map(holds_tensors, value)) if isinstance(value, tuple | list) else isinstance(value, torch.Tensor)


def trace(model: nn.Module, sample: torch.Tensor) -> fx.Graph:
    """What the network does with the sample, step by step. Draws random numbers where the network does.

    Raises:
        RecipeError: it does not run on the sample, or does what cannot be followed.
    """
    try:
        graph = _Tracer(sample).trace(model)
    except OslerError:
        raise
    except Exception as error:  # a person's forward may fail in any way on a stand-in for a tensor
        raise RecipeError(
            f"{type(model).__name__} cannot be followed step by step on a sample of {tuple(sample.shape)} "
            f"({type(error).__name__}: {error}). Networks of one input that are made of layers, with sums, products and "
            "concatenations between them, can."
        ) from error
    for node in reversed(graph.nodes):  # what only a question was put to, or nobody took
        if not node.users and node.op not in ("placeholder", "output"):
            graph.erase_node(node)
    return graph
