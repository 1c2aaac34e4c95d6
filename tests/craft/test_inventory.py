"""The craft's inventory is read whole, and markers that name no row of it are refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from craft.inventory import IDENTIFIER, INVENTORY, read_inventory

TESTS = Path(__file__).parents[1]

MARKED = """
import pytest

@pytest.mark.craft("OP14", "RE01")
@pytest.mark.parametrize("case", [1, 2])
def test_two_cases(case):
    assert case == 1

@pytest.mark.craft("RE01")
def test_fine():
    pass

@pytest.mark.craft("RE02")
def test_missing():
    pytest.skip("nothing there")

@pytest.fixture
def broken():
    raise ValueError

@pytest.mark.craft("RE04")
def test_broken(broken):
    pass
"""


def run_pytest(folder: Path, source: str, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_marked.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = craft(*ids)\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "craft.collector", "-p", "no:cacheprovider", *words]
    environment = {"PYTHONPATH": str(TESTS), "PATH": "/usr/bin:/bin", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_every_row_is_read_once() -> None:
    if not INVENTORY.exists():
        pytest.skip(f"{INVENTORY} is not there")
    rows = read_inventory()
    assert len(rows) == 467
    assert len({row.group for row in rows.values()}) == 25
    assert rows["AR01"].term == "LeNet-5 (1998)"
    assert rows["GA02a"].group == "G13 GAN and the fourteen tricks"
    assert all(IDENTIFIER.fullmatch(i) and row.term for i, row in rows.items())


def test_reading_stops_before_the_claims_and_refuses_a_row_twice(tmp_path: Path) -> None:
    page = tmp_path / "INVENTORY.md"
    page.write_text("## G01 First\n| AA01 | one | N |\n| AA02 | a \\| b | N |\n\n# 2. Claims\n| BB01 | no row | N |\n")
    rows = read_inventory(page)
    assert {i: (row.term, row.group) for i, row in rows.items()} == {
        "AA01": ("one", "G01 First"),
        "AA02": ("a \\| b", "G01 First"),
    }
    page.write_text("## G01 First\n| AA01 | one | N |\n| AA01 | again | N |\n")
    with pytest.raises(ValueError, match="two rows AA01"):
        read_inventory(page)
    assert read_inventory(tmp_path / "nowhere.md") == {}


@pytest.mark.parametrize("jobs", [[], ["-p", "xdist", "-n", "2"]], ids=["one process", "xdist"])
def test_outcomes_are_written_for_every_row(tmp_path: Path, jobs: list[str]) -> None:
    result = run_pytest(tmp_path, MARKED, "--craft-json", "out.json", *jobs)
    assert result.returncode == 1, result.stdout + result.stderr
    assert json.loads((tmp_path / "out.json").read_text()) == {
        "OP14": {"test_marked.py::test_two_cases": "failed"},
        "RE01": {"test_marked.py::test_two_cases": "failed", "test_marked.py::test_fine": "passed"},
        "RE02": {"test_marked.py::test_missing": "skipped"},
        "RE04": {"test_marked.py::test_broken": "failed"},
    }


def test_a_marker_without_a_row_is_an_error(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, 'import pytest\n\n@pytest.mark.craft("OP14x9")\ndef test_it():\n    pass\n')
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "no row 'OP14x9'" in result.stdout + result.stderr
