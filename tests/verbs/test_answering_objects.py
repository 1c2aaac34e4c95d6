"""A detector's answers: predict and evaluate, in pixels of the picture, from the threshold on."""

import csv
import io
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from toy_detectors import BrightFinder
from typer.testing import CliRunner

import osler
from osler.cli.app import app
from osler.data.opening import open_data
from osler.data.recipe import DataSection
from osler.structures.errors import DataError
from osler.structures.preprocessing import Preprocessing
from osler.tasks.detection import Detection
from osler.training.artefact import Artefact, save_artefact
from tiny_runs import write_png

SIZES = [(48, 96), (120, 60), (64, 64)]  # height, width


def patch_of(height: int, width: int) -> list[int]:
    """Where the white patch of a picture lies: x1, y1, x2, y2."""
    return [width // 4, height // 4, width // 2, height // 2]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of several sizes with a white patch each, as a list of objects; the last has none."""
    folder = tmp_path_factory.mktemp("patches")
    lines = ["path,x1,y1,x2,y2,label"]
    for number, (height, width) in enumerate(SIZES):
        image = np.full((height, width, 3), 40, np.uint8)
        x1, y1, x2, y2 = patch_of(height, width)
        image[y1:y2, x1:x2] = 255
        write_png(folder / f"{number}.png", image)
        lines.append(f"{number}.png,{x1},{y1},{x2},{y2},patch")
    write_png(folder / "dark.png", np.full((50, 50, 3), 40, np.uint8))
    (folder / "objects.csv").write_text("\n".join([*lines, "dark.png,,,,,"]) + "\n", encoding="utf-8")
    return folder


def weights(place: Path, model: torch.nn.Module, *, threshold: float = 0.5, name: str | None = None) -> Path:
    """A trained detector as a file."""
    options = {"backbone": {"name": "convnet", "options": {"widths": [8, 8, 8], "depth": 1}}, "strides": [2, 4]}
    made = {"name": name, "num_classes": 1, "in_channels": 3, "options": options}
    preprocessing = Preprocessing(size=(64, 64), fit="pad", names=("patch",))
    save_artefact(Artefact(model, preprocessing, Detection(("patch",), threshold=threshold), made), place)
    return place


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights(tmp_path_factory.mktemp("finder") / "best.safetensors", BrightFinder())


@pytest.mark.parametrize("number", range(len(SIZES)))
def test_boxes_are_in_the_pixels_of_the_picture(finder: Path, scenes: Path, number: int) -> None:
    (answer,) = osler.predict(finder, scenes / f"{number}.png", model=BrightFinder())
    (found,) = answer.described["objects"]
    assert found["class"] == "patch"
    height, width = SIZES[number]
    np.testing.assert_allclose(found["box"], patch_of(height, width), atol=max(height, width) / 64 * 1.5)
    everything = answer.prediction.boxes[1].tolist()  # the unsure one is kept, and cut at the picture's edge
    np.testing.assert_allclose(everything, [0, 0, width, height], atol=1e-3)


def test_the_threshold_of_the_task_is_obeyed(tmp_path: Path, scenes: Path) -> None:
    for threshold, count in ((0.05, 2), (0.5, 1), (0.95, 0)):
        file = weights(tmp_path / "best.safetensors", BrightFinder(), threshold=threshold)
        (answer,) = osler.predict(file, scenes / "0.png", model=BrightFinder())
        assert len(answer.described["objects"]) == count


def test_answers_are_written_as_json_and_as_a_list_that_is_a_data_set(
    finder: Path, scenes: Path, tmp_path: Path
) -> None:
    answers = osler.predict(finder, scenes, model=BrightFinder())
    written = json.loads(answers.save(tmp_path / "a.json").read_text(encoding="utf-8"))["answers"]
    assert [len(a["objects"]) for a in written] == [1, 1, 1, 0]
    rows = list(csv.DictReader(io.StringIO(answers.save(tmp_path / "a.csv").read_text(encoding="utf-8"))))
    assert list(rows[0]) == ["path", "x1", "y1", "x2", "y2", "class", "score"]
    assert [row["class"] for row in rows] == ["patch", "patch", "patch", ""]
    source = open_data(DataSection(path=str(tmp_path / "a.csv"), validation=0.0), 0)
    assert source.names == ("patch",)
    found = [source.train[i].objects for i in range(len(source.train))]
    assert sorted(0 if f is None else len(f) for f in found) == [0, 1, 1, 1]


def test_a_mask_comes_as_an_outline_in_the_picture(tmp_path: Path, scenes: Path) -> None:
    file = weights(tmp_path / "best.safetensors", BrightFinder(masks=True))
    (answer,) = osler.predict(file, scenes / "0.png", model=BrightFinder(masks=True))
    (found,) = answer.described["objects"]
    xs, ys = found["outline"][0][::2], found["outline"][0][1::2]
    x1, y1, x2, y2 = patch_of(*SIZES[0])
    np.testing.assert_allclose([min(xs), min(ys), max(xs), max(ys)], [x1, y1, (x1 + x2) / 2, y2], atol=3)


def test_drawn_pictures_have_the_box(finder: Path, scenes: Path, tmp_path: Path) -> None:
    answers = osler.predict(finder, scenes, model=BrightFinder())
    written = answers.draw(tmp_path / "drawn")
    assert [p.name for p in written] == ["0.png", "1.png", "2.png", "dark.png"]
    first, dark = cv2.imread(str(written[0])), cv2.imread(str(written[3]))
    assert (first == (0, 159, 230)).all(axis=2).any()
    assert (dark == 40).all()


def test_evaluation_judges_in_any_shape_of_picture(finder: Path, scenes: Path) -> None:
    result = osler.evaluate(finder, data=scenes / "objects.csv", model=BrightFinder())
    assert (result.split, result.samples, result.names) == ("all", 4, ("patch",))
    assert result.metrics["ap50"] == pytest.approx(1)
    assert result.metrics["voc_ap50"] == pytest.approx(1)
    again = osler.evaluate(finder, data=scenes / "objects.csv", model=BrightFinder(), batch_size=1)
    assert again.metrics == pytest.approx(result.metrics)


def test_a_class_that_the_detector_does_not_know_is_refused(finder: Path, scenes: Path) -> None:
    other = scenes / "other.csv"
    other.write_text("path,x1,y1,x2,y2,label\n0.png,1,1,9,9,stranger\n", encoding="utf-8")
    with pytest.raises(DataError, match="stranger"):
        osler.evaluate(finder, data=other, model=BrightFinder())
    other.unlink()


def test_an_untrained_detector_of_the_registry_answers_at_the_command_line(tmp_path: Path, scenes: Path) -> None:
    torch.manual_seed(0)
    options = {"backbone": {"name": "convnet", "options": {"widths": [8, 8, 8], "depth": 1}}, "strides": (2, 4)}
    model = osler.create_model("faster_rcnn_light", num_classes=1, channels=8, **options)
    made = {"name": "faster_rcnn_light", "num_classes": 1, "in_channels": 3, "options": {**options, "channels": 8}}
    preprocessing = Preprocessing(size=(64, 64), fit="pad", names=("patch",))
    file = tmp_path / "best.safetensors"
    save_artefact(Artefact(model, preprocessing, Detection(("patch",), threshold=0.2), made), file)
    out = tmp_path / "answers.json"
    asked = CliRunner().invoke(app, ["predict", str(file), str(scenes / "0.png"), "--out", str(out)])
    assert asked.exit_code == 0, asked.output
    (answer,) = json.loads(out.read_text(encoding="utf-8"))["answers"]
    assert answer["objects"]
    assert all(o["score"] >= 0.2 and max(o["box"]) <= 96 for o in answer["objects"])
    assert re.search(r"patch 0\.\d\d at \d+, \d+, \d+, \d+", asked.output)
    judged = CliRunner().invoke(app, ["evaluate", str(file), f"data={scenes / 'objects.csv'}"])
    assert judged.exit_code == 0, judged.output
    assert re.search(r"\bap50\b.*0\.\d{4}", judged.output)
