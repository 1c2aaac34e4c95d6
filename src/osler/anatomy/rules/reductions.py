"""Sums, means, maxima: outputs that look at all of a dimension."""

from osler.anatomy.moving import broadcast, dropped, summed
from osler.anatomy.rules.call import Call, rule
from osler.anatomy.sight import Sight

REDUCTIONS = (
    "mean", "sum", "nansum", "amax", "amin", "aminmax", "var", "std", "var_mean", "std_mean", "logsumexp", "max", "min",
    "argmax", "argmin", "prod", "norm", "linalg_vector_norm", "all", "any", "median", "count_nonzero", "mode",
)  # fmt: skip


@rule(*REDUCTIONS)
def reduced(call: Call) -> Sight:
    """Every element along the dimensions; of all, where none is given."""
    sight = call.sight("self")
    count = len(sight.dims)
    given = call.arguments.get("dim")
    given = [given] if isinstance(given, int) else given
    dims = sorted({d % count for d in given}) if given and count else list(range(count))
    sight = summed(sight, dims)
    return sight if len(call.shape) == count else dropped(sight, dims)


@rule("topk", "sort", "kthvalue")
def chosen(call: Call) -> Sight:
    """Which is chosen depends on all along the dimension."""
    sight = summed(call.sight("self"), [call.dim()])
    sight = sight if len(call.shape) == len(sight.dims) else dropped(sight, [call.dim()])
    return broadcast(sight, call.shape)
