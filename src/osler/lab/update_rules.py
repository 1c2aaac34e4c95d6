"""Update rules as their papers write them, in NumPy; the tests hold each equal to `torch.optim` (rows OP02 to OP08).

A rule takes weights, gradient and its own memory (a dictionary, empty at first) and returns the new weights. `t` counts
from 1.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

Vector = Float[np.ndarray, " weights"]
Memory = dict[str, Any]
Rule = Callable[[Vector, Vector, Memory], Vector]


def sgd(*, lr: float) -> Rule:
    """w <- w - lr g (Robbins & Monro 1951)."""
    return lambda weights, gradient, memory: weights - lr * gradient


def momentum(*, lr: float, momentum: float = 0.9) -> Rule:
    """v <- mu v + g; w <- w - lr v (Polyak 1964): a sum of past gradients, each older one worth mu times less."""

    def rule(weights: Vector, gradient: Vector, memory: Memory) -> Vector:
        memory["velocity"] = momentum * memory.get("velocity", 0.0) + gradient
        return weights - lr * memory["velocity"]

    return rule


def nesterov(*, lr: float, momentum: float = 0.9) -> Rule:
    """v <- mu v + g; w <- w - lr (g + mu v): Nesterov's momentum (Sutskever et al. 2013), which looks ahead.

    The weights kept here are the looked-ahead ones, as in PyTorch: a change of variables that needs one gradient per
    step.
    """

    def rule(weights: Vector, gradient: Vector, memory: Memory) -> Vector:
        memory["velocity"] = momentum * memory.get("velocity", 0.0) + gradient
        return weights - lr * (gradient + momentum * memory["velocity"])

    return rule


def adagrad(*, lr: float = 0.01, eps: float = 1e-10) -> Rule:
    """s <- s + g^2; w <- w - lr g / (sqrt(s) + eps) (Duchi et al. 2011): what moved much moves less."""

    def rule(weights: Vector, gradient: Vector, memory: Memory) -> Vector:
        memory["squares"] = memory.get("squares", 0.0) + gradient**2
        return weights - lr * gradient / (np.sqrt(memory["squares"]) + eps)

    return rule


def rmsprop(*, lr: float = 0.001, alpha: float = 0.9, eps: float = 1e-8) -> Rule:
    """s <- a s + (1 - a) g^2; w <- w - lr g / (sqrt(s) + eps) (Tieleman & Hinton 2012): AdaGrad that forgets."""

    def rule(weights: Vector, gradient: Vector, memory: Memory) -> Vector:
        memory["squares"] = alpha * memory.get("squares", 0.0) + (1 - alpha) * gradient**2
        return weights - lr * gradient / (np.sqrt(memory["squares"]) + eps)

    return rule


def adam(
    *, lr: float = 0.001, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, correct: bool = True
) -> Rule:
    """m <- b1 m + (1 - b1) g; s <- b2 s + (1 - b2) g^2; w <- w - lr m' / (sqrt(s') + eps) (Kingma & Ba 2015).

    m' = m / (1 - b1^t) and s' = s / (1 - b2^t) undo the pull of the zeros at which m and s begin; `correct=False`
    leaves it, to show what it does: the first step is then (1 - b1) / sqrt(1 - b2) = 3.16 times lr.
    """

    def rule(weights: Vector, gradient: Vector, memory: Memory) -> Vector:
        t = memory["t"] = memory.get("t", 0) + 1
        mean = memory["mean"] = betas[0] * memory.get("mean", 0.0) + (1 - betas[0]) * gradient
        squares = memory["squares"] = betas[1] * memory.get("squares", 0.0) + (1 - betas[1]) * gradient**2
        if correct:
            mean, squares = mean / (1 - betas[0] ** t), squares / (1 - betas[1] ** t)
        return weights - lr * mean / (np.sqrt(squares) + eps)

    return rule


def adamw(*, lr: float = 0.001, weight_decay: float = 0.01, **options: Any) -> Rule:
    """Adam after w <- w - lr lambda w (Loshchilov & Hutter 2019): the decay does not pass through the root."""
    step = adam(lr=lr, **options)
    return lambda weights, gradient, memory: step(weights * (1 - lr * weight_decay), gradient, memory)


def follow(
    rule: Rule, gradient: Callable[[Vector], Vector], start: Vector, *, steps: int
) -> Float[np.ndarray, "places weights"]:
    """The weights at the start and after each step."""
    places, memory = [np.asarray(start, dtype=float)], Memory()
    for _ in range(steps):
        places.append(rule(places[-1], gradient(places[-1]), memory))
    return np.stack(places)


def steps_under_constant_gradient(rule: Rule, gradient: float, *, steps: int) -> Float[np.ndarray, " steps"]:
    """How far each step goes when the gradient never changes: the effective learning rate over time."""
    places = follow(rule, lambda weights: np.full_like(weights, gradient), np.zeros(1), steps=steps)
    return np.abs(np.diff(places[:, 0]))
