"""Annotations that are wrong: one clear sentence each with file and record, and the rest of the set in use."""

import json
import re

import pytest
from object_scenes import box, boxes, coco, coco_set, photo, read, voc_file, voc_thing

from osler.data.audit import audit
from osler.data.objects.plain_xml import DEEPEST, parse_xml
from osler.data.opening import open_data, recognise
from osler.data.recipe import DataSection
from osler.structures.errors import DataError

GOOD = [box(1, 1, [1, 1, 9, 9]), box(2, 2, [2, 2, 9, 9], 2)]


@pytest.mark.parametrize(
    ("bad", "name", "said"),
    [
        ({"bbox": [float("nan"), 1, 2, 3]}, "not a number", "no finite number"),
        ({"bbox": [1, 1, -4, 5]}, "swapped corners", "ends before it begins"),
        ({"bbox": [1, 1, 0, 5]}, "no area", "has no area"),
        ({"bbox": [70, 1, 5, 5]}, "outside", "lies outside its picture of 60 x 40"),
        ({"bbox": [1, 2, 3]}, "no box", "four numbers"),
        ({"bbox": "1,2,3,4"}, "no box", "four numbers"),
        ({"bbox": [1, 2, 3, 4], "category_id": 9}, "unknown category", "id 9"),
        ({"bbox": [1, 2, 3, 4], "category_id": None}, "unknown category", "id None"),
        ({"bbox": [1, 2, 3, 4], "image_id": 77}, "unknown picture", "id 77"),
        ({"bbox": [1, 2, 3, 4], "image_id": [1]}, "unknown picture", r"id \[1\]"),
    ],
)
def test_a_wrong_annotation_is_named_and_left_out_and_the_rest_is_used(tmp_path, bad, name, said):
    path = coco_set(tmp_path, [*GOOD, box(5, 1, [0, 0, 1, 1]) | bad])
    parts = read(path)
    assert boxes(parts, 0) == [[1, 1, 10, 10]]
    assert boxes(parts, 1) == [[2, 2, 11, 11]]
    (fault,) = parts.faults
    assert (fault.name, fault.kept) == (name, False)
    assert fault.where == f"{path}, annotation 5"
    assert fault.reason.startswith(fault.where)
    assert re.search(said, fault.reason)
    assert any("1 annotated objects are left out" in note for note in parts.notes)
    assert audit(str(path)).problem(name).where == (fault.reason,)


def test_a_box_that_reaches_outside_is_cut_to_the_picture_and_one_that_nearly_fits_is_not_remarked(tmp_path):
    parts = read(coco_set(tmp_path, [box(1, 1, [-5, 1, 20, 10]), box(2, 2, [0.5, 0.5, 60, 40])]))
    assert boxes(parts, 0) == [[0, 1, 15, 11]]
    assert boxes(parts, 1) == [[0.5, 0.5, 60, 40]]
    assert [(f.name, f.kept) for f in parts.faults] == [("reaches outside", True)]


def test_a_picture_whose_objects_are_all_unknown_is_no_negative(tmp_path):
    """Its only object is somewhere: as a picture without objects it would teach the wrong thing."""
    path = coco_set(tmp_path, [*GOOD, box(3, 3, [1, 1, -4, 5])])
    parts = read(path)
    assert len(parts.train) == 2
    (skipped,) = parts.skipped
    assert skipped.path == str(tmp_path / "3.png")
    assert "would pass for a picture without objects" in skipped.reason
    empty = read(coco_set(tmp_path, [*GOOD, box(3, 3, [1, 1, 0, 0])]))  # a click that shows nothing
    assert len(empty.train) == 3


def test_repeated_ids_are_named(tmp_path):
    path = coco_set(tmp_path, [*GOOD, box(1, 1, [1, 1, 9, 9]), box(2, 3, [5, 5, 5, 5])])
    parts = read(path)
    assert [(f.name, f.kept) for f in parts.faults] == [("duplicate id", False), ("duplicate id", True)]
    assert len(boxes(parts, 0)) == 1
    assert boxes(parts, 2) == [[5, 5, 10, 10]]
    content = json.loads(path.read_text())
    content["images"].append({"id": 1, "file_name": "2.png"})
    path.write_text(json.dumps(content))
    assert "a second image with this id" in read(path).skipped[0].reason


def test_missing_pictures_are_skipped_and_named_and_too_many_refused(tmp_path):
    path = coco_set(tmp_path, [box(i, i, [1, 1, 9, 9], 1 + i % 2) for i in range(1, 21)], pictures=20)
    (tmp_path / "7.png").unlink()
    parts = read(path)
    assert len(parts.train) == 19
    assert "7.png" in parts.skipped[0].path
    assert "image 7" in parts.skipped[0].reason
    open_data(DataSection(path=str(path)), 0)
    for i in range(1, 7):
        (tmp_path / f"{i}.png").unlink()
    with pytest.raises(DataError, match=r"7 of 20 pictures.*data\.unreadable=0\.1"):
        open_data(DataSection(path=str(path)), 0)
    assert len(audit(str(path)).unreadable) == 7


