"""Whether numbers 0, 1, 2 ... stand for classes or for amounts: does their order fit the inputs better than any other?"""

from dataclasses import dataclass

import numpy as np

from osler.vitals.evidence import ModelSeen

NUMBERINGS = 400
DIRECTIONS = 24
LEAST_SAMPLES = 60


@dataclass(frozen=True)
class OrderFit:
    """How well a straight line through the inputs gives the numbers, beside random renumberings of the same classes."""

    share: float  # of random numberings that fit at least as well; small: the order means something
    typical: float  # variance that a random numbering explains beyond chance, 0 to 1


def order_fit(model: ModelSeen) -> OrderFit | None:
    """Fits the numbers and their random renumberings from the inputs' main directions; None where too little was kept.

    Amounts (counts, grades) vary with the inputs in their order, so that their numbering fits far better than a shuffled
    one. Numbers of classes are one numbering among many.
    """
    pairs = [
        (picks, label.reshape(len(label)))
        for picks, label in zip(model.train.picks, model.train.labels, strict=True)
        if label is not None and label.size == len(picks) == len(label) and np.isfinite(picks).all()
    ]
    widths = {picks.shape[1] for picks, _ in pairs}
    if len(widths) != 1:
        return None
    inputs = np.concatenate([picks for picks, _ in pairs]).astype(np.float64)
    numbers = np.concatenate([label for _, label in pairs]).astype(np.float64)
    values, classes = np.unique(numbers, return_inverse=True)
    if not 4 <= len(values) <= len(inputs) // 5 or len(inputs) < LEAST_SAMPLES:
        return None
    basis = _directions(inputs)
    fits = _explained(basis, classes, values[None, :])
    generator = np.random.default_rng(0)
    others = np.stack([generator.permutation(values) for _ in range(NUMBERINGS)])
    random = _explained(basis, classes, others)
    chance = basis.shape[1] / len(inputs)
    return OrderFit(float(np.mean(random >= fits[0] - 1e-12)), float(np.mean(random) - chance))


def _directions(inputs: np.ndarray) -> np.ndarray:
    """An orthonormal basis [samples, directions] of the inputs' main directions, and of their sum and spread."""
    centred = inputs - inputs.mean(0)
    count = max(1, min(DIRECTIONS, len(inputs) // 10, inputs.shape[1]))
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    main = left[:, :count][:, sizes[:count] > 1e-9 * max(sizes[0], 1e-30)]
    extra = np.stack([inputs.sum(1), inputs.std(1)], axis=1)
    basis, _ = np.linalg.qr(np.concatenate([main, extra - extra.mean(0)], axis=1))
    return np.asarray(basis)


def _explained(basis: np.ndarray, classes: np.ndarray, numberings: np.ndarray) -> np.ndarray:
    """Share of the variance of each numbering [numberings, classes] that lies in the basis."""
    counts = np.bincount(classes, minlength=numberings.shape[1]).astype(np.float64)
    sums = np.stack([basis[classes == k].sum(0) for k in range(numberings.shape[1])], axis=1)  # [directions, classes]
    centred = numberings - (numberings @ counts / counts.sum())[:, None]
    return np.asarray(((centred @ sums.T) ** 2).sum(1) / np.maximum((centred**2 @ counts), 1e-12))
