"""The commands and what they print: whole on a terminal of 80 columns, and readable at a glance."""

import csv
import json
import re
import shutil
from pathlib import Path

import cv2
import pytest
import yaml
from command import SMALL, Osler, Said

import osler
from osler.models.registry import list_detectors
from osler.training.progress import ProgressBar
from osler.training.recipe_file import read_text
from osler.training.state import Training
from tiny_runs import no_report, shade, shade_arrays, tiny_run, write_png

COMMANDS = ("train", "evaluate", "predict", "data", "models")


def whole(said: Said) -> str:
    """The output in one line: a sentence may be broken where the terminal ends."""
    return " ".join(said.out.split())


def fits(said: Said, *, unless: tuple[str, ...] = ()) -> None:
    """Every line fits the terminal, but for those that hold a path or a command to be copied."""
    for line in said.out.splitlines():
        if not any(word in line for word in unless):
            assert len(line.rstrip()) <= 80, line


@pytest.fixture
def quick() -> object:
    with no_report():
        yield


# ---- what there is


def test_help_names_every_command_and_each_explains_itself(osler_: Osler) -> None:
    said = osler_("--help")
    assert said.status == 0
    for command in COMMANDS:
        assert command in said.out
        helped = osler_(command, "-h")
        assert helped.status == 0
        assert f"osler {command}" in helped.out
        fits(helped)


def test_without_a_command_the_help_is_shown(osler_: Osler) -> None:
    said = osler_()
    assert "Commands" in said.out + said.err


def test_the_version_is_the_packages(osler_: Osler) -> None:
    assert osler_("--version") == Said(0, f"osler {osler.__version__}\n", "")


def test_an_unknown_command_and_option_are_refused_with_status_2(osler_: Osler) -> None:
    for words in (("trian",), ("train", "--epochs", "3"), ("train", "--overfit", "-2")):
        said = osler_(*words)
        assert said.status == 2
        assert "Traceback" not in said.err
        assert said.err


def test_models_are_listed_by_pattern(osler_: Osler) -> None:
    assert osler_("models").out.split() == [*osler.list_models(), *list_detectors()]
    assert osler_("models", "yolo_v?").out.split() == ["yolo_v1", "yolo_v3"]
    assert osler_("models", "resnet?0").out.split() == osler.list_models("resnet?0")
    assert osler_("models", "nothing*").out == ""


# ---- train


def test_a_training_tells_data_model_choices_and_results_in_80_columns(
    osler_: Osler, photos: Path, quick: object
) -> None:
    words = ["epochs=2", *SMALL[2:], "--out", "run"]
    said = osler_("train", f"data={photos}", *words)
    assert said.status == 0, said
    assert said.err == ""
    fits(said, unless=("best ", "report "))
    lines = said.out.splitlines()
    assert re.match(r"data +photos: 34 training, 6 validation pictures, 2 classes", lines[0])
    assert re.match(r"model +convnet, [\d,]+ parameters, sees pictures of 16x16", lines[1])
    assert re.search(r"^  batch_size +16 +34 training pictures of 16x16", said.out, re.MULTILINE)
    assert "  epochs" not in said.out  # what the person set was not chosen automatically
    assert [line[:9] for line in lines if line.startswith("epoch ")] == ["epoch 1/2", "epoch 2/2"]
    assert re.search(r"^validation +accuracy [01]\.\d{4}  ", said.out, re.MULTILINE)
    assert re.search(r"^best +epoch \d, run/checkpoints/best.safetensors$", said.out, re.MULTILINE)
    assert re.search(r"^report +run/report.html$", said.out, re.MULTILINE)


def test_each_automatic_choice_is_set_by_the_word_that_is_shown(osler_: Osler, photos: Path, quick: object) -> None:
    said = osler_("train", f"data={photos}", "epochs=1", *SMALL[2:], "--out", "run")
    shown = re.findall(
        r"^  (\w+) +(\S+)", said.out.partition("Chosen automatically")[2].partition("\nepoch")[0], re.MULTILINE
    )
    words = [f"{key}={value}" for key, value in shown if "±" not in value and "x" not in value and "." not in key]
    words = [w for w in words if not w.startswith("standardise")]
    assert len(words) > 8
    again = osler_("train", f"data={photos}", "epochs=1", *SMALL[2:], *words, "--out", "again")
    assert again.status == 0, again
    losses = [re.findall(r"epoch 1/1 +loss ([\d.]+)", s.out) for s in (said, again)]
    assert losses[0] == losses[1]


