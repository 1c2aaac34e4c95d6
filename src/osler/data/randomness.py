"""Where the data floor's randomness comes from: each draw is a function of the seed, what it is for, and where it is
used.
"""

from enum import IntEnum

import numpy as np

WORD = 2**64


class Stream(IntEnum):
    """What randomness is for. Draws for different purposes are independent under the same seed."""

    SPLIT = 1
    FOLDS = 2
    LIMIT = 3
    ORDER = 4
    SAMPLE = 5
    STATISTICS = 6


def generator(seed: int, stream: Stream, *place: int) -> np.random.Generator:
    """A generator for one purpose and place (an epoch, say) under a seed."""
    return np.random.default_rng([seed % WORD, int(stream), *place])


class SampleRandomness:
    """A generator for each (seed, epoch, sample), the same in whichever process asks.

    Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") is a function of a key and a counter, so
    that turning one generator to another key and counter is exact, and much cheaper than making a new one.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.Philox(key=np.array([seed % WORD, 0], np.uint64))
        self._generator = np.random.Generator(self._bits)
        self._state = self._bits.state  # a copy at the beginning of a stream; only its key and counter change below

    def at(self, epoch: int, index: int, repeat: int = 0) -> np.random.Generator:
        """The generator of a sample in an epoch, valid until the next call. `repeat`: its earlier draws in it."""
        numbers = self._state["state"]
        numbers["key"][1] = index
        numbers["counter"][1:] = (repeat, epoch, Stream.SAMPLE)
        self._bits.state = self._state
        return self._generator
