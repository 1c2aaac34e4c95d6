"""What was seen of a detector's work: the objects that it is taught, its anchors and its strides.

Plain numbers, no tensors. Boxes stand here as the program has them: which way they are meant is for the checks to find.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from osler.vitals.network_evidence import Moment, Site

NOT_LOOKED_AT = -1.0  # the box around a mask that was not read; that of an empty one is NaN


@dataclass(slots=True)
class PictureObjects:
    """The objects of a picture as a loader or a call gave them."""

    boxes: Float[np.ndarray, "objects 4"]
    labels: Int[np.ndarray, " objects"] | None
    size: tuple[int, int] | None  # height, width of the picture that came with them
    counted: Bool[np.ndarray, " objects"]  # neither crowd nor difficult
    mask_boxes: Float[np.ndarray, "objects 4"] | None  # corners of each mask's pixels, last ones exclusive
    name: str  # for the person: its path or number, or its place in a batch
    moment: Moment
    by: Literal["loader", "call", "data"]  # who gave them: `data` is a data set of ours, without augmentation


@dataclass(slots=True)
class AnchorsSeen:
    """The shapes of anchors that a network carries."""

    name: str  # where they are: a layer's name and an attribute's
    shapes: Float[np.ndarray, "anchors 2"]  # width and height
    unit: Literal["pixels", "shares", "unknown"]  # shares of the picture's sides
    positive: float | None = None  # IoU from which on its matching calls an anchor positive, where it is known
    low_quality: bool = False  # whether an object's best anchor is positive however little it overlaps


@dataclass(slots=True)
class ObjectsSeen:
    """All objects that were seen, and what is to find them."""

    form: Literal["dictionaries", "rows", "data"]  # `rows`: tables with a column for the class, as YOLO's
    pictures: list[PictureObjects] = field(default_factory=list)
    consumers: set[str] = field(default_factory=set)  # full names of the network classes that were given such targets
    site: Site | None = None  # of the loader that gave them, else of the call
    anchors: list[AnchorsSeen] = field(default_factory=list)
    strides: tuple[float, ...] = ()  # pixels of the picture from one position of each output map to the next
    faults: Counter[str] = field(default_factory=Counter)  # what the reader of annotations noted, by its name
    annotated: int = 0  # objects of the whole data set, about, where a reader's faults are known
    fault_examples: dict[str, str] = field(default_factory=dict)  # a sentence for each
    classes: dict[str, Counter[int]] = field(default_factory=dict)  # part of a whole data set -> pictures by class
    names: tuple[str, ...] = ()  # of the classes
