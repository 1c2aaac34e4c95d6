"""The task of detection: steps, answers, what they are called in words, pictures and files, and what counts as wrong."""

import itertools
import json

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_detectors import BrightFinder, TorchvisionsManner

from osler.imaging.fit import FitTo
from osler.ops.box_overlap import iou
from osler.structures.batch import Batch
from osler.structures.detections import Detections, TrueObjects
from osler.structures.errors import TrainingError
from osler.structures.preprocessing import Preprocessing
from osler.structures.sample import Objects, Sample
from osler.tasks import object_drawing
from osler.tasks.building import task_from_facts
from osler.tasks.detection import Detection
from osler.tasks.object_drawing import words_beside
from osler.tasks.object_outline import outline_of
from osler.tasks.object_placing import place_in_picture
from osler.tasks.task import Outcome

NAMES = ("cell", "platelet")


def found_of(*rows: tuple[int, float, list[float]]) -> Detections:
    return Detections(
        torch.tensor([b for *_, b in rows], dtype=torch.float32).reshape(-1, 4),
        torch.tensor([v for v, *_ in rows], dtype=torch.long),
        torch.tensor([s for _, s, _ in rows], dtype=torch.float32),
    )


def sample(*boxes: list[float], side: int = 32, **flags: np.ndarray) -> Sample:
    """A dark picture with a white patch in each box, of classes 0, 1, 0, ..."""
    image = np.full((side, side, 3), 30, np.uint8)
    for x1, y1, x2, y2 in np.asarray(boxes, int).reshape(-1, 4):
        image[y1:y2, x1:x2] = 255
    objects = Objects(np.asarray(boxes, np.float32).reshape(-1, 4), np.arange(len(boxes)) % 2, **flags)
    return Sample(image, objects=objects)


def batch_of(task: Detection, *samples: Sample) -> Batch:
    images = torch.from_numpy(np.stack([s.image for s in samples])).permute(0, 3, 1, 2).float() / 255
    return Batch(images, task.collate(samples), torch.arange(len(samples)))


@pytest.mark.craft("DE01")
def test_one_step_gives_the_detectors_named_losses_in_float32() -> None:
    task, model = Detection(NAMES), BrightFinder()
    steps = list(task.steps(model, batch_of(task, sample([2, 2, 9, 9]), sample())))
    assert [step.group for step in steps] == ["model"]
    losses = steps[0].losses()
    assert {n: v.dtype for n, v in losses.items()} == {"class": torch.float32, "box": torch.float32}
    assert float(losses["box"].detach()) == pytest.approx(0.8, abs=0.01)
    sum(losses.values()).backward()  # type: ignore[union-attr]
    assert model.level.grad is not None


def test_a_picture_without_objects_is_a_target_like_others() -> None:
    truths = Detection(NAMES).collate([sample(), Sample(np.zeros((4, 4, 3), np.uint8))])
    assert [len(t) for t in truths] == [0, 0]
    assert all(t.boxes.shape == (0, 4) for t in truths)


def test_ignored_objects_are_not_asked_for() -> None:
    crowd, difficult = np.array([True, False, False]), np.array([False, True, False])
    (truth,) = Detection(NAMES).collate(
        [sample([0, 0, 4, 4], [5, 5, 9, 9], [1, 1, 8, 8], crowd=crowd, difficult=difficult)]
    )
    assert truth.ignored.tolist() == [True, True, False]
    assert truth.counted.boxes.tolist() == [[1, 1, 8, 8]]


@pytest.mark.craft("DE01")
def test_a_detector_in_torchvisions_manner_counts_classes_from_one() -> None:
    task, model = Detection(NAMES), TorchvisionsManner(found=2)
    batch = batch_of(task, sample([0, 0, 4, 4], [5, 5, 9, 9]), sample())
    (step,) = task.steps(model.train(), batch)
    assert step.losses().keys() == {"loss_classifier", "loss_box_reg"}
    assert [t["labels"].tolist() for t in model.seen] == [[1, 2], []]
    assert model.seen[1]["boxes"].shape == (0, 4)
    found, losses = task.evaluate(model.eval(), batch)
    assert (found[0].labels.tolist(), losses) == ([1], {})
    assert task.describe(found[0])["objects"][0]["class"] == "platelet"


def test_its_classes_beyond_the_datas_are_told() -> None:
    for label in (0, 3):
        with pytest.raises(TrainingError, match="count from 1 to 2.*num_classes=3"):
            Detection(NAMES).answer(TorchvisionsManner(found=label).eval(), torch.zeros(1, 3, 8, 8))


