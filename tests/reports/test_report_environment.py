"""The environment names what repeats a run, and nobody."""

import getpass
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from osler.reports.environment import environment, revision


def test_versions_and_machine_are_there() -> None:
    found = environment()
    assert found["PyTorch"] == torch.__version__
    assert found["Python"] == platform.python_version()
    assert found["simplejpeg"] == version("simplejpeg")  # which decides over the pixels of a JPEG
    assert {"Osler", "platform", "processor", "cores", "accelerator"} <= set(found)
    assert all(isinstance(v, str) and v for v in found.values())


def test_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSLER_TEST_SECRET", "hunter2-secret")
    monkeypatch.setenv("LOGNAME", "a-users-name-7")
    assert getpass.getuser() == "a-users-name-7"
    said = " ".join(environment().values())
    for secret in ("hunter2-secret", "a-users-name-7", platform.node(), os.getcwd(), str(Path.home())):
        if len(secret) > 3:
            assert secret not in said


def test_revision_tells_whether_the_tree_was_changed(tmp_path: Path) -> None:
    assert revision(tmp_path) == ""
    run = lambda *a: subprocess.run(["git", *a], cwd=tmp_path, check=True, capture_output=True)  # noqa: E731
    run("init", "-q")
    (tmp_path / "file").write_text("1")
    run("add", "file")
    run("-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "first")
    clean = revision(tmp_path)
    assert len(clean) == 40
    (tmp_path / "file").write_text("2")
    assert revision(tmp_path) == f"{clean} with uncommitted changes"


def test_without_git_there_is_no_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision(Path.cwd()) == ""
