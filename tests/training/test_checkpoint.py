"""Checkpoints: whole or refused, never executed, and never put into another model."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from osler.structures.errors import CheckpointError
from osler.structures.state_keys import check_keys
from osler.training.checkpoint import read_checkpoint, recipe_of, resume, save_checkpoint
from osler.training.loop import fit
from osler.training.run_folder import RunFolder
from tiny_runs import assert_same_weights, tiny_preparation, tiny_run, weights_of


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last checkpoint of a finished run of two epochs."""
    run = tiny_run(tmp_path_factory.mktemp("checkpoint") / "run", epochs=2)
    return run.folder.last


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as refused:
        read_checkpoint(path)
    assert str(path) in str(refused.value)
    return str(refused.value)


def test_a_checkpoint_holds_the_recipe_under_which_it_was_written(checkpoint: Path) -> None:
    recipe = recipe_of(read_checkpoint(checkpoint), checkpoint)
    assert list(recipe.rows()) == list(RunFolder(checkpoint.parents[1]).recipe().rows())
    assert recipe.recipe.train.epochs == 2
    assert recipe.origin("train.lr").who == "automatic"


def test_a_saved_training_is_restored_in_all_its_parts(tmp_path: Path) -> None:
    trained = tiny_preparation(ema=0.9, optimizer="adamw", schedule="plateau", epochs=2).training
    fit(trained, [])
    save_checkpoint(trained, tmp_path / "last.pt", names=("0", "1"))
    content = read_checkpoint(tmp_path / "last.pt")
    assert content["names"] == ["0", "1"]
    fresh = tiny_preparation(ema=0.9, optimizer="adamw", schedule="plateau", epochs=2).training
    resume(fresh, content)
    assert_same_weights(weights_of(fresh.model), weights_of(trained.model))
    assert fresh.average is not None
    assert trained.average is not None
    assert_same_weights(weights_of(fresh.average.model), weights_of(trained.average.model))
    assert fresh.position == trained.position
    assert fresh.best == trained.best
    assert fresh.finished
    before, after = (t.groups["model"].optimizer.state_dict()["state"] for t in (trained, fresh))
    for key, moments in before.items():
        for name, value in moments.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(after[key][name]))
    assert fresh.groups["model"].schedule.state_dict() == trained.groups["model"].schedule.state_dict()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.999])
def test_a_truncated_checkpoint_is_refused(checkpoint: Path, tmp_path: Path, share: float) -> None:
    content = checkpoint.read_bytes()
    short = tmp_path / "short.pt"
    short.write_bytes(content[: int(len(content) * share)])
    refusal(short)


def test_a_flipped_byte_in_the_middle_is_not_read_in_silence_as_code(checkpoint: Path, tmp_path: Path) -> None:
    content = bytearray(checkpoint.read_bytes())
    start = content.index(b"data.pkl") + 40
    content[start : start + 400] = bytes(400)
    (tmp_path / "flipped.pt").write_bytes(content)
    refusal(tmp_path / "flipped.pt")


class Payload:
    """What an attacker would plant: unpickling it creates a file."""

    def __init__(self, planted: Path) -> None:
        self.planted = planted

    def __reduce__(self) -> Any:
        return (Path.touch, (self.planted,))


def test_the_payload_of_these_tests_is_a_real_one(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "planted")))
    assert (tmp_path / "planted").exists()


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_code_in_a_checkpoint_is_refused_and_not_executed(tmp_path: Path, writer: str) -> None:
    planted, path = tmp_path / "planted", tmp_path / "last.pt"
    content = {"format": 1, "recipe": "", "names": [], "state": Payload(planted)}
    if writer == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    message = refusal(path)
    assert "was not read" in message
    assert not planted.exists()


def test_a_checkpoint_of_somebody_else_is_refused(tmp_path: Path) -> None:
    torch.save({"model": torch.zeros(3)}, tmp_path / "theirs.pt")
    assert "not a checkpoint of Osler" in refusal(tmp_path / "theirs.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    assert "not a checkpoint of Osler" in refusal(tmp_path / "list.pt")
    (tmp_path / "picture.pt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    refusal(tmp_path / "picture.pt")


def test_a_missing_checkpoint_says_that_the_run_starts_anew(tmp_path: Path) -> None:
    assert "Start it anew" in refusal(tmp_path / "last.pt")


def test_another_models_checkpoint_lists_the_keys_and_changes_nothing(checkpoint: Path) -> None:
    other = tiny_preparation(**{"model.options": {"widths": [8, 24], "depth": 1}}).training
    before = weights_of(other.model)
    with pytest.raises(CheckpointError, match=r"of another shape.*stages\.1.*\[16, .*the model has \[24"):
        resume(other, read_checkpoint(checkpoint))
    assert_same_weights(weights_of(other.model), before)
    deeper = tiny_preparation(**{"model.options": {"widths": [8], "depth": 1}}).training
    with pytest.raises(CheckpointError, match=r"unexpected \(stages\.1"):
        resume(deeper, read_checkpoint(checkpoint))


def test_keys_that_differ_are_counted_and_the_first_are_named() -> None:
    ours = {f"layer{i}": torch.zeros(2) for i in range(6)}
    check_keys(ours, dict(ours), "It")
    with pytest.raises(CheckpointError) as refused:
        check_keys(ours, {"layer0": torch.zeros(3), "new": torch.zeros(1)}, "It")
    assert "5 missing (layer1, layer2, layer3, layer4, ...)" in str(refused.value)
    assert "1 unexpected (new)" in str(refused.value)
    assert "layer0: [3], the model has [2]" in str(refused.value)
