"""What the two players of a GAN minimise (Goodfellow et al. 2014). Scores are raw outputs, before the sigmoid."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def discriminator_loss(real: Float[Tensor, "*scores"], fake: Float[Tensor, "*others"]) -> Tensor:
    """-mean log D(real) - mean log(1 - D(fake)): the discriminator's side of the game (eq. 1)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def saturating_generator_loss(fake: Float[Tensor, "*scores"]) -> Tensor:
    """mean log(1 - D(fake)), the min-max game as written. Its slope, -D, vanishes when D is sure of the fake."""
    return -F.softplus(fake).mean()


def generator_loss(fake: Float[Tensor, "*scores"]) -> Tensor:
    """-mean log D(fake) (section 3): the same fixed point, but the slope, -(1 - D), is strongest when D is sure."""
    return F.softplus(-fake).mean()
