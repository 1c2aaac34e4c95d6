"""Some samples of a data set as a data set."""

from dataclasses import replace

import numpy as np
from jaxtyping import Int

from osler.data.source import DataSet, DataSource
from osler.structures.sample import Sample


class SelectedDataSet:
    """The rows of a data set that were chosen, in that order, numbered anew."""

    def __init__(self, whole: DataSet, rows: Int[np.ndarray, " rows"]) -> None:
        self.whole, self.rows = whole, rows
        self.targets = whole.targets[rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        return replace(self.whole[int(self.rows[index])], index=index)


def spread(dataset: DataSet, count: int) -> SelectedDataSet:
    """At most `count` samples, evenly spread over the data set's targets in their order (all classes, where they fit)."""
    order = np.argsort(dataset.targets, kind="stable") if dataset.targets.ndim == 1 else np.arange(len(dataset))
    chosen = np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))
    return SelectedDataSet(dataset, order[chosen])


def few(source: DataSource, count: int) -> DataSource:
    """The source with at most `count` samples in each of its parts."""
    test = spread(source.test, count) if source.test is not None and len(source.test) else source.test
    return replace(source, train=spread(source.train, count), validation=spread(source.validation, count), test=test)


def same_for_both(source: DataSource, count: int) -> DataSource:
    """`count` training samples that are the validation set as well: can the network learn these by heart?"""
    chosen = spread(source.train, count)
    return replace(source, train=chosen, validation=chosen, test=None)
