"""A network's answers beside their labels."""

import numpy as np

from osler.vitals.evidence import Answers

CLASSES_MOST = 1_000


def judge(answers: Answers, output: np.ndarray, label: np.ndarray, edge: float | None = None) -> None:
    """Adds a batch to `answers`: right and wrong ones of classes, or the errors of a regression.

    Classes are integer labels beside scores [batch, classes, ...], or zeros and ones beside one score a sample, which
    says one from `edge` on; where none is known from 0.5 on if all scores are between 0 and 1, else it is no answer.
    """
    if not output.ndim or not len(output):  # a loss that the network computes itself is no answer
        return
    classes = _classes(output, label, edge)
    if classes is None:
        if output.size == label.size:
            answers.errors.append(float(np.mean(np.abs(output.reshape(-1) - label.reshape(-1)))))
            answers.spreads.append((_spread(output), _spread(label)))
        return
    said, true = classes
    answers.judged += len(true)
    answers.right += int((said == true).sum())
    pairs, counts = np.unique(np.stack([true, said]), axis=1, return_counts=True)
    for (t, s), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
        answers.labelled[t] += count
        answers.predicted[s] += count
        answers.confusion[t, s] = answers.confusion.get((t, s), 0) + count


def _spread(values: np.ndarray) -> float:
    """From sample to sample, mean over the numbers of a sample."""
    return float(values.reshape(len(values), -1).astype(np.float64).std(0).mean())


def disagree(label: np.ndarray, other: np.ndarray) -> bool:
    """Whether two targets of the same samples name other classes: class numbers, or shares of classes."""
    first, second = (a.argmax(1) if a.ndim == 2 and a.shape[1] > 1 else a for a in (label, other))
    return first.shape == second.shape and first.dtype == second.dtype == np.int64 and not np.array_equal(first, second)


def _classes(output: np.ndarray, label: np.ndarray, edge: float | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Answers and labels as class numbers; None where these are not classes."""
    batch = len(output)
    if output.ndim >= 2 and 2 <= output.shape[1] <= CLASSES_MOST:
        if label.dtype == np.int64 and label.size == output.size // output.shape[1]:
            return output.argmax(1).reshape(-1), label.reshape(-1)
        one_hot = label.shape == output.shape and np.all((label == 0) | (label == 1)) and np.all(label.sum(1) == 1)
        return (output.argmax(1).reshape(-1), label.argmax(1).reshape(-1)) if one_hot else None
    if output.size == batch == label.size and np.all((label == 0) | (label == 1)):
        if edge is None and not (output.min() >= 0 and output.max() <= 1):
            return None
        edge = 0.5 if edge is None else edge
        return (output.reshape(-1) >= edge).astype(np.int64), label.reshape(-1).astype(np.int64)
    return None
