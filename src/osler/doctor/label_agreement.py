"""How far the labels of nearest neighbours agree: among training samples, and of held-out ones with training samples."""

import math
from dataclasses import dataclass

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import CLASS_LOSSES, Case
from osler.doctor.data_seen import DataSeen, Rows
from osler.doctor.neighbours import QUERIES_MOST, REFERENCES_MOST, Vote, distances, evenly, standardised, vote
from osler.vitals.evidence import ModelSeen

FEWEST = 60


@dataclass(frozen=True)
class Agreement:
    """Of labels with neighbours' labels."""

    within: Vote  # training samples among each other
    across: Vote | None  # held-out samples with training samples


def agreement(data: DataSeen) -> Agreement | None:
    """None where there are no classes, too few samples, or tokens instead of numbers."""
    if "agreement" not in data.derived:
        data.derived["agreement"] = _agreement(data)
    found: Agreement | None = data.derived["agreement"]
    return found


def _agreement(data: DataSeen) -> Agreement | None:
    fresh, held = data.fresh, data.held_out
    if data.counts or fresh.classes is None or len(fresh) < FEWEST or not np.isfinite(fresh.values).all():
        return None
    if len(np.unique(fresh.classes)) < 2:
        return None
    k = min(thresholds.NEIGHBOURS, len(fresh) // 6)
    asked, known = evenly(len(fresh), QUERIES_MOST), evenly(len(fresh), REFERENCES_MOST)
    values = _comparable(fresh.values, data)
    within = vote(values[asked], fresh.classes[asked], values[known], fresh.classes[known], k, same=True)
    across = None
    if held.classes is not None and len(held) >= 30 and np.isfinite(held.values).all():
        some = evenly(len(held), QUERIES_MOST)
        others = _comparable(held.values[some], data)
        across = vote(others, held.classes[some], values[known], fresh.classes[known], k, same=False)
    return Agreement(within, across)


def regression_agreement(fresh: Rows, data: DataSeen) -> tuple[float, int] | None:
    """Correlation of training targets with the mean of their neighbours' targets, and the number of samples asked."""
    numbers = fresh.numbers
    if data.counts or numbers is None or len(fresh) < FEWEST or not np.isfinite(fresh.values).all():
        return None
    asked, known = evenly(len(fresh), QUERIES_MOST), evenly(len(fresh), REFERENCES_MOST)
    values = _comparable(fresh.values, data)
    between = distances(values[asked], values[known])
    between[between == 0] = np.inf
    nearest = np.argpartition(between, 8, axis=1)[:, :8]
    said = numbers[known][nearest].mean(1)
    own = numbers[asked]
    each = [
        np.corrcoef(said[:, j], own[:, j])[0, 1]
        for j in range(own.shape[1])
        if own[:, j].std() > 0 and said[:, j].std() > 0
    ]
    return (float(np.max(each)), len(asked)) if each and math.isfinite(max(each)) else None


def _comparable(values: np.ndarray, data: DataSeen) -> np.ndarray:
    """Columns of tables in units of their spread, where these lie far apart; pictures as they are."""
    like = data.fresh.values
    spreads = like.std(0)
    alive = spreads[spreads > 0]
    if len(data.shape) == 1 and len(alive) and alive.max() > 10 * np.median(alive):
        return standardised(values, like)
    return values


def memorised(case: Case, model: ModelSeen) -> str | None:
    """In words how well the training samples were learnt, where clearly better than guessing; else None."""
    last = model.last_training
    if last is not None and last.judged >= 30:
        chance = max(last.labelled.values()) / last.judged
        if last.accuracy > chance + 0.5 * (1 - chance) or last.accuracy > chance + 0.2:
            return f"{last.accuracy:.0%} of the last training samples are answered right"
    losses = case.losses(*CLASS_LOSSES)
    if losses and losses[0].targets:
        shares = np.array(list(losses[0].targets.values())) / sum(losses[0].targets.values())
        guess = float(-(shares * np.log(shares)).sum())
        final = case.loss_part(0.9, 1.0)
        if len(final) and guess > 0 and final.mean() < thresholds.MEMORISED * guess:
            return f"the training loss fell to {final.mean():.2g}, guessing gives {guess:.2g}"
    return None


def at_chance(model: ModelSeen, case: Case) -> str | None:
    """In words that the last evaluation on samples not trained on is no better than guessing; None where it is, or was not seen."""
    passes = [a for a in case.evaluations(model) if a.judged >= 30]
    if not passes or not passes[-1].labelled:
        return None
    last = passes[-1]
    shares = np.array([n / last.judged for n in last.labelled.values()])
    chance = float(shares.max())
    error = math.sqrt(chance * (1 - chance) / last.judged)
    if last.accuracy > chance + 3 * error + 0.02:
        return None
    return (
        f"{last.accuracy:.0%} of {last.judged:,} held-out samples are answered right, and guessing gives {chance:.0%}"
    )
