"""SMOTE: new samples of a rare class between its neighbours (Chawla, Bowyer, Hall and Kegelmeyer 2002, Algorithm
SMOTE).

For feature vectors (descriptors, a network's features, small pictures as vectors), fitted on training samples only.
"""

import numpy as np
from jaxtyping import Float, Int

from osler.structures.errors import DataError


def smote(
    minority: Float[np.ndarray, "samples features"],
    *,
    percent: int,
    neighbours: int = 5,
    random: np.random.Generator,
) -> Float[np.ndarray, "synthetic features"]:
    """Synthetic samples of a class, `percent` of the number given.

    Each lies at a random place on the line from a sample to one of its nearest neighbours in the class. (The paper's
    text speaks of the line, one random number a sample; its listing draws one for each feature. The text is followed.)
    Below 100 percent so many samples, drawn at random, give one each; above, a multiple of 100, every sample gives
    percent / 100.

    Raises:
        DataError: there are fewer than two samples, or `percent` is above 100 and not a multiple of it.
    """
    if percent > 100 and percent % 100:
        raise DataError(f"SMOTE makes a multiple of 100 percent above 100, not {percent}.")
    seeds = np.arange(len(minority))
    if percent < 100:
        seeds = random.permutation(seeds)[: len(seeds) * percent // 100]
    return _between(minority, np.repeat(seeds, max(1, percent // 100)), neighbours, random)


def oversample(
    features: Float[np.ndarray, "samples features"],
    labels: Int[np.ndarray, " samples"],
    *,
    neighbours: int = 5,
    random: np.random.Generator,
) -> tuple[Float[np.ndarray, "balanced features"], Int[np.ndarray, " balanced"]]:
    """The samples, and after them synthetic ones until every class is as large as the largest.

    Each sample of a class gives as many as the others, to within one; which give one more is drawn.

    Raises:
        DataError: a class that needs synthetic samples has fewer than two of its own.
    """
    classes, counts = np.unique(labels, return_counts=True)
    made, names = [features], [labels]
    for label, count in zip(classes.tolist(), counts.tolist(), strict=True):
        missing = int(counts.max()) - count
        if missing:
            seeds = np.resize(random.permutation(count), missing)
            made.append(_between(features[labels == label], seeds, neighbours, random).astype(features.dtype))
            names.append(np.full(missing, label, labels.dtype))
    return np.concatenate(made), np.concatenate(names)


def _between(
    minority: Float[np.ndarray, "samples features"],
    seeds: Int[np.ndarray, " synthetic"],
    neighbours: int,
    random: np.random.Generator,
) -> Float[np.ndarray, "synthetic features"]:
    """For each seed (a row of `minority`) a point between it and one of its nearest neighbours."""
    from sklearn.neighbors import NearestNeighbors

    if len(minority) < 2:
        raise DataError(
            f"SMOTE draws between neighbours of a class; {len(minority)} sample(s) have none. Collect more, "
            "or repeat them."
        )
    reach = min(neighbours, len(minority) - 1)
    near = (
        NearestNeighbors(n_neighbors=reach).fit(minority).kneighbors(return_distance=False)
    )  # a sample is not its own neighbour
    partners = near[seeds, random.integers(reach, size=len(seeds))]
    gap = random.random((len(seeds), 1))
    return minority[seeds] + gap * (minority[partners] - minority[seeds])
