"""A trial runs beside the person's files and cannot change them, whatever the script does."""

import hashlib
from pathlib import Path

import pytest

from osler.doctor.mending import scratch
from osler.doctor.mending.trial import Processes, Terms, Trial, run_trial


def tried(source: str, script: Path, *, limit: float = 120.0, budget: float | None = None) -> Trial:
    return run_trial(source, Terms(script, [], limit, budget), Processes())


def state(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A script's folder, with data beside it and a result of earlier."""
    folder = tmp_path / "project"
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "one.txt").write_text("one")
    (folder / "result.txt").write_text("of yesterday")
    (folder / "train.py").write_text("print('the original')\n")
    return folder


def test_a_script_that_writes_beside_itself_leaves_the_folder_as_it_was(home: Path) -> None:
    before = state(home)
    source = """
from pathlib import Path
assert Path("pictures/one.txt").read_text() == "one"
Path("result.txt").write_text("of today")
Path("new.txt").write_text("new")
Path("pictures/one.txt").unlink()
Path(__file__).write_text("overwritten")
"""
    assert tried(source, home / "train.py").ending == "finished"
    assert state(home) == before
    assert [p.name for p in home.parent.iterdir()] == ["project"]


ATTEMPTS = [
    "open(file, 'w')",
    "open(file, 'a')",
    "os.remove(file)",
    "os.rename(file, file + '.old')",
    "open(folder + '/new.txt', 'w')",
    "os.open(file, os.O_WRONLY | os.O_TRUNC)",
]


def test_what_is_named_by_its_full_path_is_not_changed_either(home: Path) -> None:
    before = state(home)
    source = f"""
import os
folder, file, refused = {str(home)!r}, {str(home / "result.txt")!r}, []
for attempt in {ATTEMPTS!r}:
    try:
        eval(attempt)
    except PermissionError:
        refused.append(attempt)
raise ValueError(repr(refused))
"""
    assert tried(source, home / "train.py").error == f"ValueError: {ATTEMPTS!r}"
    assert state(home) == before


def test_large_files_are_linked_and_cannot_be_written_through(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "LARGEST_FOLDER", 2)
    (home / "last.pt").write_bytes(b"weights")
    before = state(home)
    source = """
import os
assert os.path.islink("result.txt"), "linked"
assert not os.path.islink("last.pt"), "weights are copied: they are written past Python"
assert open("result.txt").read() == "of yesterday"
open("last.pt", "wb").write(b"new")
open("result.txt", "w")
"""
    trial = tried(source, home / "train.py")
    assert "does not write to the program's own files" in trial.error
    assert state(home) == before


def test_a_crash_is_told_with_its_error(home: Path) -> None:
    trial = tried("raise ValueError('no such column')\n", home / "train.py")
    assert (trial.ending, trial.error) == ("crashed", "ValueError: no such column")


def test_a_process_that_dies_is_a_crash(home: Path) -> None:
    assert tried("import os\nos._exit(3)\n", home / "train.py").ending == "crashed"


def test_an_endless_script_is_ended_from_outside_with_what_it_started(home: Path) -> None:
    mark = home.parent / "child"
    source = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(4); open({str(mark)!r}, 'w')"])
while True:
    time.sleep(0.1)
"""
    assert tried(source, home / "train.py", limit=2.0).ending == "late"
    import time

    time.sleep(4.5)
    assert not mark.exists()


def test_an_endless_script_with_a_budget_is_ended_in_order(home: Path) -> None:
    trial = tried("import time\nwhile True:\n    time.sleep(0.05)\n", home / "train.py", budget=0.5)
    assert trial.ending == "budget"


def test_no_trial_begins_once_all_were_ended(home: Path) -> None:
    processes = Processes()
    processes.end()
    assert run_trial("import time\ntime.sleep(60)\n", Terms(home / "train.py", [], 120.0), processes).ending == "late"


def test_a_script_below_the_folder_one_stands_in_finds_its_files_there(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "code").mkdir()
    script = home / "code" / "train.py"
    script.write_text("")
    (home / "code" / "mine.py").write_text("VALUE = 3\n")
    monkeypatch.chdir(home)
    source = "import mine\nassert mine.VALUE == 3\nassert open('pictures/one.txt').read() == 'one'\n"
    assert tried(source, script).ending == "finished"
