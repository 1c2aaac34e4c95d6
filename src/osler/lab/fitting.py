"""Over-fitting and under-fitting: a verdict from a run's curves, and the polynomial of degree 1, 4 and 15."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Label = Literal["underfitting", "overfitting", "fine"]


@dataclass(frozen=True, slots=True)
class FitVerdict:
    """What a run's curves say, with the numbers it was judged by (losses as shares of the loss of guessing)."""

    label: Label
    train: float  # best training loss / chance
    gap: float  # (last validation loss - last training loss) / chance
    generalisation_loss: float  # last validation loss / best - 1
    best_epoch: int  # of the validation loss, from 0
    reason: str


def judge_fit(
    train: Sequence[float], validation: Sequence[float], *, chance: float, enough: float = 0.2, gap: float = 0.1
) -> FitVerdict:
    """The verdict on a training loss and a validation loss per epoch (or one value each).

    A network under-fits when it cannot reach a low training loss, and over-fits when the gap between training and
    validation loss is too large (Goodfellow, Bengio and Courville 2016, section 5.2); a validation loss that climbs
    from its minimum while the training loss falls is over-fitting as well (Prechelt 1998, "Early stopping, but
    when?", section 1, with its generalisation loss). What "low" and "large" mean is a person's choice; here they are
    shares of `chance`, the loss of a guess that ignores its input: `enough` of it may remain in training, `gap` of it
    may lie between the two.

    Raises:
        ValueError: the curves are empty or of different length, or `chance` is not positive.
    """
    if not train or len(train) != len(validation) or chance <= 0:
        raise ValueError(
            "judge_fit needs a training and a validation loss for each epoch, and a positive loss of guessing."
        )
    best = int(np.argmin(validation))
    share, distance = min(train) / chance, (validation[-1] - train[-1]) / chance
    climbed = validation[-1] / max(validation[best], 1e-12) - 1
    numbers = (share, distance, climbed, best)
    if share > enough:
        return FitVerdict("underfitting", *numbers, f"{share:.0%} of the loss of guessing remains in training.")
    if distance > gap:
        return FitVerdict(
            "overfitting", *numbers, f"the validation loss lies {distance:.0%} of guessing above the training loss."
        )
    if climbed > 0.2 and train[-1] < train[best] and distance > gap / 4:
        return FitVerdict("overfitting", *numbers, f"the validation loss climbed {climbed:.0%} from epoch {best} on.")
    return FitVerdict("fine", *numbers, "the training loss is low and the validation loss close to it.")


@dataclass(frozen=True, slots=True)
class PolynomialFit:
    """A least-squares polynomial: mean squared errors on its samples and on the noiseless curve between them."""

    degree: int
    train_error: float
    test_error: float
    verdict: FitVerdict


def polynomial_fits(
    degrees: Sequence[int] = (1, 4, 15), *, samples: int = 20, noise: float = 0.1, seed: int = 0
) -> list[PolynomialFit]:
    """Polynomials fitted to noisy samples of cos(1.5 pi x), x uniform in [0, 1]: too simple, right, too complex."""
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(np.sort(rng.uniform(0, 1, samples)))
    y = torch.cos(1.5 * torch.pi * x) + noise * torch.from_numpy(rng.standard_normal(samples))
    grid = torch.linspace(0, 1, 400, dtype=torch.float64)
    truth = torch.cos(1.5 * torch.pi * grid)
    chance = float(y.var(correction=0))
    fits = []
    for degree in degrees:
        weights = least_squares(powers(x, degree), y)
        train = float((powers(x, degree) @ weights - y).square().mean())
        test = float((powers(grid, degree) @ weights - truth).square().mean())
        fits.append(PolynomialFit(degree, train, test, judge_fit([train], [test], chance=chance)))
    return fits


def powers(x: Float[Tensor, " n"], degree: int) -> Float[Tensor, "n terms"]:
    """Columns 1, x, x^2 ... x^degree."""
    return torch.stack([x**k for k in range(degree + 1)], dim=1)


def least_squares(columns: Float[Tensor, "n terms"], y: Float[Tensor, " n"]) -> Float[Tensor, " terms"]:
    """The weights of least squared error, by the pseudo-inverse (also where columns outnumber rows)."""
    return torch.linalg.pinv(columns, rtol=1e-12) @ y
