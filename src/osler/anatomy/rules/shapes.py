"""Operators that only rename elements: views, permutations, repetitions."""

from osler.anatomy.moving import broadcast, dropped, inserted, permuted, reshaped
from osler.anatomy.rules.call import Call, rule
from osler.anatomy.sight import Factor, Sight

VIEWS = {
    "view", "_unsafe_view", "reshape", "_reshape_alias", "flatten", "unflatten", "permute", "transpose", "t", "squeeze",
    "unsqueeze", "expand", "alias", "detach", "lift_fresh", "slice", "select", "split", "split_with_sizes", "chunk",
    "unbind", "contiguous", "_to_copy", "clone", "as_strided", "unsafe_split", "unsafe_split_with_sizes",
}  # fmt: skip


@rule("view", "_unsafe_view", "reshape", "_reshape_alias", "flatten", "unflatten")
def shape_changed(call: Call) -> Sight:
    """The same elements in the same order."""
    return reshaped(call.sight("self"), call.shape)


@rule("permute")
def permutation(call: Call) -> Sight:
    """Dimensions in another order."""
    sight = call.sight("self")
    return permuted(sight, [d % len(sight.dims) for d in call.arguments["dims"]])


@rule("transpose", "t")
def transposition(call: Call) -> Sight:
    """Two dimensions exchanged."""
    sight = call.sight("self")
    order = list(range(len(sight.dims)))
    if len(order) > 1:
        a, b = (call.dim("dim0"), call.dim("dim1")) if call.name == "transpose" else (0, 1)
        order[a], order[b] = order[b], order[a]
    return permuted(sight, order)


@rule("squeeze")
def squeezed(call: Call) -> Sight:
    """Without dimensions of size 1."""
    sight, given = call.sight("self"), call.arguments.get("dim")
    candidates = range(len(sight.dims)) if given is None else [given] if isinstance(given, int) else given
    return dropped(sight, [d for d in candidates if sight.dims and not sight.dims[d]])


@rule("unsqueeze")
def unsqueezed(call: Call) -> Sight:
    """With one more dimension of size 1."""
    return inserted(call.sight("self"), call.arguments["dim"] % len(call.shape))


@rule("expand")
def expanded(call: Call) -> Sight:
    """Repeated along dimensions of size 1."""
    return broadcast(call.sight("self"), call.shape)


@rule("repeat")
def repeated(call: Call) -> Sight:
    """The whole tensor again and again: each dimension gets a slow factor along which nothing moves."""
    sight = broadcast(
        call.sight("self"), (1,) * (len(call.shape) - call.arguments["self"].ndim) + call.arguments["self"].shape
    )
    times = call.arguments["repeats"]
    dims = tuple((Factor(n), *dim) if n != 1 else dim for n, dim in zip(times, sight.dims, strict=True))
    return Sight(dims, sight.pieces, sight.exact)
