"""What every detector of one stage does, whatever its parts: answers, losses that reach everything, learning by heart."""

import copy
import pickle
import re

import pytest
import torch
from torch import Tensor, nn

from osler.lab.detector_fitting import ap50, fit_detector
from osler.lab.drawn_objects import CLASSES, SIDE, drawn_pictures, truth
from osler.models.registry import create_model, family, list_detectors, model_options
from osler.structures.detections import Detections
from osler.structures.errors import RecipeError

BACKBONE = {"backbone": {"name": "resnet18", "options": {"width": 0.125}}}
LEVELS = {"strides": (8, 16), "channels": 32, **BACKBONE}
SMALL: dict[str, dict[str, object]] = {  # each kind, small enough for pictures of 64 pixels
    "retinanet_light": {"anchor": 12.0, **LEVELS},
    "ssd_light": {"strides": (8, 16), "further": 2, "smallest": 0.2, **BACKBONE},
    "yolo_v1_light": {"stride": 16, "grid": 4, "dropout": 0.0, **BACKBONE},
    "yolo_v3_light": {"shapes": ((14, 14), (20, 20), (24, 24), (28, 28)), **LEVELS},
    "yolo_free_light": LEVELS,
}
OTHERS: list[tuple[str, dict[str, object]]] = [
    ("retinanet_light", {"background_column": True}),
    ("yolo_v3_light", {"neck": "pan"}),
    ("yolo_free_light", {"matching": "simota", "box_loss": "ciou", "neck": "fpn"}),
]
NAMES = ("retinanet", "ssd300", "ssd512", "yolo_v1", "yolo_v3", "yolo_free")
ROW = re.compile(r"^\| (\w+) \|.* ([\d,]+) \|$", re.MULTILINE)

every_kind = pytest.mark.parametrize("name", SMALL)
every_form = pytest.mark.parametrize(("name", "options"), [*((n, {}) for n in SMALL), *OTHERS])


def make(name: str, seed: int = 0, **options: object) -> nn.Module:
    torch.manual_seed(seed)
    return create_model(name, num_classes=CLASSES, **SMALL[name] | options)


def total(named: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(named.values())).sum()


def unreached(model: nn.Module) -> list[str]:
    return [name for name, p in model.named_parameters() if p.grad is None]


def test_all_of_them_are_registered_and_have_a_light_form() -> None:
    assert {*NAMES, *SMALL} <= set(list_detectors())


@pytest.mark.parametrize("name", [*NAMES, *SMALL])
def test_parameters_are_those_of_the_header(name: str) -> None:
    headers = dict(ROW.findall(family(name).__doc__))
    with torch.device("meta"):
        model = create_model(name, num_classes=90)
    assert f"{sum(p.numel() for p in model.parameters()):,}" == headers[name]
    assert model.minimum_size <= model.input_size


@every_form
def test_answers_are_boxes_in_the_picture_the_surest_first(name: str, options: dict[str, object]) -> None:
    model = make(name, **options).eval()
    images, _ = drawn_pictures(3)
    with torch.no_grad():
        found = model(images)
        again = model(images)
        smallest = model(torch.zeros(1, 3, model.minimum_size, model.minimum_size))
        oblong = model(torch.zeros(1, 3, SIDE, 2 * SIDE))
    assert len(found) == 3
    assert len(smallest) == len(oblong) == 1
    for one, same in zip(found, again, strict=True):
        assert isinstance(one, Detections)
        assert bool((one.scores.diff() <= 0).all())
        assert bool(((one.scores >= 0) & (one.scores <= 1)).all())
        assert bool(((one.boxes >= 0) & (one.boxes <= SIDE)).all())
        assert set(one.labels.tolist()) <= set(range(CLASSES))
        assert torch.equal(one.boxes, same.boxes)


@every_form
def test_losses_reach_every_parameter_with_objects_and_without(name: str, options: dict[str, object]) -> None:
    images, truths = drawn_pictures(2)
    for given in (truths, [truths[0], truth()], [truth(), truth()]):
        model = make(name, **options)
        named = model.losses(images, given)
        assert all(value.ndim == 0 and bool(value.isfinite()) for value in named.values())
        assert all(bool(value >= 0) for value in named.values())
        total(named).backward()
        assert unreached(model) == []
        assert all(bool(p.grad.isfinite().all()) for p in model.parameters())


@every_kind
def test_with_objects_all_parameters_learn(name: str) -> None:
    model = make(name)
    total(model.losses(*drawn_pictures(4))).backward()
    still = [n for n, p in model.named_parameters() if float(p.grad.abs().max()) == 0]
    coarse = r"^(neck|head)\."  # a level whose anchors fit no object learns nothing of boxes
    assert [n for n in still if not re.match(coarse, n)] == []


