"""Pascal VOC's average precision: the published definition on cases worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from object_scenes_found import found_of, scenes, truth_of

from osler.metrics.detection_curves import coco_area, eleven_point_area, whole_area
from osler.metrics.pascal_voc import judge, pascal_voc

ONE = [0.0, 0.0, 10.0, 10.0]
TWO = [20.0, 20.0, 30.0, 30.0]
NOWHERE = [50.0, 50.0, 60.0, 60.0]


def test_a_ranking_worked_by_hand() -> None:
    # Right, false, right, right, false, right of 5 objects: recalls .2 .4 .6 .8, precisions 1 2/3 3/4 4/6;
    # made to fall: 1 up to recall .2, 3/4 up to .6, 2/3 up to .8, then 0.
    right = np.array([True, False, True, True, False, True])
    assert whole_area(right, 5) == pytest.approx(0.2 * 1 + 0.4 * 0.75 + 0.2 * 2 / 3)
    assert eleven_point_area(right, 5) == pytest.approx((3 * 1 + 4 * 0.75 + 2 * 2 / 3) / 11)
    assert coco_area(right, 5) == pytest.approx((21 * 1 + 40 * 0.75 + 20 * 2 / 3) / 101)


def test_three_in_ten_reach_the_recall_of_three_tenths() -> None:
    for found in range(11):
        assert eleven_point_area(np.ones(found, bool), 10) == pytest.approx((found + 1) / 11 if found else 0)


def test_nothing_found_is_zero_and_nothing_to_find_undefined() -> None:
    for area in (whole_area, eleven_point_area, coco_area):
        assert area(np.zeros(0, bool), 3) == 0
        assert np.isnan(area(np.zeros(2, bool), 0))


def test_an_object_is_found_once_and_then_falsely() -> None:
    found = found_of([(0, 0.9, ONE), (0, 0.8, ONE), (0, 0.7, TWO)])
    result = pascal_voc([found], [truth_of([(0, ONE), (0, TWO)])], 1)
    assert result.all_points[0] == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert result.eleven_points[0] == pytest.approx((6 + 5 * 2 / 3) / 11)


def test_difficult_objects_are_neither_asked_for_nor_held_against_it() -> None:
    found = found_of([(0, 0.9, TWO), (0, 0.8, TWO), (0, 0.7, ONE)])
    assert pascal_voc([found], [truth_of([(0, ONE), (0, TWO)], ignored=(1,))], 1).all_points[0] == pytest.approx(1)


def test_the_best_object_decides_even_where_it_is_taken_or_difficult() -> None:
    beside = [0.0, 0.0, 10.0, 14.0]  # overlaps ONE by 1/1.4, and the object below by 9/15
    other = [0.0, 5.0, 10.0, 15.0]
    scores, _, verdicts = judge(found_of([(0, 0.9, ONE), (0, 0.8, beside)]), truth_of([(0, ONE), (0, other)]))
    np.testing.assert_array_equal(verdicts, [1, 0])
    _, _, verdicts = judge(found_of([(0, 0.8, beside)]), truth_of([(0, ONE), (0, other)], ignored=(0,)))
    np.testing.assert_array_equal(verdicts, [-1])
    assert scores[0] > scores[1]


@pytest.mark.craft("DE03")
def test_an_overlap_of_exactly_a_half_is_enough() -> None:
    truth = truth_of([(0, ONE)])
    assert pascal_voc([found_of([(0, 0.9, [0, 0, 10, 5])])], [truth], 1).all_points[0] == 1
    assert pascal_voc([found_of([(0, 0.9, [0, 0, 10, 4.99])])], [truth], 1).all_points[0] == 0


def test_pictures_are_ranked_together_and_classes_apart() -> None:
    found = [found_of([(0, 0.6, NOWHERE), (1, 0.5, ONE)]), found_of([(0, 0.9, ONE)]), found_of([])]
    truths = [truth_of([(1, ONE)]), truth_of([(0, ONE)]), truth_of([(0, TWO)])]
    result = pascal_voc(found, truths, 3)
    np.testing.assert_allclose(result.all_points, [0.5, 1, np.nan])
    assert result.numbers()["voc_ap50"] == pytest.approx(0.75)
    assert pascal_voc([], [], 2).numbers() == {"voc_ap50": 0, "voc07_ap50": 0}


@settings(max_examples=50)
@given(st.lists(st.booleans(), max_size=30), st.integers(0, 5))
def test_areas_agree_with_the_definition(verdicts: list[bool], missed: int) -> None:
    right, objects = np.array(verdicts, bool), sum(verdicts) + missed
    if not objects:
        return
    hits = np.cumsum(right)
    points = [(h / objects, h / (i + 1)) for i, h in enumerate(hits)]

    def best(recall: float) -> float:
        return max((p for r, p in points if r >= recall), default=0.0)

    assert eleven_point_area(right, objects) == pytest.approx(sum(best(k / 10) for k in range(11)) / 11)
    gained = sorted({r for r, _ in points})
    whole = sum((r - before) * best(r) for before, r in zip([0.0, *gained], gained, strict=False))
    assert whole_area(right, objects) == pytest.approx(whole)


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_more_found_right_never_lowers_it(seed: int) -> None:
    found, truths = scenes(seed, 3, crowds=0.0)
    before = pascal_voc(found, truths, 3).all_points
    perfect = [found_of([(int(v), 1.0, b) for v, b in zip(t.labels, t.boxes.tolist(), strict=True)]) for t in truths]
    after = pascal_voc(perfect, truths, 3).all_points
    there = ~np.isnan(before)
    assert (after[there] >= before[there]).all()
    np.testing.assert_allclose(after[there], 1)
