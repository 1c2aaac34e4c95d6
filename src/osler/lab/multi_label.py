"""Several labels a picture: independent sigmoids, a threshold for each label, mean average precision."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from osler.lab.plain_training import fit, mlp
from osler.lab.small_sets import Split, digits
from osler.metrics.multilabel import MultilabelScores
from osler.metrics.thresholds import best_thresholds


@dataclass(frozen=True, slots=True)
class ManyLabels:
    """Which digits are in the picture? Scores on held-out pictures."""

    map: float  # mean average precision over the labels
    map_of_shuffled: float  # with the probabilities dealt to the wrong pictures: what guessing gives
    f1_at_half: float  # macro, threshold 0.5 for every label
    f1_at_own: float  # macro, each label's threshold chosen on validation pictures
    thresholds: Float[np.ndarray, " labels"]
    several: float  # share of pictures for which two labels or more were answered: a softmax has one answer only


def pairs_of_digits(samples: int, *, seed: int = 0, rare: float = 0.2) -> Split:
    """Two digits side by side as 128 values, and which of the ten are there; digits from 5 up are rarer."""
    data = digits(1200, test=500, seed=seed)
    rng = torch.Generator().manual_seed(seed)

    def draw(x: Tensor, y: Tensor, count: int) -> tuple[Tensor, Tensor]:
        chances = torch.where(y >= 5, rare, 1.0)
        picks = torch.multinomial(chances, 2 * count, replacement=True, generator=rng).view(count, 2)
        labels = functional.one_hot(y[picks], 10).amax(1).float()
        return x[picks].flatten(1), labels

    return Split(*draw(data.x, data.y, samples), *draw(data.x_test, data.y_test, 1000))


def several_labels(*, samples: int = 600, epochs: int = 30, seed: int = 0) -> ManyLabels:
    """Ten sigmoids on one trunk, binary cross-entropy; half of the held-out pictures choose thresholds."""
    data = pairs_of_digits(samples, seed=seed)
    model = mlp(128, 64, 10, seed=seed)
    fit(model, data.x, data.y, epochs=epochs, loss=functional.binary_cross_entropy_with_logits, seed=seed)
    p, truth = _probabilities(model, data.x_test), data.y_test.numpy().astype(np.int64)
    thresholds = best_thresholds(p[:500], truth[:500])
    names = tuple(map(str, range(10)))
    half = MultilabelScores(p[500:], truth[500:], names, np.full(10, 0.5))
    own = MultilabelScores(p[500:], truth[500:], names, thresholds)
    dealt = MultilabelScores(np.random.default_rng(seed).permutation(p[500:]), truth[500:], names, thresholds)
    return ManyLabels(
        half.values()["map"],
        dealt.values()["map"],
        half.values()["f1"],
        own.values()["f1"],
        thresholds,
        float((own.answers.sum(1) > 1).mean()),
    )


@torch.no_grad()
def _probabilities(model: nn.Module, x: Tensor) -> Float[np.ndarray, "n labels"]:
    return model(x).sigmoid().double().numpy()
