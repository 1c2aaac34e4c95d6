"""COCO's numbers: equal to pycocotools', to an own plain count, and right where COCO has no opinion."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from object_scenes_found import found_of, scenes, truth_of

from osler.metrics.detection import coco_numbers, detection_scores, paste_mask
from osler.metrics.detection_classes import classes_found
from osler.metrics.detection_curves import detection_curve
from osler.metrics.detection_matching import match_all
from osler.structures.detections import Detections, TrueObjects

# Written by pycocotools 2.0.11 from the same pictures.
PUBLIC = json.loads((Path(__file__).parent / "pycocotools_numbers.json").read_text(encoding="utf-8"))
OVERLAPS = np.linspace(0.5, 0.95, 10)


def pictures(case: str) -> tuple[list[Detections], list[TrueObjects]]:
    """Crowds everywhere; more than 100 detections of a class; annotated areas with pictures of another scale."""
    if case == "many":
        return scenes(3, 5, objects=8, wrong=400, masks=True)
    found, truths = scenes({"crowds": 0, "scaled": 9}[case], 5, masks=True)
    if case == "scaled":
        for seed, truth in enumerate(truths):
            truth.scale = (0.5, 0.4)
            areas = np.random.default_rng(seed).uniform(50, 15_000, len(truth))
            truth.areas = torch.from_numpy(areas.astype(np.float32))
    return found, truths


@pytest.mark.craft("DE01")
@pytest.mark.parametrize("kind", ["boxes", "masks"])
@pytest.mark.parametrize("case", ["crowds", "many", "scaled"])
def test_all_numbers_equal_those_of_pycocotools(case: str, kind: str) -> None:
    found, truths = pictures(case)
    if case == "many":
        assert max(int((f.labels == 0).sum()) for f in found) > 100
    numbers = coco_numbers(found, truths, 3, kind=kind)  # type: ignore[arg-type]
    assert numbers == pytest.approx(PUBLIC[f"{case} {kind}"], abs=1e-6)


@pytest.mark.parametrize("kind", ["boxes", "masks"])
def test_numbers_of_other_pictures_equal_those_of_pycocotools_where_it_is_installed(kind: str) -> None:
    reference = pytest.importorskip("pycocotools_reference", reason="pycocotools is not installed")
    found, truths = scenes(77, 4, masks=True)
    numbers = coco_numbers(found, truths, 3, kind=kind)  # type: ignore[arg-type]
    assert numbers == pytest.approx(reference.numbers(found, truths, 3, kind), abs=1e-6)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(0, 9), st.sampled_from([0.0, 0.4]))
def test_ap_equals_an_own_count_of_any_pictures(seed: int, objects: int, difficult: float) -> None:
    found, truths = scenes(seed, 4, objects=objects, difficult=difficult)
    curves = [[detection_curve(match_all(found, truths, overlap=o), k).area for k in range(3)] for o in OVERLAPS]
    areas = np.asarray(curves)[:, ~np.isnan(curves[0])]
    expected = areas.mean() if areas.size else 0.0
    assert coco_numbers(found, truths, 3)["ap"] == pytest.approx(expected, abs=1e-9)


BOX = [0.0, 0.0, 10.0, 10.0]


def test_what_overlaps_a_difficult_object_is_left_out_however_often() -> None:
    found = [found_of([(0, 0.9, BOX), (0, 0.8, [0, 0, 10, 9])]), found_of([(0, 0.7, BOX)])]
    truths = [truth_of([(0, BOX)], ignored=(0,)), truth_of([(0, BOX)])]
    assert coco_numbers(found, truths, 1)["ap50"] == pytest.approx(1)
    assert coco_numbers(found, [truth_of([(0, BOX)]), truths[1]], 1)["ap50"] < 0.9  # counted, the second one is false


def test_a_small_box_within_is_excused_by_a_crowd_and_not_by_a_difficult_object() -> None:
    found = [found_of([(0, 0.9, [0, 0, 3, 3])]), found_of([(0, 0.7, BOX)])]
    crowd, difficult = truth_of([(0, BOX)], crowd=(0,)), truth_of([(0, BOX)], ignored=(0,))
    assert coco_numbers(found, [crowd, truth_of([(0, BOX)])], 1)["ap50"] == pytest.approx(1)
    assert coco_numbers(found, [difficult, truth_of([(0, BOX)])], 1)["ap50"] == pytest.approx(0.5)


def test_pictures_and_detectors_that_hold_nothing() -> None:
    nothing, object_ = truth_of([]), truth_of([(0, BOX)])
    assert coco_numbers([found_of([])], [nothing], 2) == {"ap": 0, "ap50": 0}
    assert coco_numbers([found_of([]), found_of([])], [object_, nothing], 2)["ap"] == 0
    right = found_of([(0, 0.6, BOX)])
    assert coco_numbers([right, found_of([])], [object_, nothing], 2)["ap"] == pytest.approx(1)
    assert coco_numbers([right, found_of([(0, 0.9, BOX)])], [object_, nothing], 2)["ap"] == pytest.approx(0.5)
    only_ignored = truth_of([(0, BOX)], crowd=(0,))
    assert coco_numbers([right], [only_ignored], 2) == {"ap": 0, "ap50": 0}


def test_sizes_are_those_of_the_picture_and_not_of_the_input() -> None:
    truth, found = truth_of([(0, [0, 0, 40, 40])]), found_of([(0, 0.9, [0, 0, 40, 40])])
    assert {"ap_medium"} == {n for n in coco_numbers([found], [truth], 1) if n.startswith("ap_")}
    truth.scale = (2.0, 2.0)  # 20 x 20 in the picture
    assert {"ap_small"} == {n for n in coco_numbers([found], [truth], 1) if n.startswith("ap_")}
    truth.areas = torch.tensor([10_000.0])  # the annotation goes before the box
    assert {"ap_large"} == {n for n in coco_numbers([found], [truth], 1) if n.startswith("ap_")}


def test_an_unmatched_mask_counts_in_its_own_size_and_not_in_its_boxs() -> None:
    def masked(scale: float) -> dict[str, float]:
        truth, found = truth_of([(0, [0, 0, 40, 40])]), found_of([(0, 0.9, [50, 50, 90, 90]), (0, 0.8, [0, 0, 40, 40])])
        truth.masks = torch.zeros(1, 100, 100, dtype=torch.uint8)
        truth.masks[0, :40, :40] = 1
        found.masks = torch.ones(2, 8, 8)
        found.masks[0, :, 2:] = 0  # a quarter of 40 x 40: small, while its box is medium
        truth.scale = (scale, scale)
        return coco_numbers([found], [truth], 1, kind="masks")

    assert masked(1)["ap"] == pytest.approx(0.5)
    assert masked(1)["ap_medium"] == pytest.approx(1)  # the small false one does not belong there
    assert masked(4)["ap_small"] == pytest.approx(0.5)  # in the picture both are small


def test_masks_are_judged_where_some_pictures_have_none() -> None:
    found, truths = scenes(1, 4, masks=True)
    truths[1].masks, found[2].masks = None, None
    assert 0 < coco_numbers(found, truths, 3, kind="masks")["ap50"] < 1


def test_the_scores_are_cocos_for_boxes_and_masks_and_pascals() -> None:
    names = ("a", "b", "c")
    boxes = detection_scores(*scenes(0, 5), names)
    assert list(boxes)[:3] == ["ap", "ap50", "ap75"]
    assert list(boxes)[-2:] == ["voc_ap50", "voc07_ap50"]
    masks = detection_scores(*scenes(0, 5, masks=True), names)
    assert set(masks) - set(boxes) == {f"mask_{n}" for n in boxes if not n.startswith("voc")}


def test_the_mean_over_the_classes_is_the_number_of_all() -> None:
    found, truths = scenes(5, 5, masks=True)
    rows = classes_found(found, truths, ("a", "b", "c", "in no picture"), masks=True)
    numbers = detection_scores(found, truths, ("a", "b", "c", "in no picture"))
    for key in ("ap", "ap50", "ap75", "mask_ap"):
        assert np.nanmean([getattr(r, key) for r in rows]) == pytest.approx(numbers[key])
    assert np.nanmean([r.ar for r in rows]) == pytest.approx(numbers["ar100"])
    assert np.isnan([rows[3].ap, rows[3].voc, rows[3].mask_ap]).all()
    assert rows[3].objects == 0


def test_a_mask_is_pasted_where_its_box_lies_and_cut_at_the_edge() -> None:
    mask = np.zeros((4, 4), np.float32)
    mask[:, :2] = 1
    pasted = paste_mask(mask, np.array([2, 1, 10, 5], np.float32), (6, 8))
    expected = np.zeros((6, 8), np.uint8)
    expected[1:5, 2:6] = 1
    np.testing.assert_array_equal(pasted, expected)
    assert paste_mask(mask, np.array([5, 5, 5, 9], np.float32), (6, 8)).sum() == 0
    assert paste_mask(mask, np.array([-20, -20, -10, -10], np.float32), (6, 8)).sum() == 0
