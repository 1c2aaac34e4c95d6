"""IoU-Net: what it says of boxes, what it keeps, and where it moves them."""

from dataclasses import replace

import pytest
import torch
from drawn_shapes import CLASSES, SIDE, SMALL, drawn, learnt_by_heart, truth
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from osler.models.detection.box_refinement import RefinementRule, refine_boxes
from osler.models.detection.overlap_head import moved_boxes
from osler.models.detection.region_features import RegionFeatures, precise_features
from osler.models.registry import create_model
from osler.ops import box_iou
from osler.ops.box_overlap import iou
from osler.ops.sampling import Balance
from osler.structures.detections import Detections, TrueObjects

PICTURE = (SIDE, SIDE)


def made() -> nn.Module:
    """A small one, that looks at few regions."""
    torch.manual_seed(0)
    model = create_model("iou_net_light", num_classes=CLASSES, **SMALL, strides=(8, 16), channels=32, anchor=16)
    model.overlaps.rule = replace(model.overlaps.rule, boxes=48)
    model.regions.rule = replace(model.regions.rule, balance=Balance(32, 0.25))
    model.proposals.rule = replace(model.proposals.rule, after=(60, 60))
    return model


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    """One that has seen 320 pictures, each once."""
    model, steps = made(), 80
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for step in range(steps):
        images, truths = drawn(4, seed=100 + step)
        optimizer.zero_grad()
        sum(model.losses(images, truths).values()).backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack((a, b)))[0, 1])


@pytest.mark.craft("DE32")
@torch.no_grad()
@pytest.mark.slow
def test_what_it_says_tells_more_of_the_overlap_than_the_score_of_the_class(trained: nn.Module) -> None:
    """On pictures that it never saw, of the boxes that it found and that are of an object (figure 2 of the paper)."""
    images, truths = drawn(24, seed=1)
    levels = trained.levels(images)
    proposed = trained.proposals.propose(trained.proposals(levels, PICTURE), PICTURE)
    found = trained.regions.candidates(levels, proposed, PICTURE)
    said = trained.overlaps(levels, [f.boxes for f in found], [f.labels for f in found])
    of_class = [
        (box_iou(f.boxes, t.boxes) * (f.labels[:, None] == t.labels)).max(dim=1).values
        for f, t in zip(found, truths, strict=True)
    ]
    true, scores = torch.cat(of_class), torch.cat([f.scores for f in found])
    objects = true >= 0.5
    assert objects.sum() > 100
    assert correlation(said[objects], true[objects]) > correlation(scores[objects], true[objects])
    boxes = [moved_boxes(t.boxes, PICTURE, 64, 0.5) for t in truths]
    said = trained.overlaps(levels, [b[0] for b in boxes], [t.labels[b[2]] for b, t in zip(boxes, truths, strict=True)])
    assert correlation(said, torch.cat([b[1] for b in boxes])) > 0.4


@pytest.mark.craft("DE33")
def test_refinement_raises_the_overlap(trained: nn.Module) -> None:
    images, truths = drawn(16, seed=2)
    torch.manual_seed(0)
    boxes = [moved_boxes(t.boxes, PICTURE, 32, 0.5) for t in truths]
    found = [
        Detections(b, t.labels[objects], torch.ones(len(b))) for (b, _, objects), t in zip(boxes, truths, strict=True)
    ]
    with torch.inference_mode():  # as predictions are made
        refined = trained.overlaps.refine(trained.levels(images), found, PICTURE)
    before = torch.cat([b[1] for b in boxes])
    true = torch.cat([t.boxes[objects] for (_, _, objects), t in zip(boxes, truths, strict=True)])
    after = iou(torch.cat([r.boxes for r in refined]), true)
    assert after.mean() > before.mean() + 0.01
    assert (after > before).float().mean() > 0.65


