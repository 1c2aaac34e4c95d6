"""Bad input: one clear sentence, exit status 2, nothing half written; or, where it can be, the run goes on and says so."""

import pickle
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from command import SMALL, Osler

from tiny_runs import no_report, shade_folders, write_png

NETS = """
import torch
from torch import nn

class Base(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.head = nn.Linear(64, num_classes)

    def forward(self, images):
        return self.head(images[:, 0, :8, :8].flatten(1))

class Colour(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv = nn.Conv2d(3, num_classes, 8)

    def forward(self, images):
        return self.conv(images).mean((2, 3))

class Sick(Base):
    def forward(self, images):
        x = super().forward(images)
        return torch.log(-1 - x.abs()) if self.training else x

class Hungry(Base):
    def forward(self, images):
        if self.training and len(images) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 TiB")
        return super().forward(images)

class Greedy(Base):
    def forward(self, images):
        if not self.training and len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 TiB")
        return super().forward(images)
"""


@pytest.fixture(autouse=True)
def no_pictures_are_drawn() -> Any:
    with no_report():
        yield


@pytest.fixture
def refused(osler_: Osler) -> Any:
    """Runs a command that must be refused and leave nothing behind; gives its message."""

    def run(*words: str | Path) -> str:
        before = osler_.left()
        message = osler_(*words).refusal()
        assert osler_.left() == before
        return message

    return run


@pytest.fixture
def nets(osler_: Osler) -> Path:
    (osler_.folder / "nets.py").write_text(NETS)
    return osler_.folder / "nets.py"


# ---- data


def test_a_missing_folder(refused: Any) -> None:
    message = refused("train", "data=nowhere")
    assert "nothing at nowhere" in message
    assert "digits" in message  # what could be named instead


def test_a_misspelt_name_of_a_known_set(refused: Any) -> None:
    assert "Did you mean 'cifar10'" in refused("train", "data=cifar-10")


