"""What every data set of pictures with objects can do beside giving samples."""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from osler.data.objects.box_checks import Annotated
from osler.data.source import DataSet


@runtime_checkable
class ObjectDataSet(DataSet, Protocol):
    """A data set whose samples hold objects."""

    with_masks: bool  # whether samples carry masks; a task without them sets it to False

    @property
    def has_masks(self) -> bool:
        """Whether every object has an outline, so that masks can be had."""
        ...

    def truth(self, index: int) -> Annotated:
        """The objects of a picture and their outlines, without its pixels."""
        ...

    def relabelled(self, places: Int[np.ndarray, " classes"], classes: int) -> "ObjectDataSet":
        """The same pictures with class i of the objects become class `places[i]` of `classes`."""
        ...
