"""COCO, VOC, YOLO and CSV: each box where it belongs, in every usual layout."""

import json
from pathlib import Path

import numpy as np
import pytest
from object_scenes import HEIGHT, WIDTH, box, boxes, coco, coco_set, photo, read, voc_file, voc_thing

from osler.data.objects.object_files import ObjectFiles
from osler.data.opening import open_data, recognise
from osler.data.recipe import DataSection
from osler.imaging.header import UnreadableError
from osler.structures.errors import DataError

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def test_coco_boxes_become_corners_and_flags_are_kept(tmp_path):
    ring = [10, 5, 30, 5, 30, 15, 10, 15]
    crowd = {"size": [HEIGHT, WIDTH], "counts": [0, 40, 2360]}
    path = coco_set(
        tmp_path,
        [
            box(1, 1, [10, 5, 20, 10], segmentation=[ring]),
            box(2, 1, [0, 0, 1, 40], 2, area=33.5, iscrowd=1, segmentation=crowd),
            box(3, 2, [1.5, 2.5, 3, 4], 2, ignore=1, segmentation=[ring]),
        ],
    )
    parts = read(path)
    assert recognise(str(path)) == recognise(str(tmp_path)) == "coco"
    assert parts.kind == "objects"
    assert parts.names == ("cat", "dog")
    assert parts.train.targets.tolist() == [[1, 1], [0, 1], [0, 0]]
    assert parts.train.targets.dtype == np.uint8
    sample = parts.train[0]
    objects = sample.objects
    assert objects.boxes.tolist() == [[10, 5, 30, 15], [0, 0, 1, 40]]
    assert objects.labels.tolist() == [0, 1]
    assert objects.crowd.tolist() == [False, True]
    assert objects.areas.tolist() == [200, 33.5]
    assert parts.train[1].objects.areas is None
    assert objects.masks[0, 5:15, 10:30].all()
    assert objects.masks[0].sum() == 200
    assert objects.masks[1, :, 0].all()
    assert objects.masks[1].sum() == 40
    assert parts.train[1].objects.difficult.tolist() == [True]
    empty = parts.train[2]
    assert len(empty.objects) == 0
    assert empty.objects.masks.shape == (0, HEIGHT, WIDTH)


@pytest.mark.parametrize("layout", ["coco", "exported", "images"])
def test_coco_parts_are_found_in_the_usual_layouts(tmp_path, layout):
    for number, (part, folder) in enumerate((("train", "train2017"), ("val", "val2017"), ("test", "test2017"))):
        content = coco([{"id": 1, "file_name": f"{part}.png"}], [box(1, 1, [number, 0, 5, 5])])
        if layout == "exported":
            photo(tmp_path / part / f"{part}.png", number)
            (tmp_path / part / "_annotations.coco.json").write_text(json.dumps(content))
            continue
        photo(tmp_path / ("images/" if layout == "images" else "") / folder / f"{part}.png", number)
        (tmp_path / "annotations").mkdir(exist_ok=True)
        (tmp_path / "annotations" / f"instances_{folder}.json").write_text(json.dumps(content))
        (tmp_path / "annotations" / f"captions_{folder}.json").write_text('{"images": [], "annotations": []}')
    parts = read(tmp_path)
    assert {part: boxes(parts, 0, part) for part in parts.given()} == {
        "train": [[0, 0, 5, 5]],
        "validation": [[1, 0, 6, 5]],
        "test": [[2, 0, 7, 5]],
    }


def test_coco_pictures_may_lie_in_a_folder_that_is_named(tmp_path):
    path = coco_set(tmp_path / "notes", [box(1, 1, [0, 0, 5, 5])])
    (tmp_path / "far").mkdir()
    for picture in (tmp_path / "notes").glob("*.png"):
        picture.rename(tmp_path / "far" / picture.name)
    assert len(read(path, pictures=str(tmp_path / "far")).train) == 3
    with pytest.raises(DataError, match="no pictures for training"):
        read(path)
    with pytest.raises(DataError, match=r"data\.pictures: there is no folder nowhere"):
        read(path, pictures="nowhere")


def test_vocs_pixels_count_from_one_and_the_last_belongs_to_the_box(tmp_path):
    photo(tmp_path / "JPEGImages" / "1.png", 1)
    (tmp_path / "Annotations").mkdir()
    things = voc_thing(1, 1, WIDTH, HEIGHT) + voc_thing(5, 6, 5, 9, "dog", 1)
    (tmp_path / "Annotations" / "1.xml").write_text(voc_file(things))
    parts = read(tmp_path)
    assert recognise(str(tmp_path)) == "voc"
    assert boxes(parts) == [[0, 0, WIDTH, HEIGHT], [4, 5, 5, 9]]
    assert parts.names == ("cat", "dog")
    assert parts.train[0].objects.difficult.tolist() == [False, True]
    assert parts.train[0].objects.masks is None


