"""Dropout and bagging on the same data: what each trains, what it costs, what it reaches."""

from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor, nn

from osler.lab.plain_training import fit, mlp, seeded
from osler.lab.small_sets import digits


@dataclass(frozen=True, slots=True)
class Way:
    """One way of averaging many networks."""

    name: str
    parameters: int  # stored
    seconds: float  # of training
    rows_trained: int  # rows that went forward and back: samples times epochs times networks
    members: float  # networks that the answer averages over
    members_trained: float  # at most so many of them ever saw a gradient
    converged: float  # share of the members that fit their own training rows (accuracy above 0.99)
    accuracy: float


def dropout_vs_bagging(
    *, samples: int = 300, width: int = 100, networks: int = 10, epochs: int = 40, seed: int = 0
) -> dict[str, Way]:
    """A single network, one trained with dropout, and `networks` trained on bootstrap samples of the same rows.

    Source of the comparison: Goodfellow et al. 2016, section 7.12.
    """
    data = digits(samples, seed=seed)
    found = {}
    for name in ("single", "dropout", "bagging"):
        began = perf_counter()
        models, sets = _train(name, data.x, data.y, width, networks, epochs, seed)
        seconds = perf_counter() - began
        with torch.no_grad():
            answer = torch.stack([m(data.x_test).softmax(1) for m in models]).mean(0)
            converged = [_converged(m, x, y, name, seed) for m, (x, y) in zip(models, sets, strict=True)]
        rows = samples * epochs * len(models)
        found[name] = Way(
            name,
            sum(p.numel() for m in models for p in m.parameters()),
            seconds,
            rows,
            2.0**width if name == "dropout" else len(models),
            rows if name == "dropout" else len(models),  # dropout draws one mask a row
            sum(converged) / len(converged),
            float((answer.argmax(1) == data.y_test).float().mean()),
        )
    return found


Rows = tuple[Tensor, Tensor]


def _train(
    name: str, x: Tensor, y: Tensor, width: int, networks: int, epochs: int, seed: int
) -> tuple[list[nn.Module], list[Rows]]:
    """The networks of one way, with the rows that each was trained on."""
    if name != "bagging":
        drop = (lambda: nn.Dropout(0.5)) if name == "dropout" else None
        return [fit(mlp(64, width, 10, dropout=drop, seed=seed), x, y, epochs=epochs, seed=seed)], [(x, y)]
    generator = torch.Generator().manual_seed(seed)
    picks = [torch.randint(len(x), (len(x),), generator=generator) for _ in range(networks)]
    sets = [(x[p], y[p]) for p in picks]
    return [fit(mlp(64, width, 10, seed=seed + k), *s, epochs=epochs, seed=seed + k) for k, s in enumerate(sets)], sets


@torch.no_grad()
def _converged(model: nn.Module, x: Tensor, y: Tensor, name: str, seed: int, *, thinned: int = 50) -> float:
    """The share of this network's members that fit their rows: itself, or of dropout's thinned networks a sample."""
    if name != "dropout":
        return float(_fits(model(x), y))
    hidden, classify = model[:2](x), model[3]  # type: ignore[index]
    with seeded(seed):
        masks = [2.0 * (torch.rand(1, classify.in_features) < 0.5) for _ in range(thinned)]
    return sum(_fits(classify(hidden * m), y) for m in masks) / thinned


def _fits(outputs: Tensor, y: Tensor) -> bool:
    return float((outputs.argmax(1) == y).float().mean()) > 0.99
