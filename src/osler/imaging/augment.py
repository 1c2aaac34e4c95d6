"""From the recipe's `augment` section to transforms: presets, a person's own, and mixing in the batch.

Presets, for the three kinds of pictures that want different things:

| preset | small grey (digits, letters, clothes) | small colour (CIFAR) | larger |
| --- | --- | --- | --- |
| none | fitted to the input | fitted | fitted |
| color | light and contrast | light, contrast, saturation | the same |
| light | shifts by 1/16 | shifts by 1/16, flips | crop of 50 to 100 % of the area, flips |
| standard | 10 degrees, shifts by 8 %, size by 10 % | shifts by 1/8, flips | crop of 8 to 100 %, flips, mild colour |
| strong | 15 degrees, 12 %, 20 %, shear, erasing | standard, colour, erasing | standard, strong colour, erasing |

Small is up to 64 pixels on the longer side. Small grey pictures are never mirrored: letters and digits have a right way
round. `auto` is `standard`, except where the truth is numbers measured in the picture (regression): a crop or a turn
would make them wrong, so only `color` is safe.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from osler.imaging.affine import Affine
from osler.imaging.augment_objects import OBJECT_PRESETS, REASON
from osler.imaging.blur import GaussianBlur as GaussianBlur  # imported, like noise, so that its name is registered
from osler.imaging.colour import ColorJitter
from osler.imaging.copy_paste import CopyPaste as CopyPaste
from osler.imaging.crops import RandomResizedCrop
from osler.imaging.erasing import RandomErasing
from osler.imaging.fit import FitTo
from osler.imaging.flips import HorizontalFlip
from osler.imaging.mixing import CutMix, Either, Mixup
from osler.imaging.multi_scale import MultiScale
from osler.imaging.noise import GaussianNoise as GaussianNoise
from osler.imaging.options import make_transforms
from osler.imaging.pad import PadCrop
from osler.imaging.pca_noise import IMAGENET_COLOURS, ColourComponents, PCANoise
from osler.imaging.recipe import AugmentSection
from osler.imaging.scale_jitter import ScaleJitter as ScaleJitter
from osler.imaging.transform import BatchTransform, SampleTransform
from osler.structures.errors import RecipeError
from osler.structures.preprocessing import Preprocessing
from osler.structures.registry import unknown

Kind = Literal["class", "labels", "numbers", "objects"]
SMALL = 64  # pixels: up to here a crop would lose what the picture shows


@dataclass(frozen=True)
class Augmentation:
    """What is done to training pictures: `sample` in the loader's workers, `batch` on the device."""

    sample: list[SampleTransform]
    batch: list[BatchTransform] = field(default_factory=list)
    chosen: str = "none"  # the preset
    reason: str = ""  # why, where the preset was chosen automatically

    @property
    def at_least(self) -> tuple[int, int] | None:
        """The height and width that a decoded picture should keep for the first transform (`read_image`); None: all."""
        first = self.sample[0] if self.sample else None
        if isinstance(first, FitTo):
            return first.preprocessing.size
        if isinstance(first, RandomResizedCrop):
            share = first.scale[0] ** 0.5
            return round(first.size[0] / share), round(first.size[1] / share)
        return None


def build_augmentation(
    section: AugmentSection,
    *,
    preprocessing: Preprocessing,
    typical_size: tuple[int, int],
    kind: Kind,
    num_classes: int,
    components: ColourComponents | None = None,
    one_way: bool = False,
) -> Augmentation:
    """The augmentation that a recipe asks for.

    Args:
        section: the recipe's.
        preprocessing: the model's: size and channels of its input, how pictures are fitted, how colour noise is scaled.
        typical_size: height and width of a typical picture of the data.
        kind: what the truth is: a class, several labels, numbers.
        num_classes: outputs of the network (kind `class`).
        components: of the data's colours, for `pca_noise`; None: ImageNet's.
        one_way: what the pictures show has a right way round (kind `objects`): never mirrored.

    Raises:
        RecipeError: an unknown preset, transform or option (the nearest is offered), or a mixture that the truth does
        not allow.
    """
    chosen, reason = section.preset, ""
    if chosen == "auto":
        chosen, reason = _automatic(kind, preprocessing.channels, typical_size)
    if chosen not in PRESETS:
        raise RecipeError(f"data.augment.preset: {unknown('preset', chosen, [*PRESETS, 'auto'])}")
    fit = FitTo(preprocessing)
    if kind == "objects":
        sample = OBJECT_PRESETS[chosen](fit, one_way)
    else:
        sample = PRESETS[chosen](fit, _pictures(preprocessing.channels, typical_size), typical_size)
    if section.transforms:
        # A person's own transforms may have changed the size; the crop's share was cut off by the preset already.
        again = FitTo(replace(preprocessing, crop_fraction=1.0))
        sample += [*make_transforms(section.transforms, size=preprocessing.size), again]
    return Augmentation(sample, _batch(section, kind, num_classes, preprocessing, components), chosen, reason)


