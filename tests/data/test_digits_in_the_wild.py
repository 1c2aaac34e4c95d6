"""The built-in set of handwritten digits on photographs."""

import numpy as np
import pytest

from osler.data.objects.composing import OVERLAP, _overlap
from osler.data.objects.digits_in_the_wild import DigitsInTheWild, read_digits_in_the_wild
from osler.data.objects.handwritten import SHARES, handwritten, rows_of
from osler.data.objects.photographs import PHOTOGRAPHS, photographs
from osler.data.opening import open_data
from osler.data.recipe import DataSection
from osler.imaging.geometry import mask_boxes
from osler.verbs.convert_data import convert_data


@pytest.fixture(scope="module")
def pictures():
    return DigitsInTheWild.drawn("train", 40)


def test_it_is_known_by_name_in_three_parts():
    source = open_data(DataSection(path="digits-in-the-wild"), seed=5)
    assert (len(source.train), len(source.validation), len(source.test)) == (4000, 200, 200)
    assert (source.kind, source.names, source.one_way) == ("objects", tuple("0123456789"), True)
    assert (source.typical_size, source.uniform, source.channels) == ((320, 320), True, 3)
    again = open_data(DataSection(path="digits-in-the-wild"), seed=6)
    np.testing.assert_array_equal(source.test[3].image, again.test[3].image)


def test_a_picture_is_a_function_of_seed_part_and_index(pictures):
    again, other = DigitsInTheWild.drawn("train", 3), DigitsInTheWild.drawn("train", 3, seed=1)
    for i in (2, 0, 1):
        np.testing.assert_array_equal(pictures[i].image, again[i].image)
        np.testing.assert_array_equal(pictures[i].objects.masks, again[i].objects.masks)
        assert not np.array_equal(pictures[i].image, other[i].image)
    assert not np.array_equal(pictures[0].image, DigitsInTheWild.drawn("validation", 1)[0].image)
    assert not np.array_equal(pictures[0].image, pictures[1].image)


def test_boxes_are_tight_around_masks_and_targets_say_what_is_there(pictures):
    sizes = []
    for i in range(len(pictures)):
        sample = pictures[i]
        objects = sample.objects
        assert sample.image.shape == (320, 320, 3)
        np.testing.assert_array_equal(mask_boxes(objects.masks), objects.boxes)
        assert (np.bincount(objects.labels, minlength=10) > 0).tolist() == pictures.targets[i].astype(bool).tolist()
        assert (objects.masks.sum(0) <= 1).all()
        sizes += (objects.boxes[:, 3] - objects.boxes[:, 1]).tolist()
    assert min(sizes) >= 12
    assert max(sizes) <= 125
    assert np.median(sizes) < 60
    assert {len(pictures[i].objects) for i in range(len(pictures))} >= {1, 4, 7}


def test_some_pictures_are_empty_and_valid(pictures):
    empty = [i for i in range(len(pictures)) if not pictures.targets[i].any()]
    assert empty
    sample = pictures[empty[0]]
    assert sample.objects.boxes.shape == (0, 4)
    assert sample.objects.masks.shape == (0, 320, 320)


def test_digits_overlap_little_and_stand_out_from_what_is_behind_them(pictures):
    grey = np.array([0.299, 0.587, 0.114])
    contrasts = []
    for i in range(len(pictures)):
        boxes = [placed.box for placed in pictures.plans[i].digits]
        assert all(_overlap(a, b) <= OVERLAP for k, a in enumerate(boxes) for b in boxes[:k])
        sample = pictures[i]
        for mask, (x1, y1, x2, y2) in zip(sample.objects.masks, sample.objects.boxes.astype(int), strict=True):
            light = sample.image[y1:y2, x1:x2] @ grey
            inside = mask[y1:y2, x1:x2] > 0
            if (~inside).sum() > 20:
                contrasts.append(abs(float(np.median(light[inside]) - np.median(light[~inside]))))
    assert np.median(contrasts) > 50
    assert np.mean(np.array(contrasts) > 15) > 0.9


def test_no_photograph_and_no_digit_is_in_two_parts():
    names = [name for part in PHOTOGRAPHS.values() for name in part]
    assert len(set(names)) == len(names)
    for part in PHOTOGRAPHS:
        assert all(p.ndim == 3 and p.shape[2] == 3 and min(p.shape[:2]) >= 256 for p in photographs(part))
    labels = np.random.default_rng(0).integers(0, 10, 1797)
    rows = [set(rows_of(labels, part).tolist()) for part in SHARES]
    assert set.union(*rows) == set(range(1797))
    assert sum(map(len, rows)) == 1797
    for part in SHARES:
        assert set(np.unique([digit.label for digit in handwritten(part)])) == set(range(10))


def test_the_class_of_each_pixel_follows_from_the_masks(pictures):
    pictures.with_segmentation = True
    try:
        sample = pictures[1]
    finally:
        pictures.with_segmentation = False
    expected = (sample.objects.masks * (sample.objects.labels + 1)[:, None, None]).sum(0)
    np.testing.assert_array_equal(sample.segmentation, expected)
    assert sample.segmentation.max() >= 1
    assert pictures[1].segmentation is None


def test_chosen_rows_and_other_class_numbers(pictures):
    chosen = pictures.select(np.array([7, 2]))
    np.testing.assert_array_equal(chosen[0].image, pictures[7].image)
    np.testing.assert_array_equal(chosen.targets, pictures.targets[[7, 2]])
    turned = pictures.relabelled(np.arange(10)[::-1].copy(), 12)
    np.testing.assert_array_equal(turned[3].objects.labels, 9 - pictures[3].objects.labels)
    assert turned.targets.shape == (40, 12)
    pictures.with_masks = False
    try:
        assert pictures[1].objects.masks is None
    finally:
        pictures.with_masks = True


def test_it_can_be_written_as_coco_and_read_again(tmp_path, monkeypatch):
    small = read_digits_in_the_wild(counts={"train": 3, "validation": 2, "test": 1}, side=160)
    monkeypatch.setattr("osler.verbs.convert_data.read_parts", lambda section: small)
    done = convert_data("digits-in-the-wild", tmp_path / "coco", to="coco")
    assert done.pictures == {"train": 3, "validation": 2, "test": 1}
    source = open_data(DataSection(path=str(tmp_path / "coco")), 0)
    for i in range(3):
        mine, theirs = source.train[i], small.train[i]
        np.testing.assert_array_equal(mine.image, theirs.image)
        np.testing.assert_array_equal(mine.objects.masks, theirs.objects.masks)
        np.testing.assert_array_equal(mine.objects.boxes, theirs.objects.boxes)
        np.testing.assert_array_equal(mine.objects.labels, theirs.objects.labels)