@pytest.mark.parametrize("lists", [("train", "val", "test"), ("trainval", "test"), ()])
def test_vocs_lists_say_the_parts(tmp_path, lists):
    members = {"train": "1", "val": "2", "trainval": "1\n2", "test": "3  1"}
    (tmp_path / "Annotations").mkdir()
    for i in range(1, 5):
        photo(tmp_path / "JPEGImages" / f"{i}.jpg", i)
        (tmp_path / "Annotations" / f"{i}.xml").write_text(voc_file(voc_thing(1, 1, 9, 9), name="another name.jpg"))
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    for name in lists:
        (tmp_path / "ImageSets" / "Main" / f"{name}.txt").write_text(members[name] + "\n")
    parts = read(tmp_path)
    counts = {part: len(data) for part, data in parts.given().items()}
    assert (
        counts == {3: {"train": 1, "validation": 1, "test": 1}, 2: {"train": 2, "test": 1}, 0: {"train": 4}}[len(lists)]
    )
    assert any("in none of the lists" in note for note in parts.notes) == bool(lists)


def test_voc_beside_the_pictures_in_folders_by_part(tmp_path):
    for part in ("train", "valid"):
        photo(tmp_path / part / "a.png", 1)
        (tmp_path / part / "a.xml").write_text(voc_file(voc_thing(1, 1, 9, 9), name="a.png"))
    parts = read(tmp_path)
    assert set(parts.given()) == {"train", "validation"}


def yolo_set(root, lines, *, yaml=None):
    photo(root / "images" / "train" / "1.png", 1)
    photo(root / "images" / "train" / "2.png", 2)
    photo(root / "images" / "val" / "3.png", 3)
    (root / "labels" / "train").mkdir(parents=True)
    (root / "labels" / "train" / "1.txt").write_text("\n".join(lines))
    text = "train: images/train\nval: images/val\nnames: [cat, dog]\n" if yaml is None else yaml
    (root / "data.yaml").write_text(text)
    return root


def test_yolos_shares_become_pixels_and_a_picture_without_text_has_no_objects(tmp_path):
    root = yolo_set(tmp_path, ["1 0.5 0.5 0.5 0.25", "0 0.25 0.25 0.5 0.5"])
    parts = read(root)
    assert recognise(str(root)) == recognise(str(root / "data.yaml")) == "yolo"
    assert boxes(parts) == [[15, 15, 45, 25], [0, 0, 30, 20]]
    assert parts.train[0].objects.labels.tolist() == [1, 0]
    assert [len(parts.train), len(parts.validation)] == [2, 1]
    assert len(parts.train[1].objects) == len(parts.validation[0].objects) == 0


def test_yolos_polygons_are_masks(tmp_path):
    parts = read(yolo_set(tmp_path, ["0 0.1 0.1 0.5 0.1 0.5 0.6 0.1 0.6"]))
    sample = parts.train[0]
    np.testing.assert_allclose(sample.objects.boxes, [[6, 4, 30, 24]], atol=1e-5)
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[4:24, 6:30] = 1
    np.testing.assert_array_equal(sample.objects.masks[0], expected)


def test_yolos_mixture_of_boxes_and_polygons_gives_boxes_and_says_so(tmp_path):
    parts = read(yolo_set(tmp_path, ["0 0.5 0.5 0.5 0.5", "0 0.1 0.1 0.5 0.1 0.5 0.6"]))
    assert parts.train[0].objects.masks is None
    assert len(parts.train[0].objects) == 2
    assert "1 of 2 objects have a box and no outline" in " ".join(parts.notes)


def test_yolos_yaml_of_another_machine(tmp_path):
    yaml = "path: /somewhere/else\ntrain: ../images/train\nvalid: images/val\nnc: 2\nnames: {0: cat, 1: dog}\n"
    parts = read(yolo_set(tmp_path, ["0 0.5 0.5 0.5 0.5"], yaml=yaml))
    assert parts.names == ("cat", "dog")
    assert len(parts.validation) == 1


def test_yolo_without_yaml(tmp_path):
    root = yolo_set(tmp_path, ["2 0.5 0.5 0.5 0.5"])
    (root / "data.yaml").unlink()
    assert read(root).names == ("0", "1", "2")
    (root / "classes.txt").write_text("cat\ndog\nbird\n")
    assert read(root).names == ("cat", "dog", "bird")


