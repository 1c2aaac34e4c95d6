"""`osler data` on pictures with objects: what is counted, and what is wrong."""

import json

import pytest
from object_scenes import box, coco, photo

from osler.data.audit import audit


@pytest.fixture
def annotated(tmp_path):
    """Two parts; four training pictures, one of them empty; a repeated box, a tiny and a long object, a name twice."""
    annotations = {
        "train": [
            box(1, 1, [0, 0, 20, 10]),
            box(2, 1, [0, 0, 20, 10]),
            box(3, 2, [1, 1, 2, 30], 2),
            box(4, 3, [1, 1, 40, 1], 3, iscrowd=1),
            *(box(10 + i, 2, [i, 5, 30, 30]) for i in range(8)),
        ],
        "val": [box(1, 1, [5, 5, 50, 30], ignore=1)],
    }
    (tmp_path / "annotations").mkdir()
    for part, found in annotations.items():
        images = [{"id": i, "file_name": f"{i}.png"} for i in range(1, 5)]
        for i in range(1, 5):
            photo(tmp_path / part / f"{i}.png", i + 10 * len(part))
        content = coco(images, found, ("cat", "dog", "Dog "))
        (tmp_path / "annotations" / f"instances_{part}.json").write_text(json.dumps(content))
    return tmp_path


def test_objects_are_counted_by_class_size_and_part(annotated):
    found = audit(annotated)
    objects = found.objects
    assert objects.counts == {
        "train": {"cat": 10, "dog": 1, "Dog ": 1},
        "validation": {"cat": 1, "dog": 0, "Dog ": 0},
    }
    assert found.counts["train"] == {"cat": 2, "dog": 1, "Dog ": 1}
    assert objects.without == {"train": 1, "validation": 3}
    assert objects.sizes["train"] == {"small": 12, "medium": 0, "large": 0}
    assert objects.sizes["validation"] == {"small": 0, "medium": 1, "large": 0}
    assert (objects.crowds, objects.difficult, objects.masks, objects.total) == (1, 1, False, 13)
    assert (objects.per_picture.smallest, objects.per_picture.largest) == (0, 9)
    assert (objects.widths.smallest, objects.widths.largest) == (2, 50)
    assert (objects.heights.smallest, objects.heights.largest) == (1, 30)
    assert (objects.aspects.smallest, objects.aspects.largest) == pytest.approx((2 / 30, 40))


def test_what_is_wrong_with_objects_is_named_with_its_place(annotated):
    found = audit(annotated)
    assert "1.png: 1" in found.problem("repeated boxes").where[0]
    assert found.problem("names alike").where == ("'dog' = 'Dog '",)
    assert found.problem("missing in validation").where == ("dog", "Dog ")
    assert found.problem("imbalance").where[0] == "cat"
    assert len(found.problem("tiny objects").where) == 2
    assert "40 x 1 at x 1, y 1" in found.problem("very long objects").where[0]
    assert found.problem("missing in train") is None
    assert found.problem("unreadable") is None


def test_a_picture_of_another_size_than_annotated_is_a_problem(annotated):
    photo(annotated / "train" / "3.png", 3, height=20)
    found = audit(annotated)
    assert "annotated in 60 x 40" in found.problem("unreadable").where[0]
    assert found.objects.counts["train"]["Dog "] == 0


def test_a_sound_set_has_no_problem(tmp_path):
    images = [{"id": i, "file_name": f"{i}.png"} for i in range(1, 5)]
    for i in range(1, 5):
        photo(tmp_path / f"{i}.png", i)
    annotations = [box(i, i, [3 * i, 4, 20, 20], 1 + i % 2) for i in range(1, 4)]
    (tmp_path / "a.json").write_text(json.dumps(coco(images, annotations)))
    assert list(audit(tmp_path / "a.json").problems) == []
