"""Small data sources of each kind of target, and batches of them, for tests of tasks."""

import numpy as np
import torch

from osler.data.source import DataSource
from osler.structures.batch import Batch
from osler.structures.sample import Sample


class ToySet:
    """Blank 4x4 pictures with given targets."""

    def __init__(self, targets):
        self.targets = np.asarray(targets)

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        return Sample(np.zeros((4, 4, 3), np.uint8), self.targets[index], index=index)


def toy_source(kind, targets, names):
    """A source whose three sets have the same targets."""
    dtype = {"class": np.int64, "labels": np.uint8, "numbers": np.float32}[kind]
    data = ToySet(np.asarray(targets, dtype=dtype))
    return DataSource("toys", kind, tuple(names), data, data, data)


def toy_batch(target, features=6, seed=0):
    """A batch of random standardised 'pictures' of 1 x 1 x features pixels."""
    images = torch.randn(len(target), 1, 1, features, generator=torch.Generator().manual_seed(seed))
    return Batch(images, target, torch.arange(len(target)))
