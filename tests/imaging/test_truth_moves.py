"""Pictures, boxes, masks and segmentation move together through every geometric transform."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import frozen, scene, scenes

from osler.imaging.affine import Affine, Rotate
from osler.imaging.augment import PRESETS  # noqa: F401  (fills the registry)
from osler.imaging.crops import CenterCrop, RandomCrop, RandomResizedCrop
from osler.imaging.fit import FitTo
from osler.imaging.flips import HorizontalFlip, VerticalFlip
from osler.imaging.gathering import Gathers
from osler.imaging.geometry import OUTSIDE, mask_boxes
from osler.imaging.options import make_transform
from osler.imaging.pad import Pad, PadCrop
from osler.imaging.resize import Resize
from osler.imaging.transform import SampleTransform, sample_transforms
from osler.structures.preprocessing import Preprocessing
from osler.structures.sample import Objects, Sample

GEOMETRIC: dict[str, Callable] = {
    "resize": Resize((40, 30)),
    "center_crop": CenterCrop((20, 30)),
    "center_crop larger": CenterCrop((80, 30)),
    "random_crop": RandomCrop((20, 22)),
    "random_resized_crop": RandomResizedCrop((32, 32), scale=(0.3, 1.0)),
    "pad": Pad(5),
    "pad_crop": PadCrop(6, fill=0),
    "horizontal_flip": HorizontalFlip(1.0),
    "vertical_flip": VerticalFlip(1.0),
    "rotate": Rotate(180),
    "affine": Affine(degrees=30, translate=0.2, scale=(0.8, 1.3), shear=15),
    "stretch": FitTo(Preprocessing(size=(36, 50), fit="stretch")),
    "crop": FitTo(Preprocessing(size=(36, 36), fit="crop", crop_fraction=0.875)),
    "letter-box": FitTo(Preprocessing(size=(40, 40), fit="pad")),
}


@pytest.mark.craft("DA02", "DA03", "DA09")
@pytest.mark.parametrize("name", GEOMETRIC)
@given(sample=scenes(), seed=st.integers(0, 999))
@settings(max_examples=15, deadline=None)
def test_boxes_stay_inside_and_follow_their_masks(name: str, sample: Sample, seed: int) -> None:
    moved = GEOMETRIC[name](sample, np.random.default_rng(seed))
    height, width = moved.image.shape[:2]
    objects = moved.objects
    assert objects.masks.shape == (len(objects), height, width)
    assert moved.segmentation.shape == (height, width)
    assert moved.segmentation.dtype == sample.segmentation.dtype
    assert (objects.boxes >= 0).all()
    assert (objects.boxes <= [width, height, width, height]).all()
    assert (objects.boxes[:, 2:] > objects.boxes[:, :2]).all()
    assert set(np.unique(objects.masks)) <= {0, 1}
    drawn = objects.masks.any((1, 2))
    # What is thinner than a pixel of a smaller picture has a box and no pixel.
    assert (objects.boxes[~drawn, 2:] - objects.boxes[~drawn, :2]).min(1, initial=0).max(initial=0) < 1
    assert np.abs(mask_boxes(objects.masks) - objects.boxes)[drawn].max(initial=0) <= 1.0
    for attribute, expected in (("crowd", objects.labels % 2 == 0), ("difficult", objects.labels % 3 == 0)):
        assert np.array_equal(getattr(objects, attribute), expected)
    assert (moved.target, moved.index, moved.path) == (3, 5, "scene.png")


@pytest.mark.parametrize("name", GEOMETRIC)
@given(seed=st.integers(0, 999))
@settings(max_examples=8, deadline=None)
def test_the_picture_moves_as_its_truth(name: str, seed: int) -> None:
    moved = GEOMETRIC[name](frozen(scene([(8, 10, 40, 36)])), np.random.default_rng(seed))
    if not len(moved.objects):
        return
    mask = moved.objects.masks[0].astype(bool)
    covered = moved.segmentation != OUTSIDE
    bright = moved.image.mean(2) > 175
    assert np.array_equal(moved.segmentation == 1, mask)
    edge = 2 * (mask.shape[0] + mask.shape[1])
    assert (bright ^ mask)[covered].sum() <= edge  # they differ at most along the outline


@pytest.mark.parametrize("name", list(sample_transforms))
def test_every_transform_leaves_its_input_and_repeats(name: str) -> None:
    transform = make_transform(name, {"probability": 1.0} if "probability" in _options(name) else {}, size=(24, 28))
    sample = frozen(scene([(8, 10, 40, 36)]))
    first, again, other = (_applied(transform, sample, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.objects.boxes, again.objects.boxes)
    assert first.image.dtype == np.uint8
    assert first.image.flags.c_contiguous
    if name not in ("resize", "center_crop", "pad", "horizontal_flip", "vertical_flip", "grayscale", "drop_small"):
        assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("name", list(sample_transforms))
@pytest.mark.parametrize("channels", [1, 3])
def test_every_transform_takes_grey_and_bare_pictures(name: str, channels: int) -> None:
    transform = make_transform(name, {"probability": 1.0} if "probability" in _options(name) else {}, size=(24, 28))
    sample = frozen(Sample(np.random.default_rng(0).integers(0, 256, (32, 33, channels), np.uint8), target=1))
    moved = transform(sample, np.random.default_rng(0))
    assert moved.image.ndim == 3
    assert moved.image.shape[2] == channels
    assert moved.target == 1
    assert moved.objects is None


def _applied(transform: SampleTransform, sample: Sample, rng: np.random.Generator) -> Sample:
    """The sample transformed, with others to mix with where it is mixed."""
    if not isinstance(transform, Gathers):
        return transform(sample, rng)
    boxes = [[(1, 1, 9, 9), (20, 5, 30, 40)], [(3, 2, 60, 11)], [(30, 30, 40, 40)]]
    return transform.gather(sample, [frozen(scene(b)) for b in boxes[: transform.partners]], rng)


def _options(name: str) -> list[str]:
    return list(sample_transforms[name].__dataclass_fields__)


@pytest.mark.craft("DA02")
@pytest.mark.parametrize("flip", [HorizontalFlip(1.0), VerticalFlip(1.0)])
@given(sample=scenes())
@settings(max_examples=20, deadline=None)
def test_twice_flipped_is_unchanged(flip: Callable, sample: Sample) -> None:
    rng = np.random.default_rng(0)
    once = flip(sample, rng)
    twice = flip(once, rng)
    axis = 1 if isinstance(flip, HorizontalFlip) else 0
    assert np.array_equal(once.image, np.flip(sample.image, axis))
    assert np.array_equal(once.segmentation, np.flip(sample.segmentation, axis))
    assert np.array_equal(mask_boxes(once.objects.masks), once.objects.boxes)
    assert np.array_equal(twice.image, sample.image)
    assert np.array_equal(twice.objects.boxes, sample.objects.boxes)
    assert np.array_equal(twice.objects.masks, sample.objects.masks)
    assert np.array_equal(twice.segmentation, sample.segmentation)


@pytest.mark.craft("DA03")
def test_a_crop_clips_boxes_and_drops_what_left() -> None:
    sample = scene([(0, 0, 10, 10), (20, 16, 60, 40), (50, 4, 62, 9)], height=48, width=64)
    cropped = CenterCrop((20, 24))(frozen(sample), np.random.default_rng(0))  # x 20 to 44, y 14 to 34
    assert cropped.image.shape == (20, 24, 3)
    assert np.array_equal(cropped.image, sample.image[14:34, 20:44])
    assert cropped.objects.boxes.tolist() == [[0, 2, 24, 20]]
    assert cropped.objects.labels.tolist() == [2]
    assert cropped.objects.crowd.tolist() == [True]
    assert cropped.objects.masks.shape == (1, 20, 24)


@pytest.mark.craft("DA03")
def test_crops_have_their_size_and_lie_inside() -> None:
    image = np.arange(48 * 64, dtype=np.uint32).astype(np.uint8).reshape(48, 64, 1)
    places = set()
    for seed in range(60):
        part = RandomCrop((45, 60))(Sample(image), np.random.default_rng(seed)).image
        assert part.shape == (45, 60, 1)
        places.add(
            next((y, x) for y in range(4) for x in range(5) if np.array_equal(image[y : y + 45, x : x + 60], part))
        )
    assert {y for y, _ in places} == set(range(4))
    assert {x for _, x in places} == set(range(5))


def test_without_masks_a_turned_box_holds_its_corners() -> None:
    objects = Objects(np.array([[10, 20, 50, 30]], np.float32), np.array([1]))
    sample = Sample(np.zeros((60, 60, 3), np.uint8), objects=objects)

    class Quarter(np.random.Generator):
        def random(self) -> float:
            return 1.0  # the largest turn

    turned = Rotate(90)(sample, Quarter(np.random.PCG64(0)))
    assert np.allclose(turned.objects.boxes, [[20, 10, 30, 50]], atol=1e-4)


def test_a_positive_turn_is_counter_clockwise() -> None:
    from osler.imaging.affine import affine_matrix, warp

    image = np.zeros((21, 21, 1), np.uint8)
    image[2:5, 8:13] = 255  # above the middle
    turned = warp(Sample(image), affine_matrix(21, 21, degrees=90), 0).image
    assert np.array_equal(turned, np.rot90(image))


def test_an_empty_list_of_objects_survives() -> None:
    sample = frozen(scene([]))
    for transform in GEOMETRIC.values():
        moved = transform(sample, np.random.default_rng(0))
        assert len(moved.objects) == 0
        assert moved.objects.masks.shape[1:] == moved.image.shape[:2]


def test_a_thin_object_keeps_its_box_when_resized() -> None:
    sample = scene([(10, 10, 11, 40)])
    moved = Resize((12, 16))(sample, np.random.default_rng(0))
    assert len(moved.objects) == 1
    assert np.allclose(moved.objects.boxes, [[2.5, 2.5, 2.75, 10]])


def test_random_resized_crop_draws_the_published_areas_and_ratios() -> None:
    crop, rng = RandomResizedCrop((32, 32)), np.random.default_rng(0)
    windows = np.array([crop.choose(600, 600, rng) for _ in range(3000)])
    width, height = (windows[:, 2] - windows[:, 0]), (windows[:, 3] - windows[:, 1])
    area, ratio = width * height / 600**2, width / height
    assert 0.078 < area.min() < 0.1
    assert area.max() > 0.95
    assert abs(area[area < 0.74].mean() - (0.08 + 0.74) / 2) < 0.015  # evenly, up to where some ratios do not fit
    assert 0.73 < ratio.min() < 0.76
    assert 1.32 < ratio.max() < 1.37
    assert abs(np.log(ratio).mean()) < 0.015
    assert (windows >= 0).all()
    assert (windows <= 600).all()


def test_a_picture_that_fits_no_ratio_gives_its_middle() -> None:
    window = RandomResizedCrop((8, 8), scale=(1.0, 1.0)).choose(10, 1000, np.random.default_rng(0))
    assert window == (493, 0, 506, 10)


def test_pad_crop_shifts_by_up_to_its_padding() -> None:
    image = np.random.default_rng(0).integers(1, 256, (9, 9, 3), np.uint8)
    shifts = set()
    for seed in range(200):
        moved = PadCrop(2, fill=0)(Sample(image), np.random.default_rng(seed)).image
        rows, columns = np.flatnonzero(moved.any((1, 2))), np.flatnonzero(moved.any((0, 2)))
        shifts.add((8 - rows[-1] if rows[0] == 0 else -rows[0], 8 - columns[-1] if columns[0] == 0 else -columns[0]))
    assert shifts == {(y, x) for y in range(-2, 3) for x in range(-2, 3)}
    assert PadCrop(2)(Sample(image), np.random.default_rng(3)).image.min() > 0  # mirrored: no black
