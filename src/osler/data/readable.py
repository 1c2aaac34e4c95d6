"""Some samples of a data set that can be read, for what is measured on pictures before a training."""

from collections.abc import Iterator

import numpy as np

from osler.data.source import DataSet
from osler.imaging.header import UnreadableError
from osler.structures.errors import DataError
from osler.structures.sample import Sample


def readable_samples(dataset: DataSet, at_most: int) -> Iterator[Sample]:
    """Samples spread evenly over a data set, at most so many. Unreadable pictures are passed over: the loader names them.

    Raises:
        DataError: none of them can be read.
    """
    found, reason = False, "the data set is empty"
    for row in np.linspace(0, len(dataset) - 1, min(len(dataset), at_most)).astype(int).tolist():
        try:
            sample = dataset[row]
        except UnreadableError as error:
            reason = str(error)
            continue
        found = True
        yield sample
    if not found:
        raise DataError(f"No picture that was tried can be read: {reason}")
