"""A detector from a folder of pictures and boxes to a report, in one command."""

from pathlib import Path

import numpy as np
import pytest
import torch

import osler
from osler.models.registry import create_model, input_size
from osler.structures.errors import RecipeError, TrainingError
from osler.training.checklist import one_time_setup
from osler.verbs.preparing import Wishes, prepare
from tiny_runs import write_png

SMALL = {"backbone": {"name": "convnet", "options": {"widths": [16, 32, 32], "depth": 1}}, "strides": [2, 4]}


def coloured_patches(folder: Path, count: int = 40, side: int = 64) -> Path:
    """Pictures with a red or blue rectangle in each half, as a list of objects; a fifth of them for validation."""
    rng, lines = np.random.default_rng(0), ["path,x1,y1,x2,y2,label,split"]
    for number in range(count):
        image = rng.integers(20, 60, (side, side, 3)).astype(np.uint8)
        part = "validation" if number >= 0.8 * count else "train"
        for half in (0, side // 2):
            wide, tall = rng.integers(14, 26, 2)
            x, y = int(rng.integers(half, half + side // 2 - wide)), int(rng.integers(0, side - tall))
            name = ("red", "blue")[rng.integers(2)]
            image[y : y + tall, x : x + wide] = (230, 30, 30) if name == "red" else (30, 30, 230)
            lines.append(f"{number}.png,{x},{y},{x + wide},{y + tall},{name},{part}")
        write_png(folder / f"{number}.png", image)
    (folder / "objects.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "objects.csv"


@pytest.mark.slow
@pytest.mark.craft("DE01")
def test_a_detector_learns_coloured_patches_and_says_how_well(tmp_path: Path) -> None:
    data = coloured_patches(tmp_path / "data")
    run = osler.train(
        data=str(data), out=tmp_path / "run", quiet=True, epochs=6, batch_size=4, lr=2e-3, workers=0, augment="none",
        precision="float32",
        **{"model.name": "faster_rcnn_light", "model.size": 64, "model.options": {**SMALL, "channels": 32, "anchor": 12}},
    )  # fmt: skip
    assert run.metrics["ap50"] >= 0.9
    history = [row["validation.ap50"] for row in run.history]
    assert history[-1] > history[0]
    again = osler.evaluate(run.path)
    assert (again.split, again.metrics) == ("validation", pytest.approx(run.facts()["validation"]))
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    for section in ("Class by class", "Why it is wrong", "What is taken for what", "At every score"):
        assert section in page
    (answer,) = run.predict(tmp_path / "data" / "39.png")
    lines = [line.split(",") for line in data.read_text(encoding="utf-8").splitlines() if line.startswith("39.png")]
    found = sorted((o["class"], o["box"][0]) for o in answer.described["objects"][:2])  # the surest two
    expected = sorted((line[5], float(line[1])) for line in lines)
    assert [name for name, _ in found] == [name for name, _ in expected]
    np.testing.assert_allclose([x for _, x in found], [x for _, x in expected], atol=6)


def test_the_mean_over_mirror_images_is_refused(tmp_path: Path) -> None:
    data = coloured_patches(tmp_path / "data", count=10)
    with pytest.raises(RecipeError, match="no mean"):
        osler.train(data=str(data), out=tmp_path / "run", quiet=True, **{"model.mirror": True})
    assert not (tmp_path / "run").exists()


def test_a_classifier_is_no_detector_and_a_detector_no_classifier(tmp_path: Path) -> None:
    data = coloured_patches(tmp_path / "data", count=10)
    with pytest.raises(RecipeError, match=r"model.options.backbone=resnet18"):
        osler.train(data=str(data), out=tmp_path / "run", quiet=True, model="resnet18")
    with pytest.raises(RecipeError, match="finds objects"):
        osler.train(data="digits", out=tmp_path / "run", quiet=True, model="yolo_v3_light", **{"model.size": 64})
    assert not (tmp_path / "run").exists()


def test_a_trained_backbone_sees_pictures_as_it_was_trained_on(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    file = tmp_path / "resnet18.pth"
    torch.save(create_model("resnet18", num_classes=1000).state_dict(), file)
    data = coloured_patches(tmp_path / "data", count=6)
    choice = {"name": "resnet18", "weights": f"torchvision:{file}", "frozen_norms": True}
    values = {"model.name": "retinanet_light", "model.options": {"backbone": choice}, "model.size": 64, "workers": 0}
    training = prepare(Wishes(data=str(data), values=values)).training
    section = training.recipe.recipe.model
    assert section.standardise == "imagenet"
    assert training.recipe.origin("model.standardise").who == "weights"
    assert torch.equal(training.model.backbone.body.conv1.weight.cpu(), torch.load(file)["conv1.weight"])
    measured = prepare(Wishes(data=str(data), values=values | {"model.standardise": "measured"})).training
    assert measured.recipe.recipe.model.standardise != "imagenet"
    assert input_size("retinanet_light", backbone=choice) == 320
    assert not [w for w in recwarn if "meta" in str(w.message)]


def test_a_detector_s_gradient_is_not_checked_against_targets_that_move(tmp_path: Path) -> None:
    data = coloured_patches(tmp_path / "data", count=6)
    choice = {"name": "resnet18", "options": {"width": 0.125}}
    values = {"model.name": "yolo_free_light", "model.options": {"backbone": choice}, "model.size": 64, "workers": 0}
    training = prepare(Wishes(data=str(data), values=values)).training
    check = one_time_setup(training)["gradient_check"]
    assert check == {"done": False, "reason": "in detection the targets hang on the answers, without a gradient"}


def test_masks_are_not_learnt_from_boxes(tmp_path: Path) -> None:
    data = coloured_patches(tmp_path / "data", count=6)
    choice = {"name": "resnet18", "options": {"width": 0.125}}
    values = {"model.name": "mask_rcnn_light", "model.options": {"backbone": choice}, "model.size": 64, "workers": 0}
    with pytest.raises(RecipeError, match="learns masks, and not every object of this data has an outline"):
        prepare(Wishes(data=str(data), values=values))


def test_no_batch_is_drawn_smaller_than_the_network_can_see(tmp_path: Path) -> None:
    data = coloured_patches(tmp_path / "data", count=6)
    choice = {"name": "resnet18", "options": {"width": 0.125}}
    values = {"model.name": "yolo_free_light", "model.options": {"backbone": choice}, "model.size": 96, "workers": 0}
    assert prepare(Wishes(data=str(data), values={**values, "data.augment.multi_scale": 0.3}))
    with pytest.raises(RecipeError, match="multi_scale may draw pictures of 32x32, and OneStageDetector needs 64x64"):
        prepare(Wishes(data=str(data), values={**values, "data.augment.multi_scale": 0.7}))


def test_one_picture_on_a_map_of_one_position_is_told_in_a_sentence(tmp_path: Path) -> None:
    data = coloured_patches(tmp_path / "data", count=6)
    choice = {"name": "resnet18", "options": {"width": 0.125}}
    options = {"model.name": "ssd_light", "model.options": {"backbone": choice}, "model.size": 64}
    with pytest.raises(TrainingError, match="sees one value per channel.*train.batch_size"):
        osler.train(data=str(data), out=tmp_path / "run", quiet=True, epochs=1, batch_size=1, workers=0, **options)
