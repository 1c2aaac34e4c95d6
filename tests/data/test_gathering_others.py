"""Mosaic and copy-paste in the loader: the others are drawn by seed, epoch and sample, whatever process reads them."""

from collections.abc import Sequence

import numpy as np
import pytest
from object_scenes import box, coco_set, read

from osler.data.loader import Loader
from osler.data.objects.digits_in_the_wild import DigitsInTheWild
from osler.imaging.augment import build_augmentation
from osler.imaging.copy_paste import CopyPaste
from osler.imaging.fit import FitTo
from osler.imaging.flips import HorizontalFlip
from osler.imaging.mosaic import Mosaic
from osler.imaging.multi_scale import MultiScale
from osler.imaging.recipe import AugmentSection
from osler.imaging.transform import Compose, SampleTransform
from osler.structures.errors import RecipeError
from osler.structures.preprocessing import Preprocessing
from osler.structures.sample import Objects, Sample

MIXED = Compose([Mosaic((96, 96), scale=(0.5, 1.0)), HorizontalFlip(), CopyPaste()])


def objects_of(samples: Sequence[Sample]) -> list[Objects | None]:
    return [sample.objects for sample in samples]


def loader(dataset, transform: SampleTransform, **options) -> Loader:
    return Loader(dataset, transform=transform, collate=objects_of, batch_size=4, seed=3, order="shuffle", **options)


@pytest.fixture(scope="module")
def digits():
    return DigitsInTheWild.drawn("train", 10, side=128)


def same(first, second) -> bool:
    return all(
        np.array_equal(a.images, b.images)
        and all(np.array_equal(x.boxes, y.boxes) for x, y in zip(a.target, b.target, strict=True))
        for a, b in zip(first, second, strict=True)
    )


def test_others_are_the_same_for_an_epoch_and_differ_from_the_next(digits):
    made = loader(digits, MIXED)
    first, again, next_one = list(made.epoch(2)), list(loader(digits, MIXED).epoch(2)), list(made.epoch(3))
    assert same(first, again)
    assert not same(first, next_one)
    assert first[0].images.shape == (4, 3, 96, 96)
    resumed = list(made.epoch(2, start=1))
    assert same(first[1:], resumed)


def test_others_are_the_same_in_any_process(digits):
    with_workers = loader(digits, MIXED, workers=2)
    try:
        assert same(list(loader(digits, MIXED).epoch(1)), list(with_workers.epoch(1)))
    finally:
        with_workers.close()


def test_a_mosaic_shows_other_pictures(digits):
    alone = sum(len(o) for batch in loader(digits, Mosaic((128, 128), probability=0)).epoch(0) for o in batch.target)
    mixed = sum(len(o) for batch in loader(digits, Mosaic((128, 128), visible=0)).epoch(0) for o in batch.target)
    assert mixed > 1.5 * alone


def test_an_unreadable_other_is_drawn_again_and_named_in_its_own_turn(tmp_path):
    path = coco_set(tmp_path, [box(i, i, [5, 5, 20, 20]) for i in range(1, 5)], pictures=4)
    data = read(path).train
    (tmp_path / "2.png").write_bytes(b"no picture")
    made = loader(data, Mosaic((40, 60)), unreadable=0.5)
    batches = [batch for epoch in range(3) for batch in made.epoch(epoch)]
    assert sum(len(batch) for batch in batches) == 9
    assert [s.path for s in made.skipped] == [str(tmp_path / "2.png")]


def test_files_are_read_by_windows_as_before_where_nothing_is_mixed(tmp_path):
    path = coco_set(tmp_path, [box(i, i, [5, 5, 20, 20]) for i in range(1, 5)], pictures=4)
    fit = FitTo(Preprocessing(size=(20, 30), fit="stretch"))
    (batch,) = loader(read(path).train, fit).epoch(0)
    assert [o.boxes.tolist() for o in batch.target] == [[[2.5, 2.5, 12.5, 12.5]]] * 4


@pytest.mark.parametrize("preset", ["auto", "none", "color", "light", "standard", "strong"])
def test_presets_for_objects_give_one_size_and_never_mirror_what_has_a_right_way_round(digits, preset):
    preprocessing = Preprocessing(size=(96, 128), fit="stretch")
    options = {"preprocessing": preprocessing, "typical_size": (128, 128), "kind": "objects", "num_classes": 10}
    made = build_augmentation(AugmentSection(preset=preset), one_way=True, **options)
    assert not any(isinstance(t, HorizontalFlip) for t in made.sample)
    (batch, *_) = loader(digits, Compose(made.sample)).epoch(0)
    assert batch.images.shape == (4, 3, 96, 128)
    mirrored = build_augmentation(AugmentSection(preset=preset), **options)
    wanted = preset in ("auto", "light", "standard", "strong")
    assert any(isinstance(t, HorizontalFlip) for t in mirrored.sample) == wanted
    scaled = build_augmentation(AugmentSection(preset=preset, multi_scale=0.3), **options)
    assert scaled.batch == [MultiScale((0.7, 1.3))]
    for key in ("mixup", "cutmix"):
        with pytest.raises(RecipeError, match="objects have places"):
            build_augmentation(AugmentSection.model_validate({key: 0.5}), **options)
