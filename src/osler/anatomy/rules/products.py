"""Products of matrices: linear layers, attention. Each output looks at all along the dimension that is summed."""

from osler.anatomy.moving import broadcast, summed
from osler.anatomy.rules.call import Call, rule
from osler.anatomy.sight import Sight, union

ATTENTION = tuple(
    f"_scaled_dot_product_{kind}"
    for kind in (
        "flash_attention_for_cpu",
        "flash_attention",
        "efficient_attention",
        "cudnn_attention",
        "fused_attention_overrideable",
        "attention_math",
    )
)


def _product(call: Call, left: str, right: str) -> list[Sight]:
    """What the rows of the left and the columns of the right matrix see, over the product's shape."""
    one, other = call.sight(left), call.sight(right)
    rows = summed(one, [len(one.dims) - 1])
    columns = summed(other, [max(0, len(other.dims) - 2)])
    return [broadcast(rows, call.shape), broadcast(columns, call.shape)]


@rule("mm", "bmm")
def product(call: Call) -> Sight:
    """[..., n, k] times [..., k, m]."""
    return union(_product(call, "self", "mat2"))


@rule("addmm")
def product_plus(call: Call) -> Sight:
    """A product, and a bias."""
    return union([*_product(call, "mat1", "mat2"), broadcast(call.sight("self"), call.shape)])


@rule("baddbmm", "addbmm")
def batched_product_plus(call: Call) -> Sight:
    """Products, and a bias."""
    if call.name == "addbmm":  # the products of the batch are added up
        return union([call.sight(a).collapsed(call.shape) for a in ("batch1", "batch2", "self")])
    return union([*_product(call, "batch1", "batch2"), broadcast(call.sight("self"), call.shape)])


@rule("mv", "dot", "addmv", "linear", "_trilinear", "addr")
def other_products(call: Call) -> Sight:
    """Rare forms: whatever is seen, is seen from everywhere."""
    return union([call.seen_by(t).collapsed(call.shape) for t in call.tensors])


@rule(*ATTENTION)
def attention(call: Call) -> list[Sight]:
    """Each query sees what it saw itself, and by keys and values everything that these see."""
    query, key, value = (call.sight(a) for a in ("query", "key", "value"))
    last = len(query.dims) - 1
    parts = [summed(query, [last]), summed(key, [last - 1, last]), summed(value, [last - 1])]
    first = union([broadcast(part, call.shape) for part in parts])
    return [first, *(union([first]).collapsed(t.shape) for t in call.outputs[1:])]
