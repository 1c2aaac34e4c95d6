"""Which rows train and which are held out: stratified, by seed, from the targets alone.

Classes are strata as they are; one number is stratified by its deciles; several numbers are drawn plainly; pictures
with several labels go through iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011, "On the stratification
of multi-label data").
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from osler.data.multilabel_split import distribute, sole_bearers
from osler.data.randomness import Stream, generator

Rows = Int[np.ndarray, " rows"]


def several_labels(targets: np.ndarray) -> bool:
    """Whether targets are vectors of labels (uint8, one column a label)."""
    return targets.ndim == 2 and targets.dtype == np.uint8


def strata(targets: np.ndarray) -> Int[np.ndarray, " samples"]:
    """The stratum of each row: its class; the decile of its number; 0 where there are several numbers."""
    if targets.ndim == 1:
        return np.unique(targets, return_inverse=True)[1].astype(np.int64)
    if targets.shape[1] > 1:
        return np.zeros(len(targets), np.int64)
    bins = max(1, min(10, len(targets) // 10))
    ranks = np.empty(len(targets), np.int64)
    ranks[np.argsort(targets[:, 0], kind="stable")] = np.arange(len(targets))
    return ranks * bins // max(1, len(targets))


def hold_out(targets: np.ndarray, share: float, seed: int) -> tuple[Rows, Rows]:
    """Rows kept and rows held out, both ascending; of each class its share, to within one.

    A class with two pictures or more is in both parts; a class (or label) with one picture is kept.
    """
    n = len(targets)
    if share <= 0 or n < 2:
        return np.arange(n), np.arange(0)
    wanted = max(1, round(share * n))
    if several_labels(targets):
        parts = distribute(targets, (1 - wanted / n, wanted / n), generator(seed, Stream.SPLIT))
        held = (parts == 1) & ~sole_bearers(targets)
    else:
        groups = strata(targets)
        counts = np.bincount(groups)
        least, most = np.minimum(1, counts - 1), counts - 1
        ideal = np.clip(
            share * counts, least, most
        )  # what a small class cannot give, or must, is no other class's concern
        quota = quotas(ideal, round(ideal.sum()), least=least, most=most)
        held = draw(groups, quota, generator(seed, Stream.SPLIT))
    return np.flatnonzero(~held), np.flatnonzero(held)


def fold_of_each(targets: np.ndarray, folds: int, seed: int) -> Int[np.ndarray, " samples"]:
    """The fold in which each row validates, 0 to folds - 1; -1 for the only picture of a class or label, which always
    trains.

    Folds differ in size by one at most, and so does each class from fold to fold.
    """
    random = generator(seed, Stream.FOLDS)
    if several_labels(targets):
        return np.where(sole_bearers(targets), -1, distribute(targets, (1 / folds,) * folds, random))
    groups = strata(targets)
    shuffled = random.permutation(len(targets))
    ordered = shuffled[np.argsort(groups[shuffled], kind="stable")]  # class after class, each in random order
    if targets.ndim == 1:
        ordered = ordered[np.bincount(groups)[groups[ordered]] > 1]
    fold = np.full(len(targets), -1, np.int64)
    fold[ordered] = np.arange(len(ordered)) % folds
    return fold


def sample_rows(targets: np.ndarray, count: int, seed: int) -> Rows:
    """`count` rows, ascending, with the classes in their proportions and none left out that fits."""
    n = len(targets)
    if count >= n:
        return np.arange(n)
    random = generator(seed, Stream.LIMIT)
    if several_labels(targets):
        parts = distribute(targets, (1 - count / n, count / n), random)
        chosen, others = (random.permutation(np.flatnonzero(parts == part)) for part in (1, 0))
        return np.sort(np.concatenate([chosen, others])[:count])  # the distribution may be off by a few
    groups = strata(targets)
    counts = np.bincount(groups)
    least = np.ones_like(counts) if count >= len(counts) else np.zeros_like(counts)
    return np.flatnonzero(draw(groups, quotas(counts * (count / n), count, least=least, most=counts), random))


def quotas(
    ideal: Float[np.ndarray, " strata"], total: int, *, least: np.ndarray, most: np.ndarray
) -> Int[np.ndarray, " strata"]:
    """Whole numbers near the ideal ones that make `total`, as far as the bounds allow, by largest remainders."""
    quota = np.clip(np.floor(ideal).astype(np.int64), least, most)
    while quota.sum() != total:
        step = 1 if quota.sum() < total else -1
        free = quota < most if step > 0 else quota > least
        if not free.any():
            break
        need = np.where(free, step * (ideal - quota), -np.inf)
        quota[np.argmax(need)] += step
    return quota


def draw(
    groups: Int[np.ndarray, " samples"], quota: np.ndarray, random: np.random.Generator
) -> Bool[np.ndarray, " samples"]:
    """A mask of `quota[g]` rows of each group g, picked at random."""
    shuffled = random.permutation(len(groups))
    ordered = shuffled[np.argsort(groups[shuffled], kind="stable")]
    begins = np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=len(quota)))[:-1]])
    place = np.arange(len(groups)) - begins[groups[ordered]]  # of each row within its group
    mask = np.zeros(len(groups), bool)
    mask[ordered[place < quota[groups[ordered]]]] = True
    return mask
