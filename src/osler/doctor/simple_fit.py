"""What a simple model makes of the training samples that were seen: whether there is something to be learnt in them."""

from dataclasses import dataclass

import numpy as np

from osler.vitals.evidence import Samples

MOST = 600  # samples that are looked at
LEAST = 40
FOLDS = 5
NEIGHBOURS = 5
RIDGE = 10.0


@dataclass(frozen=True)
class SimpleFit:
    """Of samples that the simple model had not seen: right ones, or explained variance."""

    score: float  # accuracy, or R2
    trivial: float  # of the most frequent class, or 0
    count: int
    method: str

    @property
    def error(self) -> float:
        """Standard error of an accuracy."""
        return float(np.sqrt(max(self.score * (1 - self.score), 0.01) / self.count))


def simple_fit(samples: Samples) -> SimpleFit | None:
    """The better of nearest neighbours and ridge regression, in cross-validation over distinct samples.

    Classes are integer labels, one a sample; other labels count as numbers. None where there are too few samples.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # scikit-learn brings it

    rows, labels = _distinct(samples)
    if rows is None or labels is None or len(rows) < LEAST:
        return None
    rows = (rows - rows.mean(0)) / np.maximum(rows.std(0), 1e-6)
    classes = labels.ndim == 1 and labels.dtype == np.int64
    targets = np.eye(int(labels.max()) + 1)[labels] if classes else labels.reshape(len(labels), -1)
    folds = np.random.default_rng(0).permutation(len(rows)) % FOLDS
    said = {"nearest neighbours": np.zeros(targets.shape), "linear regression": np.zeros(targets.shape)}
    with threadpool_limits(1):  # the matrices are small: threads would wait for each other
        for fold in range(FOLDS):
            here = folds == fold
            said["nearest neighbours"][here] = _neighbours(rows[~here], targets[~here], rows[here])
            said["linear regression"][here] = _ridge(rows[~here], targets[~here], rows[here])
    scores = {name: _score(guess, targets, classes) for name, guess in said.items()}
    best = max(scores, key=lambda name: scores[name])
    trivial = float(targets.mean(0).max()) if classes else 0.0
    return SimpleFit(scores[best], trivial, len(rows), best)


def _distinct(samples: Samples) -> tuple[np.ndarray | None, np.ndarray | None]:
    pairs = [(p, y) for p, y in zip(samples.picks, samples.labels, strict=True) if y is not None and len(y) == len(p)]
    if not pairs:
        return None, None
    width, shape = pairs[0][0].shape[1], pairs[0][1].shape[1:]
    seen: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for picks, y in pairs:
        if picks.shape[1] == width and y.shape[1:] == shape and len(seen) < MOST:
            seen.update((hash(row.tobytes()), (row, label)) for row, label in zip(picks, y, strict=True))
    rows = np.stack([row for row, _ in seen.values()])[:MOST].astype(np.float64)
    labels = np.stack([label for _, label in seen.values()])[:MOST]
    binary = labels.size == len(rows) and np.all((labels == 0) | (labels == 1))
    labels = labels.reshape(len(rows)) if labels.size == len(rows) else labels
    labels = labels.astype(np.int64) if binary else labels
    if labels.shape == rows.shape and np.array_equal(labels, rows):
        return None, None  # an input that is its own target says nothing of what can be learnt
    if not np.isfinite(rows).all() or not np.isfinite(labels).all():
        return None, None
    if labels.dtype == np.int64 and (labels.min() < 0 or labels.max() > 1000):
        return None, None
    return rows, labels


def _neighbours(rows: np.ndarray, targets: np.ndarray, new: np.ndarray) -> np.ndarray:
    distance = (new**2).sum(1)[:, None] - 2 * new @ rows.T + (rows**2).sum(1)[None]
    near = np.argpartition(distance, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    return np.asarray(targets[near].mean(1))


def _ridge(rows: np.ndarray, targets: np.ndarray, new: np.ndarray) -> np.ndarray:
    middle, base = rows.mean(0), targets.mean(0)
    centred = rows - middle
    weights = np.linalg.solve(centred.T @ centred + RIDGE * np.eye(rows.shape[1]), centred.T @ (targets - base))
    return np.asarray((new - middle) @ weights + base)


def _score(guess: np.ndarray, targets: np.ndarray, classes: bool) -> float:
    if classes:
        return float((guess.argmax(1) == targets.argmax(1)).mean())
    spread = ((targets - targets.mean(0)) ** 2).sum()
    return float(1 - ((guess - targets) ** 2).sum() / spread) if spread else 0.0
