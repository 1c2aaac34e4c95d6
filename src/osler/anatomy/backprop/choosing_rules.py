"""Which rule a layer, a function or a method has."""

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from osler.anatomy.backprop import (  # each module files its rules
    activation_rule,
    average_pool_rule,
    batch_norm_rule,
    convolution_rule,
    dropout_rule,
    linear_rule,
    max_pool_rule,
    shape_rules,
    softmax_rule,
)
from osler.anatomy.backprop.merge_rules import ConcatenationRule, ProductRule, SumRule
from osler.anatomy.backprop.part_rules import PartRule, ZeroPaddingRule
from osler.anatomy.backprop.rule import MAKERS, Rule
from osler.anatomy.backprop.shape_rules import MeanRule, ReshapeRule
from osler.structures.errors import RecipeError

RULES = (activation_rule, average_pool_rule, batch_norm_rule, convolution_rule, dropout_rule, linear_rule, max_pool_rule,
         shape_rules, softmax_rule)  # fmt: skip


def _dropout(p: float = 0.5, training: bool = True, inplace: bool = False) -> nn.Module:
    return nn.Dropout(p).train(training)


def _plain(kind: type[nn.Module]) -> Callable[..., nn.Module]:
    """A module that is made without arguments; the function's `inplace` says nothing here."""
    return lambda *_, **__: kind()


def _softmax(kind: type[nn.Softmax] | type[nn.LogSoftmax]) -> Callable[..., nn.Module]:
    def make(dim: int | None = None, **_: Any) -> nn.Module:
        return kind(dim)

    return make


# Functions and methods that do what a module does, and how that module is made from what they are given beside the input.
AS_MODULES: dict[Any, Callable[..., nn.Module]] = {
    F.relu: _plain(nn.ReLU), torch.relu: nn.ReLU, "relu": nn.ReLU, "relu_": nn.ReLU, F.relu6: _plain(nn.ReLU6),
    F.sigmoid: nn.Sigmoid, torch.sigmoid: nn.Sigmoid, "sigmoid": nn.Sigmoid,
    F.tanh: nn.Tanh, torch.tanh: nn.Tanh, "tanh": nn.Tanh,
    F.leaky_relu: nn.LeakyReLU, F.elu: nn.ELU, F.selu: _plain(nn.SELU), F.silu: _plain(nn.SiLU), F.gelu: nn.GELU,
    F.hardswish: _plain(nn.Hardswish), F.hardsigmoid: _plain(nn.Hardsigmoid),
    F.max_pool2d: nn.MaxPool2d, F.avg_pool2d: nn.AvgPool2d, F.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d,
    F.dropout: _dropout, F.softmax: _softmax(nn.Softmax), torch.softmax: _softmax(nn.Softmax), "softmax": _softmax(nn.Softmax),
    F.log_softmax: _softmax(nn.LogSoftmax), "log_softmax": _softmax(nn.LogSoftmax),
}  # fmt: skip
SUMS = (operator.add, operator.iadd, torch.add, "add", "add_")
DIFFERENCES = (operator.sub, torch.sub, "sub")
PRODUCTS = (operator.mul, operator.imul, torch.mul, "mul", "mul_")
NEGATIONS = (operator.neg, torch.neg, "neg")
RESHAPES = (
    torch.flatten,
    "flatten",
    "view",
    "reshape",
    torch.reshape,
    "squeeze",
    "unsqueeze",
    torch.squeeze,
    torch.unsqueeze,
)
CONCATENATIONS = (torch.cat, torch.concat)


def maker_of(module: nn.Module) -> Callable[[Any], Rule] | None:
    """What makes the rule of a module: that of its class, or of the class whose forward it uses."""
    for kind in type(module).__mro__:
        if kind in MAKERS:
            return MAKERS[kind] if type(module).forward is kind.forward else None
    return None


def module_rule(name: str, module: nn.Module) -> Rule:
    """The rule of a layer.

    Raises:
        RecipeError: there is none.
    """
    maker = maker_of(module)
    if maker is None:
        known = ", ".join(sorted(kind.__name__ for kind in MAKERS))
        raise RecipeError(
            f"{name} is {type(module).__name__}, for which there is no worked rule. There is one for {known}."
        )
    return maker(module)


def operation_rule(target: Any, arguments: list[Any], options: dict[str, Any], inputs: int) -> Rule:
    """The rule of a function or method; `arguments` are those beside the tensors that it takes.

    Raises:
        RecipeError: there is none.
    """
    if target in AS_MODULES:
        return module_rule(said(target), AS_MODULES[target](*arguments, **options))
    if target in SUMS and inputs == 2 and not options:
        return SumRule()
    if target in DIFFERENCES and inputs == 2 and not options:
        return SumRule(-1)
    if target in PRODUCTS and inputs == 2:
        return ProductRule()
    if target in PRODUCTS and isinstance(arguments[0], int | float):
        return ProductRule(float(arguments[0]))
    if target in NEGATIONS:
        return ProductRule(-1.0)
    if target is operator.getitem and inputs == 1 and _is_plain(arguments[0]):
        return PartRule(arguments[0])
    if target is F.pad and _pads_with_zeros(arguments, options):
        return ZeroPaddingRule(options.get("pad", arguments[0] if arguments else ()))
    if target in RESHAPES:
        return ReshapeRule(lambda x: _called(target, x, arguments, options))
    if target in CONCATENATIONS:
        return ConcatenationRule(int(options.get("dim", arguments[0] if arguments else 0)))
    if target in ("mean", torch.mean) and (arguments or "dim" in options):
        axes: Any = options.get("dim", arguments[0] if arguments else None)
        keep: Any = options.get("keepdim", arguments[1] if len(arguments) > 1 else False)
        return MeanRule(tuple(axes) if isinstance(axes, list | tuple) else (int(axes),), bool(keep))
    raise RecipeError(
        f"The network calls {said(target)}, for which there is no worked rule. There is one for sums, products, cat, mean, "
        "flatten, view, reshape, slices and zero padding, and for the functions of activations, poolings, dropout and softmax."
    )


def _is_plain(index: Any) -> bool:
    """Whether an index takes no element twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(p is None or p is Ellipsis or isinstance(p, int | slice) for p in parts)


def _pads_with_zeros(arguments: list[Any], options: dict[str, Any]) -> bool:
    named = dict(zip(("pad", "mode", "value"), arguments, strict=False)) | options
    return named.get("mode", "constant") == "constant" and not named.get("value")


def said(target: Any) -> str:
    """The name of a function or method."""
    return str(target) if isinstance(target, str) else str(getattr(target, "__name__", target))


def _called(target: Any, x: torch.Tensor, arguments: list[Any], options: dict[str, Any]) -> torch.Tensor:
    result: torch.Tensor = (
        getattr(x, target)(*arguments, **options) if isinstance(target, str) else target(x, *arguments, **options)
    )
    return result