def test_a_set_of_which_much_is_wrong_is_refused_with_its_first_fault(tmp_path):
    path = coco_set(tmp_path, [*GOOD, box(3, 1, [9, 9, -5, -5]), box(4, 1, [1, 1, 4, 4])])
    with pytest.raises(DataError, match=r"1 of 4 annotated objects.*data\.unreadable=0\.1.*annotation 3"):
        open_data(DataSection(path=str(path)), 0)
    open_data(DataSection(path=str(path), unreadable=0.5), 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1, 2]", "holds a list"),
        ('{"images": [], "annotations": []}', "no list 'categories'"),
        ('{"images": {"a": 1}, "annotations": [], "categories": []}', "'images' is an object"),
        ('{"images": [3], "annotations": [], "categories": []}', "entry 0 of 'images' is a number"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1}]}', "no id or no name"),
        ('{"images": [], "annotations": [], "categories": [{"id":1,"name":"a"},{"id":1,"name":"b"}]}', "have the id 1"),
        ('{"images": [], "annotations": [], "categories": [{"id":1,"name":"a"},{"id":2,"name":"a"}]}', "called 'a'"),
        ('{"images": [], "annotations": [], "categories": []}', "no pictures for training"),
        ('{"images": [', "is no JSON"),
        ('{"images": ' + "[" * 100_000, "nested too deeply|is no JSON"),
        ("\x00\xff", "is no JSON"),
    ],
)
def test_json_of_another_shape_is_refused_in_a_sentence(tmp_path, content, said):
    path = tmp_path / "a.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=said) as caught:
        read(path, format="coco")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        ("x", "neither a list of polygons nor runs"),
        ([[1, 2, 3]], "no list of x, y"),
        ([[1, 2, 3, "a"]], "no list of x, y"),
        ([[1, 2, 3, 4]], "three points"),
        ({"size": [40, 60], "counts": [5]}, "runs make 5 pixels"),
        ({"size": [60, 40], "counts": [2400]}, "for a picture of 40 x 60"),
        ({"size": [40, 60], "counts": "\x7f"}, "does not occur"),
        ({"size": [40, 60], "counts": {"a": 1}}, "neither text nor whole numbers"),
        ({"counts": [2400]}, "have no size"),
    ],
)
def test_an_outline_that_cannot_be_used_is_named_and_the_box_kept(tmp_path, segmentation, said):
    parts = read(coco_set(tmp_path, [box(1, 1, [1, 1, 9, 9], segmentation=segmentation)]))
    assert boxes(parts) == [[1, 1, 10, 10]]
    (fault,) = parts.faults
    assert (fault.name, fault.kept) == ("unusable outline", True)
    assert said in fault.reason


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        ('<!DOCTYPE a [<!ENTITY x "y">]><annotation>&x;</annotation>', "document type declaration"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>', "document type declaration"),
        ("<a>" * (DEEPEST + 1) + "</a>" * (DEEPEST + 1), f"more than {DEEPEST} deep"),
        ("<annotation>", "is no XML"),
        ("", "is no XML"),
        ("<annotation>&undefined;</annotation>", "is no XML"),
    ],
)
def test_xml_that_could_harm_or_is_none_is_refused(xml, said):
    with pytest.raises(DataError, match=said) as caught:
        parse_xml(xml.encode(), "1.xml")
    assert str(caught.value).startswith("1.xml")


def test_a_bomb_of_entities_is_refused_before_it_goes_off():
    lines = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 20))
    bomb = f'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY l0 "lol">{lines}]><annotation>&l19;</annotation>'
    with pytest.raises(DataError, match="document type declaration"):
        parse_xml(bomb.encode(), "bomb.xml")


def test_a_refused_xml_costs_its_picture_and_no_other(tmp_path):
    (tmp_path / "Annotations").mkdir()
    for i in range(1, 7):
        photo(tmp_path / "JPEGImages" / f"{i}.png", i)
    write = {
        1: voc_file(voc_thing(1, 1, 9, 9) + voc_thing("x", 1, 5, 5, "dog")),
        2: "<!DOCTYPE a><annotation/>",
        3: "<html/>",
        4: voc_file(voc_thing(9, 1, 5, 9)),
        5: voc_file("", name="5.png"),
        6: voc_file("<object><name>cat</name></object>" + voc_thing(1, 1, 9, 9, "")),
        7: voc_file(voc_thing(1, 1, 9, 9), name="7.png"),
    }
    for i, text in write.items():
        (tmp_path / "Annotations" / f"{i}.xml").write_text(text)
    parts = read(tmp_path)
    assert len(parts.train) == 2
    assert [f.name for f in parts.faults] == ["not a number", "swapped corners", "no box", "no class"]
    reasons = {s.path.rsplit("/", 1)[1]: s.reason for s in parts.skipped}
    assert "document type" in reasons["2.xml"]
    assert "<html>" in reasons["3.xml"]
    assert "no picture at" in reasons["7.png"]
    assert set(reasons) == {"2.xml", "3.xml", "4.png", "6.png", "7.png"}
    assert "1.xml, line 1" in parts.faults[0].where


