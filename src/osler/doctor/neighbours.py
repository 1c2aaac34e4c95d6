"""Nearest neighbours among samples: what the neighbours' labels say of a sample's own."""

from dataclasses import dataclass

import numpy as np

QUERIES_MOST, REFERENCES_MOST = 500, 1_500


def evenly(count: int, most: int) -> np.ndarray:
    """At most `most` places out of `count`, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int)) if count else np.zeros(0, int)


def distances(queries: np.ndarray, references: np.ndarray) -> np.ndarray:
    """[q, r] Euclidean distances."""
    a, b = queries.astype(np.float64), references.astype(np.float64)
    sizes = (a**2).sum(1)[:, None] + (b**2).sum(1)[None]
    squares = sizes - 2 * a @ b.T
    return np.sqrt(np.where(squares <= 1e-10 * sizes, 0, squares))  # below lies rounding


def standardised(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Each column by the mean and spread that it has in `like`; columns without spread become 0."""
    mean, std = like.mean(0), like.std(0)
    return (values - mean) / np.where(std > 1e-6 * (np.abs(mean) + 1e-12), std, np.inf)


@dataclass(frozen=True)
class Vote:
    """What neighbours say of samples."""

    own: np.ndarray  # [q] share of the neighbours that have the sample's own label
    top: np.ndarray  # [q] share of the neighbours that have their commonest label
    right: np.ndarray  # [q] whether the commonest label is the sample's own
    nearest: np.ndarray  # [q] distance to the nearest
    labels: np.ndarray  # [q] the samples' own labels
    chance: float  # share of neighbours with the own label if labels had nothing to do with inputs

    @property
    def own_share(self) -> float:
        """Mean share of neighbours with the sample's own label."""
        return float(self.own.mean())

    @property
    def accuracy(self) -> float:
        """How often the neighbours' commonest label is right."""
        return float(self.right.mean())

    def sigmas_over_chance(self, k: int) -> float:
        """By how many standard errors of a chance pairing the own share lies above chance."""
        error = np.sqrt(self.chance * (1 - self.chance) / (len(self.own) * k))
        return (self.own_share - self.chance) / max(error * 1.5, 1e-12)  # 1.5: samples share neighbours


def vote(
    values: np.ndarray, labels: np.ndarray, references: np.ndarray, of_references: np.ndarray, k: int, same: bool
) -> Vote:
    """Asks the k nearest references of each sample; `same` when both are the same set (a sample does not ask itself)."""
    between = distances(values, references)
    if same:
        between[between == 0] = np.inf  # itself and its copies
    order = np.argpartition(between, k, axis=1)[:, :k]
    said = of_references[order]
    classes = np.unique(of_references)
    counts = (said[:, :, None] == classes[None, None]).sum(1)
    top = classes[counts.argmax(1)]
    shares = np.array([(of_references == c).mean() for c in np.unique(labels)])
    chance = float(sum(s * (labels == c).mean() for s, c in zip(shares, np.unique(labels), strict=True)))
    return Vote((said == labels[:, None]).mean(1), counts.max(1) / k, top == labels, between.min(1), labels, chance)
