"""From one form to another and back: what a form can hold comes back exactly, and what it cannot is said."""

import json
from pathlib import Path

import numpy as np
import pytest
from object_scenes import HEIGHT, WIDTH, blob, box, coco, coco_set, photo, read, rows, truths

from osler.data.objects.converting import convert
from osler.data.objects.outlines import Runs
from osler.data.objects.voc import from_voc, to_voc
from osler.data.recipe import DataSection
from osler.structures.errors import DataError
from osler.verbs.convert_data import convert_data


def rich_set(root: Path, *, outlines: bool = True, flags: bool = True) -> Path:
    """Two parts with two pictures of one name, odd numbers, crowds, difficult objects and a negative."""
    random = np.random.default_rng(0)
    for part, first in (("train", 1), ("val", 10)):
        images, annotations = [], []
        for i in range(1, 5):
            photo(root / part / f"{i}.png", first + i)
            images.append({"id": i, "file_name": f"{i}.png"})
            for k in range(i - 1):
                x, y = random.uniform(0, [WIDTH - 12, HEIGHT - 12])
                one = box(10 * i + k, i, [x, y, *random.uniform(2, 12, 2)], 1 + (i + k) % 2)
                if outlines:
                    runs = Runs.of(blob(10 * i + k))
                    one["segmentation"] = {"size": [HEIGHT, WIDTH], "counts": runs.counts.tolist()}
                    if k == 0:
                        x1, y1, x2, y2 = runs.box()
                        one["segmentation"] = [[x1, y1, x2, y1, x2, y2, x1, y2], [0, 0, 5.5, 0, 0, 7.25]]
                if flags and k == 1:
                    one["iscrowd"] = 1
                if flags and k == 2:
                    one["ignore"] = 1
                one["area"] = 10.0 + k
                annotations.append(one)
        (root / "annotations").mkdir(exist_ok=True)
        (root / "annotations" / f"instances_{part}.json").write_text(json.dumps(coco(images, annotations)))
    return root


def compared(parts):
    """Objects by part and picture; the converted pictures of the second part are called after their part."""
    return {
        (part, stem.removeprefix("val_")): rows(t.objects, t.outlines, parts.names)
        for (part, stem), t in truths(parts).items()
    }


def areas_of(parts):
    return {key: None if t.objects.areas is None else t.objects.areas.tolist() for key, t in truths(parts).items()}


def test_coco_comes_back_whole(tmp_path):
    source = rich_set(tmp_path / "a")
    done = convert_data(source, tmp_path / "b", to="coco")
    assert (done.objects, done.lost, done.pictures) == (12, [], {"train": 4, "validation": 4})
    before, after = read(source), read(tmp_path / "b")
    assert after.names == before.names
    assert compared(after) == compared(before)
    assert areas_of(after)[("train", "3")] == areas_of(before)[("train", "3")]
    assert any(row[2] for found in compared(after).values() for row in found)
    assert any(row[3] for found in compared(after).values() for row in found)


@pytest.mark.parametrize("form", ["voc", "yolo", "csv"])
def test_boxes_come_back_to_the_last_bit(tmp_path, form):
    source = rich_set(tmp_path / "a", outlines=False, flags=False)
    done = convert_data(source, tmp_path / "b", to=form)
    assert done.lost == []
    place = tmp_path / "b" / "objects.csv" if form == "csv" else tmp_path / "b"
    after = read(place)
    assert after.names == ("cat", "dog")
    assert compared(after) == compared(read(source))


def test_what_a_form_has_no_place_for_is_said_and_crowds_never_become_objects(tmp_path):
    source = rich_set(tmp_path / "a")
    crowds, difficult = 4, 2
    voc = convert_data(source, tmp_path / "voc", to="voc")
    assert voc.objects == 12 - crowds
    assert any(s.startswith(f"{crowds} crowds are left out") for s in voc.lost)
    assert any(s.startswith(f"{12 - crowds} objects lose their outlines") for s in voc.lost)  # of those written
    read_back = [row for found in compared(read(tmp_path / "voc")).values() for row in found]
    assert sum(row[3] for row in read_back) == difficult
    yolo = convert_data(source, tmp_path / "yolo", to="yolo")
    assert any(s.startswith(f"{difficult} objects lose their mark as difficult") for s in yolo.lost)
    table = convert_data(source, tmp_path / "csv", to="csv")
    assert (table.objects, len(table.lost)) == (12, 1)
    read_back = [row for found in compared(read(tmp_path / "csv" / "objects.csv")).values() for row in found]
    assert (sum(row[2] for row in read_back), sum(row[3] for row in read_back)) == (crowds, difficult)


