import numpy as np
import pytest

from osler.tasks.caption import PLAIN, RIGHT, SHOWN, WRONG, Line, captioned
from osler.tasks.classification import Classification
from osler.tasks.multilabel import Multilabel
from osler.tasks.regression import Regression

PICTURE = np.random.default_rng(0).integers(0, 256, (8, 10, 3), dtype=np.uint8)


def colours(picture):
    return {tuple(c) for c in picture.reshape(-1, 3).tolist()}


@pytest.fixture
def written(monkeypatch):
    """The texts and colours that a drawing writes."""
    lines = []
    monkeypatch.setattr("osler.tasks.classification.captioned", lambda image, given: lines.extend(given) or image)
    monkeypatch.setattr("osler.tasks.multilabel.captioned", lambda image, given: lines.extend(given) or image)
    monkeypatch.setattr("osler.tasks.regression.captioned", lambda image, given: lines.extend(given) or image)
    return lines


def test_a_small_picture_is_enlarged_by_whole_pixels_above_its_words():
    before = PICTURE.copy()
    drawn = captioned(PICTURE, [Line("right: cat 97%", RIGHT)])
    factor = -(-SHOWN // 10)
    assert np.array_equal(drawn[: 8 * factor, : 10 * factor], PICTURE.repeat(factor, 0).repeat(factor, 1))
    assert drawn.shape[0] > 8 * factor
    assert drawn.shape[1] == 10 * factor
    assert np.array_equal(PICTURE, before)


def test_a_large_picture_keeps_its_pixels():
    large = np.zeros((300, 500, 3), np.uint8)
    drawn = captioned(large, [Line("cat")])
    assert drawn.shape[1] == 500
    assert np.array_equal(drawn[:300], large)


def test_the_words_have_their_colour():
    blank = np.zeros((200, 200, 3), np.uint8)
    for colour, other in ((RIGHT, WRONG), (WRONG, RIGHT)):
        found = colours(captioned(blank, [Line("MMMM MMMM", colour)]))
        assert colour in found
        assert other not in found


@pytest.mark.parametrize("shape", [(1, 1, 3), (300, 4, 3), (4, 300, 3), (28, 28, 1), (28, 28)])
def test_pictures_of_any_shape_are_drawn(shape):
    drawn = captioned(np.zeros(shape, np.uint8), [Line("x" * 300), Line("Grüße, 猫 97%"), Line("")])
    assert drawn.dtype == np.uint8
    assert drawn.shape[2] == 3
    assert drawn.shape[1] >= SHOWN


def test_a_class_is_right_or_wrong_in_words_and_colour(written):
    task = Classification(("cat", "dog"))
    prediction = np.array([0.9, 0.1], np.float32)
    task.draw(PICTURE, prediction)
    task.draw(PICTURE, prediction, 0)
    task.draw(PICTURE, prediction, np.int64(1))
    assert written == [
        Line("cat 90%", PLAIN),
        Line("right: cat 90%", RIGHT),
        Line("wrong: cat 90%", WRONG),
        Line("is: dog", PLAIN),
    ]


def test_labels_say_what_is_missing_and_what_is_too_many(written):
    task = Multilabel(("sky", "sea", "dog"))
    prediction = np.array([0.9, 0.1, 0.7], np.float32)
    task.draw(PICTURE, prediction, np.array([1, 0, 1]))
    task.draw(PICTURE, prediction, np.array([1, 1, 0]))
    task.draw(PICTURE, prediction * 0)
    assert written == [
        Line("right: sky 90%, dog 70%", RIGHT),
        Line("wrong: sky 90%, dog 70%", WRONG),
        Line("missing: sea", PLAIN),
        Line("too many: dog", PLAIN),
        Line("no label", PLAIN),
    ]


def test_numbers_stand_beside_the_true_ones(written):
    task = Regression(("age", "height"), mean=(40, 1.7), std=(20, 0.1))
    task.draw(PICTURE, np.array([41.5, 1.9]), np.array([40, 1.7]))
    task.draw(PICTURE, np.array([41.5, 1.9]))
    assert written == [
        Line("close: age 41.5, is 40", RIGHT),
        Line("off: height 1.9, is 1.7", WRONG),
        Line("age 41.5", PLAIN),
        Line("height 1.9", PLAIN),
    ]


@pytest.mark.parametrize(
    ("task", "prediction", "target"),
    [
        (Classification(("cat", "dog")), np.array([0.9, 0.1]), 1),
        (Multilabel(("sky", "sea")), np.array([0.9, 0.1]), np.array([0, 1])),
        (Regression(("age",), mean=(0,), std=(1,)), np.array([0.5]), np.array([0.1])),
    ],
)
def test_each_task_draws_a_picture_under_which_it_writes(task, prediction, target):
    drawn = task.draw(PICTURE, prediction, target)
    assert drawn.shape[0] > 8 * (-(-SHOWN // 10))
    assert len(colours(drawn)) > len(colours(PICTURE))
