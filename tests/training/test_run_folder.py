"""The run's folder: a free one is made, a taken one is refused, and a run that came to nothing leaves none."""

from pathlib import Path

import pytest

from osler.structures.errors import OslerError
from osler.training.recipe import ResolvedRecipe
from osler.training.recipe_file import write_recipe
from osler.training.run_folder import NoRunError, RunFolder


def begun(folder: RunFolder) -> RunFolder:
    write_recipe(ResolvedRecipe(), folder.recipe_path)
    return folder


def test_runs_are_numbered_under_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = [str(RunFolder.create(None, "my photos/of: cats").path) for _ in range(3)]
    assert names == [f"runs/my-photos-of-cats-{i}" for i in (1, 2, 3)]


@pytest.mark.parametrize("name", ["", "..", "///", "日本"])
def test_any_name_gives_a_folder_under_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = RunFolder.create(None, name).path
    assert path.resolve().parent == tmp_path / "runs"
    assert path.is_dir()


def test_a_folder_that_holds_a_run_is_refused_and_left_alone(tmp_path: Path) -> None:
    before = begun(RunFolder.create(tmp_path / "run", "x")).recipe_path.read_bytes()
    with pytest.raises(NoRunError, match=r"holds a run already.*--resume"):
        RunFolder.create(tmp_path / "run", "x")
    assert (tmp_path / "run" / "recipe.yaml").read_bytes() == before


@pytest.mark.parametrize("place", ["file", "file/deeper"])
def test_a_place_where_nothing_can_be_written_is_said(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OslerError, match="No run can be written at"):
        RunFolder.create(tmp_path / place, "x")


def test_runs_that_is_a_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs").write_text("mine")
    with pytest.raises(NoRunError, match="--out"):
        RunFolder.create(None, "x")


def test_what_is_no_run_names_the_runs_near_it(tmp_path: Path) -> None:
    begun(RunFolder.create(tmp_path / "cats-1", "x"))
    for wrong in (tmp_path / "cats-2", tmp_path):
        with pytest.raises(NoRunError, match=r"is not a run.*cats-1"):
            RunFolder.existing(wrong)
    assert RunFolder.existing(tmp_path / "cats-1").recipe().recipe == ResolvedRecipe().recipe


def test_a_run_that_fails_before_its_first_checkpoint_leaves_nothing(tmp_path: Path) -> None:
    folder = begun(RunFolder.create(tmp_path / "run", "x"))
    with pytest.raises(ZeroDivisionError), folder.removed_unless_begun():
        folder.store().close()
        raise ZeroDivisionError
    assert not folder.path.exists()


@pytest.mark.parametrize("mine", ["checkpoints/model.pt", "tensorboard/events", "metrics.csv", "notes.txt"])
def test_a_folder_that_holds_anything_is_refused_and_left_alone(tmp_path: Path, mine: str) -> None:
    (tmp_path / mine).parent.mkdir(exist_ok=True)
    (tmp_path / mine).write_text("mine")
    with pytest.raises(NoRunError, match=r"is not empty.*--out"):
        RunFolder.create(tmp_path, "x")
    assert (tmp_path / mine).read_text() == "mine"


def test_the_files_of_a_person_stay_where_a_run_is_taken_away(tmp_path: Path) -> None:
    folder = begun(RunFolder.create(tmp_path / "run", "x"))
    with pytest.raises(ZeroDivisionError), folder.removed_unless_begun():
        (folder.path / "notes.txt").write_text("mine")
        raise ZeroDivisionError
    assert [p.name for p in folder.path.iterdir()] == ["notes.txt"]


def test_a_failed_start_takes_away_the_folders_that_it_made_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in ("empty", "empty/deep/er/run"):
        folder = begun(RunFolder.create(tmp_path / place, "x"))
        with pytest.raises(ZeroDivisionError), folder.removed_unless_begun():
            raise ZeroDivisionError
        assert list(tmp_path.rglob("*")) == [tmp_path / "empty"]


def test_a_run_that_was_there_before_is_never_taken_away(tmp_path: Path) -> None:
    """Not even one without a checkpoint: it may be somebody's who is starting it now."""
    begun(RunFolder.create(tmp_path / "run", "x"))
    folder = RunFolder.existing(tmp_path / "run")
    with pytest.raises(ZeroDivisionError), folder.removed_unless_begun():
        raise ZeroDivisionError
    assert folder.recipe_path.exists()


def test_a_run_with_a_checkpoint_stays(tmp_path: Path) -> None:
    folder = begun(RunFolder.create(tmp_path / "run", "x"))
    folder.last.parent.mkdir()
    folder.last.write_bytes(b"a checkpoint")
    with pytest.raises(ZeroDivisionError), folder.removed_unless_begun():
        raise ZeroDivisionError
    assert folder.last.exists()
    assert folder.recipe_path.exists()
