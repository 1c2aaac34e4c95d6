"""Faster R-CNN and Mask R-CNN on a pyramid: learning by heart, learning shapes, and how their parts are made."""

from typing import Any

import numpy as np
import pytest
import torch
from drawn_shapes import CLASSES, SIDE, SMALL, drawn, learnt_by_heart, train
from torch import Tensor, nn

from osler.metrics.detection import coco_numbers, detection_scores
from osler.models.registry import create_model
from osler.ops import box_iou
from osler.structures.detections import TrueObjects

OPTIONS: dict[str, Any] = {**SMALL, "strides": (8, 16), "channels": 32, "anchor": 16}
NAMES = ("square", "disc")


def made(name: str, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    return create_model(name, num_classes=CLASSES, **(OPTIONS | options))


def lessons(updates: int, pictures: int = 8) -> list[tuple[Tensor, list[TrueObjects]]]:
    """Batches of pictures that are each seen once."""
    return [drawn(pictures, seed) for seed in range(1, updates + 1)]


@pytest.mark.slow  # the next one learns boxes as well
def test_faster_rcnn_learns_four_pictures_by_heart() -> None:
    images, truths = drawn()
    assert learnt_by_heart(made("faster_rcnn_light"), images, truths, steps=80) >= 0.95


def test_mask_rcnn_learns_four_pictures_and_their_masks_by_heart() -> None:
    images, truths = drawn()
    model = made("mask_rcnn_light")
    assert learnt_by_heart(model, images, truths, steps=50) >= 0.95
    with torch.no_grad():
        found = model(images)
    assert detection_scores(found, truths, NAMES)["mask_ap50"] >= 0.95


@pytest.mark.slow
@pytest.mark.craft("DE15", "DE16")
def test_faster_rcnn_finds_shapes_that_it_has_not_seen() -> None:
    model = made("faster_rcnn_light")
    course = train(model, lessons(250))
    images, truths = drawn(60, seed=10_000)
    with torch.no_grad():
        scores = coco_numbers(model(images), truths, CLASSES)
        levels = model.levels(images)
        proposed = model.proposals.propose(model.proposals(levels, (SIDE, SIDE)), (SIDE, SIDE))
    assert scores["ap50"] >= 0.8
    for name in course[0]:  # both losses of both stages
        early, late = (np.mean([losses[name] for losses in part]) for part in (course[:10], course[-10:]))
        assert late < early, name
    best = [box_iou(t.boxes, boxes[:100]).amax(dim=1) for t, boxes in zip(truths, proposed, strict=True)]
    assert float((torch.cat(best) >= 0.5).float().mean()) >= 0.9  # recall at 100 proposals


@pytest.mark.craft("DE16")
def test_the_proposal_network_answers_for_nine_anchors_at_every_position() -> None:
    with torch.device("meta"):
        proposals = create_model("faster_rcnn_2015", num_classes=20).proposals
    # One score an anchor through a sigmoid; the paper's pair through a softmax is the same with its difference as the score.
    assert (proposals.objectness.out_channels, proposals.codes.out_channels) == (9, 9 * 4)
    assert (proposals.conv.in_channels, proposals.conv.kernel_size) == (512, (3, 3))
    pair = torch.randn(5, 2)
    torch.testing.assert_close(pair.softmax(1)[:, 1], (pair[:, 1] - pair[:, 0]).sigmoid())


@pytest.mark.craft("DE28")
def test_the_mask_branch_gives_a_mask_for_every_class_and_learns_that_of_the_true_one() -> None:
    model = made("mask_rcnn_light")
    images, truths = drawn(2)
    levels = model.levels(images)
    raw = model.masks(levels, [t.boxes for t in truths])
    assert raw.shape == (4, CLASSES + 1, 28, 28)
    assert {type(m) for m in model.masks.modules()} & {nn.Linear, nn.Flatten} == set()  # fully convolutional
    sampled = model.regions.sample([t.boxes for t in truths], truths)
    model.masks.masks.weight.grad = None
    model.masks.losses(levels, sampled, truths)["mask_loss"].backward()
    moved = model.masks.masks.weight.grad.flatten(1).abs().sum(1) > 0
    present = {int(label) + 1 for t in truths for label in t.labels}
    assert {i for i, m in enumerate(moved.tolist()) if m} == present


@pytest.mark.craft("DE28")
def test_the_mask_branch_joins_the_others_at_the_regions() -> None:
    model = made("mask_rcnn_light")
    images, truths = drawn(2)
    torch.manual_seed(1)
    named = model.losses(images, truths)
    assert set(named) == {"proposal_loss", "proposal_box_loss", "class_loss", "box_loss", "mask_loss"}
    model.eval()
    with torch.no_grad():
        found = model(images)
    for picture in found:  # masks are made of the boxes that were kept, one for each
        assert picture.masks is not None
        assert picture.masks.shape == (len(picture), 28, 28)
        assert 0 <= float(picture.masks.amin()) <= float(picture.masks.amax()) <= 1
