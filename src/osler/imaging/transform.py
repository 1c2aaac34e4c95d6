"""What a transform is: sample in, sample out, with pictures, masks and boxes moving together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from osler.structures.batch import Batch
from osler.structures.registry import Registry
from osler.structures.sample import Sample


class SampleTransform(Protocol):
    """The per-sample part: runs in loader workers on NumPy and OpenCV. All its randomness comes from `rng`."""

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The transformed sample; the one given is left as it is."""
        ...


class BatchTransform(Protocol):
    """The per-batch part: runs on the device, on standardised pictures. All chance comes from a CPU `generator`."""

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The transformed batch; the one given is left as it is."""
        ...


sample_transforms: Registry[type] = Registry("augmentation")
batch_transforms: Registry[type] = Registry("batch augmentation")


@dataclass(frozen=True)
class Compose:
    """Transforms one after the other."""

    transforms: Sequence[SampleTransform]

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample through all of them."""
        for transform in self.transforms:
            sample = transform(sample, rng)
        return sample
