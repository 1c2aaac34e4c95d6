"""What mistakes cost, against the papers' formulas written out place by place."""

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from osler.lab.drawn_objects import truth
from osler.models.detection.anchor_reading import AnchorReading, FocalTerm, HardNegativeTerm
from osler.models.detection.cell_reading import CellReading
from osler.models.detection.dense_head import Answers, place_rows
from osler.models.detection.grid_reading import GridReading
from osler.models.detection.matched_places import Matched
from osler.models.detection.point_reading import PointReading
from osler.ops.box_coding import SSD_WEIGHTS
from osler.ops.box_overlap import ciou, giou
from osler.ops.cell_anchors import CellAnchors
from osler.structures.detections import TrueObjects

ANCHORS = torch.tensor([[0.0, 0, 16, 16], [16, 0, 32, 16], [0, 16, 16, 32], [16, 16, 32, 32]])
MATCHES = [torch.tensor([0, -1, -2, -1]), torch.tensor([-1, 1, 0, -1])]
TRUTHS = [truth((1, 2, 15, 14, 1)), truth((0, 14, 18, 32, 0), (14, 1, 31, 17, 2))]


def answers(classes: int, places: int = 4, numbers: int = 4, side: int = 2, picture: int = 32) -> Answers:
    rng = torch.Generator().manual_seed(3)
    scores = torch.randn(2, places, classes, generator=rng)
    codes = torch.randn(2, places, numbers, generator=rng)
    grid = (side, side)
    return Answers(scores.requires_grad_(), codes.requires_grad_(), (grid,), (places,), (picture, picture))


def reading(**options: object) -> AnchorReading:
    given = iter(MATCHES)
    return AnchorReading(lambda *_: ANCHORS, lambda *_: next(given), **options)


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


def coded(box: Tensor, anchor: Tensor, weights: Sequence[float]) -> list[float]:
    (x1, y1, x2, y2), (a1, b1, a2, b2) = box.tolist(), anchor.tolist()
    w, h = a2 - a1, b2 - b1
    plain = ((x1 + x2 - a1 - a2) / 2 / w, (y1 + y2 - b1 - b2) / 2 / h, math.log((x2 - x1) / w), math.log((y2 - y1) / h))
    return [p * weight for p, weight in zip(plain, weights, strict=True)]


@pytest.mark.craft("DE34")
@pytest.mark.parametrize(("alpha", "gamma", "column"), [(0.25, 2.0, 0), (-1.0, 0.0, 0), (0.25, 2.0, 1)])
def test_retinanet_sums_the_focal_loss_over_a_picture_by_its_objects(alpha: float, gamma: float, column: int) -> None:
    given = answers(3 + column)
    named = reading(classes=FocalTerm(alpha, gamma, bool(column))).losses(given, TRUTHS)
    classes, boxes = [], []
    for scores, codes, matches, true in zip(given.scores, given.codes, MATCHES, TRUTHS, strict=True):
        focal, moved = 0.0, 0.0
        for place, match in enumerate(matches.tolist()):
            if match == -2:
                continue
            for k, x in enumerate(scores[place].tolist()):
                is_true = match >= 0 and k == int(true.labels[match]) + column
                log_p = log_sigmoid(x if is_true else -x)
                weight = 1.0 if alpha < 0 else alpha if is_true else 1 - alpha
                focal -= weight * (1 - math.exp(log_p)) ** gamma * log_p
            if match >= 0:
                wanted = coded(true.boxes[match], ANCHORS[place], (1, 1, 1, 1))
                moved += sum(abs(c - w) for c, w in zip(codes[place].tolist(), wanted, strict=True))
        positives = int((matches >= 0).sum())
        classes.append(focal / positives)
        boxes.append(moved / positives)
    torch.testing.assert_close(named["class_loss"].detach(), torch.tensor(sum(classes) / 2))
    torch.testing.assert_close(named["box_loss"].detach(), torch.tensor(sum(boxes) / 2))


@pytest.mark.craft("DE31")
def test_ssd_sums_over_the_batch_and_learns_from_the_three_hardest_negatives() -> None:
    places = 12
    rng = torch.Generator().manual_seed(0)
    scores = torch.randn(1, places, 3, generator=rng).requires_grad_()
    matches = torch.tensor([-1] * places)
    matches[5], matches[7] = 0, -2
    matched = Matched.of([matches], [truth((1, 2, 15, 14, 1))])
    loss = HardNegativeTerm().loss(scores, matched)
    loss.sum().backward()
    as_background = -scores[0].detach().log_softmax(dim=1)[:, 0]
    negatives = [p for p in range(places) if p not in (5, 7)]
    hardest = sorted(negatives, key=lambda p: -float(as_background[p]))[:3]
    assert scores.grad[0].abs().sum(dim=1).nonzero().flatten().tolist() == sorted([5, *hardest])
    own = -scores[0, 5].detach().log_softmax(dim=0)[2]
    torch.testing.assert_close(loss.detach()[0], own + as_background[hardest].sum())


