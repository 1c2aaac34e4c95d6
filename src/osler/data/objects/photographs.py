"""Real photographs that come with Osler's dependencies, for backgrounds: none is fetched.

scikit-learn's two sample pictures and those of scikit-image's that its wheel holds. They are shared out so that no
photograph is behind training digits and behind validation or test digits as well. Left out are pages of text, drawings,
phantoms, and the second half of the stereo pair.
"""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from osler.imaging.decode import read_image

PHOTOGRAPHS = {
    "train": (
        *("china", "astronaut", "chelsea", "motorcycle_left", "hubble_deep_field"),
        *("gravel", "moon", "ihc", "coins"),
    ),
    "validation": ("flower", "rocket", "brick"),
    "test": ("coffee", "camera", "retina", "grass"),
}
LONGEST = 800  # pixels: larger ones are read at a half

Photograph = UInt8[np.ndarray, "height width 3"]


@lru_cache
def photographs(part: str) -> tuple[Photograph, ...]:
    """The photographs of a part (train, validation, test), RGB, read once."""
    return tuple(_read(name) for name in PHOTOGRAPHS[part])


def _read(name: str) -> Photograph:
    path = _path(name)
    image = read_image(path)
    if max(image.shape) > LONGEST:
        image = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    image.setflags(write=False)
    return image


def _path(name: str) -> Path:
    """The file in the installed packages, found without importing them (each would load its own libraries)."""
    from importlib.util import find_spec

    package, folder = ("sklearn", "datasets/images") if name in ("china", "flower") else ("skimage", "data")
    spec = find_spec(package)
    assert spec is not None, package
    assert spec.origin is not None, package
    root = Path(spec.origin).parent / folder
    return next(path for ending in (".png", ".jpg") if (path := root / f"{name}{ending}").is_file())
