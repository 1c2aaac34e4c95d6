"""Before a training of ours, and beside it, the doctor reads the annotations and the detector's own anchors and strides."""

import json
from pathlib import Path

import pytest
from detection_sets import MODEL, SIDE, SMALL, write_set

from osler.verbs.doctor import examine_recipe


def test_a_healthy_set_and_detector_are_healthy(tmp_path: Path) -> None:
    examined = examine_recipe([f"data={write_set(tmp_path / 'set')}", MODEL, *SMALL])
    assert not examined.diagnosis.sick
    objects = examined.evidence.objects
    assert objects is not None
    assert (len(objects.pictures), objects.strides, len(objects.anchors)) == (36, (8, 16, 32, 64), 1)
    assert objects.annotated == 72


def test_shares_where_pixels_are_read_are_told(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", lambda box, k: [v / SIDE for v in box])
    findings = examine_recipe([f"data={folder}", MODEL, *SMALL]).findings
    assert findings[0].fault == "boxes-in-other-format"
    assert "48 boxes" in findings[0].evidence


def test_corners_where_sizes_are_read_are_told_by_what_the_reader_cut(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", lambda box, k: [box[0], box[1], box[0] + box[2], box[1] + box[3]])
    findings = examine_recipe([f"data={folder}", MODEL, *SMALL]).findings
    assert findings[0].fault == "boxes-in-other-format"
    assert "instances_train.json" in findings[0].evidence


def test_objects_under_the_stride_and_a_class_without_validation_are_told(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", sides=(3, 4))
    file = folder / "instances_val.json"
    content = json.loads(file.read_text())
    content["annotations"] = [a for a in content["annotations"] if a["category_id"] == 1]
    file.write_text(json.dumps(content))
    told = {f.fault: f for f in examine_recipe([f"data={folder}", MODEL, *SMALL]).findings if f.counts}
    assert set(told) == {"objects-below-stride", "class-never-validated"}
    assert "anchors-miss-objects" in [f.fault for f in told["objects-below-stride"].consequences]
    assert "right (24 in training)" in told["class-never-validated"].evidence


@pytest.mark.parametrize("bad", [1])
def test_what_the_reader_left_out_is_a_note(tmp_path: Path, bad: int) -> None:
    folder = write_set(tmp_path / "set", lambda box, k: [box[0], box[1], 0.0, box[3]] if k == bad else box)
    examined = examine_recipe([f"data={folder}", MODEL, *SMALL])
    notes = {f.fault: f.severity for f in examined.findings}
    assert notes["box-without-area"] == "note"
    assert not examined.diagnosis.sick
