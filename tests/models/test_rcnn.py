"""The generations of R-CNN on the same small pictures."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from drawn_shapes import CLASSES, SMALL, drawn, learnt_by_heart, truth
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from osler.data.objects.digits_in_the_wild import DigitsInTheWild
from osler.metrics.detection import coco_numbers
from osler.models.detection import backbone, region_estimators, single_level
from osler.models.registry import create_model
from osler.ops import box_iou
from osler.ops.box_coding import decode_boxes
from osler.structures.detections import TrueObjects
from osler.structures.preprocessing import Preprocessing

ONE_BY_ONE = {"side": 32}
GENERATIONS: dict[str, dict[str, Any]] = {
    "rcnn_light": ONE_BY_ONE,
    "fast_rcnn_light": {"stride": 16},
    "faster_rcnn_2015_light": {"stride": 8, "sizes": (16.0, 24.0)},
}


def made(name: str, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    return create_model(name, num_classes=CLASSES, **(SMALL | GENERATIONS[name] | options))


def mean_overlap(boxes: list[Tensor], truths: list[TrueObjects]) -> float:
    """Of each object the best IoU."""
    return float(torch.cat([box_iou(t.boxes, b).max(dim=1).values for b, t in zip(boxes, truths, strict=True)]).mean())


@pytest.fixture(scope="module")
def rcnn() -> tuple[nn.Module, Tensor, list[TrueObjects]]:
    """R-CNN whose network knows four pictures by heart, before its estimators are fitted."""
    images, truths = drawn()
    model = made("rcnn_light", side=64)
    assert learnt_by_heart(model, images, truths, steps=30) >= 0.95
    return model, images, truths


@pytest.mark.craft("DE13")
def test_rcnn_runs_from_end_to_end(rcnn: tuple[nn.Module, Tensor, list[TrueObjects]]) -> None:
    model, images, truths = rcnn
    model.fit_estimators([(images[:3], truths[:3]), (images[3:], truths[3:])])
    assert model.estimators.fitted
    with torch.inference_mode():
        found = model(images)
    assert coco_numbers(found, truths, CLASSES)["ap50"] >= 0.95
    with torch.inference_mode():
        asked = model.estimators.margins(model.look(images[:1], model.proposals(images[:1])[0]).features)
    torch.testing.assert_close(found[0].scores[0], asked.max().sigmoid())  # what answers is the SVM, no softmax
    model.losses(images, truths)
    assert not model.estimators.fitted  # a network that trains on is another


@pytest.mark.craft("DE21")
def test_the_regression_lifts_boxes_towards_their_objects(
    rcnn: tuple[nn.Module, Tensor, list[TrueObjects]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A region that shows a true object, but too little of it to count as found, is moved until it counts."""
    monkeypatch.setattr(region_estimators, "RIDGE", 1.0)  # the published penalty is for regions by the thousand
    model, images, truths = rcnn
    torch.manual_seed(0)
    model.eval()
    shifts = [2 * torch.rand(40, 1, 4) - 1 for _ in truths]
    sides = [(t.boxes[:, 2:] - t.boxes[:, :2]).repeat(1, 2) for t in truths]
    near = [(t.boxes + 0.25 * s * side).flatten(0, 1) for t, s, side in zip(truths, shifts, sides, strict=True)]
    monkeypatch.setattr(model.proposals, "forward", handing_out(near))
    model.fit_estimators([(images, truths)])
    moved_by = torch.tensor([0.35, 0.0, 0.35, 0.0])  # of the width: IoU 0.65 / 1.35
    before, after = [], []
    for image, t, side in zip(images, truths, sides, strict=True):
        off = t.boxes + moved_by * side
        codes = model.estimators.codes(model.look(image[None], off).maps)[torch.arange(len(t)), t.labels]
        before.append(box_iou(off, t.boxes).diagonal())
        after.append(box_iou(decode_boxes(codes, off), t.boxes).diagonal())
    assert torch.cat(before).mean() < 0.5 < torch.cat(after).mean()


def handing_out(regions: list[Tensor]) -> Any:
    """A search that hands out regions, a picture after the other."""
    rest = list(regions)
    return lambda images: [rest.pop(0) for _ in images]


@pytest.mark.parametrize("name", ["fast_rcnn_light", pytest.param("faster_rcnn_2015_light", marks=pytest.mark.slow)])
def test_four_pictures_are_learnt_by_heart(name: str) -> None:
    images, truths = drawn()
    assert learnt_by_heart(made(name), images, truths, steps=120 if "faster" in name else 30) >= 0.95


