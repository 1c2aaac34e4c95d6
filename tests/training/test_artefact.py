"""The artefact: a trained model with all that is needed to use it, in a file without code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from osler.models.registry import create_model, list_models, minimum_size, model_options
from osler.structures.errors import CheckpointError
from osler.structures.preprocessing import Preprocessing
from osler.tasks.classification import Classification
from osler.training.artefact import Artefact, load_artefact, save_artefact
from tiny_runs import PlainNet, assert_same_weights, weights_of

NAMES = ("cat", "dog", "a name with spaces: ä")


def artefact_of(name: str, channels: int = 3) -> Artefact:
    torch.manual_seed(0)
    options = {"width": 0.125} if "width" in model_options(name) else {}
    model = create_model(name, num_classes=3, in_channels=channels, **options)
    for module in model.modules():  # statistics that a fresh network does not have
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)  # type: ignore[operator, union-attr]
    side = max(16, minimum_size(name, in_channels=channels, **options))
    preprocessing = Preprocessing(
        (side, side), channels, "pad", mean=(0.1,) * channels, std=(0.3,) * channels, names=NAMES
    )  # type: ignore[arg-type]
    architecture = {"name": name, "num_classes": 3, "in_channels": channels, "options": options}
    return Artefact(model.eval(), preprocessing, Classification(NAMES), architecture, {"epoch": 4})


@pytest.mark.parametrize("name", list_models())
def test_a_network_comes_back_with_equal_outputs(tmp_path: Path, name: str) -> None:
    before = artefact_of(name)
    save_artefact(before, tmp_path / "best.safetensors")
    after = load_artefact(tmp_path / "best.safetensors")
    pictures = torch.randn(2, 3, *before.preprocessing.size)
    with torch.inference_mode():
        assert torch.equal(before.model(pictures), after.model(pictures))
    assert_same_weights(weights_of(before.model), weights_of(after.model))
    assert not after.model.training


def test_preprocessing_task_and_facts_come_back(tmp_path: Path) -> None:
    before = artefact_of("convnet", channels=1)
    save_artefact(before, tmp_path / "best.safetensors")
    after = load_artefact(tmp_path / "best.safetensors")
    assert after.preprocessing == before.preprocessing
    assert after.task.facts() == before.task.facts()
    assert (after.task.name, after.facts) == ("classification", {"epoch": 4})


def test_weights_that_share_memory_are_saved(tmp_path: Path) -> None:
    model = PlainNet(16)
    model.hidden = torch.nn.Linear(64, 16)
    model.head = torch.nn.Linear(16, 16)
    model.again = torch.nn.Linear(16, 16)
    model.again.weight = model.head.weight  # tied
    one = artefact_of("convnet", 1)
    one.model, one.architecture = model, {"name": None, "class": "PlainNet"}
    save_artefact(one, tmp_path / "tied.safetensors")
    other = PlainNet(16)
    other.again = torch.nn.Linear(16, 16)
    load_artefact(tmp_path / "tied.safetensors", other)
    assert torch.equal(other.again.weight, model.head.weight)


def test_a_module_that_was_passed_in_python_is_asked_for(tmp_path: Path) -> None:
    one = artefact_of("convnet", 1)
    one.model, one.architecture = PlainNet(3), {"name": None, "class": "PlainNet"}
    save_artefact(one, tmp_path / "own.safetensors")
    with pytest.raises(CheckpointError, match=r"passed in Python \(PlainNet\)"):
        load_artefact(tmp_path / "own.safetensors")
    loaded = load_artefact(tmp_path / "own.safetensors", PlainNet(3))
    assert_same_weights(weights_of(loaded.model), weights_of(one.model))


def test_weights_of_another_model_are_refused_with_their_keys(tmp_path: Path) -> None:
    save_artefact(artefact_of("convnet"), tmp_path / "best.safetensors")
    with pytest.raises(CheckpointError, match="missing .*unexpected"):
        load_artefact(tmp_path / "best.safetensors", PlainNet(3))


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "theirs.safetensors")
    with pytest.raises(CheckpointError, match="not written by Osler"):
        load_artefact(tmp_path / "theirs.safetensors")


@pytest.mark.parametrize("about", ["{", "{}", "[]", "1", json.dumps({"format": "1", "architecture": {}, "task": 3})])
def test_an_artefact_whose_description_is_broken_is_refused(tmp_path: Path, about: str) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "odd.safetensors", metadata={"osler": about})
    with pytest.raises(CheckpointError, match=r"odd\.safetensors"):
        load_artefact(tmp_path / "odd.safetensors")


def test_another_format_is_said(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "new.safetensors", metadata={"osler": '{"format": "9"}'})
    with pytest.raises(CheckpointError, match="format 9; this Osler reads format 1"):
        load_artefact(tmp_path / "new.safetensors")


def test_the_same_model_is_the_same_file_in_every_process(tmp_path: Path) -> None:
    script = (
        "import sys, torch\nfrom pathlib import Path\nsys.path.insert(0, sys.argv[1])\n"
        "from test_artefact import artefact_of, save_artefact\n"
        "save_artefact(artefact_of('convnet'), Path(sys.argv[2]))"
    )
    place = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parent)])
    for name in ("first", "second"):
        command = [sys.executable, "-c", script, str(Path(__file__).parent), str(tmp_path / name)]
        subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": place})
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_artefact_is_refused(tmp_path: Path, share: float) -> None:
    save_artefact(artefact_of("convnet"), tmp_path / "best.safetensors")
    content = (tmp_path / "best.safetensors").read_bytes()
    (tmp_path / "short.safetensors").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match=r"short\.safetensors is damaged"):
        load_artefact(tmp_path / "short.safetensors")


def test_missing_weights_are_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no weights at"):
        load_artefact(tmp_path / "none.safetensors")


def test_no_code_is_in_the_file(tmp_path: Path) -> None:
    save_artefact(artefact_of("convnet"), tmp_path / "best.safetensors")
    content = (tmp_path / "best.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert set(header.pop("__metadata__")) == {"osler"}
    assert {v["dtype"] for v in header.values()} <= {"F32", "I64"}
