"""The earth-mover (Wasserstein-1) distance, a Wasserstein GAN's losses (Arjovsky et al. 2017), and Jensen-Shannon."""

import torch
from jaxtyping import Float
from torch import Tensor


def earth_mover_distance(first: Float[Tensor, " n"], second: Float[Tensor, " m"]) -> Float[Tensor, ""]:
    """W1 between two samples of numbers: the area between their empirical distribution functions.

    For samples of equal size that is the mean distance between the sorted values, pair by pair.
    """
    if len(first) == len(second):
        return (first.sort().values - second.sort().values).abs().mean()
    values = torch.cat([first, second]).sort().values
    gap = (_share_below(first, values[:-1]) - _share_below(second, values[:-1])).abs()
    return (gap * values.diff()).sum()


def jensen_shannon(first: Float[Tensor, " outcomes"], second: Float[Tensor, " outcomes"]) -> Float[Tensor, ""]:
    """Jensen-Shannon divergence of two distributions, in nats: 0 to log 2, which it keeps once they are disjoint."""
    middle = (first + second) / 2
    return (_kl(first, middle) + _kl(second, middle)) / 2


def critic_loss(real: Float[Tensor, "*scores"], fake: Float[Tensor, "*others"]) -> Tensor:
    """mean f(fake) - mean f(real): minus the distance that a critic f of slope at most 1 can show (eq. 2)."""
    return fake.mean() - real.mean()


def critic_generator_loss(fake: Float[Tensor, "*scores"]) -> Tensor:
    """-mean f(fake): the generator against such a critic."""
    return -fake.mean()


def _kl(p: Float[Tensor, " outcomes"], q: Float[Tensor, " outcomes"]) -> Float[Tensor, ""]:
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum()


def _share_below(sample: Float[Tensor, " n"], values: Float[Tensor, " places"]) -> Float[Tensor, " places"]:
    """The sample's distribution function at each value; steps have no slope, so none flows."""
    places = torch.searchsorted(sample.detach().sort().values, values.detach(), right=True)
    return places.to(values.dtype) / len(sample)
