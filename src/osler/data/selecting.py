"""A few samples of a data set, for a rehearsal."""

from dataclasses import replace

import numpy as np

from osler.data.source import DataSet, DataSource


def spread(dataset: DataSet, count: int) -> DataSet:
    """At most `count` samples, evenly spread over the targets in their order (all classes, where they fit)."""
    order = np.argsort(dataset.targets, kind="stable") if dataset.targets.ndim == 1 else np.arange(len(dataset))
    chosen = np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))
    return dataset.select(order[chosen])


def few(source: DataSource, count: int) -> DataSource:
    """The source with at most `count` samples in each of its parts."""
    test = spread(source.test, count) if source.test is not None and len(source.test) else source.test
    validation = spread(source.validation, count) if len(source.validation) else source.validation
    return replace(source, train=spread(source.train, count), validation=validation, test=test)


def same_for_both(source: DataSource, count: int) -> DataSource:
    """`count` training samples that are the validation set as well: can the network learn these by heart?"""
    chosen = spread(source.train, count)
    return replace(source, train=chosen, validation=chosen, test=None)
