"""What an operator costs: multiply-adds of products, and for all others the operations on elements, counted apart.

A multiply-add is one product and its addition, in convolutions, linear layers, products of matrices and attention; the
addition of a bias is the accumulator's start and costs nothing. Other operators are counted in operations on elements:

    element by element     1 for each value put out
    batch norm, stored     2 for each value: a scale and a shift
    norm of own statistics 5 for each value: two sums, a difference, a scale, a shift
    softmax                4 for each value: maximum, exponential, sum, quotient
    pooling                1 for each value under each window
    means, sums, maxima    1 for each value taken in; so too an adaptive average pooling
    linear, cubic resizing 2 or 4 for each value and side, multiplied
    moving values about    0: views, concatenation, padding, copies
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from torch import Tensor

from osler.anatomy.rules.call import Call, is_pointwise
from osler.anatomy.rules.pointwise import CREATED
from osler.anatomy.rules.products import ATTENTION
from osler.anatomy.rules.reductions import REDUCTIONS
from osler.anatomy.rules.shapes import VIEWS


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one call of an operator."""

    multiply_adds: int = 0
    element_operations: int = 0


MOVES = {
    *VIEWS, *CREATED, "repeat", "cat", "stack", "copy", "embedding", "constant_pad_nd", "flip", "roll", "unfold", "im2col",
    "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "index_select", "gather", "index", "index_put", "scatter",
    "masked_select", "index_copy", *(f"{kind}_pad{n}d" for kind in ("reflection", "replication") for n in (1, 2, 3)),
    *(f"upsample_nearest{n}d" for n in (1, 2, 3)), *(f"_upsample_nearest_exact{n}d" for n in (1, 2, 3)),
}  # fmt: skip

# Operations for each value put out.
BY_OUTPUT = {
    "native_batch_norm": 2,
    "_native_batch_norm_legit": 2,
    "_native_batch_norm_legit_no_training": 2,
    "_batch_norm_no_update": 2,
    "cudnn_batch_norm": 2,
    "miopen_batch_norm": 2,
    "_batch_norm_with_update": 5,
    "native_layer_norm": 5,
    "native_group_norm": 5,
    "_fused_rms_norm": 4,
    "_softmax": 4,
    "_safe_softmax": 4,
    "_log_softmax": 4,
    "hardswish": 1,
    "_prelu_kernel": 1,
    "log_sigmoid_forward": 1,
    "native_dropout": 1,
    "floor_divide": 1,
    "rrelu_with_noise": 1,
    "rrelu_with_noise_functional": 1,
    "nan_to_num": 1,
    "glu": 2,
    "cumsum": 1,
    "cumprod": 1,
    "logcumsumexp": 1,
    "upsample_linear1d": 2,
    "upsample_bilinear2d": 4,
    "upsample_trilinear3d": 8,
    "upsample_bicubic2d": 16,
    "grid_sampler_2d": 4,
    "grid_sampler_3d": 8,
}

# Operations for each value taken in.
BY_INPUT = {
    *REDUCTIONS,
    *("topk", "sort", "kthvalue", "adaptive_avg_pool1d", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d"),
    *("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"),
}


def cost(call: Call) -> Cost | None:
    """Of a call; None where no rule says what the operator costs."""
    name = call.name
    if name in _products:
        return Cost(multiply_adds=_products[name](call))
    if name in MOVES:
        return Cost()
    if name in BY_OUTPUT:
        own = name in ("native_batch_norm", "_native_batch_norm_legit") and call.arguments["training"]
        return Cost(element_operations=(5 if own else BY_OUTPUT[name]) * call.outputs[0].numel())
    if name in BY_INPUT:
        return Cost(element_operations=_first(call).numel())
    if "_pool" in name and "kernel_size" in call.arguments:
        kernel = call.arguments["kernel_size"]
        sides = list(kernel) if not isinstance(kernel, int) else [kernel]
        sides = sides * int(name[name.index("d", name.index("pool")) - 1]) if len(sides) == 1 else sides
        return Cost(element_operations=call.outputs[0].numel() * prod(sides))
    return Cost(element_operations=call.outputs[0].numel()) if is_pointwise(call.operator) else None


def _first(call: Call) -> Tensor:
    return call.tensors[0]


def _convolution(call: Call) -> int:
    """Each weight once for each output position; of a transposed convolution, once for each input position."""
    weight, given = call.arguments["weight"], call.arguments
    values = given["input"] if given["transposed"] else call.outputs[0]
    return int(values.numel() * prod(weight.shape[1:]))


def _product(left: str) -> Callable[[Call], int]:
    """Each output is a sum over the left matrix's last dimension."""
    return lambda call: call.outputs[0].numel() * call.arguments[left].shape[-1]


def _attention(call: Call) -> int:
    """Queries times keys, and the weights times values."""
    query, key, value = (call.arguments[a].shape for a in ("query", "key", "value"))
    return int(prod(query[:-1]) * key[-2] * (query[-1] + value[-1]))


def _trilinear(call: Call) -> int:
    """x' A y for each output: A y, then x times it."""
    one, other = (call.arguments[a].shape[d] for a, d in (("i1", -2), ("i2", -1)))
    return call.outputs[0].numel() * one * (other + 1)


_products: dict[str, Callable[[Call], int]] = {
    "convolution": _convolution,
    "_convolution": _convolution,
    "convolution_overrideable": _convolution,
    "mm": _product("self"),
    "bmm": _product("self"),
    "mv": _product("self"),
    "dot": lambda call: int(call.arguments["self"].numel()),
    "addmm": _product("mat1"),
    "addmv": _product("mat"),
    "baddbmm": _product("batch1"),
    "addbmm": lambda call: (
        call.outputs[0].numel() * call.arguments["batch1"].shape[0] * call.arguments["batch1"].shape[2]
    ),
    "addr": lambda call: call.outputs[0].numel(),
    "linear": _product("input"),
    "_trilinear": _trilinear,
    **dict.fromkeys(ATTENTION, _attention),
}
