"""Damaged data sets as people bring them: one message with file and record, the rest in use, nothing in silence."""

import json
import shutil

import numpy as np
import pytest
from object_scenes import HEIGHT, WIDTH, box, boxes, coco_set, photo, read, voc_file, voc_thing

from osler.data.objects.outlines import Runs
from osler.data.objects.rle import encode_mask
from osler.data.opening import recognise
from osler.data.plain_text import is_plain, shown
from osler.structures.errors import DataError

HUGE = 10**400
GOOD = [box(1, 1, [1, 1, 9, 9]), box(2, 2, [2, 2, 9, 9], 2)]
SQUARE = [[1, 1, 10, 1, 10, 10, 1, 10]]


def yolo_set(root, *, text="0 .5 .5 .2 .2\n", yaml="train: images\nnames: [cat, dog]\n", pictures=2):
    """Pictures and texts side by side; the yaml as bytes or text, or none."""
    for i in range(1, pictures + 1):
        photo(root / "images" / f"{i}.png", i)
        (root / "labels").mkdir(exist_ok=True)
        (root / "labels" / f"{i}.txt").write_text("0 .5 .5 .2 .2\n1 .5 .5 .1 .1\n")
    (root / "labels" / "1.txt").write_text("0 .5 .5 .4 .4\n" + text)
    if yaml is not None:
        (root / "data.yaml").write_bytes(yaml if isinstance(yaml, bytes) else yaml.encode())
    return root


