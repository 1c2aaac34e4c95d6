"""Too small, right, too large: what a loss curve says of its learning rate (row OP14)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from osler.lab.digits_halves import digits_halves
from osler.lab.small_training import mlp
from osler.training.range_test import RangeTest, range_test

Label = Literal["slow", "ok", "oscillating", "diverging"]

FLOWN = 4.0  # times the first loss, at which a curve has flown away, wherever it lands afterwards
LEAP = 1.2  # times the first loss, at which a curve has leapt across the valley
RISES = 0.25  # share of the updates that raise the loss, from which a curve oscillates
SWING = 0.1  # size of those rises, all together, over the whole range of the loss
LEFT = 0.5  # share of the first loss that is still there, from which a curve is slow


def label_curve(losses: Sequence[float]) -> Label:
    """What a curve of full-batch (or epoch) losses says of its learning rate.

    diverging: it is no number, ends above its beginning, or rose to four times it (and may since lie still, its units
        dead).
    oscillating: it leapt above its beginning, or a quarter of its updates go up by an amount that matters. slow: more
    than half of the loss is left. ok: none of these.
    """
    if not all(map(math.isfinite, losses)) or losses[-1] > losses[0] or max(losses) > FLOWN * losses[0]:
        return "diverging"
    changes = np.diff(losses)
    rises = changes[changes > 0]
    span = max(losses) - min(losses)
    if max(losses) > LEAP * losses[0] or (len(rises) > RISES * len(changes) and rises.sum() > SWING * span):
        return "oscillating"
    return "slow" if losses[-1] > LEFT * losses[0] else "ok"


@dataclass(frozen=True, slots=True)
class Curve:
    """Gradient descent at one learning rate."""

    lr: float
    losses: tuple[float, ...]
    label: Label


def descend_digits(lr: float, *, updates: int = 60) -> Curve:
    """Full-batch gradient descent on the digits, from the same weights each time."""
    data, network = digits_halves(), mlp()
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    losses = []
    for _ in range(updates):
        optimizer.zero_grad()
        loss = cross_entropy(network(data.inputs), data.labels)
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            break
        loss.backward()
        optimizer.step()
    return Curve(lr, tuple(losses), label_curve(losses))


def find_lr(*, low: float = 1e-4, high: float = 100.0, steps: int = 100) -> RangeTest:
    """The range test on the same training."""
    data, network = digits_halves(), mlp()
    optimizer = torch.optim.SGD(network.parameters(), lr=low)

    def step(lr: float) -> float:
        optimizer.param_groups[0]["lr"] = lr
        optimizer.zero_grad()
        loss = cross_entropy(network(data.inputs), data.labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return range_test(step, low=low, high=high, steps=steps)


def learning_rate_curves() -> tuple[Curve, ...]:
    """Curves at a hundredth of the suggested learning rate, at it, at ten and at a thousand times it."""
    suggested = find_lr().suggestion
    return tuple(descend_digits(suggested * factor) for factor in (0.01, 1.0, 10.0, 1000.0))