def test_an_empty_folder(refused: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    message = refused("train", f"data={tmp_path / 'empty'}")
    assert str(tmp_path / "empty") in message
    assert "holds no pictures" in message


def test_one_class(refused: Any, tmp_path: Path) -> None:
    message = refused("train", f"data={shade_folders(tmp_path / 'p', {'dark': 5})}")
    assert "one class only, 'dark'" in message


def test_a_class_with_one_picture_goes_on_and_says_so(osler_: Osler, tmp_path: Path) -> None:
    folder = shade_folders(tmp_path / "p", {"bright": 10, "dark": 10, "middle": 1})
    said = osler_("train", f"data={folder}", *SMALL, "--out", "run")
    assert said.status == 0, said
    assert "One picture only of middle" in said.out
    assert (osler_.folder / "run" / "checkpoints" / "best.safetensors").exists()


def test_classes_of_one_picture_each(refused: Any, tmp_path: Path) -> None:
    message = refused("train", f"data={shade_folders(tmp_path / 'p', {'bright': 1, 'dark': 1})}")
    assert "too few" in message


def test_unreadable_pictures_among_good_ones_are_named_skipped_and_counted(osler_: Osler, tmp_path: Path) -> None:
    folder = shade_folders(tmp_path / "p", {"bright": 30, "dark": 30})
    (folder / "dark" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    (folder / "bright" / "empty.jpg").write_bytes(b"")
    said = osler_("train", f"data={folder}", *SMALL, "data.validation=0", "--out", "run")
    assert said.status == 0, said
    whole = said.out.replace("\n", "").replace(" ", "")
    assert "broken.png" in whole
    assert "empty.jpg" in whole
    assert said.out.count("skipped") == 2


def test_too_many_unreadable_pictures_stop_the_run(refused: Any, tmp_path: Path) -> None:
    folder = shade_folders(tmp_path / "p", {"bright": 10, "dark": 10})
    for i in range(8):
        (folder / "dark" / f"broken{i}.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    message = refused("train", f"data={folder}", *SMALL)
    assert "cannot be read" in message
    assert "data.unreadable=0.1" in message
    assert "broken" in message


def bomb(path: Path, side: int = 60_000) -> Path:
    """A PNG of a few bytes whose header says that it is enormous."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )
    return path


def test_a_decompression_bomb_is_skipped_by_its_header(osler_: Osler, tmp_path: Path, trained: Path) -> None:
    folder = shade_folders(tmp_path / "p", {"bright": 30, "dark": 30})
    bomb(folder / "dark" / "bomb.png")
    said = osler_("train", f"data={folder}", *SMALL, "data.validation=0", "--out", "run")
    assert said.status == 0, said
    assert "bomb.png" in said.out
    assert "60000" in said.out.replace(",", "")
    alone = osler_("predict", trained, folder / "dark" / "bomb.png").refusal()
    assert "bomb.png" in alone
    assert "60000" in alone.replace(",", "")


def test_a_network_for_other_channels_than_the_pictures_have(refused: Any, nets: Path) -> None:
    message = refused("train", f"model={nets}:Colour")
    assert "Colour does not take pictures of 1x8x8" in message


def test_statistics_for_other_channels_than_the_pictures_have(refused: Any) -> None:
    message = refused("train", *SMALL, "model.standardise={mean: [0.1], std: [1]}", "model.channels=3")
    assert "model.standardise has 1 numbers, but pictures have 3 channels" in message


def test_pictures_that_are_too_small_for_the_network(refused: Any) -> None:
    assert "lenet5 cannot see pictures of 8x8: it needs 32x32" in refused("train", "model=lenet5", "size=8")


# ---- recipes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("train:\n  epochss: 5\n", ["my.yaml:2", "'train.epochss'", "'train.epochs'"]),
        ("train:\n  epochs: many\n", ["my.yaml:2", "train.epochs = 'many'", "integer"]),
        ("train:\n  epochs: -5\n", ["my.yaml:2", "train.epochs = -5", "greater than 0"]),
        ("train: [\n", ["my.yaml:2", "not YAML"]),
    ],
)
def test_a_wrong_recipe(osler_: Osler, refused: Any, text: str, says: list[str]) -> None:
    (osler_.folder / "my.yaml").write_text(text)
    message = refused("train", "my.yaml")
    assert "\n" not in message
    for part in says:
        assert part in message


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("train.epochss=5", "'train.epochs'"),
        ("epochs=many", "train.epochs = 'many'"),
        ("momentum=1.5", "less than 1"),
        ("model=resnet81", "resnet18"),
        ("optimizer=adm", "adam"),
        ("optimizer_options={beta: 1}", "betas"),
        ("loss=cross_entrop", "cross_entropy"),
        ("task=regression", "regression"),
        ("monitor=acuracy", "accuracy"),
        ("augment=strongest", "strong"),
        ("schedule_options={power: 2}", "power"),
        ("model.options={dept: 2}", "depth"),
        ("device=cuda:77", "train.device=cuda:77 is not there"),
        ("weights=nowhere", "no weights at nowhere"),
        ("model=nowhere.py:Net", "nowhere.py"),
        ("folds=100000", "data.folds"),
        ("warmup=.inf", "train.warmup = inf is not possible: input should be a finite number"),
        ("weight_decay=.nan", "finite"),
        ("optimizer_options={eps: .inf}", "finite"),
        ("seed=100000000000000000000000", "seed = 100000000000000000000000 is not possible"),
        ("seed=-1", "greater than or equal to 0"),
        ("data=~nosuchuser/x", "nothing at ~nosuchuser/x"),
        ("weights=~nosuchuser/x", "~nosuchuser/x"),
        ("model=~nosuchuser/net.py:Net", "~nosuchuser/net.py"),
    ],
)
def test_a_wrong_word(refused: Any, word: str, says: str) -> None:
    message = refused("train", *SMALL, word)
    assert says in message
    assert "\n" not in message


def test_words_that_exclude_one_another(refused: Any) -> None:
    assert "--try and --find-lr exclude one another" in refused("train", "--try", "--find-lr")


def test_a_folder_for_what_makes_no_run(refused: Any) -> None:
    for option in (("--show",), ("--try",), ("--overfit", "4")):
        assert f"{option[0]} keeps nothing" in refused("train", *SMALL, *option, "--out", "mine")


@pytest.mark.parametrize("count", ["0", "-3"])
def test_no_samples_to_learn_by_heart(refused: Any, count: str) -> None:
    assert f"1 or more; given: {count}." in refused("train", *SMALL, "--overfit", count)
    assert "exclude one another" in refused("train", *SMALL, "--overfit", count, "--show")


def test_a_missing_recipe(refused: Any) -> None:
    assert "no recipe at my.yaml" in refused("train", "my.yaml")


# ---- runs and checkpoints


@pytest.fixture
def run_copy(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def test_more_classes_than_the_head_of_a_resumed_run(
    refused: Any, run_copy: Path, photos: Path, tmp_path: Path
) -> None:
    grown = tmp_path / "grown"
    shutil.copytree(photos, grown)
    recipe = run_copy / "recipe.yaml"
    checkpoint = torch.load(run_copy / "checkpoints" / "last.pt", weights_only=True)
    checkpoint["recipe"] = checkpoint["recipe"].replace(str(photos.resolve()), str(grown))
    torch.save(checkpoint, run_copy / "checkpoints" / "last.pt")
    shade_folders(grown, {"middle": 10})
    before = recipe.read_bytes()
    message = refused("train", "--resume", run_copy, "epochs=9")
    assert "trained on 2 classes and the data has 3 now (middle)" in message
    assert "model.weights=" in message
    assert recipe.read_bytes() == before


def test_a_truncated_checkpoint(refused: Any, run_copy: Path) -> None:
    last = run_copy / "checkpoints" / "last.pt"
    last.write_bytes(last.read_bytes()[:1000])
    assert "damaged or truncated" in refused("train", "--resume", run_copy)


def test_a_checkpoint_from_another_model(refused: Any, run_copy: Path) -> None:
    path = run_copy / "checkpoints" / "last.pt"
    content = torch.load(path, weights_only=True)
    content["state"]["model"] = {"other.weight": torch.zeros(2)}
    torch.save(content, path)
    message = refused("train", "--resume", run_copy, "epochs=9")
    assert "of another model" in message
    assert "unexpected (other.weight)" in message
    assert "stages.0" in message


class Payload:
    def __init__(self, planted: Path) -> None:
        self.planted = planted

    def __reduce__(self) -> Any:
        return (Path.touch, (self.planted,))


@pytest.mark.parametrize("where", ["last.pt", "best.safetensors"])
def test_a_pickle_with_code_is_refused_and_not_executed(
    refused: Any, run_copy: Path, tmp_path: Path, photos: Path, where: str
) -> None:
    planted, path = tmp_path / "planted", run_copy / "checkpoints" / where
    path.write_bytes(pickle.dumps({"state": Payload(planted)}))
    if where == "last.pt":
        assert "was not read" in refused("train", "--resume", run_copy)
    else:
        assert "damaged, or no safetensors file" in refused("predict", run_copy, photos)
    assert not planted.exists()


def test_a_resumed_run_cannot_compute_something_else(refused: Any, run_copy: Path) -> None:
    message = refused("train", "--resume", run_copy, "lr=0.5")
    assert "train.lr cannot change" in message
    assert "train.epochs" in message


def test_no_run_where_one_is_named(refused: Any, trained: Path) -> None:
    for command in (("train", "--resume"), ("evaluate",), ("predict",)):
        words = (*command, trained.parent / "rum", *(["x.png"] if command == ("predict",) else []))
        message = refused(*words)
        assert "is not a run" in message
        assert str(trained) in message  # the run near it


def test_a_folder_that_holds_a_run_already(refused: Any, trained: Path) -> None:
    assert "holds a run already" in refused("train", *SMALL, "--out", trained)


def test_a_folder_that_holds_something_else(refused: Any, osler_: Osler) -> None:
    (osler_.folder / "mine" / "checkpoints").mkdir(parents=True)
    (osler_.folder / "mine" / "checkpoints" / "model.pt").write_text("mine")
    for words in ((), ("folds=2",)):
        assert "mine is not empty" in refused("train", *SMALL, *words, "--out", "mine")
        assert (osler_.folder / "mine" / "checkpoints" / "model.pt").read_text() == "mine"


def test_a_place_where_nothing_can_be_written(osler_: Osler, refused: Any) -> None:
    (osler_.folder / "file").write_text("mine")
    assert "No run can be written at" in refused("train", *SMALL, "--out", "file/run")


def test_an_answer_that_cannot_be_written(osler_: Osler, refused: Any, trained: Path, photos: Path) -> None:
    (osler_.folder / "file").write_text("mine")
    assert "file" in refused("predict", trained, photos / "dark" / "0.png", "--draw", "file")
    assert ".json or .csv" in refused("predict", trained, photos / "dark" / "0.png", "--out", "answers.txt")
    assert "file" in refused("evaluate", trained, "--json", "file/numbers.json")


def test_words_about_other_data_that_is_not_named(refused: Any, trained: Path) -> None:
    assert "limit would say how other data is to be read" in refused("evaluate", trained, "limit=5")


def test_nothing_to_predict(refused: Any, trained: Path) -> None:
    assert "no picture at nowhere.png" in refused("predict", trained, "nowhere.png")


def test_words_of_the_data_only_where_only_they_mean_something(refused: Any, trained: Path) -> None:
    for command in (("evaluate", trained), ("data", "digits")):
        assert "only keys of data" in refused(*command, "train.epochs=5")
        assert "no key 'formatt'" in refused(*command, "formatt=csv")
        assert "key=value" in refused(*command, "csv")


# ---- while it runs


def test_a_loss_that_is_no_number_says_where_it_came_from(refused: Any, nets: Path) -> None:
    message = refused("train", *SMALL[:2], f"model={nets}:Sick", "augment=none")
    assert "The loss became NaN or infinite at update 1" in message
    assert "Sick" in message


def test_out_of_memory_goes_on_with_half_the_batch_and_says_so(osler_: Osler, nets: Path) -> None:
    said = osler_("train", *SMALL[:2], f"model={nets}:Hungry", "augment=none", "--out", "run")
    assert said.status == 0, said
    recipe = (osler_.folder / "run" / "recipe.yaml").read_text()
    assert "batch_size: 8" in recipe
    assert "accumulate: 2" in recipe
    assert "memory ran out with 16" in recipe
    assert "memory ran out with 16 pictures in a batch; it goes on with 8, and 2 batches an update." in said.out


def test_out_of_memory_with_a_batch_that_a_person_set(refused: Any, nets: Path) -> None:
    message = refused("train", *SMALL[:2], f"model={nets}:Hungry", "augment=none", "batch_size=32")
    assert "Memory ran out with 32 pictures" in message


def test_out_of_memory_elsewhere_is_a_sentence_too(refused: Any, nets: Path) -> None:
    assert "emory ran out" in refused("train", *SMALL[:2], f"model={nets}:Greedy", "augment=none", "batch_size=32")


# ---- the real command


def test_the_real_command_refuses_in_one_line_without_a_traceback(osler_: Osler) -> None:
    said = osler_.outside("train", "data=nowhere")
    assert "nothing at nowhere" in said.refusal()
    assert len(said.err.splitlines()) == 1
    assert said.out == ""
    assert osler_.left() == []


def test_the_real_command_leaves_no_run_where_none_began(osler_: Osler, nets: Path) -> None:
    said = osler_.outside("train", *SMALL[:2], f"model={nets}:Sick", "augment=none")
    assert "NaN" in said.refusal()
    assert [name for name in osler_.left() if name != "__pycache__"] == ["nets.py"]


def test_pictures_of_every_depth_and_colour_are_read_and_none_ends_in_a_traceback(
    osler_: Osler, tmp_path: Path, trained: Path
) -> None:
    folder = tmp_path / "odd"
    write_png(folder / "grey.png", np.full((9, 9, 1), 50, np.uint8))
    write_png(folder / "alpha.png", np.dstack([np.full((9, 9, 3), 50, np.uint8), np.full((9, 9), 255, np.uint8)]))
    cv2.imwrite(str(folder / "deep.png"), np.full((9, 9, 3), 50 * 257, np.uint16))
    cv2.imwrite(str(folder / "one.png"), np.full((1, 1, 3), 50, np.uint8))
    said = osler_("predict", trained, folder, "--out", "answers.json")
    assert said.status == 0, said
    assert said.out.count("dark") >= 4