def _automatic(kind: Kind, channels: int, typical_size: tuple[int, int]) -> tuple[str, str]:
    if kind == "numbers":
        return (
            "color",
            "numbers measured in a picture would be wrong for a part or a turn of it, so only its light changes",
        )
    if kind == "objects":
        return "standard", REASON
    height, width = typical_size
    reasons = {
        "grey": f"small grey pictures ({height} x {width}): turned and moved a little, never mirrored",
        "small": f"small colour pictures ({height} x {width}): moved by up to an eighth and mirrored",
        "large": f"larger pictures ({height} x {width}): parts of random size, mirrored, colours changed a little",
    }
    return "standard", reasons[_pictures(channels, typical_size)]


Pictures = Literal["grey", "small", "large"]


def _pictures(channels: int, typical_size: tuple[int, int]) -> Pictures:
    if max(typical_size) > SMALL:
        return "large"
    return "grey" if channels == 1 else "small"


def _none(fit: FitTo, pictures: Pictures, typical: tuple[int, int]) -> list[SampleTransform]:
    return [fit]


def _color(fit: FitTo, pictures: Pictures, typical: tuple[int, int]) -> list[SampleTransform]:
    return [fit, _jitter(fit, 0.2)]


def _light(fit: FitTo, pictures: Pictures, typical: tuple[int, int]) -> list[SampleTransform]:
    if pictures == "large":
        return [_part(fit, 0.5), HorizontalFlip()]
    shift = max(1, min(typical) // 16)
    if pictures == "grey":
        return [PadCrop(shift), fit]
    return [PadCrop(shift), HorizontalFlip(), fit]


def _standard(fit: FitTo, pictures: Pictures, typical: tuple[int, int]) -> list[SampleTransform]:
    if pictures == "large":
        return [_part(fit, 0.08), HorizontalFlip(), _jitter(fit, 0.2)]
    if pictures == "grey":
        return [Affine(degrees=10, translate=0.08, scale=(0.9, 1.1), fill="reflect"), fit]
    return [PadCrop(max(1, min(typical) // 8)), HorizontalFlip(), fit]


def _strong(fit: FitTo, pictures: Pictures, typical: tuple[int, int]) -> list[SampleTransform]:
    if pictures == "large":
        return [_part(fit, 0.08), HorizontalFlip(), _jitter(fit, 0.4, hue=18), RandomErasing(0.25)]
    if pictures == "grey":
        affine = Affine(degrees=15, translate=0.12, scale=(0.8, 1.2), shear=8, fill="reflect")
        return [affine, fit, RandomErasing(0.25, area=(0.02, 0.15))]
    return [*_standard(fit, pictures, typical), _jitter(fit, 0.3, hue=10), RandomErasing(0.5, area=(0.02, 0.25))]


PRESETS: dict[str, Callable[[FitTo, Pictures, tuple[int, int]], list[SampleTransform]]] = {
    "none": _none,
    "color": _color,
    "light": _light,
    "standard": _standard,
    "strong": _strong,
}


def _part(fit: FitTo, smallest: float) -> SampleTransform:
    return RandomResizedCrop(fit.preprocessing.size, scale=(smallest, 1.0))


def _jitter(fit: FitTo, amount: float, hue: float = 0.0) -> SampleTransform:
    if fit.preprocessing.channels == 1:
        return ColorJitter(amount, amount, 0.0, 0.0)
    return ColorJitter(amount, amount, amount, hue)


def _batch(
    section: AugmentSection,
    kind: Kind,
    num_classes: int,
    preprocessing: Preprocessing,
    components: ColourComponents | None,
) -> list[BatchTransform]:
    batch: list[BatchTransform] = []
    if section.pca_noise:
        if preprocessing.channels != 3:
            raise RecipeError("data.augment.pca_noise changes colours, and these pictures are grey: set it to 0.")
        red, green, blue = preprocessing.std
        batch.append(PCANoise(section.pca_noise, components or IMAGENET_COLOURS, (red, green, blue)))
    if kind == "objects" and (section.mixup or section.cutmix):
        raise RecipeError(
            "data.augment.mixup and data.augment.cutmix share one target of each picture, and objects have places: set "
            "them to 0. For objects there are mosaic and copy_paste: data.augment.transforms=[{mosaic: {}}]."
        )
    if section.multi_scale and kind != "objects":
        raise RecipeError("data.augment.multi_scale is for pictures with objects: set it to 0.")
    if section.multi_scale:
        batch.append(MultiScale((1 - section.multi_scale, 1 + section.multi_scale)))
    if section.cutmix and kind == "numbers":
        raise RecipeError(
            "data.augment.cutmix shares targets by area, which classes and labels allow and numbers do not: set it to "
            "0 (data.augment.mixup is possible)."
        )
    classes = num_classes if kind == "class" else 0
    mixup = Mixup(section.mixup, classes) if section.mixup else None
    cutmix = CutMix(section.cutmix, classes) if section.cutmix else None
    if mixup and cutmix:
        batch.append(Either(mixup, cutmix))
    else:
        batch += [m for m in (mixup, cutmix) if m]
    return batch
