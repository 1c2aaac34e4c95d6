"""The built-in `digits-in-the-wild`: real handwritten digits composed by seed onto real photographs, with boxes and
masks.

4,000 training, 200 validation and 200 test pictures of 320 x 320 pixels, 0 to 8 digits of 20 to 100 pixels in each, 10
classes. A picture is a function of (seed, part, index) and drawn when it is asked for, in some milliseconds; digits and
photographs of the parts are distinct. The set of the recipe has seed 0 whatever the training's seed is, so that all
trainings are judged on the same pictures.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Int

from osler.data.objects.box_checks import Annotated
from osler.data.objects.composing import Plan, draw_picture, draw_plan
from osler.data.objects.handwritten import handwritten
from osler.data.objects.object_files import presence
from osler.data.objects.outlines import Runs
from osler.data.objects.photographs import photographs
from osler.data.parts import Parts
from osler.data.randomness import Stream, generator
from osler.structures.sample import Objects, Sample

NAME = "digits-in-the-wild"
SIDE = 320
Part = Literal["train", "validation", "test"]
COUNTS: dict[Part, int] = {"train": 4000, "validation": 200, "test": 200}
NAMES = tuple(str(i) for i in range(10))
SEGMENTATION_NAMES = ("background", *NAMES)
"""Classes of the pixels in a sample's segmentation: 0 is the photograph, d + 1 the digit d."""


class DigitsInTheWild:
    """Pictures of one part, drawn when they are asked for."""

    def __init__(self, part: Part, plans: Sequence[Plan], *, side: int = SIDE) -> None:
        self.part: Part = part
        self.plans = list(plans)
        self.side = side
        self.with_masks = True  # a task without masks sets it to False and saves memory
        self.with_segmentation = False  # whether samples carry the class of each pixel too
        self.decode_size: tuple[int, int] | None = None  # nothing to decode
        self._places = np.arange(len(NAMES))
        self._classes = len(NAMES)
        self.targets = self._presence()

    @classmethod
    def drawn(cls, part: Part, count: int, *, seed: int = 0, side: int = SIDE) -> "DigitsInTheWild":
        """The first `count` pictures of a part under a seed."""
        behind, digits = photographs(part), handwritten(part)
        place = list(COUNTS).index(part)
        plans = [draw_plan(side, behind, digits, generator(seed, Stream.COMPOSE, place, i)) for i in range(count)]
        return cls(part, plans, side=side)

    def __len__(self) -> int:
        return len(self.plans)

    def __getitem__(self, index: int) -> Sample:
        image, objects = self._draw(index)
        segmentation = _segmentation(objects) if self.with_segmentation else None
        if not self.with_masks:
            objects.masks = None
        return Sample(image, self.targets[index], objects=objects, segmentation=segmentation, index=index)

    def path(self, index: int) -> str:
        """Empty: a picture that is drawn has no file."""
        return ""

    @property
    def has_masks(self) -> bool:
        """Every digit has one."""
        return True

    def truth(self, index: int) -> Annotated:
        """The digits of a picture and their outlines."""
        objects = self._draw(index)[1]
        assert objects.masks is not None
        outlines = [Runs.of(mask) for mask in objects.masks]
        objects.masks = None
        return Annotated("", (self.side, self.side), objects, list(outlines))

    def select(self, rows: Int[np.ndarray, " rows"], targets: np.ndarray | None = None) -> "DigitsInTheWild":
        """The data set of these rows, in this order. `targets` follow from the digits and cannot be others."""
        assert targets is None or np.array_equal(targets, self.targets[rows]), "use relabelled"
        return self._like([self.plans[i] for i in rows.tolist()], self._places, self._classes)

    def relabelled(self, places: Int[np.ndarray, " classes"], classes: int) -> "DigitsInTheWild":
        """The same pictures with class i become class `places[i]` of `classes`."""
        return self._like(self.plans, places[self._places], classes)

    def _like(self, plans: Sequence[Plan], places: np.ndarray, classes: int) -> "DigitsInTheWild":
        chosen = DigitsInTheWild(self.part, plans, side=self.side)
        chosen.with_masks, chosen.with_segmentation = self.with_masks, self.with_segmentation
        chosen._places, chosen._classes = places, classes
        chosen.targets = chosen._presence()
        return chosen

    def _draw(self, index: int) -> tuple[np.ndarray, Objects]:
        image, objects = draw_picture(self.plans[index], self.side, photographs(self.part), handwritten(self.part))
        objects.labels = self._places[objects.labels]
        return image, objects

    def _presence(self) -> np.ndarray:
        digits = handwritten(self.part)
        labels = [np.array([digits[p.digit].label for p in plan.digits], np.int64) for plan in self.plans]
        empty = np.zeros((0, 4), np.float32)
        return presence([Objects(empty, self._places[found]) for found in labels], self._classes)


def _segmentation(objects: Objects) -> Int[np.ndarray, "height width"]:
    """The class of each pixel: 0 for the photograph, label + 1 for a digit."""
    assert objects.masks is not None
    found = np.zeros(objects.masks.shape[1:], np.int64)
    for mask, label in zip(objects.masks, objects.labels.tolist(), strict=True):
        found[mask > 0] = label + 1
    return found


def read_digits_in_the_wild(*, seed: int = 0, side: int = SIDE, counts: dict[Part, int] | None = None) -> Parts:
    """The set in its three parts.

    Args:
        seed: of the composition.
        side: of the square pictures, in pixels.
        counts: pictures of each part; None: 4,000, 200 and 200.
    """
    wanted = COUNTS | (counts or {})
    sets = {part: DigitsInTheWild.drawn(part, wanted[part], seed=seed, side=side) for part in COUNTS}
    return Parts(NAME, "objects", NAMES, sets["train"], sets["validation"], sets["test"], one_way=True)
