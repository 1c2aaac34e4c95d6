"""The gradient penalty that keeps a critic's slope near 1 (Gulrajani et al. 2017, eq. 3)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Float[Tensor, "batch *features"],
    fake: Float[Tensor, "batch *features"],
    *,
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    """Mean of (|gradient of the critic| - 1)^2 at a random point between each real sample and its fake.

    The result has a history, so that its own gradient trains the critic (a double backward). `generator` (on the CPU)
    draws the points. Multiply by the paper's lambda, 10, and add to the critic's loss. The critic must treat samples
    one by one: no batch normalisation (section 4).
    """
    share = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator).to(real)
    points = torch.lerp(real.detach(), fake.detach(), share).requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()
