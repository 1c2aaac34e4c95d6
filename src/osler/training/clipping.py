"""Gradient clipping by norm and by value (Pascanu et al. 2013; Mikolov 2012)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_, get_total_norm


def clip_gradients(parameters: Sequence[nn.Parameter], *, norm: float = 0.0, value: float = 0.0) -> Float[Tensor, ""]:
    """Forces the gradients back into range, in place: together to a norm, then each component to [-value, value].

    Args:
        parameters: whose gradients count as one vector; those without a gradient are passed over.
        norm: largest Euclidean norm of that vector; 0: no bound. Its direction is kept.
        value: largest size of a component; 0: no bound. The direction may change.

    Returns:
        The norm before clipping, on the gradients' device (reading it waits for the device). 0 where nothing has a
        gradient.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return torch.zeros(())
    before = clip_grad_norm_(parameters, norm) if norm else get_total_norm(gradients)
    if value:
        clip_grad_value_(parameters, value)
    return before