@every_form
def test_ignored_objects_count_neither_for_nor_against(name: str, options: dict[str, object]) -> None:
    model = make(name, **options).eval()
    images, _ = drawn_pictures(1)
    everywhere = truth((-1000, -1000, 1000, 1000, 0), ignored=[0])
    assert float(total(model.losses(images, [everywhere])).detach()) == 0
    one, crowd = (4, 4, 28, 28, 0), (36, 36, 60, 60, 1)
    counted = total(model.losses(images, [truth(one, crowd)])).detach()
    ignored = total(model.losses(images, [truth(one, crowd, ignored=[1])])).detach()
    relabelled = total(model.losses(images, [truth(one, (*crowd[:4], 0), ignored=[1])])).detach()
    assert float(ignored) != float(counted)
    assert float(ignored) == float(relabelled)


@every_kind
def test_losses_of_a_picture_twice_are_those_of_the_picture(name: str) -> None:
    model = make(name).eval()
    images, truths = drawn_pictures(1)
    once, twice = model.losses(images, truths), model.losses(images.repeat(2, 1, 1, 1), truths * 2)
    for key, value in once.items():
        torch.testing.assert_close(twice[key], value, rtol=1e-4, atol=1e-6)


@every_kind
def test_low_precision_leaves_losses_and_boxes_in_float32(name: str) -> None:
    model = make(name)
    images, truths = drawn_pictures(2)
    with torch.autocast("cpu", torch.bfloat16):
        named = model.losses(images, truths)
        total(named).backward()
        found = model.eval()(images)
    assert {value.dtype for value in named.values()} == {torch.float32}
    assert all(f.boxes.dtype == f.scores.dtype == torch.float32 for f in found)


@every_kind
def test_a_detector_can_be_copied_and_its_head_and_reading_pickled(name: str) -> None:
    model = make(name).eval()
    images, truths = drawn_pictures(1)
    wanted = total(model.losses(images, truths)).detach()
    other = copy.deepcopy(model)
    other.head, other.reading = pickle.loads(pickle.dumps((model.head, model.reading)))
    torch.testing.assert_close(total(other.losses(images, truths)).detach(), wanted)


@pytest.mark.craft("DE30")
def test_yolo_v1_learns_four_pictures_by_heart() -> None:
    images, truths = drawn_pictures()
    model = make("yolo_v1_light")
    assert model.head.cells.out_features == 4 * 4 * (5 * 2 + CLASSES)
    assert ap50(fit_detector(model, images, truths, steps=120), images, truths, CLASSES) >= 0.95


@pytest.mark.craft("DE30", "DE31", "DE34")
@pytest.mark.parametrize("name", ["retinanet_light", "ssd_light", "yolo_v3_light", "yolo_free_light"])
def test_four_pictures_are_learnt_by_heart(name: str) -> None:
    images, truths = drawn_pictures()
    before = ap50(make(name).eval(), images, truths, CLASSES)
    assert before < 0.5
    assert ap50(fit_detector(make(name), images, truths, steps=60), images, truths, CLASSES) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), OTHERS[1:])
def test_the_other_fillings_learn_by_heart_too(name: str, options: dict[str, object]) -> None:
    images, truths = drawn_pictures()
    model = fit_detector(make(name, **options), images, truths, steps=80)
    assert ap50(model, images, truths, CLASSES) >= 0.95


@pytest.mark.parametrize("name", [n for n in SMALL if "backbone" in model_options(n)])
def test_any_network_is_a_backbone(name: str) -> None:
    options = {**SMALL[name], "backbone": {"name": "mobilenet_v3_small", "options": {"width": 0.25}}}
    model = create_model(name, num_classes=3, in_channels=1, **options)
    assert len(model.eval()(torch.zeros(1, 1, SIDE, SIDE))) == 1


def test_shapes_that_cannot_be_dealt_out_are_a_sentence() -> None:
    with pytest.raises(RecipeError, match="2 levels need a multiple of 2 shapes; given: 3"):
        make("yolo_v3_light", shapes=((10, 10), (20, 20), (30, 30)))


def test_shapes_go_small_to_large_to_the_levels_in_whatever_order_they_are_given() -> None:
    model = make("yolo_v3_light", shapes=((28, 28), (14, 14), (20, 20), (24, 24)))
    assert model.reading.layout.shapes == (((14, 14), (20, 20)), ((24, 24), (28, 28)))
