"""Presets of augmentation for pictures with objects.

| preset | what is done |
| --- | --- |
| none | fitted to the input |
| color | light, contrast, saturation |
| light | mirrored |
| standard | SSD's crop (Liu et al. 2016), mirrored, mild colour |
| strong | mosaic of four in half of the pictures, mirrored, strong colour |

What has a right way round (digits, letters) is never mirrored. Objects that a crop leaves under two pixels are dropped.
"""

from collections.abc import Callable

from osler.imaging.colour import ColorJitter
from osler.imaging.fit import FitTo
from osler.imaging.flips import HorizontalFlip
from osler.imaging.iou_crop import DropSmall, IoUCrop
from osler.imaging.mosaic import Mosaic
from osler.imaging.transform import SampleTransform

Made = list[SampleTransform]


def _mirror(one_way: bool) -> Made:
    return [] if one_way else [HorizontalFlip()]


def _jitter(fit: FitTo, amount: float, hue: float = 0.0) -> SampleTransform:
    if fit.preprocessing.channels == 1:
        return ColorJitter(amount, amount, 0.0, 0.0)
    return ColorJitter(amount, amount, amount, hue)


def _strong(fit: FitTo, one_way: bool) -> Made:
    mosaic = Mosaic(fit.preprocessing.size, probability=0.5)
    return [fit, mosaic, *_mirror(one_way), _jitter(fit, 0.4, hue=18), DropSmall()]


OBJECT_PRESETS: dict[str, Callable[[FitTo, bool], Made]] = {
    "none": lambda fit, one_way: [fit],
    "color": lambda fit, one_way: [fit, _jitter(fit, 0.2)],
    "light": lambda fit, one_way: [*_mirror(one_way), fit],
    "standard": lambda fit, one_way: [IoUCrop(), *_mirror(one_way), fit, _jitter(fit, 0.2), DropSmall()],
    "strong": _strong,
}
REASON = "objects stay in sight: SSD's crop, and no crop to a small share of the picture"
