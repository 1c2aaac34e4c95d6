"""What a run starts from: public weights, an earlier run, or nothing, and what follows for its pictures."""

from pathlib import Path
from typing import Any

import pytest
import torch

from osler.models.registry import create_model
from osler.models.weights_table import TORCHVISION
from osler.structures.errors import CheckpointError, RecipeError
from osler.verbs.preparing import Wishes, prepare
from tiny_runs import shade, tiny_preparation, tiny_run, write_png

SMALL = {"model.name": "resnet18", "augment": "none", "workers": 0, "precision": "float32", "batch_size": 4}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of pictures of 96 pixels."""
    for i in range(8):
        write_png(
            tmp_path / "photos" / ("dark" if i % 2 else "bright") / f"{i}.png", shade(i, 60 if i % 2 else 190, size=96)
        )
    return tmp_path / "photos"


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Weights in the cache that pass for torchvision's own of resnet18."""
    import hashlib
    from dataclasses import replace

    monkeypatch.setenv("OSLER_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(5)
    state = dict(create_model("resnet18", num_classes=1000).state_dict())
    row = TORCHVISION["resnet18"]
    place = tmp_path / "cache" / "weights" / row.file.name
    place.parent.mkdir(parents=True)
    torch.save(state, place)
    digits = hashlib.sha256(place.read_bytes()).hexdigest()[:8]
    monkeypatch.setitem(TORCHVISION, "resnet18", replace(row, file=replace(row.file, checksum=digits)))
    return state


@pytest.mark.craft("IN10")
def test_auto_takes_public_weights_and_prepares_pictures_as_theirs(
    photos: Path, cached: dict[str, torch.Tensor]
) -> None:
    training = prepare(Wishes(data=photos, values=dict(SMALL))).training
    assert torch.equal(training.model.layer4[0].conv1.weight, cached["layer4.0.conv1.weight"])
    assert training.model.fc.out_features == 2
    assert list(training.notes) == [
        "All of torchvision was taken over, but the last layer is new: 2 outputs instead of 1000."
    ]
    model, recipe = training.recipe.recipe.model, training.recipe
    assert (model.weights, model.size, model.fit, model.crop_fraction) == ("torchvision", (224, 224), "crop", 0.875)
    assert model.standardise == "imagenet"
    assert recipe.origin("model.size").who == "weights"
    assert "69.8 % top-1" in recipe.origin("model.weights").reason
    assert recipe.recipe.train.lr == pytest.approx(1e-4)


def test_a_new_head_alone_learns_at_the_usual_rate(photos: Path, cached: dict[str, torch.Tensor]) -> None:
    training = prepare(Wishes(data=photos, values=SMALL | {"finetune.freeze": "backbone"})).training
    assert training.recipe.recipe.train.lr == pytest.approx(1e-3)
    assert {n for n, p in training.model.named_parameters() if p.requires_grad} == {"fc.weight", "fc.bias"}


def test_the_person_s_choices_stand_above_the_weights(photos: Path, cached: dict[str, torch.Tensor]) -> None:
    training = prepare(Wishes(data=photos, values=SMALL | {"model.size": 96, "model.standardise": "half"})).training
    assert torch.equal(training.model.conv1.weight, cached["conv1.weight"])
    assert training.recipe.recipe.model.size == 96
    assert training.recipe.recipe.model.standardise == "half"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "OSLER_OFFLINE"),
        ({"model.size": 32}, "these pictures are small"),
        ({"model.name": "resnet20"}, "no public weights are known for resnet20"),
    ],
)
def test_auto_says_why_it_starts_from_nothing(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], reason: str
) -> None:
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path / "empty"))
    recipe = prepare(Wishes(data=photos, values=SMALL | values)).training.recipe
    assert recipe.recipe.model.weights == "none"
    assert reason in recipe.origin("model.weights").reason


def test_weights_by_path_are_taken_or_refused_before_anything_runs(photos: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    torch.save(create_model("resnet18", num_classes=10).state_dict(), tmp_path / "mine.pth")
    values = SMALL | {"model.weights": f"torchvision:{tmp_path / 'mine.pth'}", "model.size": 64}
    training = prepare(Wishes(data=photos, values=values | {"model.options": {"stem": "imagenet"}})).training
    torch.manual_seed(3)
    assert torch.equal(training.model.conv1.weight, create_model("resnet18", num_classes=10).conv1.weight)
    with pytest.raises(CheckpointError, match="conv1.weight.*Nothing was loaded"):
        prepare(Wishes(data=photos, values=values | {"model.options": {"stem": "small"}}))


def test_a_module_of_the_person_takes_no_weights_from_the_recipe(photos: Path) -> None:
    model = create_model("resnet18", num_classes=2)
    with pytest.raises(RecipeError, match="is not loaded into a module"):
        prepare(Wishes(data=photos, model=model, values={"model.weights": "torchvision", "workers": 0}))


def test_an_earlier_run_gives_its_network_and_preprocessing(tmp_path: Path) -> None:
    first = tiny_run(tmp_path / "first")
    values = {"model.name": "auto", "model.options": {}, "model.weights": str(first.folder.path)}
    training = tiny_preparation(**values).training
    assert training.recipe.recipe.model.name == "convnet"
    assert training.recipe.recipe.model.options == {"widths": [8, 16], "depth": 1}
