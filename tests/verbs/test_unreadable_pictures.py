"""Pictures that cannot be read: the limit holds wherever pictures are read, and what is measured on pictures does without them."""

from pathlib import Path
from typing import Any

import pytest

import osler
from osler.structures.errors import DataError
from tiny_runs import shade_folders, tiny_run

BROKEN = b"\x89PNG\r\n\x1a\nand no more"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Training, validation and test pictures, of each a third broken."""
    for part in ("train", "val", "test"):
        folder = shade_folders(tmp_path / "photos" / part, {"bright": 12, "dark": 12})
        for i in range(8):
            (folder / "dark" / f"{i}.png").write_bytes(BROKEN)
    return tmp_path / "photos"


@pytest.mark.parametrize("estimator", ["none", "logistic"])
def test_the_limit_that_was_set_holds_to_the_end_and_in_an_evaluation(
    tmp_path: Path, photos: Path, estimator: str
) -> None:
    run = tiny_run(tmp_path / "run", data=photos, estimator=estimator, lr=0.01, **{"data.unreadable": 0.5})
    assert set(run.facts()["test"]) == set(run.facts()["validation"])
    assert osler.evaluate(run.path).samples == 16
    assert osler.evaluate(run.path, data=photos / "train", unreadable=0.5).samples == 16
    with pytest.raises(DataError, match=r"more than data\.unreadable=0\.1 allows"):
        osler.evaluate(run.path, data=photos / "train")


@pytest.mark.parametrize(
    "values",
    [
        {"data.augment.pca_noise": 0.1},
        {"model.name": "airbench", "model.options": {"widths": [8, 8, 8]}, "model.size": 32},
    ],
)
def test_what_is_measured_on_pictures_does_without_those_that_cannot_be_read(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    folder = shade_folders(tmp_path / "photos", {"bright": 20, "dark": 20})
    broken = [folder / "bright" / "0.png", folder / "dark" / "7.png"]
    for path in broken:
        path.write_bytes(BROKEN)
    skipped: list[str] = []

    class Watch(osler.Observer):
        def stopped(self, training: Any) -> None:
            skipped.extend(s.path for s in training.train_loader.skipped)

    tiny_run(tmp_path / "run", data=folder, observers=[Watch()], **{"data.validation": 0.0} | values)
    assert sorted(skipped) == [str(p) for p in broken]