def test_a_long_note_stays_beside_its_word(osler_: Osler, quick: object) -> None:
    said = osler_("train", *SMALL, "--out", "run")
    notes = said.out.partition("note")[2].splitlines()
    assert notes[1].startswith(" " * 12)


def test_names_with_brackets_are_printed_as_they_are(osler_: Osler, tmp_path: Path, quick: object) -> None:
    for name, level in (("[bold]cat[/]", 50), ("[/dog]", 200)):
        for i in range(12):
            write_png(tmp_path / "odd [x]" / name / f"{i}.png", shade(i + level, level))
    said = osler_("train", f"data={tmp_path / 'odd [x]'}", *SMALL[1:], "--out", "run [1]")
    assert said.status == 0, said
    assert "odd [x]: " in said.out
    assert "run [1]/report.html" in said.out
    picture = write_png(Path("[red]a.png"), shade(1, 50))
    answered = osler_("predict", "run [1]", picture)
    assert "[red]a.png" in answered.out
    assert "[bold]cat[" in answered.out
    (tmp_path / "odd [x]" / "[/dog]" / "[i].png").write_bytes(b"nothing")
    for command in (("evaluate", "run [1]"), ("data", str(tmp_path / "odd [x]"))):
        assert osler_(*command).status == 0


def test_quiet_prints_nothing(osler_: Osler, quick: object) -> None:
    assert osler_("train", *SMALL, "-q", "--out", "run") == Said(0, "", "")
    assert (osler_.folder / "run" / "recipe.yaml").exists()


def test_a_recipe_file_and_words_over_it(osler_: Osler, quick: object) -> None:
    Path("my.yaml").write_text("data: {limit: 60}\ntrain: {epochs: 9}\nmodel: {name: convnet}\n")
    said = osler_(
        "train", "my.yaml", "epochs=1", "model.options={widths: [8], depth: 1}", "augment=none", "--out", "run"
    )
    assert said.status == 0
    assert "epoch 1/1" in said.out


def test_show_prints_the_recipe_that_would_run_and_runs_nothing(osler_: Osler) -> None:
    said = osler_("train", "--show", *SMALL)
    assert said.status == 0
    assert osler_.left() == []
    shown = read_text(said.out, "shown")
    assert shown.recipe.train.epochs == 1
    assert shown.recipe.train.batch_size == 16  # choices are made
    assert shown.origin("train.batch_size").reason
    assert shown.origin("train.epochs").who == "person"
    assert yaml.safe_load(said.out)["data"]["limit"] == 60


def test_what_is_shown_runs_as_it_was_shown(osler_: Osler, quick: object) -> None:
    Path("shown.yaml").write_text(osler_("train", "--show", *SMALL).out)
    assert osler_("train", "shown.yaml", "--out", "shown").status == 0
    assert osler_("train", *SMALL, "--out", "told").status == 0
    first, second = (osler.Run(name).history[0]["train.loss"] for name in ("shown", "told"))
    assert first == second


def test_try_says_what_it_went_through_and_keeps_nothing(osler_: Osler, quick: object) -> None:
    said = osler_("train", "--try", *SMALL)
    assert said.status == 0
    assert "It works: one batch went through data, training, validation, checkpoint, report" in whole(said)
    assert osler_.left() == []


def test_overfit_says_by_its_status_whether_it_learned(osler_: Osler) -> None:
    learned = osler_("train", "--overfit", "6", *SMALL, "lr=0.01")
    assert (learned.status, "by heart" in learned.out) == (0, True)
    failed = osler_("train", "--overfit", "6", *SMALL, "lr=1e-9")
    assert (failed.status, "learned nothing" in failed.out) == (1, True)
    assert osler_.left() == []


def test_find_lr_prints_a_word_that_can_be_used_and_draws(osler_: Osler) -> None:
    said = osler_("train", "--find-lr", *SMALL, "--out", "found.png")
    assert said.status == 0
    fits(said)
    assert osler_.left() == ["found.png"]
    word = re.search(r"train\.lr=(\S+)", said.out)
    assert word is not None
    assert 1e-6 <= float(word[1]) <= 10
    assert cv2.imread("found.png") is not None


def test_folds_are_told_with_mean_and_spread(osler_: Osler, quick: object) -> None:
    said = osler_("train", *SMALL, "folds=2", "--out", "folds")
    assert said.status == 0, said
    assert re.search(r"2 folds +accuracy \d\.\d{4} ± \d\.\d{4}", whole(said))
    assert len(json.loads(Path("folds/folds.json").read_text())["folds"]) == 2


