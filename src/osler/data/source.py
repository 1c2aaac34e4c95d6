"""What `open_data` gives: training, validation and test sets of Samples, and the facts about them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from jaxtyping import Int

from osler.structures.sample import Sample

TargetKind = Literal["class", "labels", "numbers", "objects"]


class DataSet(Protocol):
    """An indexed collection of samples, decoded and not yet transformed.

    Read-only: the pixels of a sample may be shared with the data set, so that a transform that changes them copies
    first.
    """

    targets: (
        np.ndarray
    )  # int64 [n] classes, uint8 [n k] labels or classes of objects, float32 [n k] numbers: known without decoding
    decode_size: (
        tuple[int, int] | None
    )  # height, width that the transforms need at least: JPEGs may then be decoded smaller

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample:
        """The sample, its picture decoded.

        Raises:
            UnreadableError: the picture cannot be decoded.
        """
        ...

    def path(self, index: int) -> str:
        """Where the picture came from, for the person; empty for a picture that has no file of its own."""
        ...

    def select(self, rows: Int[np.ndarray, " rows"], targets: np.ndarray | None = None) -> "DataSet":
        """A data set of these rows, in this order, with other targets where given; pixels are shared, not copied."""
        ...


@dataclass(frozen=True, slots=True)
class Skipped:
    """A picture that was left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ObjectFault:
    """What is wrong with the annotation of one object: left out, or kept where only part of it was wrong."""

    name: str  # in a few words: "no area"
    where: str  # file and record
    reason: str  # a sentence that names file and record
    kept: bool = False


@dataclass(slots=True)
class DataSource:
    """A data set in its parts. What was skipped is named; who made the split is said in `notes`."""

    name: str
    kind: TargetKind
    names: tuple[str, ...]  # of classes, labels or numbers
    train: DataSet
    validation: DataSet  # empty where the recipe holds nothing out (data.validation=0)
    test: DataSet | None = None
    channels: Literal[1, 3] = 3
    typical_size: tuple[int, int] = (224, 224)  # median height and width of a sample of the pictures
    uniform: bool = False  # all pictures looked at have the typical size
    in_memory: bool = False  # pictures are arrays already: no decoding
    skipped: Sequence[Skipped] = field(default_factory=list)
    notes: Sequence[str] = field(default_factory=list)
    faults: Sequence[ObjectFault] = field(default_factory=list)  # of annotated objects
    one_way: bool = False  # what the pictures show has a right way round, as digits have: never mirrored
