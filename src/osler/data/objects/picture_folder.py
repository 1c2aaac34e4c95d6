"""Where the pictures lie that annotations name."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from osler.data.parts import SPLIT_NAMES
from osler.data.pictures import PICTURE_EXTENSIONS
from osler.structures.errors import DataError
from osler.structures.files import from_home

LOOKED_AT = 50  # names by which folders are compared
HOLD_PICTURES = ("images", "JPEGImages", "imgs", "pictures", "data")


@dataclass(frozen=True, slots=True)
class PictureFolder:
    """Folders in which a picture may be, the likeliest first."""

    first: Path
    others: tuple[Path, ...] = ()

    @classmethod
    def near(cls, annotations: Path, names: Sequence[str], given: str = "auto") -> "PictureFolder":
        """The folder, near a file of annotations, in which most of the first pictures are.

        Raises:
            DataError: `given` is no folder.
        """
        if given != "auto":
            folder = from_home(given)
            if not folder.is_dir():
                raise DataError(f"data.pictures: there is no folder {given}.")
            return cls(folder)
        candidates = list(dict.fromkeys(_candidates(annotations)))
        sample = names[:: max(1, len(names) // LOOKED_AT)][:LOOKED_AT]
        hits = {folder: sum(os.path.isfile(folder / name) for name in sample) for folder in candidates}
        ordered = sorted(candidates, key=lambda folder: -hits[folder])
        return cls(ordered[0], tuple(f for f in ordered[1:] if hits[f]))

    def find(self, name: str) -> Path | None:
        """The file of that name; None where it is in none of the folders."""
        for folder in (self.first, *self.others):
            path = folder / name  # an absolute name stays as it is
            if os.path.isfile(path):  # no error for a name that no file can have
                return path
        if Path(name).is_absolute() or "\\" in name:  # annotated on another machine
            return self.find(name.replace("\\", "/").rsplit("/", 1)[-1])
        return None

    def with_stem(self, stem: str) -> Path | None:
        """The picture of that name whatever its ending; None where there is none."""
        for ending in PICTURE_EXTENSIONS:
            for spelled in (ending, ending.upper()):
                path = self.find(stem + spelled)
                if path is not None:
                    return path
        return None


def _candidates(annotations: Path) -> list[Path]:
    """Folders near `instances_train2017.json` or the like: its own, its neighbours, and those named as the part is."""
    here = annotations.parent
    above = here.parent
    words = annotations.stem.replace("-", "_").replace(".", "_").split("_")
    parts = [w for w in words if w.lower().rstrip("0123456789") in SPLIT_NAMES]
    bare = [w.rstrip("0123456789") for w in parts]
    found = [here]
    for root in (here, above):
        for holder in ("", *HOLD_PICTURES):
            found += [root / holder / word for word in (*parts, *bare)]
            found.append(root / holder)
    return [folder for folder in found if folder.is_dir()] or [here]
