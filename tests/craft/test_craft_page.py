"""What `make craft` prints and writes."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from craft.inventory import Row

TOOL = Path(__file__).parents[2] / "tools" / "craft_rows.py"

ROWS = {
    i: Row(i, term, group)
    for i, term, group in [("AA01", "one", "G01 A"), ("AA02", "two", "G01 A"), ("BB01", "b", "G02 B")]
}
RESULTS = {
    "AA01": {"tests/x/test_x.py::test_one": "passed", "tests/x/test_x.py::test_other": "skipped"},
    "BB01": {"tests/x/test_x.py::test_one": "passed", "tests/y/test_y.py::test_y": "failed"},
}


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    found = importlib.util.spec_from_file_location("craft_tool", TOOL)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    path = list(sys.path)
    found.loader.exec_module(module)
    sys.path[:] = path
    return module


def test_a_row_passes_when_a_test_passes_and_none_fails(tool: ModuleType) -> None:
    assert tool.state({}) == "-"
    assert tool.state({"a": "skipped"}) == "skipped"
    assert tool.state({"a": "passed", "b": "skipped"}) == "passing"
    assert tool.state({"a": "passed", "b": "failed"}) == "failing"


def test_every_row_is_printed_with_its_tests(tool: ModuleType) -> None:
    text = tool.text(ROWS, RESULTS)
    assert "AA01 passing  one" in text
    assert "AA02 -        two" in text
    assert "BB01 failing  b" in text
    assert "failed   tests/y/test_y.py::test_y" in text
    assert text.endswith("3 rows: 2 shown by tests, 1 passing.")


def test_the_page_counts_by_group(tool: ModuleType) -> None:
    page = tool.page(ROWS, RESULTS)
    assert "| G01 A | 2 | 1 | 1 |" in page
    assert "| G02 B | 1 | 1 | 0 |" in page
    assert "| AA01 | one | passing | `x/test_x.py::test_one`<br>`x/test_x.py::test_other` |" in page
    assert "| AA02 | two | - |  |" in page


def test_tests_that_did_not_run_are_told_as_slow(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected = {"AA01": {"a": "unknown", "b": "slow"}, "BB01": {"c": "slow"}}
    monkeypatch.setattr(tool, "run_tests", lambda *words: (0, collected))
    (tmp_path / "craft.json").write_text('{"AA01": {"a": "passed"}}', encoding="utf-8")
    results = tool.from_file(tmp_path / "craft.json")
    assert {row: tool.state(tests) for row, tests in results.items()} == {"AA01": "passing", "BB01": "slow"}
