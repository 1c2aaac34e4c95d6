"""From a batch's key to the batch: decode, transform, stack. Runs in this process or in a loader's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from osler.data.arrays import ArrayDataSet
from osler.data.files import FileDataSet
from osler.data.order import BatchKey
from osler.data.randomness import SampleRandomness, Stream, global_randomness
from osler.data.source import DataSet, Skipped
from osler.imaging.gathering import Gathers
from osler.imaging.header import UnreadableError
from osler.imaging.opening import Opens, open_sample
from osler.imaging.transform import Compose, SampleTransform
from osler.structures.batch import Batch
from osler.structures.errors import DataError, OslerError
from osler.structures.sample import Sample

TRIES = 5  # of others drawn for a mosaic before one is done without
Collate = Callable[[Sequence[Sample]], Any]


@dataclass(slots=True)
class Reading:
    """A batch as it came: None where no picture of it could be read; what was skipped; the error that ended it."""

    batch: Batch | None
    skipped: list[Skipped] = field(default_factory=list)
    error: OslerError | None = (
        None  # carried as a value: torch would wrap it into its own traceback on the way out of a process
    )


class BatchReader:
    """Reads batches of a data set. A sample's randomness is its own, whichever process reads it; so is a person's data set's."""

    def __init__(self, dataset: DataSet, transform: SampleTransform, collate: Collate, seed: int) -> None:
        self.dataset, self.transform, self.collate, self.seed = dataset, transform, collate, seed
        self._randomness = SampleRandomness(seed)
        self._transforms = transform.transforms if isinstance(transform, Compose) else (transform,)
        self._gathers = any(isinstance(transform, Gathers) for transform in self._transforms)
        opens = isinstance(dataset, FileDataSet) and isinstance(_first(self._transforms), Opens)
        self._files = dataset if isinstance(dataset, FileDataSet) and opens and not self._gathers else None

    def __getitem__(self, key: BatchKey) -> Reading:
        try:
            return self._read(key)
        except OslerError as error:
            return Reading(None, error=error)

    def _read(self, key: BatchKey) -> Reading:
        samples: list[Sample] = []
        skipped: list[Skipped] = []
        for row, repeat in zip(key.rows, key.repeats, strict=True):
            try:
                samples.append(self._sample(key.epoch, row, repeat))
            except UnreadableError as error:
                skipped.append(Skipped(self.dataset.path(row) or f"picture {row}", str(error)))
        return Reading(self._batch(samples) if samples else None, skipped)

    def _sample(self, epoch: int, row: int, repeat: int) -> Sample:
        random = self._randomness.at(epoch, row, repeat)
        if self._gathers:
            return self._gathered(self._item(epoch, row, repeat), self._transforms, epoch, random)
        if self._files is None:
            return self.transform(self._item(epoch, row, repeat), random)
        picture, sample = self._files.encoded(row)  # the first transform wants a window: decode no more than that
        return open_sample(picture, sample, self._transforms, random)

    def _gathered(
        self, sample: Sample, transforms: Sequence[SampleTransform], epoch: int, random: np.random.Generator
    ) -> Sample:
        """The sample through transforms of which some want others of the data set, drawn by the sample's own generator."""
        for place, transform in enumerate(transforms):
            if isinstance(transform, Gathers):
                others = [self._other(transforms[:place], epoch, random) for _ in range(transform.partners)]
                sample = transform.gather(sample, [other for other in others if other is not None], random)
            else:
                sample = transform(sample, random)
        return sample

    def _other(self, transforms: Sequence[SampleTransform], epoch: int, random: np.random.Generator) -> Sample | None:
        """Another sample through the transforms before; None where several in a row cannot be read."""
        for _ in range(TRIES):
            row = int(random.integers(len(self.dataset)))
            try:
                return self._gathered(self._item(epoch, row, 0), transforms, epoch, random)
            except UnreadableError:  # it is named when its own turn comes
                continue
        return None

    def _item(self, epoch: int, row: int, repeat: int) -> Sample:
        """The sample as its data set gives it. A person's data set may draw, for itself, from any global generator."""
        if isinstance(self.dataset, (FileDataSet, ArrayDataSet)):
            return self.dataset[row]
        with global_randomness(self.seed, Stream.ITEM, epoch, row, repeat):
            return self.dataset[row]

    def _batch(self, samples: list[Sample]) -> Batch:
        indices = torch.tensor([sample.index for sample in samples])
        return Batch(stack_images(samples), self.collate(samples), indices)


def _first(transforms: Sequence[SampleTransform]) -> SampleTransform | None:
    return transforms[0] if transforms else None


def stack_images(samples: Sequence[Sample]) -> UInt8[Tensor, "batch channels height width"]:
    """Pictures of one size as a tensor: bytes, channels-last in memory, no copy beyond the stacking.

    Raises:
        DataError: they differ in size.
    """
    try:
        stacked = np.stack([sample.image for sample in samples])
    except ValueError:
        other = next(s for s in samples if s.image.shape != samples[0].image.shape)
        raise DataError(
            f"Pictures of one batch differ in size: {_described(samples[0])}, {_described(other)}. Resize or "
            "crop them to one size."
        ) from None
    return torch.from_numpy(stacked).permute(0, 3, 1, 2)


def _described(sample: Sample) -> str:
    height, width, channels = sample.image.shape
    return f"{sample.path or f'picture {sample.index}'} is {height}x{width} with {channels} channel(s)"
