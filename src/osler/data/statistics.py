"""Mean and spread of each channel, for standardisation: fitted on training pictures only."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from osler.data.randomness import Stream, generator
from osler.data.source import DataSet
from osler.imaging.colour import to_channels
from osler.imaging.header import UnreadableError
from osler.structures.errors import DataError

SMALLEST_SPREAD = 1 / 255  # one step of a byte: a constant channel must not be divided by zero

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
Moments = tuple[Float[np.ndarray, " channels"], Float[np.ndarray, " channels"]]


def moments(image: UInt8[np.ndarray, "height width channels"]) -> Moments:
    """Mean and mean square of each channel of a picture, in bytes."""
    mean, spread = (values[:, 0] for values in cv2.meanStdDev(image))
    return mean, spread**2 + mean**2


class ChannelSums:
    """Sums from which mean and spread follow, picture by picture. Each picture counts alike, whatever its size."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.pictures = 0
        self._sums = np.zeros((2, channels))

    def add_moments(self, first: Float[np.ndarray, " given"], second: Float[np.ndarray, " given"]) -> None:
        """One more picture, by its `moments`. A grey one in a colour set counts for each channel."""
        self._sums += np.stack([first, second])
        self.pictures += 1

    def result(self) -> Statistics:
        """Mean and standard deviation of each channel, pictures in [0, 1]."""
        first, second = self._sums / max(1, self.pictures)
        spread = np.maximum(np.sqrt(np.maximum(second - first**2, 0)) / 255, SMALLEST_SPREAD)
        return tuple((first / 255).tolist()), tuple(spread.tolist())


def channel_statistics(dataset: DataSet, channels: int, at_most: int = 2000, seed: int = 0) -> Statistics:
    """Mean and standard deviation of each channel over a data set, pictures in [0, 1].

    Over all pictures where there are at most `at_most`, else over so many, drawn by seed. Unreadable pictures are
    passed over.

    Raises:
        DataError: no picture can be read.
    """
    rows = np.arange(len(dataset))
    if len(rows) > at_most:
        rows = np.sort(generator(seed, Stream.STATISTICS).choice(rows, at_most, replace=False))
    sums = ChannelSums(channels)
    for row in rows.tolist():
        try:
            sums.add_moments(*moments(to_channels(dataset[row].image, 1 if channels == 1 else 3)))
        except UnreadableError:  # the loader names it
            continue
    if sums.pictures == 0:
        raise DataError(f"None of {len(rows)} pictures can be read, so that their mean and spread are unknown.")
    return sums.result()
