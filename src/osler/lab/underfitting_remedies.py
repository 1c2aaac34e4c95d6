"""Remedies for under-fitting, three groups, each alone on three planted under-fits (row TD28).

One network has too few units, one is held down by its penalty, one lacks the feature that tells the classes apart. Each
group of remedies is meant for one of them; on the others it is shown not to help.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import mean

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from osler.lab.plain_training import accuracy_of, adam, fit, mlp, seeded
from osler.lab.small_sets import digits
from osler.nn.tying import TiedAutoencoder

Rows = Float[Tensor, "rows features"]
EPOCHS, BATCH = 40, 50
CURED = 0.5  # of the training error must be gone, for every seed


@dataclass(frozen=True, slots=True)
class Fit:
    """A training: its set, what is made of the inputs, the network, the penalty (L2, in the loss)."""

    draw: Callable[[int], tuple[Rows, Tensor]]
    widths: tuple[int, ...]
    penalty: float = 0.0
    features: Callable[[Rows, int], Rows] = lambda x, seed: x
    front: Callable[[int, int], nn.Module] | None = None  # of how many features, seed: stands before the network
    beside: Callable[[int, int, int], nn.Module] | None = None  # features, classes, seed: added to its outputs

    def error(self, seed: int) -> float:
        """The share of training samples that it gets wrong in the end."""
        raw, y = self.draw(seed)
        x = self.features(raw, seed)
        model = self._network(x.shape[1], int(y.max()) + 1, seed)
        weights = [p for p in model.parameters() if p.ndim > 1]
        penalty = (
            (lambda: self.penalty * torch.stack([w.square().sum() for w in weights]).sum()) if self.penalty else None
        )
        fit(model, x, y, epochs=EPOCHS, batch=BATCH, optimizer=adam(5e-3), penalty=penalty, seed=seed)
        return 1 - accuracy_of(model, x, y)

    def _network(self, inputs: int, classes: int, seed: int) -> nn.Module:
        main: nn.Module = mlp(inputs, *self.widths, classes, seed=seed)
        if self.front is not None:
            return nn.Sequential(self.front(inputs, seed), main)
        return Sum(main, self.beside(inputs, classes, seed)) if self.beside is not None else main


class Sum(nn.Module):
    """Two networks' outputs, added."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor) -> Tensor:
        """Of what both take."""
        return self.first(x) + self.second(x)


class Pairs(nn.Module):
    """The second-order part of a factorisation machine, one for each class: the sum of <v_i, v_j> x_i x_j over pairs.

    Computed in O(features x rank), as Rendle 2010 ("Factorization machines", section III.B).
    """

    def __init__(self, inputs: int, classes: int, seed: int, *, rank: int = 4) -> None:
        super().__init__()
        with seeded(seed):
            self.factors = nn.Parameter(0.1 * torch.randn(classes, inputs, rank))

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch classes"]:
        """The logits."""
        together = torch.einsum("bi,cir->bcr", x, self.factors).square()
        each = torch.einsum("bi,cir->bcr", x.square(), self.factors.square())
        return (together - each).sum(2) / 2


class ResidualUnit(nn.Module):
    """Two linear layers with a shortcut around them (Shan et al. 2016, "Deep Crossing", section 4.3)."""

    def __init__(self, inputs: int, seed: int, *, hidden: int = 32) -> None:
        super().__init__()
        with seeded(seed):
            self.inward, self.outward = nn.Linear(inputs, hidden), nn.Linear(hidden, inputs)

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch inputs"]:
        """As wide as it came."""
        return torch.relu(x + self.outward(torch.relu(self.inward(x))))


def with_squares(x: Rows, seed: int) -> Rows:
    """Each input and its square."""
    return torch.cat([x, x.square()], dim=1)


def with_products(x: Rows, seed: int) -> Rows:
    """The inputs and the product of each pair of them."""
    i, j = torch.triu_indices(x.shape[1], x.shape[1], 1)
    return torch.cat([x, x[:, i] * x[:, j]], dim=1)


def with_code(x: Rows, seed: int, *, hidden: int = 8) -> Rows:
    """The inputs and the code of an autoencoder that learnt to reconstruct them, without labels."""
    with seeded(seed):
        model = TiedAutoencoder(x.shape[1], hidden)
    fit(model, x, x, epochs=EPOCHS, batch=BATCH, optimizer=adam(5e-3), loss=functional.mse_loss, seed=seed)
    with torch.no_grad():
        return torch.cat([x, model.encode(x)], dim=1)


def _digits(seed: int) -> tuple[Rows, Tensor]:
    data = digits(400, seed=seed)
    return data.x, data.y


def _signs(seed: int) -> tuple[Rows, Tensor]:
    """Six columns of signs with some noise; the class is whether the first two agree."""
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, (400, 6), generator=generator).float() * 2 - 1
    y = (signs[:, 0] == signs[:, 1]).long()
    return signs + 0.2 * torch.randn(signs.shape, generator=generator), y


PLANTED: dict[str, Fit] = {
    "too few units (2)": Fit(_digits, (2,)),
    "penalty too strong (0.1)": Fit(_digits, (64,), penalty=0.1),
    "a feature is missing (x1 x2)": Fit(_signs, ()),
}
REMEDIES: dict[str, tuple[str, Callable[[Fit], Fit]]] = {
    "more units": ("1", lambda f: replace(f, widths=tuple(16 * w for w in f.widths))),
    "more layers": ("1", lambda f: replace(f, widths=(*f.widths, (f.widths or (16,))[-1]))),
    "higher-order terms": ("1", lambda f: replace(f, features=with_squares)),
    "a smaller coefficient": ("2", lambda f: replace(f, penalty=f.penalty / 1000)),
    "crossed features": ("3", lambda f: replace(f, features=with_products)),
    "a factorisation machine": ("3", lambda f: replace(f, beside=Pairs)),
    "Deep Crossing's residual units": ("3", lambda f: replace(f, front=ResidualUnit)),
    "an autoencoder's features": ("3", lambda f: replace(f, features=with_code)),
}


@dataclass(frozen=True, slots=True)
class Underfit:
    """A remedy on one planted under-fit: training errors by seed, before and after."""

    remedy: str
    group: str
    planted: str
    before: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def cures(self) -> bool:
        """Whether at least half of the training error is gone, for every seed."""
        return all(a <= (1 - CURED) * b for a, b in zip(self.after, self.before, strict=True))

    @property
    def means(self) -> tuple[float, float]:
        """Training errors over the seeds."""
        return mean(self.before), mean(self.after)


def underfitting_table(
    remedies: Sequence[str] = tuple(REMEDIES), *, seeds: Sequence[int] = (0, 1, 2)
) -> tuple[Underfit, ...]:
    """Every remedy on every planted under-fit."""
    rows = []
    for planted, sick in PLANTED.items():
        before = tuple(sick.error(seed) for seed in seeds)
        for name in remedies:
            group, change = REMEDIES[name]
            changed = change(sick)
            after = before if changed == sick else tuple(changed.error(seed) for seed in seeds)
            rows.append(Underfit(name, group, planted, before, after))
    return tuple(rows)