def test_a_table_of_objects_is_read_by_its_columns_names(tmp_path):
    photo(tmp_path / "a.png", 1)
    photo(tmp_path / "b.png", 2)
    text = (
        "xmin,ymin,xmax,ymax,class,filename,split\n1,2,11,12,dog,a.png,train\n3,4,5,6,cat,a.png,train\n,,,,,b.png,val\n"
    )
    (tmp_path / "boxes.csv").write_text(text)
    parts = read(tmp_path / "boxes.csv")
    assert parts.kind == "objects"
    assert parts.names == ("cat", "dog")
    assert boxes(parts) == [[1, 2, 11, 12], [3, 4, 5, 6]]
    assert parts.train[0].objects.labels.tolist() == [1, 0]
    assert len(parts.validation[0].objects) == 0


def test_a_table_of_numbers_called_corners_stays_a_table_of_numbers(tmp_path):
    for name in "abcd":
        photo(tmp_path / f"{name}.png", ord(name))
    (tmp_path / "t.csv").write_text("path,x1,y1,x2,y2\n" + "".join(f"{n}.png,1.5,2,3,4\n" for n in "abcd"))
    assert read(tmp_path / "t.csv").kind == "numbers"
    with pytest.raises(DataError, match="no column for the class"):
        read(tmp_path / "t.csv", labels="objects")


def test_sets_are_divided_by_their_classes_and_by_seed(tmp_path):
    annotations = [box(i, i, [1, 1, 9, 9], 1 + i % 2) for i in range(1, 31)]
    path = coco_set(tmp_path, annotations, pictures=34)  # four without objects
    section = DataSection(path=str(path), validation=0.3)
    first, again, other = open_data(section, 0), open_data(section, 0), open_data(section, 1)
    assert first.kind == "objects"
    assert isinstance(first.train, ObjectFiles)
    assert len(first.train) + len(first.validation) == 34
    assert set(first.validation.targets.sum(0).tolist()) <= {4, 5}  # a share of 15 / 34 of ten
    assert first.train.paths == again.train.paths
    assert first.train.paths != other.train.paths
    assert first.train[0].path == first.train.path(0)


def test_a_trained_models_names_number_the_objects(tmp_path):
    path = coco_set(tmp_path, [box(1, 1, [1, 1, 9, 9], 2)])
    source = open_data(DataSection(path=str(path), validation=0), 0, names=("bird", "dog", "cat"))
    assert source.train[0].objects.labels.tolist() == [1]
    assert source.train.targets.tolist()[0] == [0, 1, 0]
    with pytest.raises(DataError, match="classes that are not known: cat"):
        open_data(DataSection(path=str(path)), 0, names=("dog",))


def test_masks_are_left_out_where_a_task_wants_none_and_boxes_move_with_a_smaller_decoding(tmp_path):
    photo(tmp_path / "1.jpg", 1, height=400, width=640)
    ring = [[80, 80, 400, 80, 400, 240, 80, 240]]
    images = [{"id": 1, "file_name": "1.jpg", "height": 400, "width": 640}]
    (tmp_path / "a.json").write_text(json.dumps(coco(images, [box(1, 1, [80, 80, 320, 160], segmentation=ring)])))
    data = read(tmp_path / "a.json").train
    data.decode_size = (50, 80)
    sample = data[0]
    across = sample.image.shape[1] / 640
    assert across < 1
    np.testing.assert_allclose(sample.objects.boxes, np.array([[80, 80, 400, 240]]) * across)
    assert sample.objects.masks.shape[1:] == sample.image.shape[:2]
    data.with_masks = False
    assert data[0].objects.masks is None
    assert data.select(np.array([0]))[0].objects.masks is None


def test_a_picture_of_another_size_than_annotated_is_unreadable(tmp_path):
    path = coco_set(tmp_path, [box(1, 1, [1, 1, 9, 9])])
    photo(tmp_path / "1.png", 1, height=WIDTH, width=HEIGHT)
    with pytest.raises(UnreadableError, match="has 40 x 60 pixels, and its objects were annotated in 60 x 40"):
        read(path).train[0]


@pytest.mark.parametrize(("name", "counts"), [("bccd", (205, 87, 72)), ("tiny_coco", (50, 50, None))])
def test_real_sets_are_recognised_and_read(name, counts):
    if not (SHARED / name).exists():
        pytest.skip(f"../shared/data/{name} is not here")
    parts = read(SHARED / name)
    assert (len(parts.train), len(parts.validation), parts.test and len(parts.test)) == counts
    assert parts.kind == "objects"
    assert not parts.skipped
    if name == "bccd":
        assert parts.names == ("Platelets", "RBC", "WBC")
        assert [f.name for f in parts.faults] == ["no area", "no area"]
        assert sorted(Path(f.where.split(",")[0]).stem for f in parts.faults) == [
            "BloodImage_00338",
            "BloodImage_00343",
        ]
    else:
        assert sum(int(t.objects.crowd.sum()) for d in parts.given().values() for t in d.truths) == 10
        assert sum(len(t.objects) == 0 for d in parts.given().values() for t in d.truths) == 3
        assert parts.train[0].objects.masks is not None
