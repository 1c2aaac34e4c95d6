"""Faster R-CNN and Mask R-CNN on a pyramid: learning by heart, learning shapes, and how their parts are made."""

from typing import Any

import numpy as np
import pytest
import torch
from drawn_shapes import CLASSES, SIDE, SMALL, drawn, learnt_by_heart, train
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from osler.imaging.geometry import mask_boxes
from osler.metrics.detection import coco_numbers, detection_scores, paste_mask
from osler.models.detection.mask_head import true_masks
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


@settings(max_examples=40)
@given(
    middle=st.tuples(st.floats(30, 66), st.floats(30, 66)),
    radii=st.tuples(st.floats(6, 28), st.floats(6, 28)),
    shift=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
)
def test_a_perfect_mask_pasted_back_is_the_object(
    middle: tuple[float, float], radii: tuple[float, float], shift: tuple[float, float]
) -> None:
    y, x = np.mgrid[0:96, 0:96] + 0.5
    mask = (((x - middle[0]) / radii[0]) ** 2 + ((y - middle[1]) / radii[1]) ** 2 <= 1).astype(np.uint8)
    box = torch.from_numpy(mask_boxes(mask[None])) + torch.tensor([[-1, -1, 1, 1]]) + torch.tensor([[*shift, *shift]])
    truth = TrueObjects(box, torch.tensor([0]), torch.zeros(1, dtype=torch.bool), torch.from_numpy(mask)[None])
    learnt = true_masks(truth, torch.tensor([0]), box, 28)[0]
    pasted = paste_mask(learnt.numpy(), box[0].numpy(), (96, 96))
    assert (pasted & mask).sum() / (pasted | mask).sum() > 0.96
