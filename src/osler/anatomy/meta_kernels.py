"""Output shapes of the most frequent operators, worked out here by the house's own rules.

PyTorch can do it too, but the first of its own meta kernels in Python brings 75 MB of compiler with it.
"""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor

from osler.anatomy.rules.call import bound, operator_name
from osler.anatomy.rules.windows import spread
from osler.ops.convolution import Window

ELEMENTWISE = {
    "relu", "add", "sub", "mul", "div", "sigmoid", "tanh", "hardtanh", "hardsigmoid", "hardswish", "gelu", "silu", "leaky_relu",
    "elu", "_softmax", "_safe_softmax", "empty_like", "neg", "exp", "sqrt", "rsqrt", "pow",
}  # fmt: skip


def run(operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the operator puts out: on the meta device by our rules where we have one, else by PyTorch."""
    name = operator_name(operator)
    if operator._schema.is_mutable and name in (*ELEMENTWISE, "bernoulli") and _fits_into(*args[:2]):
        return args[0]
    if name == "cat":
        joined = _concatenation(args[0], args[1] if len(args) > 1 else kwargs.get("dim", 0))
        if joined is not None:
            return joined
    if (name in _kernels or name in ELEMENTWISE) and not operator._schema.is_mutable:
        given = bound(operator, args, kwargs)
        first = given.get("input", given.get("self"))
        if isinstance(first, Tensor) and first.is_meta:
            done = _kernels.get(name, _elementwise)(given, first)
            if done is not None:
                return done
    return operator(*args, **kwargs)


def _fits_into(target: Any, other: Any = None) -> bool:
    """Whether an operator in place has nothing to check: its other operand is a number, or of the same shape."""
    if not isinstance(target, Tensor) or not target.is_meta:
        return False
    return not isinstance(other, Tensor) or other.shape == target.shape


def _convolution(given: dict[str, Any], x: Tensor) -> Tensor | None:
    weight = given["weight"]
    count = weight.ndim - 2
    if given["transposed"] or x.ndim != weight.ndim or x.shape[1] != weight.shape[1] * given["groups"]:
        return None  # PyTorch says what is wrong
    strides, paddings, dilations = (spread(given[key], count) for key in ("stride", "padding", "dilation"))
    sides = [
        Window(weight.shape[2 + i], strides[i], paddings[i], dilations[i]).output(x.shape[2 + i]) for i in range(count)
    ]
    return x.new_empty((x.shape[0], weight.shape[0], *sides))


def _batch_norm(given: dict[str, Any], x: Tensor) -> tuple[Tensor, ...] | None:
    weight = given.get("weight")
    if not x.is_contiguous() or (weight is not None and weight.shape[0] != x.shape[1]):
        return None
    kept = x.shape[1] if given["training"] else 0
    return x.new_empty(x.shape), x.new_empty(kept), x.new_empty(kept)


def _mean(given: dict[str, Any], x: Tensor) -> Tensor | None:
    if given.get("dtype") is not None or given.get("dim") is None or not x.is_floating_point():
        return None
    gone = {d % x.ndim for d in given["dim"]} or set(range(x.ndim))
    keep = given.get("keepdim")
    return x.new_empty([1 if d in gone else n for d, n in enumerate(x.shape) if keep or d not in gone])


def _elementwise(given: dict[str, Any], x: Tensor) -> Tensor | None:
    """Where types are alike, as between the maps of a network; else PyTorch knows the rules. The first operand lays it out."""
    other = given.get("other", given.get("exponent"))
    strides = _laid_out_like(x)
    if not x.is_floating_point() or isinstance(other, complex) or strides is None:
        return None
    shape = _broadcast(x.shape, other.shape) if isinstance(other, Tensor) else x.shape
    if shape is None or (isinstance(other, Tensor) and other.dtype != x.dtype):
        return None
    if tuple(shape) == tuple(x.shape) and not x.is_contiguous():
        return x.new_empty_strided(x.shape, strides)
    alike = x.is_contiguous() and (not isinstance(other, Tensor) or other.is_contiguous())
    return x.new_empty(shape) if alike else None


def _broadcast(one: Sequence[int], other: Sequence[int]) -> Sequence[int] | None:
    """The shape of both together; None where they do not fit."""
    pairs = list(zip_longest(one[::-1], other[::-1], fillvalue=1))
    if any(a != b and 1 not in (a, b) for a, b in pairs):
        return None
    return [max(a, b) if min(a, b) else 0 for a, b in pairs][::-1]


def _laid_out_like(x: Tensor) -> list[int] | None:
    """Strides of a new tensor whose elements lie in the order of x's, without gaps; None where x uses elements twice."""
    strides, step = [1] * x.ndim, 1
    for stride, dim in sorted((x.stride(d), -d) for d in range(x.ndim) if x.shape[d] != 1):
        if stride == 0:
            return None
        strides[-dim] = step
        step *= x.shape[-dim]
    return strides


def _pooling(given: dict[str, Any], x: Tensor) -> Tensor | tuple[Tensor, Tensor] | None:
    count = x.ndim - 2
    kernels = spread(given["kernel_size"], count)
    strides = spread(given["stride"] or kernels, count)
    paddings, dilations = (spread(given.get(key) or usual, count) for key, usual in (("padding", 0), ("dilation", 1)))
    if not x.is_contiguous() or len(kernels) != count or any(2 * p > k for p, k in zip(paddings, kernels, strict=True)):
        return None
    sides = [
        Window(kernels[i], strides[i], paddings[i], dilations[i], given["ceil_mode"]).output(x.shape[2 + i])
        for i in range(count)
    ]
    out = x.new_empty((*x.shape[:2], *sides))
    return (out, x.new_empty(out.shape, dtype=torch.long)) if "dilation" in given else out


def _adaptive_pooling(given: dict[str, Any], x: Tensor) -> Tensor | None:
    return x.new_empty((*x.shape[:2], *given["output_size"])) if x.ndim == 4 and x.is_contiguous() else None


def _adaptive_maximum(given: dict[str, Any], x: Tensor) -> tuple[Tensor, Tensor] | None:
    out = _adaptive_pooling(given, x)
    return None if out is None else (out, x.new_empty(out.shape, dtype=torch.long))


def _product(given: dict[str, Any], x: Tensor) -> Tensor | None:
    """[..., n, k] times [..., k, m], plus what can be added to it."""
    one, other = (given.get(a, given.get(b)) for a, b in (("mat1", "self"), ("mat2", "mat2")))
    if one is None or other is None or one.dtype != other.dtype or one.shape[:-2] != other.shape[:-2]:
        return None
    if one.shape[-1] != other.shape[-2] or ("mat1" in given and x.shape != other.shape[-1:]):
        return None
    return one.new_empty((*one.shape[:-1], other.shape[-1]))


def _concatenation(tensors: Sequence[Tensor], dim: int) -> Tensor | None:
    first = tensors[0]
    if first.ndim == 0 or any(
        not t.is_meta or not t.is_contiguous() or t.dtype != first.dtype or t.ndim != first.ndim for t in tensors
    ):
        return None
    dim %= first.ndim
    if len({(*t.shape[:dim], *t.shape[dim + 1 :]) for t in tensors}) > 1:
        return None
    return first.new_empty((*first.shape[:dim], sum(t.shape[dim] for t in tensors), *first.shape[dim + 1 :]))


def _layer_norm(given: dict[str, Any], x: Tensor) -> tuple[Tensor, ...] | None:
    count = len(given["normalized_shape"])
    if tuple(x.shape[-count:]) != tuple(given["normalized_shape"]):
        return None
    kept = (*x.shape[:-count], *[1] * count)
    return x.new_empty(x.shape), x.new_empty(kept), x.new_empty(kept)


_kernels: dict[str, Any] = {
    "convolution": _convolution,
    "native_batch_norm": _batch_norm,
    "native_layer_norm": _layer_norm,
    "mean": _mean,
    "_adaptive_avg_pool2d": _adaptive_pooling,
    "adaptive_max_pool2d": _adaptive_maximum,
    **dict.fromkeys(("max_pool2d_with_indices", "avg_pool2d", "avg_pool3d"), _pooling),
    **dict.fromkeys(("mm", "bmm", "addmm"), _product),
}
