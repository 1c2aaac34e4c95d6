"""Operators that work element by element, alone or between tensors, and norms."""

from osler.anatomy.moving import beside, broadcast
from osler.anatomy.rules.call import Call, rule
from osler.anatomy.sight import Sight, blind, union


@rule(
    "pointwise",
    "copy",
    "lift_fresh",
    "_to_copy",
    "detach",
    "alias",
    "contiguous",
    "hardswish",
    "_prelu_kernel",
    "log_sigmoid_forward",
    "native_dropout",
    "bernoulli",
    "floor_divide",
    "fill",
    "zero",
    "zeros_like",
    "ones_like",
    "empty_like",
    "rand_like",
    "randn_like",
    "new_zeros",
    "new_ones",
    "new_empty",
    "new_full",
    "channel_shuffle",
    "rrelu_with_noise",
    "rrelu_with_noise_functional",
    "normal",
    "uniform",
    "nan_to_num",
)
def elementwise(call: Call) -> Sight:
    """Each element sees what the elements at its place see."""
    if call.name in CREATED:
        return blind(call.shape)
    sights = [broadcast(call.seen_by(t), call.shape) for t in call.tensors if t.ndim <= len(call.shape)]
    return union(sights) if sights else blind(call.shape)


CREATED = {"fill", "zero", "bernoulli", "normal", "uniform"} | {
    f"{kind}_like" for kind in ("zeros", "ones", "empty", "rand", "randn")
}
CREATED |= {f"new_{kind}" for kind in ("zeros", "ones", "empty", "full")}


@rule("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "cudnn_batch_norm",
      "miopen_batch_norm", "_batch_norm_with_update", "_batch_norm_no_update")  # fmt: skip
def batch_norm(call: Call) -> list[Sight]:
    """With stored statistics element by element; with its own, each element sees its channel's whole map."""
    sight = call.sight("input")
    if call.arguments.get("training", call.name == "_batch_norm_with_update"):
        sight = beside(sight, [d for d in range(len(sight.dims)) if d != 1])
    return [sight, *(blind(t.shape) for t in call.outputs[1:])]


@rule("native_layer_norm", "_fused_rms_norm")
def layer_norm(call: Call) -> list[Sight]:
    """The statistics are those of the last dimensions."""
    sight = call.sight("input")
    count = len(call.arguments["normalized_shape"])
    sight = beside(sight, list(range(len(sight.dims) - count, len(sight.dims))))
    return [sight, *(blind(t.shape) for t in call.outputs[1:])]


@rule("native_group_norm")
def group_norm(call: Call) -> list[Sight]:
    """The statistics are those of a group's channels over the whole map."""
    sight = call.sight("input")
    return [beside(sight, list(range(1, len(sight.dims)))), *(blind(t.shape) for t in call.outputs[1:])]


@rule("_softmax", "_safe_softmax", "_log_softmax", "cumsum", "cumprod", "logcumsumexp")
def along_a_dimension(call: Call) -> Sight:
    """Each element sees all along the dimension."""
    return beside(call.sight("self"), [call.dim()])
