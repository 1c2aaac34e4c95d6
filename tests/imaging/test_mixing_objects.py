"""Transforms that mix or cut pictures with objects: every box and mask stays with its pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import frozen, scene, scenes

from osler.imaging.copy_paste import CopyPaste
from osler.imaging.gathering import Gathers, join_objects, lay_out
from osler.imaging.geometry import mask_boxes
from osler.imaging.iou_crop import DropSmall, IoUCrop, window_overlaps
from osler.imaging.mosaic import Mosaic
from osler.imaging.multi_scale import MultiScale
from osler.imaging.options import make_transform
from osler.imaging.scale_jitter import ScaleJitter
from osler.structures.batch import Batch
from osler.structures.detections import TrueObjects
from osler.structures.errors import DataError, RecipeError
from osler.structures.sample import Objects, Sample

SEEDS = st.integers(0, 2**32 - 1)


def whole(sample: Sample) -> None:
    """Boxes lie in the picture and hold their masks, which have pixels; masks lie on the rectangles' colour."""
    objects = sample.objects
    height, width = sample.image.shape[:2]
    assert (objects.boxes[:, :2] >= 0).all()
    assert (objects.boxes[:, 2:] <= [width, height]).all()
    assert (objects.boxes[:, 2:] > objects.boxes[:, :2]).all()
    assert objects.masks.shape == (len(objects), height, width)
    for mask, box, tight in zip(objects.masks, objects.boxes, mask_boxes(objects.masks), strict=True):
        if mask.any():
            assert (tight[:2] >= np.floor(box[:2])).all()
            assert (tight[2:] <= np.ceil(box[2:])).all()
    assert len(objects.labels) == len(objects.crowd) == len(objects.difficult) == len(objects)


@settings(max_examples=40, deadline=None)
@given(st.lists(scenes(), min_size=4, max_size=4), SEEDS)
def test_a_mosaic_keeps_the_truth_with_its_pixels(samples: list[Sample], seed: int) -> None:
    made = Mosaic((50, 70), visible=0).gather(samples[0], samples[1:], np.random.default_rng(seed))
    assert made.image.shape == (50, 70, 3)
    whole(made)
    covered = made.objects.masks.any(0)
    np.testing.assert_array_equal(covered, (made.segmentation > 0) & (made.segmentation != 255))
    assert np.mean(made.image[covered] > 150) > 0.75 if covered.sum() > 60 else True  # edges are blurred by resizing
    assert (made.image[made.segmentation == 255] == 114).all()


def test_a_mosaic_of_full_pictures_has_a_corner_of_each_at_the_point() -> None:
    samples = []
    for level in (10, 80, 150, 220):
        sample = scene([(0, 0, 64, 48)])
        sample.image[:] = level
        sample.objects.labels[:] = level
        samples.append(frozen(sample))
    made = Mosaic((48, 64), scale=(1.0, 1.0)).gather(samples[0], samples[1:], np.random.default_rng(3))
    assert made.objects.labels.tolist() == [10, 80, 150, 220]
    assert sorted(np.unique(made.image)) == [10, 80, 150, 220]
    first, last = made.objects.boxes[0], made.objects.boxes[3]
    assert first[:2].tolist() == [0, 0]
    assert last[2:].tolist() == [64, 48]
    assert first[2:].tolist() == last[:2].tolist()
    assert 16 <= first[2] <= 48
    assert 12 <= first[3] <= 36


def test_a_mosaic_drops_objects_that_are_hardly_left() -> None:
    sample = scene([(0, 0, 64, 48)])
    left = lay_out(sample, (48, 64), 0, -63, visible=0.1)
    assert left is not None
    assert len(left.objects) == 0
    kept = lay_out(sample, (48, 64), 0, -63)
    assert kept is not None
    assert kept.objects.boxes.tolist() == [[0, 0, 1, 48]]
    assert lay_out(sample, (48, 64), 0, 64) is None


def test_alone_or_by_chance_nothing_is_mixed() -> None:
    sample, rng = frozen(scene([(2, 3, 9, 9)])), np.random.default_rng(0)
    for transform in (Mosaic((48, 64)), CopyPaste()):
        assert isinstance(transform, Gathers)
        assert transform(sample, rng) is sample
        assert transform.gather(sample, [], rng) is sample
    assert Mosaic((48, 64), probability=0).gather(sample, [sample] * 3, rng) is sample
    assert CopyPaste(probability=0).gather(sample, [sample], rng) is sample


