"""Two claims of the Inception line, measured small: side heads feed the early layers, batch norm makes training faster."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from osler.lab.plain_training import seeded, sgd
from osler.lab.small_sets import digits
from osler.models.registry import create_model
from osler.tasks.supervised import named_losses

NARROW = 0.125
CLASSES = 10
# Steps to 72.2 % on ImageNet: Inception 31.0 million, BN-x5 2.1 million (Ioffe and Szegedy 2015, figure 3), "14 times fewer".
PUBLISHED_RATIO = 31.0 / 2.1


@dataclass(frozen=True, slots=True)
class EarlyGradient:
    """Norm of the gradient at GoogLeNet's first convolution, at the start of a training."""

    without: float  # of the main loss alone
    with_heads: float  # of the main loss and 0.3 times those of both heads

    @property
    def ratio(self) -> float:
        """How many times the heads' help makes it larger."""
        return self.with_heads / self.without


def early_gradient(*, width: float = NARROW, pictures: int = 64, seed: int = 0) -> EarlyGradient:
    """GoogLeNet as published, narrow, on digits; the losses are those of our classifiers' training steps."""
    images, labels = _pictures(pictures, seed)
    with seeded(seed):
        model = _network("googlenet", width).train()
        losses = named_losses(model(images), labels, CLASSES, cross_entropy)
    first = next(model.parameters())
    main, heads = (torch.autograd.grad(losses[k], first, retain_graph=True)[0] for k in ("loss", "aux_loss"))
    return EarlyGradient(float(main.norm()), float((main + heads).norm()))


@dataclass(frozen=True, slots=True)
class StepsToTarget:
    """How long a network trained until its loss was half that of guessing, at the best of its learning rates."""

    network: str
    rate: float
    steps: int | None  # None: not in the steps given


@dataclass(frozen=True, slots=True)
class Speed:
    """GoogLeNet's steps against BN-Inception's."""

    first: StepsToTarget
    norm: StepsToTarget
    limit: int

    @property
    def ratio(self) -> float:
        """How many times as many steps GoogLeNet takes: at least, where it does not get there in the steps given.

        Raises:
            ValueError: BN-Inception did not get there either.
        """
        if self.norm.steps is None:
            raise ValueError(f"BN-Inception does not reach the target in {self.limit} steps, so there is no ratio.")
        return (self.first.steps or self.limit) / self.norm.steps


def batch_norm_speed(
    *,
    first_rates: Sequence[float] = (0.003, 0.01, 0.03),
    norm_rates: Sequence[float] = (0.01, 0.05),
    limit: int = 300,
    seed: int = 0,
) -> Speed:
    """GoogLeNet as published (`first_rates`) and BN-Inception (`norm_rates`), narrow, on the digits, by SGD with momentum.

    Each has its own learning rates, for a higher one is what batch norm allows. The loss is the mean over the last ten
    batches. `limit` is the most steps for each; a quicker rate sets the limit of the next.
    """
    first, norm = _fastest("googlenet", first_rates, limit, seed), _fastest("bn_inception", norm_rates, limit, seed)
    return Speed(first, norm, limit)


def _fastest(network: str, rates: Sequence[float], limit: int, seed: int) -> StepsToTarget:
    best = StepsToTarget(network, rates[0], None)
    for rate in rates:
        steps = _steps(network, rate, best.steps or limit, seed)
        if steps is not None and (best.steps is None or steps < best.steps):
            best = StepsToTarget(network, rate, steps)
    return best


def _steps(network: str, rate: float, limit: int, seed: int, *, batch: int = 32, window: int = 10) -> int | None:
    images, labels = _pictures(800, seed)
    with seeded(seed):
        model = _network(network, NARROW).train()
        optimizer = sgd(rate, momentum=0.9)(model.parameters())
        recent: list[float] = []
        for step in range(limit):
            rows = torch.randint(len(images), (batch,))
            losses = named_losses(model(images[rows]), labels[rows], CLASSES, cross_entropy)
            optimizer.zero_grad()
            torch.stack(list(losses.values())).sum().backward()
            optimizer.step()
            recent = [*recent, losses["loss"].item()][-window:]
            if len(recent) == window and sum(recent) / window < math.log(CLASSES) / 2:
                return step + 1
    return None


def _network(name: str, width: float) -> nn.Module:
    return create_model(name, num_classes=CLASSES, in_channels=1, stem="small", width=width)


def _pictures(count: int, seed: int) -> tuple[Float[Tensor, "count 1 8 8"], Int[Tensor, " count"]]:
    data = digits(count, seed=seed)
    return data.x.reshape(-1, 1, 8, 8), data.y
