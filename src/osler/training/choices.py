"""Automatic choices of optimiser, learning rate and weight decay, each with its reason, to be frozen into a recipe.

| optimiser | learning rate | weight decay | sources |
| --- | --- | --- | --- |
| sgd | 0.1 | 5e-4 | LeCun et al. 1998; Krizhevsky et al. 2012 (section 5) for the decay |
| momentum, nesterov | 0.01 | 5e-4 | Krizhevsky et al. 2012 (section 5): 0.9, 0.01, 5e-4 |
| adagrad | 0.01 | 0 | Duchi et al. 2011; 0.01 is the field's |
| rmsprop | 0.001 | 0 | Tieleman & Hinton 2012 (lecture 6.5) |
| adam | 0.001 | 0 | Kingma & Ba 2015 (algorithm 1) |
| adamw | 0.001 | 0.01 | Loshchilov & Hutter 2019; 0.01 is PyTorch's |
| lbfgs | 1 | 0 | Nocedal & Wright 2006 (section 7.2): the line search sets the step |
"""

import math
from dataclasses import dataclass
from typing import Literal

from torch import nn

from osler.structures.errors import RecipeError
from osler.structures.registry import unknown


@dataclass(frozen=True, slots=True)
class UsualValues:
    """What the field uses where nobody chose."""

    lr: float
    lr_reason: str
    weight_decay: float
    decay_reason: str


_COUPLED = "L2 would be divided by each weight's gradient scale and so decay unevenly (Loshchilov & Hutter 2019)"
_SGD_DECAY = "the usual value of stochastic gradient descent on pictures (Krizhevsky et al. 2012)"

USUAL = {
    "sgd": UsualValues(0.1, "the same step as 0.01 under a momentum of 0.9", 5e-4, _SGD_DECAY),
    "momentum": UsualValues(0.01, "safe with and without norm layers (Krizhevsky et al. 2012)", 5e-4, _SGD_DECAY),
    "nesterov": UsualValues(0.01, "as for momentum (Krizhevsky et al. 2012; Sutskever et al. 2013)", 5e-4, _SGD_DECAY),
    "adagrad": UsualValues(0.01, "the usual one; it shrinks as 1/sqrt(t) by itself (Duchi et al. 2011)", 0.0, _COUPLED),
    "rmsprop": UsualValues(0.001, "the lecture's (Tieleman & Hinton 2012)", 0.0, _COUPLED),
    "adam": UsualValues(0.001, "the paper's (Kingma & Ba 2015)", 0.0, _COUPLED),
    "adamw": UsualValues(
        0.001, "Adam's (Kingma & Ba 2015)", 0.01, "decoupled decay, PyTorch's value (Loshchilov & Hutter 2019)"
    ),
    "lbfgs": UsualValues(1.0, "the line search sets the length of the step", 0.0, "L-BFGS has no decay of its own"),
}


def usual_values(optimizer: str) -> UsualValues:
    """The row of the table for an optimiser.

    Raises:
        RecipeError: there is no optimiser of that name; the nearest is offered.
    """
    if optimizer not in USUAL:
        raise RecipeError(f"train.optimizer: {unknown('optimiser', optimizer, USUAL)}")
    return USUAL[optimizer]


def choose_optimizer(module: nn.Module) -> tuple[str, str]:
    """The optimiser for a network of which nothing else is known, and the reason.

    AdamW is the robust choice rather than the best tuned one: its step does not depend on the scale of the gradients,
    so that one learning rate serves small and large networks with and without norm layers (row OP10 shows a tuned SGD
    with momentum equal).
    """
    if has_sparse_gradients(module):
        return (
            "adagrad",
            "the network has embeddings with sparse gradients, which AdamW cannot take and AdaGrad was made for",
        )
    return (
        "adamw",
        "its step does not depend on the gradients' scale, so one learning rate fits most networks without a search",
    )


def choose_lr(optimizer: str, *, trained: bool = False) -> tuple[float, str]:
    """The usual learning rate of an optimiser, and the reason; a tenth where the network starts from trained weights.

    Girshick et al. 2014 (R-CNN, section 2.3) fine-tune at a tenth of the rate of pretraining, so that what
    was learnt there is not destroyed.
    """
    usual = usual_values(optimizer)
    if trained and optimizer != "lbfgs":
        return usual.lr / 10, f"{optimizer}: a tenth of the usual, to keep what the weights know (Girshick et al. 2014)"
    return usual.lr, f"{optimizer}: {usual.lr_reason}"


def choose_weight_decay(optimizer: str) -> tuple[float, str]:
    """The usual weight decay under an optimiser, and the reason."""
    usual = usual_values(optimizer)
    return usual.weight_decay, f"{optimizer}: {usual.decay_reason}"


def scaled_lr(lr: float, *, batch_size: int, rule: Literal["none", "linear", "sqrt"], reference: int) -> float:
    """The learning rate for a batch of `batch_size` pictures when `lr` is meant for `reference` of them.

    linear: in proportion (Goyal et al. 2017, section 2.1); the mean step per picture stays. sqrt: with the root of the
    proportion (Krizhevsky 2014, section 5); the variance of the step stays.
    """
    ratio = batch_size / reference
    return lr * {"none": 1.0, "linear": ratio, "sqrt": math.sqrt(ratio)}[rule]


def has_sparse_gradients(module: nn.Module) -> bool:
    """Whether some embedding gives gradients as sparse tensors."""
    return any(isinstance(m, nn.Embedding | nn.EmbeddingBag) and m.sparse for m in module.modules())
