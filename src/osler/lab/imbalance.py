"""A rare class: resampling, class weights, focal loss, SMOTE and moving the threshold, by its recall and precision."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from osler.data.order import balanced_rows
from osler.data.smote import oversample as smoted
from osler.lab.plain_training import Loss, fit, mlp
from osler.lab.small_sets import Split
from osler.losses.focal import sigmoid_focal_loss
from osler.metrics.thresholds import at_threshold


@dataclass(frozen=True, slots=True)
class Handled:
    """The rare class under one way of handling it, means over seeds."""

    way: str
    recall: float
    precision: float
    f1: float
    accuracy: float  # over both classes: high where everything is called common


def rare_class(train: int = 1500, *, test: int = 3000, share: float = 0.05, seed: int = 0) -> Split:
    """Two overlapping classes in ten columns, the rare one (1) in about this share of rows."""
    from sklearn.datasets import make_classification

    x, y = make_classification(
        train + test,
        10,
        n_informative=5,
        n_redundant=2,
        weights=[1 - share],
        class_sep=0.9,
        flip_y=0.0,
        random_state=seed,
    )
    x, y = torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y)
    return Split(x[:train], y[:train], x[train:], y[train:])


def imbalance_table(*, seeds: Sequence[int] = (0, 1), epochs: int = 12) -> list[Handled]:
    """One small network per way and seed; the same start and number of updates for all that see equally many rows."""
    scores: dict[str, list[tuple[float, float, float, float]]] = {}
    for seed in seeds:
        data = rare_class(seed=seed)
        for way, numbers in _ways(data, epochs, seed).items():
            scores.setdefault(way, []).append(numbers)
    return [Handled(way, *(mean(c) for c in zip(*rows, strict=True))) for way, rows in scores.items()]


def _ways(data: Split, epochs: int, seed: int) -> dict[str, tuple[float, float, float, float]]:
    share = float(data.y.double().mean())
    weight = (1 - share) / share  # of a rare row, so that both classes weigh the same
    plain = _probabilities(data.x, data.y, data, epochs, seed)
    sets = {
        "oversampling": oversampled(data, seed),
        "undersampling": undersampled(data, seed),
        "SMOTE": with_smote(data, seed),
    }
    answers = {
        "plain": (plain, 0.5),
        **{n: (_probabilities(x, y, data, epochs * len(data) // len(x), seed), 0.5) for n, (x, y) in sets.items()},
        "class weights": (_probabilities(data.x, data.y, data, epochs, seed, loss=_weighted(weight)), 0.5),
        "focal loss": (_probabilities(data.x, data.y, data, epochs, seed, loss=_focal(1 - share)), 0.5),
        "threshold": (
            plain,
            share,
        ),  # Elkan 2001, theorem 1: equal costs for both classes put it at the rare class' share
    }
    return {name: _judge(p, data.y_test, threshold) for name, (p, threshold) in answers.items()}


Rows = tuple[Float[Tensor, "n features"], Int[Tensor, " n"]]


def oversampled(data: Split, seed: int = 0) -> Rows:
    """As many rows as before, drawn with replacement, both classes equally often (data.sampler=balanced)."""
    rows = torch.from_numpy(balanced_rows(data.y.numpy(), np.random.default_rng(seed)))
    return data.x[rows], data.y[rows]


def undersampled(data: Split, seed: int = 0) -> Rows:
    """All rare rows and as many common ones."""
    rare, common = (data.y == 1).nonzero()[:, 0], (data.y == 0).nonzero()[:, 0]
    some = common[torch.randperm(len(common), generator=torch.Generator().manual_seed(seed))[: len(rare)]]
    rows = torch.cat([rare, some])
    return data.x[rows], data.y[rows]


def with_smote(data: Split, seed: int = 0) -> Rows:
    """All rows, and synthetic rare ones until the classes are equal (Chawla et al. 2002)."""
    x, y = smoted(data.x.numpy(), data.y.numpy(), random=np.random.default_rng(seed))
    return torch.from_numpy(x), torch.from_numpy(y)


def _probabilities(
    x: Tensor,
    y: Tensor,
    data: Split,
    epochs: int,
    seed: int,
    *,
    loss: Loss = functional.binary_cross_entropy_with_logits,
) -> Float[np.ndarray, " test"]:
    model = mlp(x.shape[1], 32, 1, seed=seed)
    fit(model, x, y[:, None].float(), epochs=epochs, batch=32, loss=loss, seed=seed)
    with torch.no_grad():
        return model(data.x_test)[:, 0].sigmoid().numpy()


def _weighted(weight: float) -> Loss:
    return lambda outputs, target: functional.binary_cross_entropy_with_logits(
        outputs, target, pos_weight=torch.tensor(weight)
    )


def _focal(alpha: float) -> Loss:
    return lambda outputs, target: sigmoid_focal_loss(outputs, target, alpha=alpha, gamma=2.0)


def _judge(p: Float[np.ndarray, " test"], truth: Tensor, threshold: float) -> tuple[float, float, float, float]:
    found = at_threshold(p, truth.numpy(), threshold)
    return found.recall, found.precision, found.f1, float(((p >= threshold) == truth.numpy().astype(bool)).mean())
