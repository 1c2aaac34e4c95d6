"""What a feature pyramid does for small objects (Lin et al. 2017, "Feature pyramid networks", section 5 and table 1).

One detector looks at the last map of its backbone alone, as Faster R-CNN did; another at a pyramid whose finest level has
a quarter of its stride. Both have the same backbone, training and anchors at a position.
"""

from dataclasses import dataclass

from osler.lab.detector_fitting import fit_detector, recall
from osler.lab.drawn_objects import CLASSES, drawn_pictures
from osler.lab.focal_detection import BACKBONE
from osler.lab.plain_training import seeded
from osler.models.registry import create_model

SMALL = (7, 12)  # pixels: less than a position of the last map
STRIDES = {"pyramid": (8, 16, 32), "last_map": (32,)}


@dataclass(frozen=True, slots=True)
class SmallObjectRecall:
    """Share of small objects that are found in pictures that were not seen in training."""

    pyramid: float
    last_map: float


def small_object_recall(*, steps: int = 60, pictures: int = 16, seed: int = 0) -> SmallObjectRecall:
    """Trains both on the same pictures of small objects."""
    images, truths = drawn_pictures(pictures, 3, sizes=SMALL, seed=seed)
    unseen = drawn_pictures(pictures, 3, sizes=SMALL, seed=seed + 1)
    found = {}
    for name, strides in STRIDES.items():
        with seeded(seed):
            model = create_model(
                "retinanet_light", num_classes=CLASSES, strides=strides, channels=32, anchor=8, **BACKBONE
            )
        found[name] = recall(fit_detector(model, images, truths, steps=steps), *unseen)
    return SmallObjectRecall(**found)