@pytest.mark.craft("DE33")
def test_the_box_that_sits_best_stays_with_the_best_score(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made().eval()
    model.overlaps.rule = replace(model.overlaps.rule, refinement=RefinementRule(steps=0))
    boxes = torch.tensor([[8.0, 8, 40, 40], [10, 10, 40, 40], [12, 12, 40, 40], [10, 10, 40, 40]])
    found = Detections(boxes, torch.tensor([0, 0, 0, 1]), torch.tensor([0.9, 0.6, 0.7, 0.3]))
    said = torch.tensor([0.6, 0.95, 0.7, 0.5])
    monkeypatch.setattr(model.overlaps, "forward", lambda levels, boxes, labels: said)
    (kept,) = model.overlaps.detect(model.levels(torch.zeros(1, 3, *PICTURE)), [found], PICTURE)
    assert kept.boxes.tolist() == boxes[[1, 3]].tolist()
    assert kept.labels.tolist() == [0, 1]
    torch.testing.assert_close(kept.scores, torch.tensor([0.9, 0.3]))


@pytest.mark.craft("DE33")
def test_the_slope_with_respect_to_a_box_is_the_numerical_one() -> None:
    torch.manual_seed(0)
    cut = RegionFeatures((8, 16), bins=3, pool=precise_features, canonical=32)
    levels = [torch.randn(1, 4, 8, 8).double(), torch.randn(1, 4, 4, 4).double()]
    boxes = torch.tensor([[4.3, 6.1, 20.7, 30.2], [9.4, 3.3, 50.6, 60.9]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda b: cut(levels, [b]), boxes, eps=1e-5)


# Moved boxes


@given(st.integers(0, 1000))
def test_moved_boxes_overlap_enough_and_evenly(seed: int) -> None:
    torch.manual_seed(seed)
    true = torch.tensor([[10.0, 10, 40, 50], [0, 0, 20, 12], [30, 30, 30, 40]])  # the last has no area
    boxes, overlaps, objects = moved_boxes(true, PICTURE, 400, 0.5)
    assert set(objects.tolist()) == {0, 1}
    torch.testing.assert_close(iou(boxes, true[objects]), overlaps)
    assert (boxes >= 0).all() and (boxes <= SIDE).all()  # noqa: PT018
    assert (overlaps >= 0.5).all()
    shares = torch.histc(overlaps, 5, 0.5, 1.0) / len(overlaps)
    assert (shares > 0.1).all()


def test_without_an_object_nothing_is_moved() -> None:
    boxes, overlaps, objects = moved_boxes(truth().boxes, PICTURE, 16, 0.5)
    assert len(boxes) == len(overlaps) == len(objects) == 0


# The climb


def hill(target: Tensor) -> object:
    """A confidence that a network would have if it knew the truth."""
    return lambda boxes: iou(boxes, target.expand_as(boxes))


def test_boxes_climb_towards_more_and_never_end_lower() -> None:
    target = torch.tensor([[20.0, 20.0, 60.0, 60.0]])
    torch.manual_seed(0)
    boxes = moved_boxes(target, (80, 80), 200, 0.5)[0]
    refined = refine_boxes(boxes, hill(target), RefinementRule(steps=40, settled=1e-5))  # type: ignore[arg-type]
    before, after = iou(boxes, target), iou(refined, target)
    assert (after >= before).all()
    assert after.mean() > before.mean() + 0.05


def test_a_step_is_the_slope_times_the_size_of_the_box() -> None:
    slope = torch.tensor([0.1, -0.2, 0.3, 0.4])
    boxes = torch.tensor([[10.0, 20.0, 30.0, 60.0]])
    refined = refine_boxes(boxes, lambda b: (b * slope).sum(1), RefinementRule(steps=1))
    torch.testing.assert_close(refined, boxes + 0.5 * slope * torch.tensor([20.0, 40.0, 20.0, 40.0]))


def test_a_box_stops_where_it_gains_nothing_and_the_others_go_on() -> None:
    calls: list[Tensor] = []

    def confidence(boxes: Tensor) -> Tensor:
        calls.append(boxes.detach().clone())
        flat = torch.tensor([1e-6, 1.0])
        return flat * boxes[:, 2] / 10

    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0]]).repeat(2, 1)
    refined = refine_boxes(boxes, confidence, RefinementRule(steps=4))
    assert len(calls) == 5
    assert torch.equal(calls[1][0], refined[0])  # after one step that gained too little
    widths = [float(c[1, 2]) for c in calls]
    assert widths == sorted(set(widths))


# The whole


def test_four_pictures_are_learnt_by_heart() -> None:
    images, truths = drawn()
    assert learnt_by_heart(made(), images, truths, steps=40) >= 0.95


def test_every_parameter_learns_also_without_objects() -> None:
    images, truths = drawn(2)
    model = made().train()
    ignored = TrueObjects(truths[0].boxes, truths[0].labels, torch.ones(len(truths[0]), dtype=torch.bool))
    for targets in (truths, [truth(), truth()], [ignored, truth()]):
        model.zero_grad()
        losses = model.losses(images, targets)
        sum(losses.values()).backward()
        assert all(torch.isfinite(v) for v in losses.values())
        assert [n for n, p in model.named_parameters() if p.grad is None] == []
    assert losses["overlap_loss"] == 0  # an object that counts for nothing teaches nothing


def test_a_picture_in_which_nothing_is_found_has_an_answer() -> None:
    model = made().eval()
    model.regions.rule = replace(model.regions.rule, score=1.0)
    with torch.inference_mode():
        found = model(torch.zeros(2, 3, *PICTURE))
    assert [len(f) for f in found] == [0, 0]
