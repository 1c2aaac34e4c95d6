"""Classes that come in tasks, one task after the other on purpose, as in continual learning."""

import numpy as np

from osler.doctor import thresholds
from osler.doctor.data_seen import Rows


def class_batches(rows: Rows) -> list[np.ndarray]:
    """The classes of each training batch that was kept; empty where there are no classes."""
    if rows.classes is None:
        return []
    places = np.flatnonzero(np.diff(rows.batch)) + 1
    return np.split(rows.classes, places)


def comes_in_tasks(rows: Rows) -> bool:
    """Whether classes come in tasks, each mixed in itself.

    Samples of some classes come again before others have come at all; or batches mix classes in groups, two or more to
    a group, that never meet in a batch. Sorted samples come one class at a time, and meet the next at its border.
    """
    if rows.classes is None or not len(rows):
        return False
    return _again_before_others(rows, rows.classes) or _in_groups(class_batches(rows))


def _again_before_others(rows: Rows, classes: np.ndarray) -> bool:
    if rows.rich.mean() < 0.5:
        return False  # equal rows may be different samples
    kinds, first = np.unique(classes, return_index=True)
    again = np.flatnonzero(~rows.first_times)
    return len(kinds) > 1 and int((again < first.max()).sum()) > thresholds.TASK_REPEATS * len(kinds)


def _in_groups(batches: list[np.ndarray]) -> bool:
    mixed = [len(np.unique(batch)) > 1 for batch in batches]
    if not mixed or float(np.mean(mixed)) < thresholds.TASK_MIXED:
        return False
    groups: list[set[int]] = []
    for batch in batches:
        met = set(np.unique(batch).tolist())
        groups = [g for g in groups if not g & met] + [met.union(*(g for g in groups if g & met))]
    return len(groups) > 1 and min(len(g) for g in groups) > 1
