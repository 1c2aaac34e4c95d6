"""R-CNN's last stage: crops, mined SVMs, ridge regressions."""

import numpy as np
import pytest
import torch
from drawn_shapes import truth
from hypothesis import given
from hypothesis import strategies as st

from osler.models.detection import mined_svm, region_estimators
from osler.models.detection.mined_svm import HARD, NEVER, MinedSvm
from osler.models.detection.region_estimators import Lessons, RegionEstimators, Seen
from osler.models.detection.warped_crops import warped_crops
from osler.ops.box_coding import decode_boxes

rng = np.random.default_rng(0)


# Crops


def test_a_region_that_is_the_crop_already_stays_as_it_is() -> None:
    images = torch.randn(2, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    boxes = [torch.tensor([[5.0, 3.0, 13.0, 11.0]]), torch.tensor([[0.0, 0.0, 8.0, 8.0], [22.0, 12.0, 30.0, 20.0]])]
    crops = warped_crops(images, boxes, 8)
    wanted = torch.stack((images[0, :, 3:11, 5:13], images[1, :, :8, :8], images[1, :, 12:, 22:]))
    torch.testing.assert_close(crops, wanted, atol=1e-5, rtol=1e-5)


@given(st.floats(2, 20), st.floats(2, 12), st.floats(4, 20), st.floats(3, 8), st.integers(0, 3))
def test_a_crop_of_a_ramp_is_the_ramp(left: float, top: float, width: float, height: float, context: int) -> None:
    y, x = torch.meshgrid(torch.arange(40) + 0.5, torch.arange(60) + 0.5, indexing="ij")
    images = torch.stack((x, y))[None]
    box = torch.tensor([[left + 10, top + 10, left + 10 + width, top + 10 + height]])
    crop = warped_crops(images, [box], 12, context)[0]
    step = width / (12 - 2 * context), height / (12 - 2 * context)
    places = torch.arange(12) + 0.5 - context
    torch.testing.assert_close(crop[0, 0], left + 10 + places * step[0], atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(crop[1, :, 0], top + 10 + places * step[1], atol=1e-3, rtol=1e-4)


def test_context_shows_what_is_around_and_outside_the_picture_is_nothing() -> None:
    images = torch.ones(1, 1, 16, 16)
    whole = warped_crops(images, [torch.tensor([[0.0, 0.0, 16.0, 16.0]])], 16, 4)[0, 0]
    assert (whole[4:12, 4:12] == 1).all()
    assert (whole[:3] == 0).all()
    assert (whole[:, 13:] == 0).all()


# SVMs


def two_clouds(count: int, apart: float, features: int = 6) -> tuple[np.ndarray, np.ndarray]:
    middle = np.full(features, apart / 2, np.float32)
    noise = rng.normal(size=(2, count, features)).astype(np.float32)
    return noise[0] + middle, noise[1] - middle


def test_it_learns_from_one_picture_and_then_takes_the_hard_ones_alone() -> None:
    positives, negatives = two_clouds(300, 6.0)
    machine = MinedSvm(positives)
    machine.see(negatives)
    assert (machine.margins(positives) > 0).mean() > 0.95
    assert (machine.margins(negatives) < 0).mean() > 0.95
    kept, fresh = len(machine.negatives), two_clouds(300, 6.0)[1]
    hard = (machine.margins(fresh) > HARD).sum()
    machine.see(fresh)
    assert len(machine.negatives) == kept + hard


def test_it_learns_again_when_enough_have_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mined_svm, "ENOUGH", 50)
    positives, negatives = two_clouds(200, 6.0)
    machine = MinedSvm(positives)
    machine.see(negatives)
    before = machine.weight.copy()
    look_alikes = positives + rng.normal(size=positives.shape).astype(np.float32)
    machine.see(look_alikes[:50])
    np.testing.assert_array_equal(machine.weight, before)
    machine.see(look_alikes[50:51])
    assert (machine.weight != before).any()


def test_mined_negatives_teach_nearly_what_all_would() -> None:
    positives, negatives = two_clouds(2000, 1.5)
    mined, all_ = MinedSvm(positives), MinedSvm(positives)
    for part in np.array_split(negatives, 20):
        mined.see(part)
    mined.learn()
    all_.negatives = negatives
    all_.learn()
    fresh = np.concatenate(two_clouds(1000, 1.5))
    assert np.corrcoef(mined.margins(fresh), all_.margins(fresh))[0, 1] > 0.99


def test_a_class_without_objects_is_never_found() -> None:
    machine = MinedSvm(np.zeros((0, 6), np.float32))
    machine.see(two_clouds(10, 1.0)[1])
    machine.learn()
    assert (machine.margins(two_clouds(10, 1.0)[0]) == NEVER).all()


# Lessons


def seen_of(boxes: torch.Tensor, features: torch.Tensor) -> Seen:
    return Seen(boxes, features, torch.cat((features, boxes / 50), dim=1))


def test_what_was_fitted_finds_its_class_and_moves_the_box(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regions of a class say in their map how far they are shifted: the regression reads it."""
    monkeypatch.setattr(region_estimators, "RIDGE", 1.0)  # the published penalty is for regions by the thousand
    torch.manual_seed(0)
    objects = truth((20, 20, 40, 40, 0), (60, 20, 90, 50, 1))
    lessons = Lessons(2)
    assert lessons.begin((seen_of(objects.boxes, torch.eye(4)[:2]), objects) for _ in range(3))
    for _ in range(40):
        near = objects.boxes.repeat(10, 1) + 2 * torch.randn(20, 1) * torch.tensor([[1.0, 0, 1, 0]])
        far = torch.rand(60, 1) * 5 + torch.tensor([[0.0, 70, 20, 95]])
        features = torch.cat((torch.eye(4)[:2].repeat(10, 1), torch.eye(4)[2].repeat(60, 1)))
        lessons.learn(seen_of(torch.cat((near, far)), features + 0.1 * torch.randn(80, 4)), objects)
    estimators = RegionEstimators(4, 8, 2)
    assert not estimators.fitted
    estimators.take(lessons)
    assert estimators.fitted
    margins = estimators.margins(torch.eye(4)[:3])
    assert margins.argmax(1).tolist()[:2] == [0, 1]
    assert (margins[[0, 1], [0, 1]] > 0).all()
    assert (margins[2] < 0).all()
    shifted = torch.tensor([[23.0, 20, 43, 40]])
    codes = estimators.codes(seen_of(shifted, torch.eye(4)[:1]).maps)
    moved = decode_boxes(codes[:, 0], shifted)
    assert abs(float(moved[0, 0]) - 20) < 1.5
    again = RegionEstimators(4, 8, 2)
    again.load_state_dict(estimators.state_dict())
    torch.testing.assert_close(again.margins(torch.eye(4)), estimators.margins(torch.eye(4)))


def test_what_is_ignored_teaches_neither() -> None:
    objects = truth((20, 20, 40, 40, 0), (60, 20, 90, 50, 0), ignored=(1,))
    lessons = Lessons(1)
    lessons.begin([(seen_of(objects.boxes[:1], torch.ones(1, 4)), objects)])
    assert len(lessons.machines[0].positives) == 1
    lessons.learn(seen_of(objects.boxes[1:], torch.ones(1, 4)), objects)
    assert len(lessons.machines[0].negatives) == 0
    assert not sum(len(codes) for _, codes in lessons.near[0])


def test_without_any_object_there_is_nothing_to_learn() -> None:
    assert not Lessons(2).begin([])