@settings(max_examples=40, deadline=None)
@given(scenes(), scenes(), SEEDS)
def test_pasted_objects_cover_what_is_below_them(below: Sample, above: Sample, seed: int) -> None:
    made = CopyPaste(share=0.7, least=1).gather(below, [above], np.random.default_rng(seed))
    assert made.image.shape == below.image.shape
    whole(made)
    changed = (made.image != below.image).any(-1)
    pasted = made.objects.masks[np.arange(len(made.objects)) >= len(made.objects) - 3].any(0)
    assert not (changed & ~pasted).any()


def test_copy_paste_by_hand() -> None:
    below, above = scene([(0, 0, 20, 20), (30, 0, 40, 10)]), scene([(10, 0, 30, 20), (30, 0, 40, 12)])
    above.image[:] = 7
    above.objects.labels[:] = 9
    above.objects.crowd[:] = False
    made = CopyPaste(share=1.0).gather(frozen(below), [frozen(above)], np.random.default_rng(0))
    assert made.objects.labels.tolist() == [1, 9, 9]  # the second is wholly covered
    assert made.objects.boxes.tolist() == [[0, 0, 10, 20], [10, 0, 30, 20], [30, 0, 40, 12]]
    assert (made.image[:20, 10:30] == 7).all()
    np.testing.assert_array_equal(made.image[:, 40:], below.image[:, 40:])
    assert made.objects.masks[0].sum() == 200
    assert (made.segmentation[:20, 10:30] == 1).all()


def test_crowds_are_never_pasted_and_boxes_without_masks_are_refused() -> None:
    below, above = frozen(scene([(0, 0, 20, 20)])), scene([(10, 0, 30, 20)])
    above.objects.crowd[:] = True
    assert CopyPaste(share=1.0).gather(below, [above], np.random.default_rng(0)) is below
    above.objects.masks = None
    with pytest.raises(DataError, match="boxes only"):
        CopyPaste(share=1.0).gather(below, [above], np.random.default_rng(0))


@settings(max_examples=60, deadline=None)
@given(scenes(), SEEDS)
def test_ssds_crop_keeps_an_object_in_sight_and_those_whose_middle_is_inside(sample: Sample, seed: int) -> None:
    made = IoUCrop().__call__(sample, np.random.default_rng(seed))
    whole(made)
    assert len(made.objects) >= 1
    height, width = made.image.shape[:2]
    assert width >= round(0.3 * sample.image.shape[1])
    assert height >= round(0.3 * sample.image.shape[0])
    if made.image.shape != sample.image.shape:
        assert 0.5 <= width / height <= 2


def test_what_is_to_be_ignored_stays_as_far_as_it_shows() -> None:
    sample = scene([(20, 16, 40, 36), (0, 0, 64, 48)])
    sample.objects.crowd = np.array([False, True])
    crop = IoUCrop(minima=(0.5,), any_part=False)
    made = [crop(frozen(sample), np.random.default_rng(seed)) for seed in range(20)]
    cut = [m for m in made if m.image.shape != sample.image.shape]
    assert cut  # and in each the crowd still covers all that is shown, whether its middle is there or not
    for part in cut:
        height, width = part.image.shape[:2]
        assert part.objects.boxes[part.objects.crowd].tolist() == [[0, 0, width, height]]
    laid = lay_out(sample, (48, 64), 40, 0, visible=0.9)
    assert laid is not None
    assert laid.objects.crowd.tolist() == [True]
    sample.objects.crowd = np.array([True, True])
    alone = frozen(sample)
    assert crop(alone, np.random.default_rng(0)) is alone


def test_ssds_crop_reaches_the_overlap_that_was_drawn() -> None:
    sample = frozen(scene([(10, 10, 40, 40), (50, 2, 60, 12)]))
    boxes = sample.objects.boxes.astype(np.float64)
    crop = IoUCrop(minima=(0.7,), any_part=False)
    cut = 0
    for seed in range(30):
        window = crop._find(boxes, 48, 64, 0.7, np.random.default_rng(seed))
        if window is not None:
            cut += 1
            assert window_overlaps(boxes, window).max() >= 0.7
    assert cut > 3
    assert window_overlaps(np.array([[0.0, 0, 2, 2]]), (1, 1, 3, 3)) == pytest.approx(1 / 7)
    empty = frozen(scene([]))
    assert crop(empty, np.random.default_rng(0)) is empty


