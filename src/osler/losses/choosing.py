"""Which loss fits a problem, and whether one that is used fits its targets (the first question of a tuning)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from osler.losses.registry import Problem, losses

IMBALANCE = 100.0  # most frequent to rarest, from which easy examples drown the rare ones
OUTLIERS = 0.005  # share of targets far outside from which squares are ruled by them


@dataclass(frozen=True, slots=True)
class LossChoice:
    """A loss by its registered name, and why."""

    name: str
    reason: str


_USUAL: dict[Problem, LossChoice] = {
    "class": LossChoice("cross_entropy", "the classes exclude one another: softmax and cross-entropy"),
    "labels": LossChoice("bce", "labels are independent, any number may be true: a sigmoid for each"),
    "numbers": LossChoice("mse", "targets are numbers: squared error, whose best answer is the mean"),
    "distribution": LossChoice("kl", "the target is a distribution: the divergence from it, 0 when matched"),
    "boxes": LossChoice("giou", "boxes are judged by overlap, and must have a gradient also when they do not meet"),
    "masks": LossChoice("dice", "most pixels are background: overlap does not count them"),
    "pairs": LossChoice("contrastive", "pairs are alike or not: distances with a margin"),
    "triplets": LossChoice("triplet", "an anchor with one like and one unlike: the difference of the two distances"),
    "players": LossChoice(
        "critic", "two networks play: the earth-mover distance has a gradient also when D is perfect"
    ),
}


def choose_loss(problem: Problem, *, imbalance: float = 1.0, outliers: float = 0.0) -> LossChoice:
    """The loss to start with.

    `imbalance` is how many times rarer the rarest class (or the positives of the rarest label) is than the most
    frequent; `outliers` the share of numeric targets further than 3 interquartile ranges outside the quartiles.

    Raises:
        ValueError: there is no such problem.
    """
    if problem not in _USUAL:
        raise ValueError(f"There is no problem called {problem!r}; there are: {', '.join(_USUAL)}.")
    if problem in ("class", "labels") and imbalance >= IMBALANCE:
        name = "focal" if problem == "class" else "sigmoid_focal"
        reason = (
            f"the most frequent is {imbalance:.0f} times the rarest: focal loss does not let easy examples drown it"
        )
        return LossChoice(name, reason)
    if problem == "numbers" and outliers >= OUTLIERS:
        return LossChoice(
            "huber", f"{outliers:.1%} of the targets lie far outside: beyond 1 the error counts singly, not squared"
        )
    return _USUAL[problem]


def unsuited(loss: str, problem: Problem) -> str | None:
    """Why a registered loss does not suit a problem, as a sentence with the one that does; None when it fits."""
    known = losses[loss]
    if problem in known.fits:
        return None
    usual = choose_loss(problem)
    return f"{loss} ({known.about}) is made for {' and '.join(known.fits)}; here {usual.reason} ({usual.name})."


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A loss that does not fit the targets or outputs it is given."""

    message: str
    better: str  # the registered name of a loss that fits, or what to change


_SQUARES_ON_CLASSES = Mismatch(
    "The targets are one-hot rows: behind a softmax, squared error has no slope where the answer is surely wrong.",
    "cross_entropy",
)
_SIGMOIDS_ON_CLASSES = Mismatch(
    "Exactly one label is true in every row: the classes exclude one another, yet each has a sigmoid of its own.",
    "cross_entropy",
)
_SOFTMAX_ON_LABELS = Mismatch(
    "Some rows have several true labels, but softmax makes them compete for one unit of probability.", "bce"
)
_SOFTMAX_TWICE = Mismatch(
    "The outputs are probabilities already: softmax twice flattens them, and the loss cannot come near 0.",
    "give raw outputs: no softmax at the network's end",
)
_SIGMOID_TWICE = Mismatch(
    "The outputs all lie in [0, 1]: they look like probabilities, and this loss takes a sigmoid of them again.",
    "give raw outputs: no sigmoid at the network's end",
)


def find_mismatches(
    loss: str, outputs: Float[Tensor, "batch outputs"], target: Float[Tensor, "batch outputs"] | Int[Tensor, " batch"]
) -> list[Mismatch]:
    """What is wrong between a loss (by its registered name), a batch of a network's outputs and their targets."""
    found = []
    rows = target if target.ndim == 2 and outputs.shape[1] > 1 else None
    softmax, sigmoid = loss in ("cross_entropy", "focal", "kl"), loss in ("bce", "sigmoid_focal")
    if rows is not None and _one_hot(rows):
        if loss == "mse":
            found.append(_SQUARES_ON_CLASSES)
        if sigmoid:
            found.append(_SIGMOIDS_ON_CLASSES)
    if rows is not None and softmax and bool((rows.sum(dim=1) > 1 + 1e-4).any()):
        found.append(_SOFTMAX_ON_LABELS)
    if softmax and _distributions(outputs):
        found.append(_SOFTMAX_TWICE)
    elif sigmoid and outputs.numel() > 1 and _probabilities(outputs):
        found.append(_SIGMOID_TWICE)
    return found


def _one_hot(rows: Float[Tensor, "batch outputs"]) -> bool:
    return bool(((rows == 0) | (rows == 1)).all() and (rows.sum(dim=1) == 1).all())


def _probabilities(values: Float[Tensor, "*elements"]) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())


def _distributions(rows: Float[Tensor, "batch outputs"]) -> bool:
    ones = torch.ones(len(rows), dtype=rows.dtype, device=rows.device)
    return rows.shape[1] > 1 and _probabilities(rows) and torch.allclose(rows.sum(dim=1), ones, atol=1e-3)