def test_yolos_wrong_lines_are_named(tmp_path):
    for i in (1, 2):
        photo(tmp_path / "images" / f"{i}.png", i)
    (tmp_path / "labels").mkdir()
    lines = ["0 .5 .5 .2 .2", "0 .5 .5 .2", "7 .5 .5 .1 .1", "0.5 .5 .5 .1 .1", "0 30 20 10 10", "a b c d e"]
    lines += ["0 .5 .5 .2 .2 .9", "0 nan .5 .2 .2", "", "0 .5 .5 0 0"]
    (tmp_path / "labels" / "1.txt").write_text("\n".join(lines))
    (tmp_path / "data.yaml").write_text("train: images\nnames: [cat, dog]\n")
    parts = read(tmp_path)
    assert boxes(parts) == [[24, 16, 36, 24]]
    assert [(f.name, f.where.rsplit(" ", 1)[1]) for f in parts.faults] == [
        ("malformed line", "2"),
        ("unknown category", "3"),
        ("unknown category", "4"),
        ("not a share", "5"),
        ("malformed line", "6"),
        ("malformed line", "7"),
        ("not a number", "8"),
        ("no area", "10"),
    ]
    assert "confidence" in parts.faults[5].reason


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("train: images\nnames: []\n", "no list of classes"),
        ("train: images\nnames: [a]\nnc: 3\n", "nc: 3, and names 1"),
        ("train: images\nnames: {0: a, 2: b}\n", "without a gap"),
        ("train: images\nnames: [a, a]\n", "names a class twice"),
        ("train: nowhere\nnames: [a]\n", "no such folder or list"),
        ("val: images\nnames: [a]\n", "does not say where the training pictures are"),
        ("- 1\n", "is no YAML mapping"),
        ("a: [", "line 1: this is no plain YAML"),
    ],
)
def test_a_yaml_of_another_shape_is_refused(tmp_path, yaml, said):
    photo(tmp_path / "images" / "1.png", 1)
    (tmp_path / "data.yaml").write_text(yaml)
    with pytest.raises(DataError, match=said):
        read(tmp_path / "data.yaml")


def test_a_tables_wrong_lines_are_named(tmp_path):
    for i in (1, 2, 3):
        photo(tmp_path / f"{i}.png", i)
    path = tmp_path / "boxes.csv"
    rows = [
        "1.png,1,1,9,9,cat",
        "1.png,1,1,9,,cat",
        "1.png,9,1,5,5,cat",
        "2.png,1,1,5,5,",
        "4.png,1,1,5,5,dog",
        "3.png,,,,,",
    ]
    path.write_text("path,x1,y1,x2,y2,label\n" + "\n".join(rows))
    parts = read(path)
    assert len(parts.train) == 2
    assert {(f.name, f.where) for f in parts.faults} == {
        ("no box", f"{path}, line 3"),
        ("swapped corners", f"{path}, line 4"),
        ("no class", f"{path}, line 5"),
    }
    assert {s.path.rsplit("/", 1)[1] for s in parts.skipped} == {"2.png", "4.png"}


def test_annotations_in_several_forms_are_refused_until_one_is_chosen(tmp_path):
    coco_set(tmp_path, GOOD)
    (tmp_path / "1.xml").write_text(voc_file(voc_thing(1, 1, 9, 9)))
    with pytest.raises(DataError, match=r"several forms \(coco, voc\).*data\.format=coco"):
        recognise(str(tmp_path))
    assert len(read(tmp_path, format="coco").train) == 3
    assert len(read(tmp_path, format="voc").train) == 1


def test_two_training_files_are_refused(tmp_path):
    coco_set(tmp_path, GOOD)
    for name in ("train_a.json", "train_b.json"):
        (tmp_path / name).write_text(json.dumps(coco([], [])))
    (tmp_path / "boxes.json").unlink()
    with pytest.raises(DataError, match=r"train_a\.json and train_b\.json both"):
        read(tmp_path)


def test_a_set_without_any_object_is_refused(tmp_path):
    with pytest.raises(DataError, match="no object that can be used"):
        read(coco_set(tmp_path, []))
