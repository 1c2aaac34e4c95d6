"""Commands for these tests, and a trained run to ask."""

from pathlib import Path

import pytest
from command import Osler

from tiny_runs import shade_folders, tiny_run


@pytest.fixture
def osler_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Osler:
    """The command, in an empty folder."""
    (tmp_path / "here").mkdir()
    return Osler(tmp_path / "here", monkeypatch, capsys)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bright and dark pictures in class folders."""
    return shade_folders(tmp_path_factory.mktemp("cli") / "photos", {"bright": 20, "dark": 20})


@pytest.fixture(scope="session")
def trained(photos: Path) -> Path:
    """A run of two epochs on them."""
    return tiny_run(photos.parent / "run", data=photos, epochs=4, lr=0.01).path