def test_a_classifier_is_no_detector() -> None:
    class Classifier(torch.nn.Module):
        def forward(self, images: torch.Tensor, targets: object) -> torch.Tensor:
            return images.mean(dim=(1, 2, 3))

    task = Detection(NAMES)
    (step,) = task.steps(Classifier(), batch_of(task, sample()))
    with pytest.raises(TrainingError, match="no named losses"):
        step.losses()


def test_the_task_is_made_again_from_its_facts() -> None:
    task = Detection(NAMES, threshold=0.3)
    again = task_from_facts("detection", json.loads(json.dumps(task.facts())))
    assert isinstance(again, Detection)
    assert (again.names, again.threshold, again.outputs) == (NAMES, 0.3, 2)
    assert again.thresholds.tolist() == [0.3, 0.3]


def test_answers_of_low_precision_and_of_a_network_that_diverged_are_decoded() -> None:
    nan = float("nan")
    found = found_of((0, 0.5, [0, 0, 4, 4]), (1, nan, [0, 0, 4, 4]), (1, 0.4, [0, nan, 4, 4]), (1, 0.3, [1, 1, 3, 3]))
    low = Detections(found.boxes.bfloat16(), found.labels, found.scores.bfloat16(), torch.ones(4, 2, 2).bfloat16())
    (decoded,) = Detection(NAMES).decode([low])
    assert decoded.labels.tolist() == [0, 1]
    assert (decoded.boxes.dtype, decoded.scores.dtype, decoded.masks.dtype) == (torch.float32,) * 3  # type: ignore[union-attr]
    outcome = Outcome(np.arange(1), [decoded], [TrueObjects.of(sample([0, 0, 4, 4]))])
    assert Detection(NAMES).metrics(outcome)["ap50"] == pytest.approx(1)


FOUND = found_of((1, 0.91234, [1.26, 2, 5, 8]), (0, 0.5, [0, 0, 3, 3]), (0, 0.4999, [9, 9, 12, 12]))


def test_words_and_rows_are_of_the_objects_from_the_threshold_on() -> None:
    described = Detection(NAMES).describe(FOUND)
    assert described == {
        "objects": [
            {"class": "platelet", "score": 0.9123, "box": [1.3, 2, 5, 8]},
            {"class": "cell", "score": 0.5, "box": [0, 0, 3, 3]},
        ]
    }
    assert len(Detection(NAMES, threshold=0.1).describe(FOUND)["objects"]) == 3
    rows = Detection(NAMES).table_rows(FOUND)
    assert rows[0] == {"x1": 1.3, "y1": 2, "x2": 5, "y2": 8, "class": "platelet", "score": 0.9123}
    assert Detection(NAMES, threshold=0.95).table_rows(FOUND) == [dict.fromkeys(rows[0], "")]


def test_a_mask_is_described_by_its_outline_in_the_picture() -> None:
    mask = np.zeros((4, 4), np.float32)
    mask[:, :2] = 1
    (ring,) = outline_of(mask, np.array([10.5, 20, 18.5, 24], np.float32))
    xs, ys = ring[::2], ring[1::2]
    assert (min(ys), max(ys)) == (20, 24)
    assert min(xs) in (10, 11)
    assert max(xs) in (14, 15)
    assert outline_of(np.zeros((4, 4), np.float32), np.array([0, 0, 4, 4], np.float32)) == []
    found = found_of((0, 0.9, [4, 4, 12, 12]))
    found.masks = torch.ones(1, 4, 4)
    (described,) = Detection(NAMES).describe(found)["objects"]
    assert sorted(zip(described["outline"][0][::2], described["outline"][0][1::2], strict=True)) == [
        *itertools.product((4, 12), (4, 12))
    ]


@pytest.mark.craft("DE04")
def test_both_boxes_are_drawn_and_their_overlap_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    put = cv2.putText
    monkeypatch.setattr(
        object_drawing.cv2, "putText", lambda image, text, *a: (written.append(text), put(image, text, *a))[1]
    )
    found, truth = found_of((0, 0.9, [40, 40, 80, 80])), TrueObjects.of(sample([60, 60, 100, 100], side=200))
    image = np.full((320, 320, 3), 128, np.uint8)
    task = Detection(NAMES)
    both, alone = task.draw(image, found, truth), task.draw(image, found)
    assert written[0] == f"cell 0.90, IoU {float(iou(found.boxes[0], truth.boxes[0])):.2f}" == "cell 0.90, IoU 0.14"
    assert written[1:] == ["cell 0.90"]
    edge_of_truth, edge_of_found = both[99, 60:100], both[79, 40:80]
    assert (edge_of_truth == 255).all(axis=1).any()  # dashed in white, and black between
    assert (edge_of_truth == 0).all(axis=1).any()
    assert (alone[99, 81:100] == 128).all()
    colour = np.array(object_drawing.COLOURS[0])
    assert (edge_of_found[:18] == colour).all()  # a full line in the class's colour
    assert (image == 128).all()