def test_ssd_divides_by_the_default_boxes_of_the_batch() -> None:
    given = answers(4)
    named = reading(classes=HardNegativeTerm(), weights=SSD_WEIGHTS, beta=1.0, per="batch").losses(given, TRUTHS)
    moved = 0.0
    for codes, matches, true in zip(given.codes, MATCHES, TRUTHS, strict=True):
        for place, match in enumerate(matches.tolist()):
            if match >= 0:
                wanted = coded(true.boxes[match], ANCHORS[place], SSD_WEIGHTS)
                away = [abs(c - w) for c, w in zip(codes[place].tolist(), wanted, strict=True)]
                moved += sum(a**2 / 2 if a < 1 else a - 0.5 for a in away)
    torch.testing.assert_close(named["box_loss"].detach(), torch.tensor(moved / 3))


@pytest.mark.craft("DE30")
def test_yolo_v1_costs_equation_3() -> None:
    """Redmon et al. 2016, written out cell by cell: S = 2, B = 2, C = 3, pictures of 32 pixels."""
    given = answers(3, numbers=10)
    named = GridReading().losses(given, TRUTHS)
    sums = dict.fromkeys(named, 0.0)
    for scores, codes, true in zip(given.scores.tolist(), given.codes.tolist(), TRUTHS, strict=True):
        for cell in range(4):
            row, column = divmod(cell, 2)
            boxes = [codes[cell][:5], codes[cell][5:]]
            held = [
                (b, int(k))
                for b, k in zip(true.boxes.tolist(), true.labels, strict=True)
                if ((b[0] + b[2]) // 32, (b[1] + b[3]) // 32) == (column, row)
            ]
            if not held:
                sums["empty_loss"] += 0.5 * sum(b[4] ** 2 for b in boxes)
                continue
            (x1, y1, x2, y2), label = held[0]
            pixels = [in_pixels(b, column, row) for b in boxes]
            overlaps = [overlap(p, (x1, y1, x2, y2)) for p in pixels]
            assert max(overlaps) > 0
            best = overlaps.index(max(overlaps))
            own, other = boxes[best], boxes[1 - best]
            place = ((x1 + x2) / 32 - column, (y1 + y2) / 32 - row)
            roots = (math.sqrt((x2 - x1) / 32), math.sqrt((y2 - y1) / 32))
            sums["coordinate_loss"] += 5 * sum((o - w) ** 2 for o, w in zip(own, (*place, *roots), strict=False))
            sums["object_loss"] += (own[4] - overlaps[best]) ** 2
            sums["empty_loss"] += 0.5 * other[4] ** 2
            sums["class_loss"] += sum((p - (k == label)) ** 2 for k, p in enumerate(scores[cell]))
    for key, value in sums.items():
        assert float(named[key].detach()) == pytest.approx(value / 2, rel=1e-4), key


def in_pixels(numbers: list[float], column: int, row: int) -> tuple[float, float, float, float]:
    x, y, width, height = (
        (numbers[0] + column) * 16,
        (numbers[1] + row) * 16,
        numbers[2] ** 2 * 32,
        numbers[3] ** 2 * 32,
    )
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(0.0, width) * max(0.0, height)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def test_yolo_v3_costs_what_its_paper_says() -> None:
    layout = CellAnchors((((12.0, 12.0),),), (16,))
    given = answers(3, numbers=5)
    named = CellReading(layout, ignore=1.0).losses(given, TRUTHS)
    box = sure = classes = 0.0
    for scores, codes, true in zip(given.scores.tolist(), given.codes.tolist(), TRUTHS, strict=True):
        for cell in range(4):
            row, column = divmod(cell, 2)
            held = [
                (b, int(k))
                for b, k in zip(true.boxes.tolist(), true.labels, strict=True)
                if ((b[0] + b[2]) // 32, (b[1] + b[3]) // 32) == (column, row)
            ]
            x, y, w, h, objectness = codes[cell]
            sure -= log_sigmoid(objectness if held else -objectness)
            for (x1, y1, x2, y2), label in held:
                place = ((x1 + x2) / 32 - column, (y1 + y2) / 32 - row)
                part = sum(-p * log_sigmoid(o) - (1 - p) * log_sigmoid(-o) for o, p in zip((x, y), place, strict=True))
                part += (w - math.log((x2 - x1) / 12)) ** 2 / 2 + (h - math.log((y2 - y1) / 12)) ** 2 / 2
                box += (2 - (x2 - x1) * (y2 - y1) / 32**2) * part
                classes -= sum(log_sigmoid(s if k == label else -s) for k, s in enumerate(scores[cell]))
    for key, value in {"box_loss": box, "object_loss": sure, "class_loss": classes}.items():
        assert float(named[key].detach()) == pytest.approx(value / 3, rel=1e-4), key


def test_a_box_of_yolo_v3_that_overlaps_an_object_enough_is_no_background() -> None:
    layout = CellAnchors((((12.0, 12.0), (4.0, 4.0)),), (16,))
    codes = torch.zeros(1, 8, 5)
    codes[0, 1, 2:4] = math.log(3.0)  # the first cell's second anchor, grown to the first's size
    codes.requires_grad_()
    given = Answers(torch.zeros(1, 8, 1), codes, ((2, 2),), (8,), (32, 32))
    CellReading(layout).losses(given, [truth((2, 2, 14, 14, 0))])["object_loss"].backward()
    assert (codes.grad[0, :, 4] == 0).nonzero().flatten().tolist() == [1]
    assert float(codes.grad[0, 0, 4]) < 0 < float(codes.grad[0, 2, 4])


@pytest.mark.parametrize("matching", ["task_aligned", "simota"])
@pytest.mark.parametrize(("box_loss", "measure"), [("giou", giou), ("ciou", ciou)])
def test_a_score_without_anchors_is_to_become_how_well_its_box_fits(
    matching: str, box_loss: str, measure: Callable[[Tensor, Tensor], Tensor]
) -> None:
    """64 points with boxes of 6 pixels, but for one, whose box is the object: two strides of 8 to each side."""
    exact = 2 * 8 + 2
    codes, scores = torch.full((1, 64, 4), -1.0), torch.full((1, 64, 2), -3.0)
    codes[0, exact] = math.log(2.0)
    given = Answers(scores, codes, ((8, 8),), (64,), (64, 64))
    true = truth((20 - 16, 20 - 16, 20 + 16, 20 + 16, 1))
    reading = PointReading((8,), matching, box_loss)
    places = reading.places(given.grids, torch.device("cpu"))
    boxes = places.decoded(codes)
    torch.testing.assert_close(boxes[0, exact], true.boxes[0])
    matched, quality = reading.matched(given, boxes, places, [true])
    own = matched.place.tolist()
    assert exact in own
    assert float(quality[0, exact]) == pytest.approx(1, abs=1e-4)
    assert all(float(quality[0, place]) < 0.1 for place in own if place != exact)
    wanted = torch.zeros(64, 2)
    wanted[own, 1] = quality[0, own]
    cross = -sum(w * log_sigmoid(-3.0) + (1 - w) * log_sigmoid(3.0) for w in wanted.flatten().tolist())
    apart = (quality[0, own] * (1 - measure(boxes[0, own], true.boxes.expand(len(own), 4)))).sum()
    named, total = reading.losses(given, [true]), max(1.0, float(quality.sum()))
    assert float(named["class_loss"]) == pytest.approx(cross / total, rel=1e-4)
    assert float(named["box_loss"]) == pytest.approx(2.5 * float(apart) / total, rel=1e-4, abs=1e-6)


def test_positives_of_a_batch_carry_their_own_pictures_objects() -> None:
    matched = Matched.of(MATCHES, TRUTHS)
    assert list(zip(matched.picture.tolist(), matched.place.tolist(), strict=True)) == [(0, 0), (1, 1), (1, 2)]
    assert matched.labels.tolist() == [1, 2, 0]
    assert torch.equal(matched.boxes, torch.stack((TRUTHS[0].boxes[0], TRUTHS[1].boxes[1], TRUTHS[1].boxes[0])))
    assert matched.counts.tolist() == [1, 2]
    assert matched.per_picture(torch.tensor([1.0, 2.0, 4.0])).tolist() == [1, 6]
    nothing: list[TrueObjects] = [truth(), truth()]
    none = Matched.of([torch.full((4,), -1)] * 2, nothing)
    assert none.counts.tolist() == [0, 0]
    assert none.boxes.shape == (0, 4)


def test_a_row_is_a_place_whose_channels_are_anchor_by_anchor() -> None:
    out = torch.arange(2 * 6 * 2 * 3).reshape(2, 6, 2, 3)
    made = place_rows(out, 3)  # two anchors a position
    assert made.shape == (2, 12, 3)
    for batch, place, number in ((0, 0, 0), (1, 7, 2), (0, 11, 1)):
        position, anchor = divmod(place, 2)
        row, column = divmod(position, 3)
        assert int(made[batch, place, number]) == int(out[batch, anchor * 3 + number, row, column])
