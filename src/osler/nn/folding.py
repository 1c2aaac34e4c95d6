"""Batch norms folded into the convolutions before them: in evaluation both are linear, and together one convolution.

y = scale * (w x + b - mean) / sqrt(variance + eps) + shift is a convolution with the kernel w * scale / sqrt(variance +
eps) and a bias (Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only
inference", section 3.2). The arithmetic is PyTorch's; which norm follows which convolution is found here.
"""

from collections import Counter
from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_conv_bn_weights

Kernel = Float[Tensor, "out_channels in_group height width"]
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def folded_weights(kernel: Kernel, norm: nn.BatchNorm2d) -> tuple[Kernel, Float[Tensor, " out_channels"]]:
    """Kernel and bias of a convolution without bias together with the norm behind it, in evaluation."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    statistics = norm.running_mean, norm.running_var, norm.eps
    folded, bias = fuse_conv_bn_weights(kernel, None, *statistics, norm.weight, norm.bias)
    return folded.detach(), bias.detach()


def fold_norms(model: nn.Module) -> int:
    """Fold, in place, every batch norm that alone receives a convolution's output; it becomes an identity.

    Structure and names stay, so the network is cut and printed as before. The model must be in evaluation mode, and
    answers the same there; trained on, it would be another network.

    Returns:
        How many norms were folded.

    Raises:
        ValueError: the model is in training mode.
    """
    if model.training:
        raise ValueError("Norms can be folded in evaluation mode only: call model.eval() first.")
    pairs = list(foldable_pairs(model))
    for first, second in pairs:
        conv, norm = model.get_submodule(first), model.get_submodule(second)
        folded = fuse_conv_bn_eval(conv, norm, isinstance(conv, TRANSPOSED))  # type: ignore[type-var, arg-type]
        model.set_submodule(first, folded)
        model.set_submodule(second, nn.Identity().eval())
    return len(pairs)


def foldable_pairs(model: nn.Module, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Names of convolutions and of the batch norms that they can take over.

    A pair is foldable when the convolution's output goes to the norm and nowhere else, and each is called once. The
    flow is read from a symbolic trace; where the code cannot be traced (it asks for values), from its parts, one by one.
    """
    try:
        graph = fx.Tracer().trace(model)
    except Exception:  # any code of a person may stand in a forward, and fail on symbols in its own way
        for name, child in model.named_children():
            yield from foldable_pairs(child, f"{prefix}{name}.")
        return
    modules = dict(model.named_modules())
    calls = Counter(id(modules[str(n.target)]) for n in graph.nodes if n.op == "call_module")
    for node in graph.nodes:
        if node.op != "call_module" or not isinstance(node.args[0] if node.args else None, fx.Node):
            continue
        before = node.args[0]
        if before.op != "call_module" or len(before.users) > 1:
            continue
        conv, norm = modules[str(before.target)], modules[str(node.target)]
        once = calls[id(conv)] == calls[id(norm)] == 1
        if once and _can_take_over(conv, norm):
            yield f"{prefix}{before.target}", f"{prefix}{node.target}"


def _can_take_over(conv: nn.Module, norm: nn.Module) -> bool:
    """Whether both are PyTorch's own (a class derived from one might compute something else) and the norm has statistics."""
    grouped = type(conv) in TRANSPOSED and conv.groups != 1  # PyTorch's arithmetic has no groups there
    known = type(conv) in CONVOLUTIONS + TRANSPOSED and not grouped
    return known and type(norm) in NORMS and norm.running_mean is not None and norm.running_var is not None
