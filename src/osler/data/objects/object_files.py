"""Picture files with objects in each."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Int, UInt8

from osler.data.files import FileDataSet
from osler.data.objects.box_checks import Annotated, Size
from osler.data.objects.outlines import draw_masks
from osler.imaging.decode import EncodedPicture
from osler.imaging.geometry import clip_objects, resize_truth
from osler.imaging.header import UnreadableError
from osler.structures.errors import DataError
from osler.structures.sample import Objects, Sample


def presence(truths: Sequence[Objects], classes: int) -> UInt8[np.ndarray, "pictures classes"]:
    """Which classes appear in each picture, crowds among them."""
    found = np.zeros((len(truths), classes), np.uint8)
    for row, objects in zip(found, truths, strict=True):
        row[objects.labels] = 1
    return found


class ObjectFiles(FileDataSet):
    """Picture files, the objects in each known beforehand; masks are drawn when a picture is asked for."""

    def __init__(self, truths: Sequence[Annotated], classes: int, *, channels: Literal[1, 3] = 3) -> None:
        super().__init__([t.path for t in truths], presence([t.objects for t in truths], classes), channels=channels)
        self.truths = list(truths)
        self.classes = classes
        self.with_masks = True  # a task without masks sets it to False and saves the drawing

    def __getitem__(self, index: int) -> Sample:
        """The sample; its boxes are clipped to the picture.

        Raises:
            UnreadableError: the picture cannot be decoded, or was annotated at another size.
        """
        picture, sample = self.encoded(index)
        if self.decode_size is None:
            return replace(sample, image=picture.read())
        image = super().__getitem__(index).image
        return resize_truth(sample, image)

    def encoded(self, index: int) -> tuple[EncodedPicture, Sample]:
        """The picture still encoded, and its sample without pixels.

        Raises:
            UnreadableError: the file is missing, empty or no picture, or was annotated at another size.
        """
        picture, sample = super().encoded(index)
        return picture, replace(sample, objects=self.objects(index, (picture.height, picture.width)))

    def objects(self, index: int, size: Size) -> Objects:
        """The objects of a picture that has that size (height, width).

        Raises:
            UnreadableError: it was annotated at another size, so that nobody knows where they are.
        """
        truth = self.truths[index]
        if truth.size is not None and truth.size != size:
            raise UnreadableError(
                f"{truth.path} has {size[1]} x {size[0]} pixels, and its objects were annotated in "
                f"{truth.size[1]} x {truth.size[0]}. Annotate it again, or restore the picture."
            )
        masks = None
        if self.has_masks and self.with_masks:
            try:
                masks = draw_masks(truth.outlines, *size)
            except DataError as error:
                raise UnreadableError(f"{truth.path}: {error}.") from error
        return clip_objects(replace(truth.objects, masks=masks), *size)

    def truth(self, index: int) -> Annotated:
        """The objects of a picture and their outlines, without its pixels."""
        return self.truths[index]

    @property
    def has_masks(self) -> bool:
        """Whether every object has an outline."""
        if self._outlined is None:
            self._outlined = any(len(t.objects) for t in self.truths) and all(
                None not in t.outlines for t in self.truths
            )
        return self._outlined

    _outlined: bool | None = None

    def select(self, rows: Int[np.ndarray, " rows"], targets: np.ndarray | None = None) -> "ObjectFiles":
        """The data set of these rows, in this order. `targets` follow from the objects and cannot be others."""
        assert targets is None or np.array_equal(targets, self.targets[rows]), "use relabelled"
        return self._like([self.truths[i] for i in rows.tolist()], self.classes)

    def relabelled(self, places: Int[np.ndarray, " classes"], classes: int) -> "ObjectFiles":
        """The same pictures with class i of the objects become class `places[i]` of `classes`."""
        truths = [replace(t, objects=replace(t.objects, labels=places[t.objects.labels])) for t in self.truths]
        return self._like(truths, classes)

    def _like(self, truths: Sequence[Annotated], classes: int) -> "ObjectFiles":
        chosen = ObjectFiles(truths, classes, channels=self.channels)
        chosen.decode_size, chosen.with_masks = self.decode_size, self.with_masks
        chosen._outlined = self.has_masks  # of the whole set, so that all its parts have masks or none
        return chosen
