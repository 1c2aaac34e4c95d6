"""From raw outputs to detections: what is kept, and that each reading decodes what it codes."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from osler.lab.drawn_objects import truth
from osler.models.detection.dense_head import Answers
from osler.models.detection.kept_answers import KeepRule, keep
from osler.models.registry import create_model
from osler.ops.box_coding import SSD_WEIGHTS, encode_boxes, encode_distances, encode_yolo_anchors, encode_yolo_grid

CPU = torch.device("cpu")
SURE = 12.0  # a raw score of nearly 1
TRUE = truth((10, 12, 34, 40, 1), (50, 20, 90, 80, 0), (8, 70, 30, 90, 2))
LEVELS = {"strides": (8, 16), "backbone": {"name": "resnet18", "options": {"width": 0.125}}}


def separate(count: int) -> Tensor:
    """Boxes of which none overlaps another."""
    corner = torch.arange(count, dtype=torch.float32)[:, None] * 10
    return torch.cat((corner, corner, corner + 5, corner + 5), dim=1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**20), st.integers(1, 6), st.sampled_from(["level", "class"]))
def test_the_surest_of_each_group_are_kept(seed: int, before: int, by: str) -> None:
    rng = torch.Generator().manual_seed(seed)
    shares = torch.rand(9, 2, generator=rng)
    per_level = (4, 3, 2)
    rule = KeepRule(score=0.2, before=before, by=by, overlap=0.5, most=7)
    boxes = separate(9)
    found = keep(shares, per_level, boxes.__getitem__, (100, 100), rule)
    level = [0] * 4 + [1] * 3 + [2] * 2
    groups: dict[int, list[tuple[float, int, int]]] = {}
    for place in range(9):
        for label in range(2):
            if float(shares[place, label]) > 0.2:
                group = level[place] if by == "level" else label
                groups.setdefault(group, []).append((float(shares[place, label]), place, label))
    chosen = sorted((row for rows in groups.values() for row in sorted(rows)[::-1][:before]), reverse=True)[:7]
    assert found.scores.tolist() == [row[0] for row in chosen]
    assert found.labels.tolist() == [row[2] for row in chosen]
    assert torch.equal(found.boxes, boxes[[row[1] for row in chosen]])


def test_of_two_boxes_of_a_class_in_one_place_the_surer_stays_and_boxes_are_cut_at_the_edge() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [90, 90, 120, 120]])
    shares = torch.tensor([[0.9, 0.3], [0.8, 0.6], [0.5, 0.0]])
    found = keep(shares, (3,), boxes.__getitem__, (100, 100), KeepRule())
    assert found.labels.tolist() == [0, 1, 0]
    torch.testing.assert_close(found.scores, torch.tensor([0.9, 0.6, 0.5]))
    assert found.boxes[2].tolist() == [90, 90, 100, 100]


def test_a_box_of_which_the_edge_leaves_nothing_is_no_answer() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [100, 20, 130, 40], [40, -30, 60, 0]])
    found = keep(torch.full((3, 1), 0.9), (3,), boxes.__getitem__, (100, 100), KeepRule())
    assert found.boxes.tolist() == [[0, 0, 10, 10]]


def test_where_nothing_is_sure_nothing_is_found() -> None:
    found = keep(torch.zeros(5, 2), (5,), separate(5).__getitem__, (100, 100), KeepRule())
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)


def best_places(anchors: Tensor) -> list[int]:
    """For each true object the anchor whose middle is nearest to its own."""
    middles = (anchors[:, :2] + anchors[:, 2:]) / 2
    true = (TRUE.boxes[:, :2] + TRUE.boxes[:, 2:]) / 2
    return [int((middles - middle).square().sum(dim=1).argmin()) for middle in true]


def retina(model: nn.Module, empty: Answers) -> Answers:
    anchors = model.reading.layout(empty.grids, empty.picture, CPU)
    own = best_places(anchors)
    empty.scores[0, own, TRUE.labels] = SURE
    empty.codes[0, own] = encode_boxes(TRUE.boxes, anchors[own])
    return empty


def ssd(model: nn.Module, empty: Answers) -> Answers:
    anchors = model.reading.layout(empty.grids, empty.picture, CPU)
    own = best_places(anchors)
    empty.scores[..., 0] = SURE  # background
    empty.scores[0, own, 0] = -SURE
    empty.scores[0, own, TRUE.labels + 1] = SURE
    empty.codes[0, own] = encode_boxes(TRUE.boxes, anchors[own], SSD_WEIGHTS)
    return empty


def cells(model: nn.Module, empty: Answers) -> Answers:
    anchors = torch.cat(model.reading.layout(empty.grids))
    laid, own = model.reading.cells(empty.grids, CPU), best_places(anchors)
    coded = encode_yolo_anchors(TRUE.boxes, laid.place[own], laid.size[own], laid.stride[own])
    coded[:, :2] = coded[:, :2].logit()
    empty.codes[..., 4] = -SURE
    empty.scores[..., 0] = SURE  # where there is no object, the class says nothing
    empty.scores[0, own] = -SURE
    empty.codes[0, own] = torch.cat((coded, torch.full((3, 1), SURE)), dim=1)
    empty.scores[0, own, TRUE.labels] = SURE
    return empty


def points(model: nn.Module, empty: Answers) -> Answers:
    places = model.reading.places(empty.grids, CPU)
    own = best_places(torch.cat((places.points, places.points), dim=1))
    empty.scores[0, own, TRUE.labels] = SURE
    empty.codes[0, own] = (encode_distances(TRUE.boxes, places.points[own]) / places.stride[own]).log()
    return empty


def grid(model: nn.Module, empty: Answers) -> Answers:
    side = model.head.grid
    place, coded = encode_yolo_grid(TRUE.boxes, empty.picture, side)
    own = place[:, 1] * side + place[:, 0]
    empty.scores.zero_()
    empty.codes.zero_()
    empty.scores[0, own, TRUE.labels] = 1
    empty.codes[0, own, 5:9], empty.codes[0, own, 9] = coded, 1.0  # the second box of each cell
    return empty


def finder(name: str, **options: object) -> nn.Module:
    torch.manual_seed(0)
    return create_model(name, num_classes=3, **options).eval()


@pytest.mark.parametrize(
    ("name", "options", "perfect"),
    [
        ("retinanet_light", LEVELS, retina),
        ("ssd_light", LEVELS, ssd),
        ("yolo_v3_light", LEVELS | {"shapes": ((16, 16), (48, 48))}, cells),
        ("yolo_free_light", LEVELS, points),
        ("yolo_v1_light", {k: v for k, v in LEVELS.items() if k != "strides"} | {"grid": 6}, grid),
    ],
)
def test_what_is_coded_rightly_is_found_exactly(
    name: str, options: dict[str, object], perfect: Callable[[nn.Module, Answers], Answers]
) -> None:
    model = finder(name, **options)
    with torch.no_grad():
        raw = model.answers(torch.zeros(1, 3, 96, 96))
    empty = Answers(torch.full_like(raw.scores, -SURE), torch.zeros_like(raw.codes), *_rest(raw))
    (found,) = model.reading.detect(perfect(model, empty))
    order = torch.tensor([int((found.boxes - box).abs().sum(dim=1).argmin()) for box in TRUE.boxes])
    assert len(found) == 3
    assert found.labels[order].tolist() == TRUE.labels.tolist()
    torch.testing.assert_close(found.boxes[order], TRUE.boxes, rtol=0, atol=1e-2)
    assert float(found.scores.min()) > 0.99


def _rest(raw: Answers) -> tuple[object, ...]:
    return raw.grids, raw.per_level, raw.picture


@pytest.mark.parametrize("name", ["retinanet_light", "ssd_light"])
def test_a_perfect_answer_costs_no_box_loss(name: str) -> None:
    model = finder(name, **LEVELS)
    with torch.no_grad():
        raw = model.answers(torch.zeros(1, 3, 96, 96))
    anchors = model.reading.layout(raw.grids, raw.picture, CPU)
    own = model.reading.match(anchors, TRUE.boxes, TRUE.ignored).clamp(min=0)
    exact = Answers(raw.scores, encode_boxes(TRUE.boxes[own], anchors, model.reading.weights)[None], *_rest(raw))
    assert float(model.reading.losses(exact, [TRUE])["box_loss"]) < 1e-5
    assert float(model.reading.losses(raw, [TRUE])["box_loss"]) > 1e-2
