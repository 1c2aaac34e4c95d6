"""The form of a network that is shipped: re-parameterised blocks as one convolution, norms folded into convolutions."""

from copy import deepcopy
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from osler.nn.rep_vgg import RepVGGBlock


def deployed(model: nn.Module) -> nn.Module:
    """A copy of a network that gives the same answers in evaluation with fewer layers; the original stays as it is.

    RepVGG blocks become one convolution (Ding et al. 2021, section 3.3). In every `nn.Sequential` a batch norm right
    behind a convolution is folded into it. The copy is in evaluation mode and cannot be trained as before.
    """
    copy = deepcopy(model).eval()
    for name, module in list(copy.named_modules()):
        if isinstance(module, RepVGGBlock):
            copy.set_submodule(name, module.deployed()) if name else None
    if isinstance(copy, RepVGGBlock):
        return copy.deployed().eval()
    for module in list(copy.modules()):
        if isinstance(module, nn.Sequential):
            _fold_norms(module)
    return copy.eval()


def _fold_norms(layers: nn.Sequential) -> None:
    """Convolutions take over the norms behind them; an identity stays in their place, so that names stay."""
    for (first, conv), (second, norm) in pairwise(list(layers.named_children())):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and norm.track_running_stats:
            layers.set_submodule(first, fuse_conv_bn_eval(conv, norm))
            layers.set_submodule(second, nn.Identity())
