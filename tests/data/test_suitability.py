import cv2
import numpy as np
import pytest

from osler.data.arrays import ArrayDataSet
from osler.data.locality import locality, neighbour_correlation, shuffle_pixels
from osler.data.opening import open_data
from osler.data.recipe import DataSection
from osler.data.shift import measure_shift
from osler.data.source import DataSource
from osler.data.suitability import Questionnaire, judge_samples, judge_suitability, sample_pictures
from osler.structures.errors import DataError


@pytest.fixture(scope="module")
def digits():
    return open_data(DataSection(), seed=0)


def moran_by_definition(plane):
    """Moran's I, pair by pair."""
    height, width = plane.shape
    deviation = plane - plane.mean()
    products = [
        deviation[y, x] * deviation[v, u]
        for y in range(height)
        for x in range(width)
        for v, u in ((y, x + 1), (y + 1, x), (y, x - 1), (y - 1, x))
        if 0 <= v < height and 0 <= u < width
    ]
    return plane.size / len(products) * sum(products) / (deviation**2).sum()


@pytest.mark.craft("DA22")
def test_the_neighbour_index_is_morans(digits):
    pictures = sample_pictures(digits.train, count=5)
    expected = np.mean([moran_by_definition(p[..., 0].astype(float)) for p in pictures])
    assert neighbour_correlation(pictures) == pytest.approx(expected)


@pytest.mark.craft("DA22")
def test_neighbours_in_pictures_are_alike_and_shuffled_ones_are_not(digits, shared):
    for source in (digits, open_data(DataSection(path=str(shared / "data" / "fashion-mnist")), seed=0)):
        found = locality(sample_pictures(source.train))
        assert found.index > 0.35
        assert max(found.shuffled) < 0.3 < found.index
        assert found.p_value == pytest.approx(1 / 40)
        assert found.local


def test_noise_is_not_local_and_a_chess_board_alternates():
    noise = np.random.default_rng(0).integers(0, 256, (50, 16, 16, 1), np.uint8)
    assert abs(neighbour_correlation(noise)) < 0.02
    assert not locality(noise).local
    board = np.indices((8, 8)).sum(0) % 2
    assert neighbour_correlation(board[None, ..., None].astype(float)) == pytest.approx(-1)
    assert neighbour_correlation(np.ones((2, 4, 4, 1))) == 0


def test_shuffling_moves_the_pixels_of_all_pictures_alike():
    pictures = np.arange(2 * 12, dtype=np.uint8).reshape(2, 3, 4, 1)
    shuffled = shuffle_pixels(pictures, np.random.default_rng(0))
    np.testing.assert_array_equal(shuffled[1], shuffled[0] + 12)
    assert sorted(shuffled[0].ravel()) == list(range(12))


def test_two_halves_of_one_set_cannot_be_told_apart(digits):
    halves = digits.train.select(np.arange(0, 1400, 2)), digits.train.select(np.arange(1, 1400, 2))
    shift = measure_shift(*halves)
    assert not shift.notable
    assert shift.pictures == (500, 500)


def test_other_light_is_a_shift(digits):
    darker = ArrayDataSet(np.ascontiguousarray(digits.train.images // 2), np.zeros(1797, np.int64))
    shift = measure_shift(digits.train, darker)
    assert shift.notable
    assert shift.area > 0.95


def test_blur_is_a_shift(digits):
    blurred = np.stack([cv2.GaussianBlur(i, (3, 3), 0)[..., None] for i in digits.train.images])
    assert measure_shift(digits.train, ArrayDataSet(blurred, np.zeros(1797, np.int64))).notable


def test_a_shift_needs_some_pictures(digits):
    with pytest.raises(DataError, match="10 readable pictures"):
        measure_shift(digits.train, digits.train.select(np.arange(5)))


def many(count, classes=2):
    """A source of smooth pictures, so many of each class."""
    images = np.add.outer(
        np.random.default_rng(0).integers(0, 60, count * classes), np.add.outer(np.arange(8), np.arange(8)) * 9
    )
    data = ArrayDataSet(images.astype(np.uint8)[..., None], np.arange(count * classes) % classes)
    return DataSource("smooth", "class", tuple("abcdef"[:classes]), data, data)


@pytest.mark.craft("DA20")
@pytest.mark.parametrize(
    ("source", "answers", "condition", "verdict"),
    [
        (many(5000), {}, None, "yes"),
        (many(5000), {"deployment": None}, "coverage", "with care"),
        (many(300), {}, "samples", "with care"),
        (many(20), {}, "samples", "no"),
        (many(5000), {"explain": "some"}, "interpretability", "with care"),
        (many(5000), {"explain": "strict"}, "interpretability", "no"),
        (many(5000), {"deployment": "darker"}, "coverage", "no"),
    ],
)
def test_the_verdict_follows_from_the_three_conditions(source, answers, condition, verdict):
    deployment = source.train.select(np.arange(1, len(source.train), 3))
    if answers.get("deployment") == "darker":
        deployment = ArrayDataSet(source.train.images // 3, source.train.targets)
    given = {"deployment": deployment} | {k: v for k, v in answers.items() if v != "darker"}
    found = judge_suitability(source, Questionnaire(**given))
    assert found.answer == verdict
    assert {r.condition for r in found.reasons if r.answer != "yes"} == ({condition} if condition else set())
    assert all(r.why for r in found.reasons)


@pytest.mark.craft("DA20")
def test_reasons_hold_the_numbers(digits):
    found = judge_suitability(digits, Questionnaire(deployment=digits.validation))
    assert "training pictures of 8, the rarest" in found.reason("samples").why
    assert "area under the curve of 0." in found.reason("coverage").why
    assert "neighbouring pixels correlate by 0." in found.reason("locality").why


def test_few_pictures_without_trained_weights_are_to_be_compared_with_classic_methods():
    assert "classic" in judge_samples(many(300), pretrained=False).why
    assert "trained weights" in judge_samples(many(300), pretrained=True).why
