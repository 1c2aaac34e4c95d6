"""What `make setup` rests on."""

import ast
import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def set_up() -> ModuleType:
    found = importlib.util.spec_from_file_location("set_up", ROOT / "tools" / "set_up.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_an_old_python_is_told_in_a_sentence(set_up: ModuleType) -> None:
    assert set_up.too_old((3, 11, 0)) is None
    assert set_up.too_old((3, 14, 1)) is None
    assert re.search(r"needs Python 3\.11 or newer; .* is 3\.9\. Name another: make PYTHON=", set_up.too_old((3, 9, 2)))


def test_an_old_python_can_read_the_script_that_tells_it() -> None:
    source = (ROOT / "tools" / "set_up.py").read_text(encoding="utf-8")
    assert ast.parse(source, feature_version=(3, 7)).body


def test_an_environment_that_does_not_run_is_not_taken_for_one(
    set_up: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(set_up, "VENV", tmp_path)
    assert not set_up.works(), "an empty folder"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin" / "python").chmod(0o755)
    assert not set_up.works(), "a Python without pip"


def test_a_failed_setup_leaves_no_stamp(set_up: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp = tmp_path / "stamp"
    stamp.write_text("done before")
    monkeypatch.setattr(set_up, "STAMP", stamp)
    monkeypatch.setattr(set_up, "works", lambda: True)
    monkeypatch.setattr(set_up, "install_torch", lambda: None)
    monkeypatch.setattr(set_up, "pip", lambda *_words: False)
    with pytest.raises(SystemExit, match="Run make setup again"):
        set_up.main()
    assert not stamp.exists()
    monkeypatch.setattr(set_up, "pip", lambda *_words: True)
    set_up.main()
    assert stamp.exists()


def test_every_dependency_is_pinned_within_its_range(set_up: ModuleType) -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    pins = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")
            pins[canonicalize_name(name)] = version
    assert pins["torch"] == set_up.torch_version() == "2.13.0"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for text in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        requirement = Requirement(text)
        assert canonicalize_name(requirement.name) in pins, f"{requirement.name} is not in constraints.txt"
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), text
