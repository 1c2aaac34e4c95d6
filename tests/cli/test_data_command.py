"""`osler data PATH` for pictures with objects, and `osler data convert`."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import Osler


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Three pictures with boxes in COCO's form; one box is swapped."""
    folder = tmp_path / "cells"
    folder.mkdir()
    for i in range(1, 4):
        pixels = np.random.default_rng(i).integers(0, 256, (40, 60, 3), np.uint8)
        cv2.imwrite(str(folder / f"{i}.png"), pixels)
    images = [{"id": i, "file_name": f"{i}.png", "height": 40, "width": 60} for i in range(1, 4)]
    annotations = [{"id": i, "image_id": 1, "category_id": 1, "bbox": [i, i, 10, 10]} for i in range(1, 4)]
    annotations.append({"id": 9, "image_id": 1, "category_id": 1, "bbox": [5, 5, -4, 3]})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cell"}]}
    (folder / "cells.json").write_text(json.dumps(content))
    return folder


def test_a_set_with_objects_is_shown(osler_: Osler, cells: Path) -> None:
    said = osler_("data", cells)
    assert said.status == 0, said
    for words in ("1 classes of objects", "pictures without", "width to height", "swapped corners", "annotation 9"):
        assert words in said.out, words


def test_a_set_is_converted_and_shown_again(osler_: Osler, cells: Path) -> None:
    for form in ("voc", "yolo", "csv", "coco"):
        said = osler_("data", "convert", cells, form, "--to", form)
        assert said.status == 0, said
        assert "3 train; 3 objects" in said.out
        again = osler_("data", Path(form) / "objects.csv" if form == "csv" else form)
        assert again.status == 0, again
        assert "Nothing wrong was found." in again.out


def test_words_of_the_data_hold_for_both(osler_: Osler, cells: Path) -> None:
    assert osler_("data", "digits", "limit=50").status == 0
    assert "no XML annotations" in osler_("data", cells, "format=voc").refusal()
    assert "no XML annotations" in osler_("data", "convert", cells, "out", "format=voc").refusal()


def test_what_cannot_be_converted_is_refused_in_a_sentence(osler_: Osler, cells: Path) -> None:
    assert (
        "--to bmp: known are coco, voc, yolo, csv" in osler_("data", "convert", cells, "out", "--to", "bmp").refusal()
    )
    assert "holds something already" in osler_("data", "convert", cells, cells).refusal()
    assert "nothing at nowhere" in osler_("data", "convert", "nowhere", "out").refusal()
    assert "no objects with boxes" in osler_("data", "convert", "digits", "out").refusal()
    assert osler_.left() == []


def test_the_group_has_help_of_its_own(osler_: Osler) -> None:
    assert "convert" in osler_("data", "--help").out
    assert "--to" in osler_("data", "convert", "--help").out