@pytest.mark.parametrize(("word", "status"), [("Ctrl-C", 130), ("SIGTERM", 143)])
def test_a_signal_ends_all_folds_and_the_status_tells(
    osler_: Osler, quick: object, monkeypatch: pytest.MonkeyPatch, word: str, status: int
) -> None:
    class Asked(ProgressBar):
        def batch_done(self, training: Training) -> None:
            training.asked_to_stop = word

    monkeypatch.setattr("osler.verbs.train.ProgressBar", Asked)
    said = osler_("train", *SMALL, "folds=3", "--out", "folds")
    assert said.status == status
    assert sorted(p.name for p in Path("folds").iterdir()) == ["fold-1"]


def test_a_finished_run_is_resumed_for_longer(osler_: Osler, trained: Path, tmp_path: Path, quick: object) -> None:
    run = shutil.copytree(trained, tmp_path / "copy")
    said = osler_("train", "--resume", run, "epochs=6")
    assert said.status == 0, said
    assert re.search(r"^resumes ", said.out, re.MULTILINE)
    assert [row["epoch"] for row in osler.Run(run).history] == [1, 2, 3, 4, 5, 6]
    assert "Chosen automatically" not in said.out


# ---- answers


def test_evaluate_prints_a_table_and_writes_json(osler_: Osler, trained: Path, photos: Path) -> None:
    said = osler_("evaluate", trained, f"data={photos}", "--json", "numbers.json")
    assert said.status == 0
    fits(said)
    content = json.loads(Path("numbers.json").read_text())
    assert (content["samples"], content["split"]) == (40, "all")
    assert f"{content['metrics']['accuracy']:.4f}" in said.out
    assert content["metrics"] == pytest.approx(osler.evaluate(trained, data=photos).metrics)
    assert "validation: 6 pictures" in osler_("evaluate", trained).out
    assert "train: 34 pictures" in osler_("evaluate", trained, "--split", "train").out


def test_a_csv_is_evaluated_with_words_that_hold_lists(osler_: Osler, trained: Path, photos: Path) -> None:
    rows = [f"{photos}/{kind}/{i}.png,{kind},x" for kind in ("dark", "bright") for i in range(4)]
    Path("list.csv").write_text("file,what,remark\n" + "\n".join(rows) + "\n")
    said = osler_("evaluate", trained, "data=list.csv", "label_columns=[what]", "format=csv")
    assert said.status == 0, said
    assert "8 pictures" in said.out


@pytest.mark.craft("WF06")
def test_predict_answers_one_picture_and_many_and_writes_and_draws(osler_: Osler, trained: Path, photos: Path) -> None:
    single = osler_("predict", trained, photos / "dark" / "3.png")
    assert single.status == 0
    assert "dark" in single.out
    fits(single)
    many = osler_("predict", trained, f"{photos}/*/1*.png", "--out", "a.csv", "--draw", "drawn")
    assert many.status == 0
    with open("a.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(list(Path("drawn").glob("*.png"))) == 22
    assert {Path(r["path"]).parent.name for r in rows} == {"bright", "dark"}
    right = sum(Path(r["path"]).parent.name == r["class"] for r in rows)
    assert right > 18
    assert "Written to a.csv" in many.out
    assert "22 pictures in drawn" in many.out


def test_data_tells_what_is_there_with_words_of_the_data(osler_: Osler, photos: Path) -> None:
    said = osler_("data", photos)
    assert said.status == 0
    fits(said)
    assert "40 pictures, 2 classes" in said.out
    rows = "\n".join(f"{photos}/dark/{i}.png,{i}" for i in range(10))
    Path("list.csv").write_text(f"file,number\n{rows}\n")
    assert "numbers a picture" in osler_("data", "list.csv", "labels=numbers").out
    assert "classes, one a picture" in osler_("data", "list.csv", "labels=class").out


def test_a_regression_prints_its_numbers(osler_: Osler, tmp_path: Path) -> None:
    images, classes = shade_arrays(40)
    run = tiny_run(tmp_path / "run", data=(images, classes * 3.5))
    picture = write_png(tmp_path / "a.png", images[0])
    said = osler_("predict", run.path, picture)
    assert said.status == 0
    assert "number 0" in said.out


def test_the_real_command_trains_and_its_run_answers(osler_: Osler, photos: Path) -> None:
    said = osler_.outside("train", f"data={photos}", "epochs=1", *SMALL[2:])
    assert (said.status, said.err) == (0, ""), said
    assert osler_.left() == ["runs"]
    run = osler_.folder / "runs" / "photos-convnet-1"
    assert (run / "report.html").exists()
    assert osler_("predict", run, photos / "dark" / "3.png").status == 0
