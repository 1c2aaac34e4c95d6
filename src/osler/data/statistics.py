"""Mean and spread of each channel, for standardisation: fitted on training pictures only."""

import numpy as np

from osler.data.randomness import Stream, generator
from osler.data.source import DataSet
from osler.imaging.decode import UnreadableError
from osler.structures.errors import DataError
from osler.structures.sample import Sample

SMALLEST_SPREAD = 1 / 255  # one step of a byte: a constant channel must not be divided by zero

Statistics = tuple[tuple[float, ...], tuple[float, ...]]


class ChannelSums:
    """Sums from which mean and spread follow, picture by picture. Each picture counts alike, whatever its size."""

    def __init__(self, channels: int) -> None:
        self.pictures = 0
        self._first = np.zeros(channels)
        self._second = np.zeros(channels)

    def add(self, sample: Sample) -> None:
        """One more picture. A grey one in a colour set counts for each channel, a colour one in a grey set by its mean."""
        pixels = sample.image.reshape(-1, sample.image.shape[-1]).astype(np.float32)
        first, second = pixels.mean(0, dtype=np.float64), np.square(pixels).mean(0, dtype=np.float64)
        if len(first) > len(self._first):
            grey = pixels.mean(1)
            first, second = grey.mean(dtype=np.float64), np.square(grey).mean(dtype=np.float64)
        self._first += first
        self._second += second
        self.pictures += 1

    def result(self) -> Statistics:
        """Mean and standard deviation of each channel, pictures in [0, 1]."""
        mean = self._first / max(1, self.pictures)
        variance = np.maximum(self._second / max(1, self.pictures) - mean**2, 0)
        spread = np.maximum(np.sqrt(variance) / 255, SMALLEST_SPREAD)
        return tuple((mean / 255).tolist()), tuple(spread.tolist())


def channel_statistics(dataset: DataSet, channels: int, at_most: int = 2000, seed: int = 0) -> Statistics:
    """Mean and standard deviation of each channel over a data set, pictures in [0, 1].

    Over all pictures where there are at most `at_most`, else over so many, drawn by seed. Unreadable pictures are passed over.

    Raises:
        DataError: no picture can be read.
    """
    rows = np.arange(len(dataset))
    if len(rows) > at_most:
        rows = np.sort(generator(seed, Stream.STATISTICS).choice(rows, at_most, replace=False))
    sums = ChannelSums(channels)
    for row in rows.tolist():
        try:
            sums.add(dataset[row])
        except UnreadableError:  # the loader names it
            continue
    if sums.pictures == 0:
        raise DataError(f"None of {len(rows)} pictures can be read, so that their mean and spread are unknown.")
    return sums.result()