def test_small_objects_are_dropped() -> None:
    sample = frozen(scene([(0, 0, 1, 20), (5, 5, 9, 9), (20, 20, 40, 40)]))
    rng = np.random.default_rng(0)
    assert DropSmall(side=2)(sample, rng).objects.labels.tolist() == [2, 3]
    assert DropSmall(side=0, area=17)(sample, rng).objects.labels.tolist() == [1, 3]
    assert DropSmall(side=1)(sample, rng) is sample


@settings(max_examples=40, deadline=None)
@given(scenes(), SEEDS)
def test_a_jittered_scale_gives_the_canvas_and_moves_the_truth(sample: Sample, seed: int) -> None:
    made = ScaleJitter((40, 56), scale=(0.5, 2.0), visible=0).__call__(sample, np.random.default_rng(seed))
    assert made.image.shape == (40, 56, 3)
    whole(made)
    np.testing.assert_array_equal(made.objects.masks.any(0), (made.segmentation > 0) & (made.segmentation != 255))
    assert (made.image[made.segmentation == 255] == 114).all()


def test_groups_of_objects_are_joined_with_their_flags() -> None:
    plain = Objects(np.zeros((1, 4), np.float32), np.array([5]))
    flagged = Objects(np.ones((1, 4), np.float32), np.array([6]), crowd=np.array([True]))
    both = join_objects([plain, flagged])
    assert both.labels.tolist() == [5, 6]
    assert both.crowd.tolist() == [False, True]
    assert both.difficult is None
    assert both.masks is None
    masked = scene([(0, 0, 5, 5)]).objects
    assert join_objects([masked, scene([]).objects]).masks.shape == (1, 48, 64)
    assert join_objects([masked, plain]).masks is None


def test_they_have_names_in_a_recipe() -> None:
    assert make_transform("mosaic", {"probability": 0.5}, size=(64, 96)) == Mosaic((64, 96), probability=0.5)
    assert make_transform("copy_paste", {}, size=(64, 96)) == CopyPaste()
    assert make_transform("scale_jitter", {}, size=(64, 96)).scale == (0.1, 2.0)
    assert make_transform("iou_crop", {"minima": [0.5]}, size=(64, 96)).minima == (0.5,)
    with pytest.raises(RecipeError, match="visible"):
        make_transform("mosaic", {"visible": 2}, size=(64, 96))


def test_a_batch_at_another_size_takes_its_objects_along() -> None:
    masks = torch.zeros(1, 64, 96, dtype=torch.uint8)
    masks[0, 16:32, 48:72] = 1
    box = torch.tensor([[48.0, 16, 72, 32]])
    truth = TrueObjects(box, torch.tensor([1]), torch.tensor([False]), masks, scale=(2.0, 1.0))
    empty = TrueObjects(
        torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.bool), masks[:0]
    )
    batch = Batch(torch.rand(2, 3, 64, 96), [truth, empty], torch.arange(2))
    seen = set()
    for seed in range(12):
        made = MultiScale(scale=(0.5, 2.0), step=32)(batch, torch.Generator().manual_seed(seed))
        tall, wide = made.images.shape[-2:]
        assert tall % 32 == wide % 32 == 0
        first, second = made.target
        torch.testing.assert_close(first.boxes, box * torch.tensor([wide / 96, tall / 64] * 2))
        assert first.scale == pytest.approx((2 * wide / 96, tall / 64))
        assert first.masks.shape == (1, tall, wide)
        assert second.masks.shape == (0, tall, wide)
        np.testing.assert_allclose(mask_boxes(first.masks.numpy()), first.boxes.numpy(), atol=1)
        seen.add((tall, wide))
    assert len(seen) >= 4
    again = [MultiScale()(batch, torch.Generator().manual_seed(1)).images.shape for _ in range(2)]
    assert again[0] == again[1]
    with pytest.raises(TypeError, match="list cannot be scaled"):
        MultiScale()(Batch(batch.images, [1, 2], batch.indices), torch.Generator())
    classes = Batch(batch.images, torch.tensor([0, 1]), batch.indices)
    assert MultiScale()(classes, torch.Generator().manual_seed(0)).target is classes.target
