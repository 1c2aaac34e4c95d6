"""Held-out samples with near copies among the training samples: noisy, shifted or recoloured twins."""

from dataclasses import dataclass, replace

import numpy as np

from osler.doctor import thresholds
from osler.doctor.data_seen import DataSeen
from osler.doctor.neighbours import distances, evenly

ASKED, RANKS, BEYOND = 300, 30, 20
FEWEST = 80
ALL, FEWEST_OF_CALL, FEWEST_APART = (
    0.9,
    8,
    20,
)  # share of a call's samples; samples to judge a call, and in calls of no twins


@dataclass(frozen=True)
class Twins:
    """Of held-out samples in training."""

    share: float  # of the held-out samples that have some
    asked: int
    near: float  # median distance to the farthest twin
    far: float  # median distance to the first that is none
    copies: int  # how many twins a sample has, in the median
    mirrored: bool = False
    sets: int = (
        1  # 2: in some calls nearly all samples have one and in all others none, as of a training and a test set
    )


def twins(data: DataSeen) -> Twins | None:
    """Twins as they are, or mirrored where whole pictures were kept; None where it cannot be told."""
    plain = _twins(data, data.held_out.values)
    if plain is None or plain.share >= thresholds.TWIN_SHARE or not data.whole or len(data.shape) not in (2, 3):
        return plain
    pictures = data.held_out.values.reshape(-1, *data.shape)
    mirrored = [_twins(data, np.flip(pictures, axis).reshape(len(pictures), -1)) for axis in (-1, -2)]
    best = max((m for m in mirrored if m is not None), key=lambda m: m.share, default=plain)
    return replace(best, mirrored=True) if best.share > max(plain.share, thresholds.TWIN_SHARE) else plain


def _twins(data: DataSeen, values: np.ndarray) -> Twins | None:
    """Looks for a gap in each held-out sample's distances to training samples.

    In one distribution the distance to the k-th neighbour grows smoothly, as k to the power of one over the dimension
    (Levina and Bickel 2005). Twins make it leap where they end: the gap is held against the growth behind it.
    """
    held, fresh = data.held_out, data.fresh
    if data.counts or len(held) < 20 or len(fresh) < FEWEST or held.values.shape[1] < 8:
        return None
    asked = np.flatnonzero(held.rich)
    if len(asked) < 20 or not np.isfinite(held.values).all() or not np.isfinite(fresh.values).all():
        return None
    asked = asked[evenly(len(asked), ASKED)]
    ranks = min(RANKS, len(fresh) // 8)
    nearest = np.sort(distances(values[asked], fresh.values), axis=1)[:, : ranks + 1 + 2 * BEYOND]
    nearest = np.maximum(nearest, 1e-9 * (1 + nearest[:, -1:]))
    gaps = nearest[:, 1 : ranks + 1] / nearest[:, :ranks]
    place = gaps.argmax(1)
    rows = np.arange(len(place))
    beyond, further = (
        np.minimum(place + BEYOND // 4, nearest.shape[1] - 2),
        np.minimum(place + 2 * BEYOND, nearest.shape[1] - 1),
    )
    growth = np.log(nearest[rows, further] / nearest[rows, beyond]) / np.log((further + 1) / (beyond + 1))
    gap = gaps[rows, place]
    excess = np.log(gap) / np.maximum(growth, 0.02)
    have = (gap > thresholds.TWIN_GAP) & (excess > thresholds.TWIN_EXCESS)
    if not have.any():
        return Twins(0.0, len(asked), 0.0, 0.0, 0)
    chosen = rows[have]
    return Twins(
        float(have.mean()),
        len(asked),
        float(np.median(nearest[chosen, place[chosen]])),
        float(np.median(nearest[chosen, place[chosen] + 1])),
        int(np.median(place[chosen] + 1)),
        sets=2 if _two_sets(have, held.batch[asked]) else 1,
    )


def _two_sets(have: np.ndarray, calls: np.ndarray) -> bool:
    """Whether calls are all of samples with twins or all of samples without, some of either kind."""
    parts = [have[calls == call] for call in np.unique(calls)]
    judged = [(part.mean(), len(part)) for part in parts if len(part) >= FEWEST_OF_CALL]
    clear = sum(size for share, size in judged if share >= ALL or share <= 1 - ALL)
    without = sum(size for share, size in judged if share <= 1 - ALL)
    return without >= FEWEST_APART and without < clear and clear >= ALL * sum(size for _, size in judged)
