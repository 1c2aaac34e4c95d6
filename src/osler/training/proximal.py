"""L1 on weights as a proximal step: exact zeros, which a gradient of |w| never reaches (Parikh & Boyd 2014)."""

import torch
from torch.nn.functional import softshrink
from torch.optim import Optimizer


@torch.no_grad()
def soft_threshold(optimizer: Optimizer, l1: float) -> None:
    """Moves every weight by lr * l1 towards zero, and no further: w <- sign(w) * max(|w| - lr * l1, 0).

    To be called after each step of an optimiser that `build_optimizer` made from a section with l1 > 0. After plain
    gradient descent this is the proximal gradient method (ISTA) for loss + l1 * sum |w|. After adaptive steps it is
    the same threshold for all weights of a group, decoupled from the gradient's scale as AdamW's decay is. Biases and
    norm parameters, and parameters that had no gradient in this step, stay as they are.
    """
    for group in optimizer.param_groups:
        if group["weights"]:
            threshold = float(group["lr"]) * l1
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.copy_(softshrink(weight, threshold))
