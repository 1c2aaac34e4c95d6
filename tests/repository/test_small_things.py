"""The house's laws about size and names, for every file of ours (DESIGN, law 11 and "The house")."""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "osler").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SAYS_NOTHING = re.compile(r"(^|_)(utils?|helpers?|common|base|misc|manager|stuff)(_|$)")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> list[Function]:
    return [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, Function)]


def length(function: Function) -> int:
    """Lines from `def` to the end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def arguments(function: Function) -> int:
    """How many a caller may give: `self` and `cls` are not counted."""
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len([n for n in names if n not in ("self", "cls")])


def test_files_functions_and_constructors_are_small() -> None:
    large = []
    for path in SOURCES:
        if len(path.read_text(encoding="utf-8").splitlines()) > 400:
            large.append(f"{short(path)}: over 400 lines")
        for function in functions(path):
            if length(function) > 60:
                large.append(f"{short(path)}:{function.lineno} {function.name}: over 60 lines")
            if function.name == "__init__" and arguments(function) > 8:
                large.append(f"{short(path)}:{function.lineno}: a constructor with 9 arguments or more")
    assert large == []


def test_files_are_finished_and_their_names_say_something() -> None:
    assert [short(path) for path in SOURCES if SAYS_NOTHING.search(path.stem)] == []
    assert [short(path) for path in SOURCES if UNFINISHED.search(path.read_text(encoding="utf-8"))] == []


def test_most_functions_are_short() -> None:
    lengths = sorted(length(f) for path in SOURCES for f in functions(path))
    assert lengths[len(lengths) // 2] <= 15
    assert lengths[len(lengths) * 9 // 10] <= 40


def test_tests_of_one_name_do_not_hide_each_other() -> None:
    """Pytest imports tests by their file name alone, for there are no packages among them."""
    names = Counter(path.name for path in TESTS if path.name != "conftest.py")
    assert [name for name, number in names.items() if number > 1] == []


def test_every_floor_imports_only_from_those_below() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    if not tool.exists():
        pytest.skip("import-linter is not installed")
    result = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
