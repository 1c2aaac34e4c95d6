"""Iterative stratification: pictures with several labels shared out so that each part gets its share of each label."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int, UInt8


def sole_bearers(labels: UInt8[np.ndarray, "samples labels"]) -> Bool[np.ndarray, " samples"]:
    """The pictures that are the only one with some label."""
    return np.any(labels[:, labels.sum(0) == 1] > 0, axis=1)


def distribute(
    labels: UInt8[np.ndarray, "samples labels"], shares: Sequence[float], random: np.random.Generator
) -> Int[np.ndarray, " samples"]:
    """The part of each picture, by Sechidis, Tsoumakas and Vlahavas (2011), Algorithm 1.

    The rarest label that is left goes first: each of its pictures joins the part that still wants most of that label,
    then the part that wants most pictures, then chance. One addition: a part may want one picture of any label that has
    enough of them, so that a label with two pictures reaches both of two parts.
    """
    n = len(labels)
    wanted = np.array(shares) * n  # pictures that each part still wants
    totals = labels.sum(0, dtype=np.int64)
    wanted_of = np.outer(shares, totals)  # part x label
    scarce = totals >= len(shares)
    wanted_of[:, scarce] = np.maximum(wanted_of[:, scarce], 1)
    part = np.full(n, -1, np.int64)
    left = totals.copy()
    while left.any():
        label = int(np.argmin(np.where(left > 0, left, n + 1)))
        for row in random.permutation(np.flatnonzero((labels[:, label] > 0) & (part < 0))).tolist():
            chosen = _neediest(wanted_of[:, label], wanted, random)
            part[row] = chosen
            wanted[chosen] -= 1
            wanted_of[chosen] -= labels[row]
            left -= labels[row]
    for row in random.permutation(np.flatnonzero(part < 0)).tolist():  # pictures without a label
        part[row] = chosen = _neediest(wanted, wanted, random)
        wanted[chosen] -= 1
    return part


def _neediest(first: np.ndarray, second: np.ndarray, random: np.random.Generator) -> int:
    best = np.flatnonzero(first == first.max())
    best = best[second[best] == second[best].max()]
    return int(best[0] if len(best) == 1 else random.choice(best))
