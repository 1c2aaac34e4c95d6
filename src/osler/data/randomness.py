"""Where the data floor's randomness comes from: each draw is a function of the seed, what it is for, and where it is
used.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import numpy as np
import torch

WORD = 2**64


class Stream(IntEnum):
    """What randomness is for. Draws for different purposes are independent under the same seed."""

    SPLIT = 1
    FOLDS = 2
    LIMIT = 3
    ORDER = 4
    SAMPLE = 5
    STATISTICS = 6
    ITEM = 7
    COMPOSE = 8


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


@contextmanager
def global_randomness(seed: int, stream: Stream, *place: int) -> Iterator[None]:
    """Within, torch's, NumPy's and Python's global generators start from a seed and a place; afterwards they go on as before.

    For a person's code that draws from them: what it draws is then the same in whichever process it runs.
    """
    words = np.random.SeedSequence([seed % WORD, int(stream), *place]).generate_state(8)
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    torch.default_generator.manual_seed(int(words[0]) << 32 | int(words[1]))  # torch.manual_seed would turn a GPU's too
    np.random.seed(words[2:5])
    random.seed(words[5:].tobytes())
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])