def test_yolos_outlines_make_the_same_masks(tmp_path):
    source = rich_set(tmp_path / "a", flags=False)
    convert_data(source, tmp_path / "b", to="yolo")
    before, after = compared(read(source)), compared(read(tmp_path / "b"))
    for key, found in before.items():
        for old, new in zip(found, after[key], strict=True):
            pixels = [np.frombuffer(row[4], np.uint8) for row in (old, new)]
            assert (pixels[0] != pixels[1]).sum() <= 12  # the bridge between two rings may touch pixels' middles


def test_pictures_are_copied_byte_for_byte_under_names_of_their_own(tmp_path):
    source = rich_set(tmp_path / "a")
    convert_data(source, tmp_path / "b", to="voc")
    names = sorted(p.name for p in (tmp_path / "b" / "JPEGImages").iterdir())
    assert names == ["1.png", "2.png", "3.png", "4.png", "val_1.png", "val_2.png", "val_3.png", "val_4.png"]
    old, new = source / "val" / "3.png", tmp_path / "b" / "JPEGImages" / "val_3.png"
    assert old.read_bytes() == new.read_bytes()


def test_a_folder_that_holds_something_and_pictures_without_boxes_are_refused(tmp_path):
    path = coco_set(tmp_path / "a", [box(1, 1, [1, 1, 9, 9])])
    with pytest.raises(DataError, match="holds something already"):
        convert_data(path, tmp_path / "a", to="voc")
    with pytest.raises(DataError, match="no objects with boxes"):
        convert_data("digits", tmp_path / "b", to="voc")
    assert not (tmp_path / "b").exists()


def test_vocs_numbers_round_trip_and_name_whole_pixels():
    assert from_voc(1, 1, 4, 5) == (0, 0, 4, 5)
    assert to_voc((0, 0, 4, 5)) == (1, 1, 4, 5)
    for seed in range(50):
        random = np.random.default_rng(seed)
        corners = np.sort(random.uniform(0, 2000, (2, 2)).astype(np.float32), axis=0).ravel().tolist()
        assert np.float32(from_voc(*to_voc(tuple(corners)))).tolist() == corners


def test_special_characters_in_names_survive(tmp_path):
    photo(tmp_path / "a" / "1.png", 1)
    content = coco([{"id": 1, "file_name": "1.png"}], [box(1, 1, [1, 1, 9, 9])], ('a <b> & "c", 猫: d',))
    (tmp_path / "a" / "x.json").write_text(json.dumps(content))
    for form in ("coco", "voc", "yolo", "csv"):
        convert_data(tmp_path / "a" / "x.json", tmp_path / form, to=form)
        place = tmp_path / form / "objects.csv" if form == "csv" else tmp_path / form
        assert read(place).names == ('a <b> & "c", 猫: d',)


def test_objects_that_cannot_be_used_are_said_and_not_only_missing(tmp_path):
    path = coco_set(tmp_path / "a", [box(1, 1, [1, 1, 9, 9]), box(2, 1, [float("nan"), 1, 9, 9])])
    done = convert_data(path, tmp_path / "b", to="voc")
    assert done.objects == 1
    (sentence,) = done.lost
    assert sentence.startswith("1 annotated objects cannot be used and are left out, the first: ")
    assert "annotation 2" in sentence


def test_as_many_training_pictures_are_written_as_the_limit_says(tmp_path):
    source = rich_set(tmp_path / "a", outlines=False, flags=False)
    section = DataSection.model_validate({"limit": 2})
    done = convert_data(source, tmp_path / "b", to="csv", section=section)
    assert done.pictures == {"train": 2, "validation": 4}
    assert done.lost == ["2 of 4 training pictures are written (data.limit), by seed 0."]


def test_names_of_files_that_xml_cannot_hold_are_changed_and_those_with_blanks_come_back(tmp_path):
    path = coco_set(tmp_path / "a", [box(i, i, [1, 1, 9, 9]) for i in (1, 2, 3)])
    content = json.loads(path.read_text())
    for image, name in zip(content["images"], ("a\x1b[31m.png", "my cat.png", "3.png"), strict=True):
        (tmp_path / "a" / f"{image['id']}.png").rename(tmp_path / "a" / name)
        image["file_name"] = name
    path.write_text(json.dumps(content))
    convert_data(path, tmp_path / "b", to="voc")
    after = read(tmp_path / "b")
    assert (len(after.train), after.skipped) == (3, [])
    assert sorted(Path(after.train.path(i)).name for i in range(3)) == ["3.png", "a-[31m.png", "my cat.png"]


def test_a_class_that_no_xml_can_hold_is_refused_before_anything_is_written(tmp_path):
    parts = read(coco_set(tmp_path / "a", [box(1, 1, [1, 1, 9, 9])]))
    parts.names = ("a\x01b", "dog")
    with pytest.raises(DataError, match=r"The class a\\x01b"):
        convert(parts, tmp_path / "b", "voc")
    assert not (tmp_path / "b").exists()
