"""The form of a network that is shipped: one path, no norms, the same answers."""

from copy import deepcopy

from torch import nn

from osler.nn.folding import fold_norms
from osler.nn.rep_vgg import RepVGGBlock


def deployed(model: nn.Module) -> nn.Module:
    """A copy of a network that gives the same answers in evaluation with fewer layers; the original stays as it is.

    RepVGG blocks, wherever they stand, become one convolution (Ding et al. 2021, section 3.3), and batch norms are folded
    into the convolutions before them. The copy is in evaluation mode, and to be trained no further: the norms and
    branches that made it trainable are gone.

    The copy of one of our RepVGGs has the keys and shapes of `create_model(name, deployed=True)`, which its state can be
    loaded into.
    """
    copy = deepcopy(model).eval()
    if isinstance(copy, RepVGGBlock):
        return copy.deployed()
    for name, module in list(copy.named_modules()):
        if isinstance(module, RepVGGBlock):
            copy.set_submodule(name, module.deployed())
    fold_norms(copy)
    return copy