@pytest.mark.craft("DE14")
def test_one_pass_for_all_regions_costs_a_fraction() -> None:
    """Arithmetic of the light ones on a real picture; benchmarks/rcnn_generations.py takes the time."""
    pixels = torch.from_numpy(DigitsInTheWild.drawn("train", 1, side=128)[0].image).permute(2, 0, 1)[None]
    images, costs, passes = Preprocessing().standardise(pixels), {}, {}
    for name in ("rcnn_light", "fast_rcnn_light"):
        model = create_model(name, num_classes=10).eval()
        looked: list[int] = []
        body = model.network if name == "rcnn_light" else model.backbone
        body.register_forward_pre_hook(lambda _, inputs, looked=looked: looked.append(len(inputs[0])))
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            model(images)
        costs[name], passes[name] = counter.get_total_flops(), sum(looked)
        regions = len(model.proposals(images)[0])
    assert regions > 30
    assert passes == {"rcnn_light": regions, "fast_rcnn_light": 1}
    assert costs["rcnn_light"] > 3 * costs["fast_rcnn_light"]


@pytest.mark.parametrize("name", GENERATIONS)
def test_every_parameter_learns_with_objects_without_and_with_ignored_ones(name: str) -> None:
    images, truths = drawn(2)
    model = made(name).train()
    ignored = TrueObjects(truths[0].boxes, truths[0].labels, torch.ones(len(truths[0]), dtype=torch.bool))
    for targets in (truths, [truth(), truth()], [truth(), truths[1]], [ignored, truth()]):
        model.zero_grad()
        losses = model.losses(images, targets)
        sum(losses.values()).backward()
        assert all(torch.isfinite(v) for v in losses.values())
        assert [n for n, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", GENERATIONS)
def test_a_black_picture_has_an_answer(name: str) -> None:
    model = made(name).eval()
    with torch.inference_mode():
        (found,) = model(torch.zeros(1, 3, 64, 96))
    assert (found.scores.diff() <= 0).all()
    assert (found.boxes >= 0).all()
    assert (found.boxes[:, [0, 2]] <= 96).all()


def test_the_layers_of_the_published_detectors_are_those_of_the_papers() -> None:
    with torch.device("meta"):
        fast, faster, rcnn = (create_model(n, num_classes=20) for n in ("fast_rcnn", "faster_rcnn_2015", "rcnn"))
    assert fast.regions.fc6.weight.shape == (4096, 512 * 7 * 7)
    assert fast.regions.scores.out_features == 21  # Girshick 2015, section 2.2
    assert fast.regions.codes.out_features == 4 * 21
    assert faster.proposals.objectness.out_channels == 9  # nine anchors, each one sigmoid in the place of two softmaxes
    assert faster.proposals.codes.out_channels == 36
    assert rcnn.estimators.svm_weight.shape == (20, 4096)  # Girshick et al. 2014, section 2.2
    assert rcnn.estimators.ridge_weight.shape == (80, 256 * 6 * 6)  # appendix C: of the fifth pooling


def test_anchors_that_leave_the_picture_train_nothing() -> None:
    model = made("faster_rcnn_2015_light").train()
    images, (objects, _) = drawn(2)
    answered = model.proposals(model.levels(images), (64, 64))
    matched = model.proposals._matched(answered, objects)
    outside = (answered.anchors < 0).any(1) | (answered.anchors > 64).any(1)
    assert outside.any()
    assert (matched[outside] == -2).all()
    assert (matched[~outside] != -2).any()


def test_public_weights_start_the_layers_that_the_backbone_has(monkeypatch: pytest.MonkeyPatch) -> None:
    network = create_model("vgg11", num_classes=1000, width=0.125)
    asked = []

    def trained(name: str, *, weights: str, **options: Any) -> nn.Module:
        asked.append((name, weights))
        return copy.deepcopy(network)

    monkeypatch.setattr(backbone, "create_model", trained)
    scale = replace(single_level.FULL, backbone="vgg11", width=network.classifier[0].out_features)
    choice = backbone.BackboneChoice(weights="torchvision", options={"width": 0.125})
    head = single_level.fast_rcnn(scale, 2, backbone=choice).regions
    assert set(asked) == {("vgg11", "torchvision")}
    torch.testing.assert_close(head.fc6.weight, network.classifier[0].weight)
    torch.testing.assert_close(head.fc7.bias, network.classifier[3].bias)
    narrow = replace(scale, width=64)  # no layer of that shape: it starts anew
    single_level.fast_rcnn(narrow, 2, backbone=choice)