def edited(path, change):
    """A COCO file after a change to its content."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


# YOLO's lists of classes


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        (b"train: images\nnames: [gr\xfcn, rot]\n", r"data\.yaml, line 2: this is no text in UTF-8"),
        ("train: images\nnames: [a, b\nnc: 2\n", r"data\.yaml, line 3: this is no plain YAML"),
        ('train: images\nnames: !!python/object/apply:os.system ["echo"]\n', r"data\.yaml, line 2: .*python/object"),
        ("a: &a [x]\ntrain: images\nnames: [*a, b]\n", r"data\.yaml, line 3: .*alias \*a"),
        ("", "no YAML mapping"),
        ("train: images\nnc: " + "9" * 5000 + "\nnames: [a]\n", "no plain YAML"),
        ("train: images\nday: 2001-99-99\nnames: [a]\n", "no plain YAML"),
        ("train: images\nnames: {0: a, x: b}\n", r"numbered \[0, 'x'\]"),
        ("train: images\nnames: [null, [1, 2]]\n", "name 0 is None"),
        ("train: images\nnames: [a, [1, 2]]\n", r"name 1 is \[1, 2\]"),
        ("train: images\nnames: [no, yes]\n", "name 0 is False.*without quotes"),
        ("train: images\nnames: ['" + "a" * 5000 + "']\n", "name 0 is too long"),
        ('train: images\nnames: ["\\e[31mred", b]\n', r"not to be shown \(\\x1b\[31mred\)"),
        ("names: [a]\n", "where the training pictures are"),
        ("train: [" * 2000, "nested too deeply|no plain YAML"),
    ],
)
def test_a_list_of_classes_that_cannot_be_read_is_never_ignored(tmp_path, yaml, said):
    with pytest.raises(DataError, match=said) as caught:
        read(yolo_set(tmp_path, yaml=yaml))
    assert str(tmp_path / "data.yaml") in str(caught.value)
    assert len(str(caught.value)) < 500


def test_another_yaml_beside_class_folders_is_nobodys_business(tmp_path):
    for name in ("cat", "dog"):
        photo(tmp_path / name / "1.png", 1)
    (tmp_path / "notes.yaml").write_text("a: [")
    assert recognise(str(tmp_path)) == "folders"


@pytest.mark.parametrize("name", ["classes.txt", "list.txt"])
def test_a_list_that_is_no_text_is_named_with_its_line(tmp_path, name):
    yaml = "train: list.txt\nnames: [a, b]\n" if name == "list.txt" else None
    yolo_set(tmp_path, yaml=yaml)
    (tmp_path / name).write_bytes(b"images/1.png\ngr\xfcn\n")
    with pytest.raises(DataError, match=rf"{name}, line 2: this is no text in UTF-8"):
        read(tmp_path)


@pytest.mark.parametrize("word", ["nan", "inf", "-inf", "9" * 5000, "1e300"])
def test_a_class_that_is_no_number_of_one_costs_its_line_only(tmp_path, word):
    parts = read(yolo_set(tmp_path, text=f"{word} .5 .5 .1 .1\n"))
    (fault,) = parts.faults
    assert fault.name == "unknown category"
    assert fault.where == f"{tmp_path / 'labels' / '1.txt'}, line 2"
    assert len(fault.reason) < 300
    assert len(boxes(parts, 0)) == 1
    assert len(parts.train) == 2


def test_one_stray_class_does_not_make_ten_thousand(tmp_path):
    parts = read(yolo_set(tmp_path, text="9999 .5 .5 .1 .1\n", yaml=None))
    assert parts.names == ("0", "1")
    assert "class 9999 of 2" in parts.faults[0].reason


def test_a_text_without_its_picture_is_said(tmp_path):
    yolo_set(tmp_path)
    (tmp_path / "labels" / "zzz.txt").write_text("0 .5 .5 .1 .1\n")
    (tmp_path / "labels" / "classes.txt").write_text("cat\ndog\n")
    (note,) = read(tmp_path).notes
    assert note.startswith("1 texts have no picture")
    assert "zzz.txt" in note


def test_validation_pictures_that_cannot_be_read_are_not_replaced_by_training_pictures(tmp_path):
    yolo_set(tmp_path, yaml="train: images\nval: val/images\nnames: [cat, dog]\n", pictures=20)
    (tmp_path / "val" / "images").mkdir(parents=True)
    (tmp_path / "val" / "images" / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"validation pictures, and none can be used.*1\.png is empty"):
        read(tmp_path)


# COCO


@pytest.mark.parametrize(
    ("content", "said"), [("", "is no JSON"), ("[1, 2]", "holds a list"), ('"square"', "holds a text")]
)
@pytest.mark.parametrize("place", ["boxes.json", "annotations/instances_train.json"])
def test_a_json_that_is_meant_for_the_pictures_is_refused_by_name(tmp_path, content, said, place):
    for i in (1, 2):
        photo(tmp_path / "images" / f"{i}.png", i)
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    for given in (tmp_path, path):
        with pytest.raises(DataError, match=said) as caught:
            read(given)
        assert str(path) in str(caught.value)


def test_a_json_beside_class_folders_is_nobodys_business(tmp_path):
    for name in ("cat", "dog"):
        photo(tmp_path / name / "1.png", 1)
    (tmp_path / "names.json").write_text('["cat", "dog"]')
    assert recognise(str(tmp_path)) == "folders"


def test_a_damaged_part_is_not_passed_over_for_another(tmp_path):
    path = coco_set(tmp_path, GOOD)
    (tmp_path / "annotations").mkdir()
    shutil.move(path, tmp_path / "annotations" / "instances_val.json")
    (tmp_path / "annotations" / "instances_train.json").write_text("")
    with pytest.raises(DataError, match=r"instances_train\.json is no JSON"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        ({"bbox": [1, 1, HUGE, 5]}, "not a number"),
        ({"bbox": [1, 1, -HUGE, 5]}, "not a number"),
        ({"area": HUGE}, "unusable area"),
        ({"area": float("inf")}, "unusable area"),
        ({"area": "large"}, "unusable area"),
        ({"segmentation": [[HUGE, 1, 2, 3, 4, 5]]}, "unusable outline"),
        ({"segmentation": [[1e30, 1, 2, 3, 4, 5]]}, "unusable outline"),
        ({"segmentation": {"size": [HEIGHT, WIDTH], "counts": [2**70]}}, "unusable outline"),
        ({"segmentation": {"size": [HUGE, HUGE], "counts": [1]}}, "unusable outline"),
        (
            {"segmentation": {"size": [HEIGHT, WIDTH], "counts": [2**62, 2**62, 2**62, 2**62 + HEIGHT * WIDTH]}},
            "unusable outline",
        ),
        ({"segmentation": {"size": [HEIGHT, WIDTH], "counts": [-5, HEIGHT * WIDTH + 5]}}, "unusable outline"),
        ({"iscrowd": "no way"}, "unclear mark"),
        ({"iscrowd": 2}, "unclear mark"),
        ({"category_id": "\ud800" * 3000}, "unknown category"),
    ],
)
def test_numbers_beyond_all_bounds_cost_their_annotation_only(tmp_path, bad, name):
    parts = read(coco_set(tmp_path, [*GOOD, box(5, 1, [3, 3, 4, 4]) | bad]))
    (fault,) = parts.faults
    assert fault.name == name
    assert fault.reason.startswith(f"{tmp_path / 'boxes.json'}, annotation 5: ")
    assert len(fault.reason) < 500
    assert is_plain(fault.reason)
    assert len(parts.train) == 3
    assert boxes(parts, 0)[0] == [1, 1, 10, 10]


@pytest.mark.parametrize(("value", "crowd"), [("no", False), ("0", False), ("true", True), (1.0, True), (None, False)])
def test_a_mark_is_read_by_what_it_says(tmp_path, value, crowd):
    parts = read(coco_set(tmp_path, [*GOOD, box(5, 1, [3, 3, 4, 4], iscrowd=value)]))
    assert parts.faults == []
    assert bool(parts.train.truth(0).objects.crowd[1]) == crowd


def test_a_negative_run_is_called_so(tmp_path):
    runs = {"size": [HEIGHT, WIDTH], "counts": [-5, HEIGHT * WIDTH + 5]}
    (fault,) = read(coco_set(tmp_path, [box(1, 1, [1, 1, 9, 9], segmentation=runs)])).faults
    assert "one of its runs has -5 pixels" in fault.reason


@pytest.mark.parametrize("width", [0, -96, "60", float("inf"), HUGE, 10**7, 59.5, True])
def test_a_size_that_none_can_be_is_said_and_the_files_taken(tmp_path, width):
    path = edited(coco_set(tmp_path, GOOD), lambda c: c["images"][0].update(width=width))
    parts = read(path)
    (fault,) = parts.faults
    assert (fault.name, fault.where, fault.kept) == ("unusable size", f"{path}, image 1", True)
    assert len(fault.reason) < 300
    assert parts.train[0].image.shape == (HEIGHT, WIDTH, 3)


def test_runs_of_a_picture_of_gigabytes_are_never_drawn(tmp_path, monkeypatch):
    side = 70_000
    runs = {"size": [side, side], "counts": [5, 5, side**2 - 10]}
    bad = {k: v for k, v in box(3, 3, None, segmentation=runs).items() if k != "bbox"}
    path = edited(coco_set(tmp_path, [*GOOD, bad]), lambda c: c["images"][2].update(width=side, height=side))
    monkeypatch.setattr("osler.data.objects.outlines.decode_mask", None)  # it would take 4.6 GiB
    parts = read(path)
    assert boxes(parts, 2) == [[0, 5, 1, 10]]
    with pytest.raises(DataError, match="60 x 40 pixels, and its objects were annotated in 70000 x 70000"):
        parts.train[2]


def test_the_box_of_runs_is_that_of_their_mask():
    random = np.random.default_rng(0)
    for _ in range(200):
        mask = (random.random((5, 7)) < random.choice([0.05, 0.3, 0.9])).astype(np.uint8)
        columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
        box_of = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if mask.any() else (0, 0, 0, 0)
        assert Runs.from_counts(encode_mask(mask).tolist(), 5, 7).box() == tuple(map(float, box_of))


@pytest.mark.parametrize("name", ["a" * 5000 + ".png", "\ud800.png", "a\0\x1b[31m.png", "."])
def test_a_name_that_no_file_can_have_costs_its_picture_only(tmp_path, name):
    path = edited(coco_set(tmp_path, GOOD), lambda c: c["images"][2].update(file_name=name))
    parts = read(path)
    (skipped,) = parts.skipped
    assert skipped.reason.startswith(f"{path}, image 3: there is no picture at")
    assert len(skipped.reason) < 500
    assert is_plain(skipped.path)
    assert is_plain(skipped.reason)
    assert len(parts.train) == 2


@pytest.mark.parametrize("name", ["\ud800x", "\x1b[31mred", "a\nb", "\0"])
def test_a_category_that_cannot_be_written_is_refused(tmp_path, name):
    path = edited(coco_set(tmp_path, GOOD), lambda c: c["categories"][0].update(name=name))
    with pytest.raises(DataError, match="name of entry 0 of 'categories' holds characters") as caught:
        read(path)
    assert is_plain(str(caught.value))


def test_one_outline_that_cannot_be_used_does_not_take_the_masks_from_all(tmp_path):
    marked = [box(i, i, [1, 1, 9, 9], 1 + i % 2, segmentation=SQUARE) for i in range(1, 12)]
    marked[4]["segmentation"] = [[1, 2, 3]]
    parts = read(coco_set(tmp_path, marked, pictures=11))
    assert parts.train.has_masks
    assert len(parts.train) == 10
    (skipped,) = parts.skipped
    assert skipped.path == str(tmp_path / "5.png")
    assert "boxes.json, annotation 5: a polygon" in skipped.reason
    assert [f.kept for f in parts.faults] == [False]


def test_of_many_outlines_that_cannot_be_used_the_boxes_are_left(tmp_path):
    marked = [box(i, i, [1, 1, 9, 9], 1 + i % 2, segmentation=SQUARE) for i in range(1, 12)]
    for one in marked[:4]:
        one["segmentation"] = [[1, 2, 3]]
    parts = read(coco_set(tmp_path, marked, pictures=11))
    assert not parts.train.has_masks
    assert len(parts.train) == 11
    assert any("no masks are given" in note for note in parts.notes)


# VOC and tables


def voc_beside(root, xml):
    """Pictures with their XML beside them; the first is given."""
    for i in range(1, 5):
        photo(root / f"{i}.png", i)
        (root / f"{i}.xml").write_text(voc_file(voc_thing(1, 1, 9, 9), name=f"{i}.png"))
    (root / "1.xml").write_text(xml)
    return root


def test_voc_is_known_although_its_first_file_is_empty(tmp_path):
    parts = read(voc_beside(tmp_path, ""))
    assert len(parts.train) == 3
    assert "1.xml is no XML" in parts.skipped[0].reason
    assert parts.notes == []  # its picture is not called one without XML


@pytest.mark.parametrize("width", ["inf", "9" * 5000, "0", "wide"])
def test_vocs_size_that_none_can_be_is_said(tmp_path, width):
    xml = voc_file(voc_thing(1, 1, 9, 9)).replace(f"<width>{WIDTH}", f"<width>{width}")
    parts = read(voc_beside(tmp_path, xml))
    (fault,) = parts.faults
    assert (fault.name, fault.where) == ("unusable size", str(tmp_path / "1.xml"))
    assert len(fault.reason) < 300
    assert len(parts.train) == 4


def test_a_name_in_xml_that_no_line_can_hold_costs_its_object_only(tmp_path):
    parts = read(voc_beside(tmp_path, voc_file(voc_thing(1, 1, 9, 9) + voc_thing(2, 2, 9, 9, "a&#10;b"))))
    assert parts.names == ("cat",)
    assert [(f.name, is_plain(f.reason)) for f in parts.faults] == [("no class", True)]
    assert len(boxes(parts, 0)) == 1


def test_a_picture_without_xml_is_said(tmp_path):
    photo(voc_beside(tmp_path, voc_file(voc_thing(1, 1, 9, 9))) / "extra.png", 9)
    (note,) = read(tmp_path).notes
    assert note.startswith("1 pictures have no XML")
    assert "extra.png" in note


def table(root, rows, head="path,x1,y1,x2,y2,label"):
    """A table of boxes beside two pictures."""
    for i in (1, 2):
        photo(root / f"{i}.png", i)
    (root / "boxes.csv").write_text("\n".join([head, "1.png,1,1,9,9,cat", "2.png,1,1,9,9,dog", *rows]) + "\n")
    return root


def test_a_table_of_boxes_and_stray_xml_are_refused_until_one_is_chosen(tmp_path):
    (table(tmp_path, []) / "1.xml").write_text(voc_file(voc_thing(1, 1, 9, 9)))
    with pytest.raises(DataError, match=r"several forms \(voc, csv\)"):
        recognise(str(tmp_path))
    assert len(read(tmp_path, format="csv").train) == 2


@pytest.mark.parametrize("name", ["a" * 5000 + ".png", "a\x1b[31m.png"])
def test_a_path_that_no_file_can_have_costs_its_line_only(tmp_path, name):
    parts = read(table(tmp_path, [f"{name},1,1,9,9,cat"]))
    (skipped,) = parts.skipped
    assert skipped.reason.startswith(f"{tmp_path / 'boxes.csv'}, line 4: ")
    assert len(skipped.reason) < 500
    assert is_plain(skipped.reason)


def test_a_class_that_cannot_be_shown_costs_its_line_only(tmp_path):
    parts = read(table(tmp_path, ["1.png,2,2,9,9,\x1b[31mred"]))
    assert parts.names == ("cat", "dog")
    assert [(f.name, is_plain(f.reason)) for f in parts.faults] == [("no class", True)]


@pytest.mark.parametrize("head", ["path,x,y,w,h,label", "path,xmin,ymin,width,height,class", "path,cx,cy,w,h,name"])
def test_boxes_by_their_size_are_refused_with_the_columns_that_are_expected(tmp_path, head):
    with pytest.raises(DataError, match=r"corners in x1, y1, x2, y2 \(or xmin"):
        read(table(tmp_path, [], head))


def test_foreign_text_is_shown_without_what_could_change_a_terminal():
    assert shown("a\x1b[31m\0\ud800") == r"a\x1b[31m\x00\ud800"
    assert shown("猫 é\u3000\u200d") == "猫 é\u3000\u200d"
    assert len(shown("a" * 10_000)) < 310
