"""Kinds of errors and their costs on pictures made so that both are known; the confusion with background."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from object_scenes_found import found_of, scenes, truth_of

from osler.metrics.detection import coco_numbers
from osler.metrics.detection_confusion import detection_confusion
from osler.metrics.detection_errors import KINDS, detection_errors, explain
from osler.metrics.detection_matching import match, match_all
from osler.metrics.detection_mistakes import picture_errors

ONE = [0.0, 0.0, 10.0, 10.0]
TWO = [20.0, 0.0, 30.0, 10.0]
NOWHERE = [50.0, 50.0, 60.0, 60.0]
HALF = 51 / 101  # AP of which half the objects are found, and nothing false: recalls 0 to 0.5


def costs(found: list, truths: list, classes: int = 2) -> dict[str, float]:
    """The costs that are not zero, to four digits."""
    return {k: round(v, 4) for k, v in detection_errors(found, truths, classes).costs.items() if v > 0}


KNOWN = {
    # Two objects of a class, one of which is found rightly; the other so that the cost is known.
    "localisation": ((0, 0.8, [20, 0, 30, 4]), 1 - HALF),
    "missed": (None, 1 - HALF),
}


@pytest.mark.parametrize("kind", KNOWN)
def test_an_object_badly_found_or_not_at_all_costs_its_half(kind: str) -> None:
    second, cost = KNOWN[kind]
    found = [found_of([(0, 0.9, ONE), *([second] if second else [])])]
    truths = [truth_of([(0, ONE), (0, TWO)])]
    result = detection_errors(found, truths, 1)
    assert result.ap50 == pytest.approx(HALF)
    assert {k: n for k, n in result.counts.items() if n} == {kind: 1}
    assert costs(found, truths, 1) == {kind: pytest.approx(cost, abs=1e-4)}


def test_a_wrong_class_costs_both_classes() -> None:
    # Of class 0 one of two is found, the other is called 1, more surely than the one of class 1: precision there is 1/2.
    found = [found_of([(0, 0.9, ONE), (1, 0.8, TWO), (1, 0.7, NOWHERE)])]
    truths = [truth_of([(0, ONE), (0, TWO), (1, NOWHERE)])]
    result = detection_errors(found, truths, 2)
    assert result.ap50 == pytest.approx((HALF + 0.5) / 2)
    assert result.counts == dict.fromkeys(KINDS, 0) | {"classification": 1}
    assert result.costs["classification"] == pytest.approx(1 - (HALF + 0.5) / 2)
    assert result.costs["missed"] == 0  # it was seen, under another name


@pytest.mark.parametrize(
    ("kind", "false"),
    [
        ("duplicate", (0, 0.8, [0, 0, 10, 9])),
        ("background", (0, 0.8, NOWHERE)),
        ("both", (0, 0.8, [40, 0, 50, 3])),
    ],
)
def test_what_is_merely_false_costs_precision(kind: str, false: tuple) -> None:
    # Right, false, right: from recall 0.5 on precision is 2/3.
    found = [found_of([(0, 0.9, ONE), false, (0, 0.7, TWO), (1, 0.5, [40, 0, 50, 10])])]
    truths = [truth_of([(0, ONE), (0, TWO), (1, [40, 0, 50, 10])])]
    result = detection_errors(found, truths, 2)
    assert result.counts == dict.fromkeys(KINDS, 0) | {kind: 1}
    assert result.ap50 == pytest.approx(((51 + 50 * 2 / 3) / 101 + 1) / 2)
    assert result.costs == pytest.approx(dict.fromkeys(KINDS, 0.0) | {kind: 1 - result.ap50})


def test_an_error_below_all_right_answers_counts_and_costs_nothing() -> None:
    result = detection_errors([found_of([(0, 0.9, ONE), (0, 0.1, NOWHERE)])], [truth_of([(0, ONE)])], 1)
    assert result.counts["background"] == 1
    assert max(result.costs.values()) == 0


def test_of_two_errors_that_mean_an_object_only_the_surer_is_mended() -> None:
    found = [found_of([(0, 0.9, [0, 0, 10, 4]), (0, 0.8, [0, 6, 10, 10])])]
    result = detection_errors(found, [truth_of([(0, ONE)])], 1)
    assert result.counts == dict.fromkeys(KINDS, 0) | {"localisation": 2}
    assert result.costs["localisation"] == pytest.approx(1)


def test_an_error_upon_an_object_already_found_is_taken_away() -> None:
    found = [found_of([(1, 0.95, ONE), (0, 0.9, ONE), (1, 0.8, TWO)])]
    result = detection_errors(found, [truth_of([(0, ONE), (1, TWO)])], 2)
    assert result.counts["classification"] == 1
    assert result.costs["classification"] == pytest.approx(0.25)  # class 1 goes from 1/2 to 1
    assert result.ap50 == pytest.approx(0.75)


def test_a_class_that_is_never_found_costs_its_share() -> None:
    truths = [truth_of([(0, ONE), (1, TWO)])]
    assert costs([found_of([(0, 0.9, ONE)])], truths) == {"missed": 0.5}
    with_false = [found_of([(0, 0.9, ONE), (1, 0.8, NOWHERE)])]
    assert costs(with_false, truths) == {}  # neither mend alone brings that class to anything


def test_what_meets_an_ignored_object_is_no_error() -> None:
    truth = truth_of([(0, ONE), (0, TWO)], ignored=(1,))
    result = detection_errors([found_of([(0, 0.9, ONE), (0, 0.95, TWO)])], [truth], 1)
    assert (result.ap50, sum(result.counts.values())) == (1, 0)


def test_every_false_detection_has_one_reason() -> None:
    found, truths = scenes(2, 5, difficult=0.2)
    for one, truth in zip(found, truths, strict=True):
        matched = match(one, truth)
        kinds, means = explain(matched)
        np.testing.assert_array_equal(kinds != "", matched.wrong)
        assert set(kinds[matched.wrong].tolist()) <= set(KINDS) - {"missed"}
        assert not matched.ignored[means[means >= 0]].any()


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3]))
def test_the_ap_is_cocos_and_no_mend_leads_beyond_one(seed: int, difficult: float) -> None:
    found, truths = scenes(seed, 4, difficult=difficult)
    result = detection_errors(found, truths, 3)
    assert result.ap50 == pytest.approx(coco_numbers(found, truths, 3)["ap50"], abs=1e-9)
    assert all(0 <= v <= 1 - result.ap50 + 1e-9 for v in result.costs.values())
    matches = match_all(found, truths)
    assert sum(result.counts[k] for k in KINDS[:-1]) == sum(int(m.wrong.sum()) for m in matches)


def test_nothing_to_find_and_nothing_found() -> None:
    result = detection_errors([found_of([])], [truth_of([])], 2)
    assert result.ap50 == 0
    assert set(result.costs.values()) == {0.0}


def test_the_confusion_has_background_on_both_sides() -> None:
    found = found_of(
        [(0, 0.9, ONE), (0, 0.8, [0, 0, 10, 9]), (1, 0.7, TWO), (1, 0.2, NOWHERE), (1, 0.6, [80, 0, 90, 9])]
    )
    truth = truth_of([(0, ONE), (0, TWO), (1, NOWHERE), (0, [80, 0, 90, 9])], ignored=(3,))
    matrix = detection_confusion([match(found, truth, threshold=0.5)], ("a", "b"))
    assert matrix.names == ("a", "b", "background")
    np.testing.assert_array_equal(matrix.counts, [[1, 1, 0], [0, 0, 1], [1, 0, 0]])


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_rows_of_the_confusion_are_the_objects(seed: int, threshold: float) -> None:
    found, truths = scenes(seed, 4)
    matches = match_all(found, truths, threshold=threshold)
    counts = detection_confusion(matches, "abc").counts
    objects = np.bincount(np.concatenate([t.counted.labels.numpy() for t in truths]), minlength=3)
    np.testing.assert_array_equal(counts[:3].sum(axis=1), objects)
    np.testing.assert_array_equal(np.diag(counts)[:3].sum(), sum(m.right.sum() for m in matches))
    assert counts[3, 3] == 0


def test_errors_of_a_picture_at_a_threshold() -> None:
    found = found_of([(0, 0.9, ONE), (0, 0.6, ONE), (1, 0.4, NOWHERE)])
    truth = truth_of([(0, ONE), (0, TWO), (1, NOWHERE)])
    assert [picture_errors(found, truth, t) for t in (0.3, 0.5, 0.7, 0.95)] == [(1, 1), (2, 1), (2, 0), (3, 0)]