def test_what_overlaps_nothing_has_no_overlap_written() -> None:
    found = found_of((0, 0.9, [0, 0, 4, 4]), (1, 0.8, [10, 10, 14, 14]))
    truth = TrueObjects.of(sample([0, 0, 4, 4]))
    assert words_beside(found, truth, NAMES) == ["cell 0.90, IoU 1.00", "platelet 0.80"]
    assert words_beside(found, TrueObjects.of(sample()), NAMES) == ["cell 0.90", "platelet 0.80"]


@pytest.mark.parametrize("side", [8, 64, 500])
def test_pictures_of_any_size_are_drawn_on_also_beyond_their_edges(side: int) -> None:
    found = found_of((0, 0.9, [-5, -5, side + 9, side / 2]), (1, 0.8, [3, 3, 3, 3]))
    found.masks = torch.ones(2, 4, 4)
    drawn = Detection(NAMES).draw(np.zeros((side, side // 2, 3), np.uint8), found, TrueObjects.of(sample([0, 0, 2, 2])))
    assert max(drawn.shape) >= 320
    assert drawn.shape[0] / drawn.shape[1] == pytest.approx(2)
    assert drawn.any()


def test_mistakes_count_missed_and_false_and_the_surest_are_sure_of_their_least() -> None:
    truths = [TrueObjects.of(sample([0, 0, 10, 10], [20, 20, 30, 30])), TrueObjects.of(sample())]
    found = [found_of((0, 0.9, [0, 0, 10, 10]), (0, 0.6, [0, 0, 10, 10]), (1, 0.3, [20, 20, 30, 30])), found_of()]
    outcome = Outcome(np.arange(2), found, truths)
    assert Detection(NAMES).mistakes(outcome).tolist() == [2, 0]
    assert Detection(NAMES, threshold=0.3).mistakes(outcome).tolist() == [1, 0]
    np.testing.assert_allclose(Detection(NAMES).sureness(outcome), [0.6, 0])
    assert Detection(NAMES).metrics(outcome)["ap50"] == pytest.approx(1)  # the threshold has no say in it


sides = st.integers(20, 300)


@settings(max_examples=40)
@given(sides, sides, st.sampled_from(["pad", "stretch"]), st.integers(0, 1000))
def test_boxes_find_their_way_back_into_the_picture(height: int, width: int, fit: str, seed: int) -> None:
    placement = FitTo(Preprocessing(size=(64, 96), fit=fit)).place(height, width)  # type: ignore[arg-type]
    corners = np.sort(np.random.default_rng(seed).random((5, 2, 2)), axis=1) * [width, height]
    corners[:, 1] += 0.5  # no box without an inside
    boxes = corners.reshape(5, 4).clip(0, [width, height, width, height]).astype(np.float32)
    inside = found_of(*((0, 0.5, box) for box in placement.to_input(boxes).tolist()))
    placed = place_in_picture(inside, placement)
    np.testing.assert_allclose(placed.boxes.numpy(), boxes, atol=0.02)


def test_what_lies_in_the_border_is_left_out_and_what_reaches_into_it_is_cut_with_its_mask() -> None:
    placement = FitTo(Preprocessing(size=(64, 64), fit="pad")).place(32, 64)  # rows 16 to 48 of the input
    found = found_of((0, 0.9, [8, 0, 24, 32]), (0, 0.8, [0, 0, 64, 10]), (0, 0.7, [8, 20, 24, 36]))
    found.masks = torch.zeros(3, 8, 8)
    found.masks[:, :4] = 1  # the upper half: of the first, that above the picture
    placed = place_in_picture(found, placement)
    assert placed.scores.tolist() == pytest.approx([0.9, 0.7])
    assert placed.boxes.tolist() == [[8, 0, 24, 16], [8, 4, 24, 20]]
    assert placed.masks is not None
    assert float(placed.masks[0, 1:].max()) < 0.5
    torch.testing.assert_close(placed.masks[1], found.masks[2])
