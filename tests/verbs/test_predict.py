"""`osler.predict`: answers for pictures, folders and globs, as a table, JSON, CSV and drawings."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import osler
from osler.structures.errors import DataError
from osler.verbs.run import Run
from tiny_runs import shade, shade_folders, tiny_run, write_png


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = tmp_path_factory.mktemp("predict")
    folder = shade_folders(place / "photos", {"bright": 24, "dark": 24})
    return tiny_run(place / "run", data=folder, epochs=6, lr=0.01)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A dark and two bright pictures, one of them deeper, another size and kind."""
    write_png(tmp_path / "p" / "a.png", shade(1, 50))
    write_png(tmp_path / "p" / "b.png", shade(2, 200))
    write_png(tmp_path / "p" / "deep" / "c.png", shade(3, 200, size=40, channels=1))
    return tmp_path / "p"


@pytest.mark.craft("WF06")
def test_one_picture_and_many_get_the_same_answers(run: Run, pictures: Path) -> None:
    single = run.predict(pictures / "a.png")
    assert [(a.described["class"], Path(a.path).name) for a in single] == [("dark", "a.png")]
    many = osler.predict(run.path, pictures, batch_size=2)
    assert [a.described["class"] for a in many] == ["dark", "bright", "bright"]
    np.testing.assert_allclose(many[0].prediction, single[0].prediction, atol=1e-5)
    assert all(np.isclose(a.prediction.sum(), 1) for a in many)


def test_files_folders_and_globs_name_each_picture_once(
    run: Run, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pictures)
    names = [a.path for a in run_at(run).predict("*.png", "b.png", "deep", "**/*.png")]
    assert names == ["a.png", "b.png", "deep/c.png"]


def run_at(run: Run) -> Run:
    return osler.Run(run.path.resolve())


def test_a_name_that_looks_like_a_glob_is_a_file_first(run: Run, tmp_path: Path) -> None:
    path = write_png(tmp_path / "odd[1].png", shade(1, 50))
    assert run.predict(path)[0].path == str(path)


def test_unreadable_pictures_are_named_and_the_others_answered(run: Run, pictures: Path) -> None:
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    (pictures / "empty.jpg").write_bytes(b"")
    answers = run.predict(pictures)
    assert len(answers) == 3
    assert sorted(Path(s.path).name for s in answers.skipped) == ["broken.png", "empty.jpg"]
    assert all(s.reason for s in answers.skipped)


def test_nothing_readable_and_nothing_there_are_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"None of 1 pictures can be read"):
        run.predict(tmp_path / "broken.png")
    (tmp_path / "none").mkdir()
    for wanted, says in (("nowhere.png", "no picture at"), ("*.gif", "no picture at"), ("none", "no pictures in")):
        with pytest.raises(DataError, match=says):
            run.predict(tmp_path / wanted)
    with pytest.raises(DataError, match="at least one"):
        run.predict()


def test_answers_are_saved_as_json_with_what_was_skipped(run: Run, pictures: Path, tmp_path: Path) -> None:
    (pictures / "broken.png").write_bytes(b"nothing")
    content = json.loads(run.predict(pictures).save(tmp_path / "out" / "a.json").read_text())
    assert [row["class"] for row in content["answers"]] == ["dark", "bright", "bright"]
    assert all(0 <= row["probability"] <= 1 for row in content["answers"])
    assert [Path(s["path"]).name for s in content["skipped"]] == ["broken.png"]


def test_answers_are_saved_as_csv_with_a_row_a_picture(run: Run, pictures: Path, tmp_path: Path) -> None:
    answers = run.predict(pictures)
    with open(answers.save(tmp_path / "a.csv"), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [a.path for a in answers]
    assert [float(row["probability"]) for row in rows] == [a.described["probability"] for a in answers]


def test_another_ending_is_refused(run: Run, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.json or \.csv; given: a\.txt"):
        run.predict(pictures).save(tmp_path / "a.txt")
    assert not (tmp_path / "a.txt").exists()


def test_drawings_show_the_picture_with_its_answer_and_never_cover_one_another(
    run: Run, pictures: Path, tmp_path: Path
) -> None:
    write_png(pictures / "deep" / "a.png", shade(9, 200))
    written = run.predict(pictures).draw(tmp_path / "drawn")
    assert sorted(p.name for p in written) == ["a-2.png", "a.png", "b.png", "c.png"]
    drawn = cv2.imread(str(tmp_path / "drawn" / "a.png"))
    original = cv2.imread(str(pictures / "a.png"))
    assert drawn.shape[0] > original.shape[0]  # the answer stands beside it
    assert drawn.mean() != original.mean()


def test_a_regression_answers_in_the_persons_units(tmp_path: Path) -> None:
    images = np.stack([shade(i, 40 + 3 * i, size=8, channels=1) for i in range(60)])
    run = tiny_run(tmp_path / "run", data=(images, np.arange(60) * 100.0), epochs=15, lr=0.01)
    picture = write_png(tmp_path / "a.png", shade(40, 160, size=8, channels=1))
    assert run.predict(picture)[0].described["number 0"] == pytest.approx(4000, abs=700)
